package datetime_test

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/datetime"
)

// What `date -d` says of the same text is wanted; GNU's parse_datetime is in it.
var texts = []string{
	"@1234567890", "@-5", "@12.75",
	"2005-10-29 12:43:29 +0000", "2005-10-29 12:43:29 +0530", "2005-10-29 12:43:29-0700", "2005-10-29T12:43:29Z", "2005-10-29T12:43:29+02:00",
	"2005-10-29 12:43", "2005-10-29", "20051029", "20051029 1243", "2005-10-29 12:43:29.5 UTC",
	"October 21 2015", "October 25 1985", "November 05 1955", "oct 21, 2015", "21 Oct 2015", "21-oct-2015", "21 October 2015 10:00 PM",
	"Mon Oct 11 13:05:36 EDT 2004", "Mon, 11 Oct 2004 13:05:36 +0000", "Wed Oct 21 16:29:00 2015",
	"10/21/2015", "2015/10/21", "10/21/15 12am", "10/21/70 12:30 pm",
	"12:30", "12:30 2015-10-21",
	"2015-10-21 +1 day", "2015-10-21 12:00 2 days ago", "2015-10-21 3 hours", "2015-10-21 next month", "2015-10-21 -1 week",
	"2000-02-29", "2000-01-31 1 month",
}

func TestParseAsDate(t *testing.T) {
	if _, err := exec.LookPath("date"); err != nil {
		t.Skip("no date")
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip(err)
		}
		for _, text := range texts {
			cmd := exec.Command("date", "-d", text, "+%s")
			cmd.Env = []string{"TZ=" + zone, "LC_ALL=C"}
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("date -d %q: %v", text, err)
			}
			want, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			got, err := datetime.Parse(text, time.Now().In(loc))
			if err != nil || got.Unix() != want {
				t.Errorf("TZ=%s: Parse(%q) = %v, %v, want @%d", zone, text, got, err, want)
			}
		}
	}
}

func TestRelative(t *testing.T) {
	now := time.Date(2020, 3, 31, 12, 34, 56, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                      time.Date(2020, 3, 31, 0, 0, 0, 0, time.UTC),
		"now":                   now,
		"today":                 now,
		"yesterday":             now.AddDate(0, 0, -1),
		"tomorrow":              now.AddDate(0, 0, 1),
		"2 days ago":            now.AddDate(0, 0, -2),
		"1 week 1 hour ago":     now.AddDate(0, 0, 7).Add(-time.Hour),
		"yesterday 12:00":       time.Date(2020, 3, 30, 12, 0, 0, 0, time.UTC),
		"last year":             now.AddDate(-1, 0, 0),
		"90 seconds":            now.Add(90 * time.Second),
		"5 minutes ago":         now.Add(-5 * time.Minute),
		"- 5 minutes (comment)": {},
	} {
		got, err := datetime.Parse(text, now)
		if want.IsZero() {
			if !errors.Is(err, datetime.ErrSyntax) {
				t.Errorf("Parse(%q) = %v, %v", text, got, err)
			}
			continue
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("Parse(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"foo", "@", "@x", "2005-13-01", "2005-02-31", "25:00", "12:60", "October", "October 32 2015", "1 2 3", "2005-10-29 2005-10-30", "13 pm", "12:00 13:00", "12:00 +9999"} {
		if got, err := datetime.Parse(text, time.Now()); !errors.Is(err, datetime.ErrSyntax) {
			t.Errorf("Parse(%q) = %v, %v, want an error", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	now := time.Unix(1700000000, 0).UTC()
	f.Fuzz(func(t *testing.T, text string) {
		got, err := datetime.Parse(text, now)
		if err == nil != errors.Is(err, nil) || err != nil && !got.IsZero() {
			t.Fatalf("Parse(%q) = %v, %v", text, got, err)
		}
	})
}
