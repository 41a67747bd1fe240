package ostreecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
)

// formatTime writes a time as ostree does those of keys: strftime's %c of the C locale,
// but that a day of one digit has a figure space before it, as GLib has it.
func formatTime(t time.Time) string {
	t = t.Local()
	day := fmt.Sprint(t.Day())
	if len(day) < 2 {
		day = "\u2007" + day
	}
	return t.Format("Mon Jan ") + day + t.Format(" 15:04:05 2006")
}

// describeSignature says in lines what is known about a GPG signature. Of one that
// does not fit, what it says of itself is not repeated.
func describeSignature(b *strings.Builder, s openpgp.Signature, prefix string, now time.Time) {
	line := func(format string, a ...any) { fmt.Fprintf(b, prefix+format+"\n", a...) }
	made, algorithm, id := s.Created, s.Algorithm, s.Fingerprint
	if s.Bad {
		made, algorithm = time.Unix(0, 0), "[unknown name]"
	}
	line("Signature made %s using %s key ID %s", formatTime(made), algorithm, lastDigits(id))
	if s.Missing {
		line("Can't check signature: public key not found")
		return
	}
	line("%s", verdict(s))
	sub := s.Bad || s.Key != s.Primary
	if sub {
		line("Primary key ID %s", lastDigits(s.Primary.Fingerprint))
	}
	ends := func(what string, t time.Time) {
		switch {
		case t.IsZero():
		case now.After(t):
			line("%s expired %s", what, formatTime(t))
		default:
			line("%s expires %s", what, formatTime(t))
		}
	}
	if !s.Bad {
		ends("Signature", s.Expires)
		ends("Key", s.Key.Expires)
	}
	if sub {
		ends("Primary key", s.Primary.Expires)
	}
}

// verdict is the line that tells whether a signature counts.
func verdict(s openpgp.Signature) string {
	var u openpgp.UserID
	if len(s.Primary.UserIDs) > 0 {
		u = s.Primary.UserIDs[0]
	}
	by := fmt.Sprintf("signature from \"%s <%s>\"", u.Name(), u.Email())
	switch {
	case s.Valid:
		return "Good " + by
	case s.Bad:
		return "BAD " + by
	case s.Expired:
		return "Expired " + by
	case s.Revoked && !s.KeyExpired:
		return "Key revoked"
	}
	return "BAD " + by
}

// lastDigits is the ID of a key that has a fingerprint.
func lastDigits(fingerprint string) string {
	return fingerprint[max(0, len(fingerprint)-16):]
}
