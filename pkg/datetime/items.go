package datetime

import (
	"strconv"
	"strings"
	"time"
)

// months, units and zones by name; months may be abbreviated to three letters.
var monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

var dayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var zones = map[string]int{ // hours east of Greenwich
	"utc": 0, "gmt": 0, "ut": 0, "z": 0, "wet": 0, "cet": 1, "cest": 2, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}

var ordinals = map[string]int{"last": -1, "this": 0, "next": 1, "a": 1, "first": 1, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}

func abbreviated(list []string, word string) int {
	word = strings.TrimSuffix(word, ".")
	for i, name := range list {
		if word == name || len(word) == 3 && strings.HasPrefix(name, word) {
			return i + 1
		}
	}
	return 0
}

func unit(word string) string { return strings.TrimSuffix(word, "s") }

func isUnit(word string) bool {
	switch unit(word) {
	case "year", "month", "fortnight", "week", "day", "hour", "minute", "min", "second", "sec":
		return true
	}
	return false
}

// word takes an item that begins with a word.
func (p *parser) word(w string) bool {
	if m := abbreviated(monthNames, w); m > 0 {
		return p.monthFirst(m)
	}
	if abbreviated(dayNames, w) > 0 {
		return true // of a date that stands there, too
	}
	if h, ok := zones[w]; ok {
		p.zone = time.FixedZone(strings.ToUpper(w), h*3600)
		return true
	}
	if n, ok := ordinals[w]; ok && isUnit(p.peek()) {
		return p.count(n, p.next())
	}
	switch w {
	case "now", "today":
	case "yesterday":
		p.days--
	case "tomorrow":
		p.days++
	default:
		return isUnit(w) && p.count(1, w)
	}
	p.relative = true
	return true
}

// monthFirst takes "October 21 2015".
func (p *parser) monthFirst(month int) bool {
	day, err := strconv.Atoi(p.peek())
	if err != nil {
		return false
	}
	p.next()
	return p.setDate(p.year4(), month, day)
}

// year4 takes a year, when one follows.
func (p *parser) year4() int {
	if t := p.peek(); len(t) == 4 {
		if y, err := strconv.Atoi(t); err == nil {
			p.next()
			return y
		}
	}
	p.yearless = true
	return p.now.Year()
}

// number takes an item that begins with a number.
func (p *parser) number(t string) bool {
	n, err := strconv.Atoi(t)
	if err != nil {
		return false
	}
	next := p.peek()
	switch {
	case isUnit(next):
		return p.count(n, p.next())
	case next == "am" || next == "pm":
		return p.twelve(n, 0, 0, 0)
	case abbreviated(monthNames, next) > 0:
		month := abbreviated(monthNames, p.next())
		return p.setDate(p.year4(), month, n)
	case len(t) == 8:
		return p.setDate(n/10000, n/100%100, n%100)
	case len(t) == 4 && p.yearless:
		p.year, p.yearless = n, false
		return true
	case len(t) == 4 && p.date && !p.clock:
		return p.setClock(n/100, n%100, 0, 0)
	}
	return false
}

// count takes "2 days", and "ago" behind it.
func (p *parser) count(n int, word string) bool {
	if p.peek() == "ago" {
		p.next()
		n = -n
	}
	p.relative = true
	switch unit(word) {
	case "year":
		p.years += n
	case "month":
		p.months += n
	case "fortnight":
		p.days += 14 * n
	case "week":
		p.days += 7 * n
	case "day":
		p.days += n
	case "hour":
		p.shift += time.Duration(n) * time.Hour
	case "minute", "min":
		p.shift += time.Duration(n) * time.Minute
	case "second", "sec":
		p.shift += time.Duration(n) * time.Second
	}
	return true
}

// time takes "12:43", "12:43:29" and "12:43:29.5", and am or pm behind it.
func (p *parser) time(t string) bool {
	t, frac, _ := strings.Cut(t, ".")
	var n [3]int
	parts := strings.Split(t, ":")
	if len(parts) > 3 {
		return false
	}
	for i, s := range parts {
		var err error
		if n[i], err = strconv.Atoi(s); err != nil {
			return false
		}
	}
	nsec := 0
	if frac != "" {
		var err error
		if nsec, err = fraction(frac); err != nil {
			return false
		}
	}
	if next := p.peek(); next == "am" || next == "pm" {
		return p.twelve(n[0], n[1], n[2], nsec)
	}
	return p.setClock(n[0], n[1], n[2], nsec)
}

// twelve takes an hour of a clock of twelve.
func (p *parser) twelve(hour, min, sec, nsec int) bool {
	if hour < 1 || hour > 12 {
		return false
	}
	hour %= 12
	if p.next() == "pm" {
		hour += 12
	}
	return p.setClock(hour, min, sec, nsec)
}

func (p *parser) setClock(hour, min, sec, nsec int) bool {
	if p.clock || hour > 23 || min > 59 || sec > 60 {
		return false
	}
	p.clock, p.hour, p.min, p.sec, p.nsec = true, hour, min, sec, nsec
	return true
}

func (p *parser) setDate(year, month, day int) bool {
	if p.date || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	p.date, p.year, p.month, p.day = true, year, month, day
	return true
}

// slashed takes "10/21/2015", "10/21" and "2015/10/21".
func (p *parser) slashed(t string) bool {
	parts := strings.Split(t, "/")
	n := make([]int, len(parts))
	for i, s := range parts {
		var err error
		if n[i], err = strconv.Atoi(s); err != nil {
			return false
		}
	}
	switch {
	case len(n) == 3 && len(parts[0]) > 2:
		return p.setDate(n[0], n[1], n[2])
	case len(n) == 3:
		return p.setDate(century(n[2], parts[2]), n[0], n[1])
	case len(n) == 2:
		return p.setDate(p.now.Year(), n[0], n[1])
	}
	return false
}

// century completes a year of two digits.
func century(year int, digits string) int {
	switch {
	case len(digits) > 2:
		return year
	case year < 69:
		return 2000 + year
	}
	return 1900 + year
}

// dashed takes "2015-10-21" and "21-oct-2015".
func (p *parser) dashed(t string) bool {
	parts := strings.Split(t, "-")
	a, errA := strconv.Atoi(parts[0])
	c, errC := strconv.Atoi(parts[2])
	if errA != nil || errC != nil {
		return false
	}
	if m := abbreviated(monthNames, parts[1]); m > 0 {
		return p.setDate(century(c, parts[2]), m, a)
	}
	b, err := strconv.Atoi(parts[1])
	return err == nil && p.setDate(century(a, parts[0]), b, c)
}

// offset takes "+0200" and "+02:00" behind a time.
func (p *parser) offset(t string) bool {
	digits := strings.Replace(t[1:], ":", "", 1)
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return false
	}
	if len(digits) <= 2 {
		n *= 100
	}
	seconds := (n/100*60 + n%100) * 60
	if n > 2400 {
		return false
	}
	if t[0] == '-' {
		seconds = -seconds
	}
	p.zone = time.FixedZone("", seconds)
	return true
}
