// Package datetime reads dates and times as people write them, the way `date -d` and
// all that is built on GNU's parse_datetime do: "@1234567890", "2005-10-29 12:43:29
// +0000", "October 21 2015", "2 days ago", "yesterday noon".
//
// What is not given comes from now; a date without a time is midnight. A zone that is
// not given is that of now.
//
// Not here: names of zones but UTC, GMT and the American ones, days of the week to count
// from ("next friday"), quoted TZ="…".
package datetime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrSyntax is wrapped when a text is no date.
var ErrSyntax = errors.New("not a date")

// Parse reads a text. now tells what the text leaves out, and in which zone it is.
func Parse(text string, now time.Time) (time.Time, error) {
	p := &parser{now: now, zone: now.Location()}
	at, err := p.parse(strings.TrimSpace(text))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: %w", text, ErrSyntax)
	}
	return at, nil
}

type parser struct {
	now  time.Time
	zone *time.Location
	toks []string

	date, yearless   bool
	year, month, day int
	clock            bool
	hour, min, sec   int
	nsec             int

	years, months, days int // relative
	shift               time.Duration
	relative            bool
}

func (p *parser) parse(text string) (time.Time, error) {
	if s, ok := strings.CutPrefix(text, "@"); ok {
		return parseSeconds(s)
	}
	p.toks = tokens(text)
	for len(p.toks) > 0 {
		if !p.item() {
			return time.Time{}, ErrSyntax
		}
	}
	return p.result()
}

// parseSeconds reads seconds since 1970, which may have a fraction.
func parseSeconds(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(strings.TrimSpace(s), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	if frac == "" {
		return time.Unix(n, 0), nil
	}
	nsec, err := fraction(frac)
	if strings.HasPrefix(whole, "-") {
		nsec = -nsec
	}
	return time.Unix(n, int64(nsec)), err
}

func fraction(digits string) (int, error) {
	n, err := strconv.ParseUint((digits + "000000000")[:9], 10, 32)
	return int(n), err
}

// tokens takes a text apart: words, numbers with what joins them to dates, times and
// zones, without commas and remarks in parentheses.
func tokens(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '(':
			if end := strings.IndexByte(text[i:], ')'); end >= 0 {
				i += end
			}
			i++
		case c == ' ' || c == '\t' || c == '\n' || c == ',':
			i++
		default:
			end := i + 1
			for end < len(text) && joined(text, i, end) {
				end++
			}
			out = append(out, strings.ToLower(text[i:end]))
			i = end
		}
	}
	return out
}

// joined tells whether the byte at end belongs to the token that begins at start.
func joined(text string, start, end int) bool {
	c, before := text[end], text[end-1]
	switch {
	case isLetter(text[start]) && isLetter(before):
		return isLetter(c) || c == '.'
	case isDigit(c):
		return true
	case c == '-' && strings.Contains(text[start:end], ":"):
		return false // a zone
	case c == '-' && isDigit(text[start]) && isLetter(before):
		return true
	case strings.IndexByte("-/:.", c) >= 0:
		return isDigit(before) && end+1 < len(text) && (isDigit(text[end+1]) || c == '-' && isLetter(text[end+1]))
	case isLetter(c):
		return strings.Count(text[start:end], "-") > 0 && (isLetter(before) || before == '-') && text[start] != '-' && text[start] != '+'
	}
	return false
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (p *parser) next() string {
	t := p.toks[0]
	p.toks = p.toks[1:]
	return t
}

func (p *parser) peek() string {
	if len(p.toks) == 0 {
		return ""
	}
	return p.toks[0]
}

// item takes what the next tokens say.
func (p *parser) item() bool {
	t := p.next()
	switch {
	case t == "t" && p.date && len(p.toks) > 0 && isDigit(p.toks[0][0]):
		return true // between an ISO date and its time
	case isLetter(t[0]):
		return p.word(t)
	case strings.Contains(t, ":") && isDigit(t[0]):
		return p.time(t)
	case strings.Contains(t, "/"):
		return p.slashed(t)
	case isDigit(t[0]) && strings.Count(t, "-") == 2:
		return p.dashed(t)
	case (t[0] == '+' || t[0] == '-') && p.clock && !isUnit(p.peek()):
		return p.offset(t)
	}
	return p.number(t)
}

// result puts together what the items have said.
func (p *parser) result() (time.Time, error) {
	now := p.now.In(p.zone)
	if !p.date {
		p.year, p.month, p.day = now.Year(), int(now.Month()), now.Day()
	}
	if !p.clock && !p.date && p.relative {
		p.hour, p.min, p.sec, p.nsec = now.Hour(), now.Minute(), now.Second(), now.Nanosecond()
	}
	at := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, p.nsec, p.zone)
	if at.Day() != p.day || p.month < 1 || p.month > 12 {
		return time.Time{}, ErrSyntax // the 31st of February
	}
	return at.AddDate(p.years, p.months, p.days).Add(p.shift), nil
}
