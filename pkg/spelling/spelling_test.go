package spelling

import (
	"slices"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kernel", "kernel", 0},
		{"kernle", "kernel", 1}, {"systmed", "systemd", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := Distance(c.a, c.b, 9); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := Distance("kitten", "sitting", 2); got != 2 {
		t.Errorf("above the limit of 2: %d", got)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"bash", "zsh", "dash", "openssh-server"}
	for _, c := range []struct {
		word, want string
		limit      int
	}{
		{"bahs", "bash", 3}, {"openssh-servr", "openssh-server", 3}, {"xash", "bash", 2}, {"emacs", "", 2},
	} {
		for range 2 {
			if got := Nearest(c.word, slices.Values(words), c.limit); got != c.want {
				t.Errorf("%q: %q, want %q", c.word, got, c.want)
			}
			slices.Reverse(words)
		}
	}
}
