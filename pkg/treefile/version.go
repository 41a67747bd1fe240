package treefile

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// NextVersion is the version that follows last, which is empty when there is none.
//
// A version is the prefix, or the prefix, the suffix and a counter. In the prefix,
// <date:FORMAT> stands for now in UTC, FORMAT being that of strftime; then even the
// first version has a counter. An empty suffix means ".".
func NextVersion(prefix, suffix, last string, now time.Time) string {
	if suffix == "" {
		suffix = "."
	}
	prefix, dated := expandDates(prefix, now.UTC())
	first := prefix
	if dated {
		first = prefix + suffix + "0"
	}
	rest, ok := strings.CutPrefix(last, prefix)
	switch {
	case !ok || last == "":
		return first
	case rest == "" && dated:
		return first
	case rest == "":
		return prefix + suffix + "1"
	}
	rest, ok = strings.CutPrefix(rest, suffix)
	if !ok {
		return first
	}
	count := new(big.Int) // versions are any length; what is no number counts as 0
	count.SetString(rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))], 10)
	return prefix + suffix + count.Add(count, big.NewInt(1)).String()
}

var tag = regexp.MustCompile(`<([^<>:]+):([^<>]*)>`)

// expandDates replaces the date tags, and tells whether there were any. Another tag
// stays.
func expandDates(s string, now time.Time) (out string, dated bool) {
	out = tag.ReplaceAllStringFunc(s, func(t string) string {
		format, ok := strings.CutPrefix(t, "<date:")
		if !ok {
			return t
		}
		dated = true
		text, _ := strftime(strings.TrimSuffix(format, ">"), now)
		return text
	})
	return out, dated
}

// checkDates complains of a format that a date tag does not know.
func checkDates(prefix string) error {
	for _, m := range tag.FindAllStringSubmatch(prefix, -1) {
		if m[1] != "date" {
			continue
		}
		if _, err := strftime(m[2], time.Unix(0, 0).UTC()); err != nil {
			return fmt.Errorf("%q: %w", m[0], err)
		}
	}
	return nil
}

// layouts are the conversions of strftime that package time has, in the C locale.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04",
	'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05",
	'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

// numbers are those that it has not.
var numbers = map[byte]func(time.Time) string{
	'C': func(t time.Time) string { return fmt.Sprintf("%02d", t.Year()/100) },
	'G': func(t time.Time) string { y, _ := t.ISOWeek(); return fmt.Sprint(y) },
	'g': func(t time.Time) string { y, _ := t.ISOWeek(); return fmt.Sprintf("%02d", y%100) },
	'k': func(t time.Time) string { return fmt.Sprintf("%2d", t.Hour()) },
	'l': func(t time.Time) string { return fmt.Sprintf("%2d", (t.Hour()+11)%12+1) },
	's': func(t time.Time) string { return fmt.Sprint(t.Unix()) },
	'u': func(t time.Time) string { return fmt.Sprint((int(t.Weekday())+6)%7 + 1) },
	'U': func(t time.Time) string { return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7) },
	'V': func(t time.Time) string { _, w := t.ISOWeek(); return fmt.Sprintf("%02d", w) },
	'w': func(t time.Time) string { return fmt.Sprint(int(t.Weekday())) },
	'W': func(t time.Time) string { return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7) },
	'n': func(time.Time) string { return "\n" },
	't': func(time.Time) string { return "\t" },
	'%': func(time.Time) string { return "%" },
}

// strftime formats t as the function of C does. A '-' behind the '%' takes zeros and
// blanks off the front of a number.
func strftime(format string, t time.Time) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		conversion := format[i+1:]
		bare := strings.HasPrefix(conversion, "-")
		conversion = strings.TrimPrefix(conversion, "-")
		if conversion == "" {
			return b.String(), fmt.Errorf("ends in the middle of a conversion")
		}
		var text string
		if layout, ok := layouts[conversion[0]]; ok {
			text = t.Format(layout)
		} else if number, ok := numbers[conversion[0]]; ok {
			text = number(t)
		} else {
			return b.String(), fmt.Errorf("unknown conversion %%%c", conversion[0])
		}
		if bare {
			text = bareNumber(text)
		}
		b.WriteString(text)
		i = len(format) - len(conversion)
	}
	return b.String(), nil
}

func bareNumber(s string) string {
	if bare := strings.TrimLeft(s, "0 "); bare != "" {
		return bare
	}
	return "0"
}
