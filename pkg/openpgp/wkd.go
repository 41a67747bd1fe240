package openpgp

import (
	"crypto/sha1"
	"net/url"
	"strings"
)

// zbase32 are the digits that the names of keys in a Web Key Directory have.
const zbase32 = "ybndrfg8ejkmcpqxot1uwisza345h769"

// UpdateURLs are where a Web Key Directory has the newest form of the key, by the
// advanced and by the direct method; empty when there is no address to ask about.
// Source: draft-koch-openpgp-webkey-service, section 3.1.
func (u UserID) UpdateURLs() (advanced, direct string) {
	address := lowerASCII(u.Email())
	if !isMailbox(address) {
		return "", ""
	}
	local, domain, _ := strings.Cut(address, "@")
	const folder = "/.well-known/openpgpkey/"
	sum := sha1.Sum([]byte(local))
	name := "hu/" + encodeZBase32(sum[:]) + "?l=" + url.QueryEscape(local)
	return "https://openpgpkey." + domain + folder + domain + "/" + name, "https://" + domain + folder + name
}

// isMailbox tells whether a text is an address as GnuPG takes them: two parts, without
// blanks and quotes.
func isMailbox(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x80 && !isAlphanumeric(c) && strings.IndexByte("_-.@!#$%&'*+/=?^`{|}~", c) < 0 {
			return false
		}
	}
	local, domain, _ := strings.Cut(s, "@")
	if strings.ContainsAny(domain, "@!#$%&'*+/=?^`{|}~") {
		return false
	}
	return isDotted(local) && isDotted(domain)
}

// isDotted tells whether a text is one or more words with a dot between two.
func isDotted(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// lowerASCII leaves letters that are not of ASCII as they are.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// encodeZBase32 writes five bits as a digit, the first ones first.
func encodeZBase32(b []byte) string {
	var out strings.Builder
	var bits, n uint
	for _, c := range b {
		bits, n = bits<<8|uint(c), n+8
		for ; n >= 5; n -= 5 {
			out.WriteByte(zbase32[bits>>(n-5)&31])
		}
	}
	if n > 0 {
		out.WriteByte(zbase32[bits<<(5-n)&31])
	}
	return out.String()
}
