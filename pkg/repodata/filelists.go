package repodata

import (
	"io"
)

// ParseFilelists reads filelists metadata and calls found for each file of want,
// with the checksum of its package.
//
// Every error but r's wraps [ErrMalformed] and names the byte where it is.
func ParseFilelists(r io.Reader, want map[string]bool, found func(pkgid, path string)) error {
	s := newScanner(r)
	var id []byte
	for {
		err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.fail("filelists", err)
		}
		switch depth := len(s.starts); {
		case depth == 1 && !s.closes && string(s.name) != "filelists":
			return s.fail("filelists", malformed("the root is %s, want filelists", s.name))
		case depth == 2 && !s.closes && string(s.name) == "package":
			if id = append(id[:0], s.attr("pkgid")...); len(id) == 0 {
				return s.fail("filelists", malformed("package %s has no pkgid", s.attr("name")))
			}
		case depth == 2 && s.closes && string(s.name) == "file":
			text, err := s.text()
			if err != nil {
				return s.fail("filelists", err)
			}
			if want[string(text)] {
				found(string(id), string(text))
			}
		}
	}
}
