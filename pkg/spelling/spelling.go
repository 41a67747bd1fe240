// Package spelling finds the word that a misspelt one stands for, for errors that
// ask "did you mean".
package spelling

import "iter"

// Nearest is the word with the fewest wrong letters, fewer than limit; the first in
// alphabetical order of equals; empty when none is near.
func Nearest(word string, known iter.Seq[string], limit int) string {
	best := ""
	for k := range known {
		if d := Distance(word, k, limit+1); d < limit || d == limit && best != "" && k < best {
			best, limit = k, d
		}
	}
	return best
}

// Distance counts the bytes to insert, remove, replace or swap with the next one to
// make b of a. It is limit when it would be more.
func Distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit)
}
