package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// Cookie is what a remote's server is sent with every request.
type Cookie struct {
	Domain, Path string
	Secure       bool   // only over https
	Expires      uint64 // seconds since 1970 UTC
	Name, Value  string
}

// maxCookies is the longest file of cookies, in bytes, that is read.
const maxCookies = 1 << 20

// cookieFile is a remote's file of cookies: lines as those of Netscape and curl,
// seven fields with tabs between them.
func (r *Repo) cookieFile(remote string) (string, error) {
	if err := ostree.CheckRemote(remote); err != nil {
		return "", &RemoteError{Name: remote, Err: err}
	}
	return r.file(remote + ".cookies.txt"), nil
}

// Cookies returns the cookies of a remote in the order of its file. Lines that are none
// are passed over.
func (r *Repo) Cookies(remote string) ([]Cookie, error) {
	lines, err := r.cookieLines(remote)
	if err != nil {
		return nil, err
	}
	var out []Cookie
	for _, line := range lines {
		if c, ok := parseCookie(line); ok {
			out = append(out, c)
		}
	}
	return out, nil
}

func (r *Repo) cookieLines(remote string) ([]string, error) {
	name, err := r.cookieFile(remote)
	if err != nil {
		return nil, err
	}
	f, size, err := openRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f.Close()
	if size > maxCookies {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are allowed: %w", name, size, maxCookies, ostree.ErrMalformed)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return slices.Collect(strings.Lines(string(b))), nil
}

func parseCookie(line string) (Cookie, bool) {
	f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
	if len(f) != 7 || strings.HasPrefix(line, "#") {
		return Cookie{}, false
	}
	expires, err := strconv.ParseUint(f[4], 10, 63)
	return Cookie{Domain: f[0], Path: f[2], Secure: f[3] == "TRUE", Expires: expires, Name: f[5], Value: f[6]}, err == nil
}

// AddCookie adds a cookie to those of a remote, which need not be there. No part of it
// may have a tab or a line's end; the error wraps [ostree.ErrMalformed].
func (r *Repo) AddCookie(remote string, c Cookie) error {
	for _, s := range []string{c.Domain, c.Path, c.Name, c.Value} {
		if strings.ContainsAny(s, "\t\r\n") || strings.HasPrefix(c.Domain, "#") || c.Expires > math.MaxInt64 {
			return fmt.Errorf("cookie %q: %w", c.Name, ostree.ErrMalformed)
		}
	}
	lines, err := r.cookieLines(remote)
	if err != nil {
		return err
	}
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	line := fmt.Sprintf("%s\tFALSE\t%s\t%s\t%d\t%s\t%s\n", c.Domain, c.Path, strings.ToUpper(strconv.FormatBool(c.Secure)), c.Expires, c.Name, c.Value)
	return r.writeCookies(remote, append(lines, line))
}

// DeleteCookie removes the cookies of a remote with that domain, path and name. The
// error wraps [ostree.ErrNotFound] when there is none.
func (r *Repo) DeleteCookie(remote, domain, path, name string) error {
	lines, err := r.cookieLines(remote)
	if err != nil {
		return err
	}
	n := len(lines)
	lines = slices.DeleteFunc(lines, func(line string) bool {
		c, ok := parseCookie(line)
		return ok && c.Domain == domain && c.Path == path && c.Name == name
	})
	if len(lines) == n {
		return fmt.Errorf("cookie %s of %s%s: %w", name, domain, path, ostree.ErrNotFound)
	}
	return r.writeCookies(remote, lines)
}

func (r *Repo) writeCookies(remote string, lines []string) error {
	name, err := r.cookieFile(remote)
	if err != nil {
		return err
	}
	return fsutil.WriteBytes(name, 0o644, []byte(strings.Join(lines, "")))
}
