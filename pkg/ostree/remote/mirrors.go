package remote

import (
	"context"
	"net/url"
	"strings"
)

// mirrorlistLimit is the longest list of mirrors, in bytes.
const mirrorlistLimit = 10 << 20

// maxMirrors bounds how many bases are kept of a list.
const maxMirrors = 1000

// parseBase reads the URL of a repository.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err // names it
	}
	switch u.Scheme {
	case "http", "https", "file":
		return u, nil
	}
	return nil, &SchemeError{s}
}

// bases finds the bases that an option stands for.
func (s *Source) bases(ctx context.Context, option string) ([]*url.URL, error) {
	list, isList := strings.CutPrefix(option, "mirrorlist=")
	u, err := parseBase(list)
	if err != nil {
		return nil, err
	}
	if !isList {
		return []*url.URL{u}, nil
	}
	b, err := s.get(ctx, []*url.URL{u}, "", mirrorlistLimit)
	if err != nil {
		return nil, &MirrorlistError{u.Redacted(), err}
	}
	all := parseMirrorlist(string(b))
	for i := range all {
		if _, err := s.get(ctx, all[i:i+1], "config", smallLimit); err == nil {
			return all[i:], nil
		} else if ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, &MirrorlistError{URL: u.Redacted()}
}

// parseMirrorlist reads a list of mirrors: a URL a line; other lines do not count.
func parseMirrorlist(text string) []*url.URL {
	var out []*url.URL
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://") {
			continue
		}
		if u, err := url.Parse(line); err == nil && u.Host != "" && len(out) < maxMirrors {
			out = append(out, u)
		}
	}
	return out
}
