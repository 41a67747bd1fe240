package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/rpmpack"
)

const (
	modeDir     = 0o040000
	modeFile    = 0o100000
	modeSymlink = 0o120000
)

// merged are the folders that are links into /usr.
var merged = []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// usrMerge moves a path of the old layout to where the links lead.
func usrMerge(p string) string {
	for _, m := range merged {
		if p == m || strings.HasPrefix(p, m+"/") {
			return "/usr" + p
		}
	}
	return p
}

// files reads the package's content; newest is the latest time of a file.
func (d *deb) files(ctx context.Context) (out []rpmpack.RPMFile, newest int64, err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", d.path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	byName := map[string]rpmpack.RPMFile{}
	r := tar.NewReader(pipe)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("content: %w: %s", err, stderr.String())
		}
		f, err := d.file(h, r, byName)
		if err != nil {
			return nil, 0, err
		}
		newest = max(newest, h.ModTime.Unix())
		if f.Name == "" {
			continue
		}
		byName[f.Name] = f
		out = append(out, f)
	}
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		return nil, 0, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, 0, fmt.Errorf("dpkg-deb: %w: %s", err, stderr.String())
	}
	if d.control["Package"] == "base-passwd" {
		accounts, err := accountFiles(byName)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, accounts...)
	}
	return out, newest, nil
}

// file maps one entry; a result without a name is left out.
func (d *deb) file(h *tar.Header, r io.Reader, earlier map[string]rpmpack.RPMFile) (f rpmpack.RPMFile, err error) {
	old := path.Clean("/" + h.Name)
	name := usrMerge(old)
	f = rpmpack.RPMFile{Name: name, Owner: h.Uname, Group: h.Gname, MTime: uint32(h.ModTime.Unix()), Mode: uint(h.Mode) & 0o7777, Type: fileType(name)}
	switch h.Typeflag {
	case tar.TypeDir:
		f.Mode |= modeDir
		if filesystemHas(name) {
			f.Name = ""
		}
	case tar.TypeSymlink:
		f.Mode = modeSymlink | 0o777
		f.Body = []byte(linkTarget(old, name, h.Linkname))
		if filesystemHas(old) {
			f.Name = ""
		}
	case tar.TypeLink:
		// The library cannot write hard links: the content comes twice.
		target, ok := earlier[usrMerge(path.Clean("/"+h.Linkname))]
		if !ok {
			return f, fmt.Errorf("%s: hard link to %s, which did not come yet", h.Name, h.Linkname)
		}
		target.Name = name
		return target, nil
	case tar.TypeReg:
		f.Mode |= modeFile
		if f.Body, err = io.ReadAll(r); err != nil {
			return f, err
		}
	default:
		return f, fmt.Errorf("%s: file type %q is not supported", h.Name, h.Typeflag)
	}
	if d.conffiles[name] {
		f.Type = rpmpack.ConfigFile | rpmpack.NoReplaceFile
	}
	return f, nil
}

// linkTarget keeps a relative link right when the link has moved below /usr.
func linkTarget(old, name, target string) string {
	if old == name || strings.HasPrefix(target, "/") {
		return target
	}
	abs := usrMerge(path.Join(path.Dir(old), target))
	rel, err := filepath.Rel(path.Dir(name), abs)
	if err != nil {
		return target
	}
	return rel
}

// fileType marks documentation, so that a tree can do without; licences stay.
func fileType(p string) rpmpack.FileType {
	switch {
	case strings.HasPrefix(p, "/usr/share/doc/") && path.Base(p) == "copyright":
		return rpmpack.LicenceFile
	case strings.HasPrefix(p, "/usr/share/doc/"), strings.HasPrefix(p, "/usr/share/man/"),
		strings.HasPrefix(p, "/usr/share/info/"), strings.HasPrefix(p, "/usr/share/lintian/"):
		return rpmpack.DocFile
	}
	return rpmpack.GenericFile
}

// accountFiles makes /etc/passwd and /etc/group of their masters, as the package's
// script would. A "*" for the password would hide the shadow file.
func accountFiles(files map[string]rpmpack.RPMFile) ([]rpmpack.RPMFile, error) {
	var out []rpmpack.RPMFile
	for _, name := range []string{"passwd", "group"} {
		master, ok := files["/usr/share/base-passwd/"+name+".master"]
		if !ok {
			return nil, fmt.Errorf("base-passwd has no %s.master", name)
		}
		body := bytes.ReplaceAll(master.Body, []byte(":*:"), []byte(":x:"))
		out = append(out, rpmpack.RPMFile{Name: "/etc/" + name, Body: body, Mode: modeFile | 0o644, Owner: "root", Group: "root",
			MTime: master.MTime, Type: rpmpack.ConfigFile | rpmpack.NoReplaceFile})
	}
	return out, nil
}

const filesystemRPM = "filesystem-1-1.noarch.rpm"

// skeleton are the folders that the package filesystem owns, for all others.
var skeleton = map[string]uint{
	"/boot": 0o755, "/dev": 0o755, "/etc": 0o755, "/home": 0o755, "/media": 0o755, "/mnt": 0o755, "/opt": 0o755,
	"/proc": 0o555, "/root": 0o700, "/run": 0o755, "/srv": 0o755, "/sys": 0o555, "/tmp": 0o1777, "/usr": 0o755,
	"/usr/bin": 0o755, "/usr/games": 0o755, "/usr/include": 0o755, "/usr/lib": 0o755, "/usr/lib64": 0o755,
	"/usr/sbin": 0o755, "/usr/share": 0o755, "/usr/share/doc": 0o755, "/usr/share/man": 0o755, "/usr/src": 0o755,
	"/var": 0o755, "/var/cache": 0o755, "/var/lib": 0o755, "/var/log": 0o755, "/var/opt": 0o755, "/var/spool": 0o755, "/var/tmp": 0o1777,
}

func filesystemHas(p string) bool {
	_, dir := skeleton[p]
	for _, m := range merged {
		dir = dir || p == m
	}
	return dir || p == "/"
}

// writeFilesystem makes the package with the folders and the links into /usr.
func writeFilesystem(out, compressor string) error {
	meta := rpmpack.RPMMetaData{
		Name: "filesystem", Version: "1", Release: "1", Epoch: rpmpack.NoEpoch, Arch: "noarch",
		Summary: "The basic folders and the links into /usr", Licence: "CC0-1.0", BuildHost: "localhost",
		Compressor: compressor, BuildTime: time.Unix(0, 0),
	}
	var files []rpmpack.RPMFile
	for p, mode := range skeleton {
		files = append(files, rpmpack.RPMFile{Name: p, Mode: modeDir | mode, Owner: "root", Group: "root"})
	}
	for _, m := range []string{"/bin", "/sbin", "/lib", "/lib64"} {
		files = append(files, rpmpack.RPMFile{Name: m, Body: []byte("usr" + m), Mode: modeSymlink | 0o777, Owner: "root", Group: "root"})
	}
	return writeRPM(out, meta, "filesystem-1-1.src.rpm", "", files)
}
