package rootfs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
)

// A Cache keeps what was made before, by a key of letters, digits and dots.
type Cache interface {
	// Load returns what is kept; ok tells whether there is something.
	Load(key string) (from segment.Source, size int64, ok bool)
	Store(key string, from segment.Source) error
}

// kernelRecord is what depmod and dracut made, and of what.
type kernelRecord struct {
	Inputs map[string]string // path -> identity of what dracut put into the initramfs
	Files  []kernelFile
}

// kernelFile is a file that they made.
type kernelFile struct {
	Path   string
	Mode   uint32
	Size   int64
	Digest digest.Digest // also its key
}

// recordVersion is changed when records of before must not be used any more.
const recordVersion = "1"

// kernelStage makes what belongs to the kernel: the index of its modules and the
// initramfs. What was made of the same files before is taken from the cache.
//
// dracut looks at names everywhere and at content where it takes it from. So a result
// fits when these are the same: the names of the tree's files, but for documentation;
// the content of all that configures it; and of each file that is in the initramfs.
func (a *assembly) kernelStage() error {
	scripts, err := a.kernelScripts()
	if err != nil || len(scripts) == 0 {
		return err
	}
	if a.o.Cache == nil {
		return a.runInTree(scripts)
	}
	key, err := a.kernelKey(scripts)
	if err != nil {
		return err
	}
	if done, err := a.kernelFromCache(key); done || err != nil {
		return err
	}
	before := map[string]*filetree.Node{}
	a.eachKernelFile(func(p string, n *filetree.Node) { before[p] = n })
	if err := a.runInTree(scripts); err != nil {
		return err
	}
	return a.keepKernel(key, before)
}

func (a *assembly) eachKernelFile(fn func(p string, n *filetree.Node)) {
	dir := modules + "/" + a.kernel
	a.root.Lookup(dir).Walk(func(p string, n *filetree.Node) error {
		if n.Kind == filetree.File {
			fn(path.Join(dir, p), n)
		}
		return nil
	})
}

// silent are folders of which dracut takes nothing.
var silent = []string{"usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/licenses/", "usr/include/", "usr/src/", "usr/share/rpm/", "usr/lib/sysimage/", "usr/lib/.build-id/", "usr/lib/python3", "usr/lib64/python3"}

// configuring are folders whose content decides what dracut does.
var configuring = []string{"etc/", "usr/lib/dracut/", "usr/lib/modules/", "usr/lib/udev/", "usr/lib/systemd/", "usr/lib/kernel/", "usr/lib/modprobe.d/", "usr/lib/ostree/"}

// kernelKey names all that decides what dracut does, but the content of what it takes.
func (a *assembly) kernelKey(scripts []Script) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, recordVersion)
	for _, s := range scripts {
		fmt.Fprintf(h, "%s\n%s\n", s.Name, s.Body)
	}
	err := a.root.Walk(func(p string, n *filetree.Node) error {
		begins := func(dir string) bool { return strings.HasPrefix(p, dir) }
		if slices.ContainsFunc(silent, begins) {
			return nil
		}
		fmt.Fprintf(h, "%q %d", p, n.Kind)
		if slices.ContainsFunc(configuring, begins) && n.Kind != filetree.Dir {
			id, err := identity(n)
			if err != nil {
				return err
			}
			fmt.Fprint(h, " ", id)
		}
		fmt.Fprintln(h)
		return nil
	})
	return "kernel." + hex.EncodeToString(h.Sum(nil)), err
}

// identity names what a file or link is.
func identity(n *filetree.Node) (string, error) {
	if n.Kind == filetree.File && n.Digest.IsZero() && n.Size > 0 {
		sum, err := sumOf(n)
		if err != nil {
			return "", err
		}
		n.Digest = sum
	}
	return fmt.Sprintf("%d %o %s %s", n.Kind, n.Mode, n.Digest, n.Target), nil
}

// kernelFromCache puts what was made before into the tree, if it fits.
func (a *assembly) kernelFromCache(key string) (bool, error) {
	from, _, ok := a.o.Cache.Load(key)
	if !ok {
		return false, nil
	}
	b, err := readAll(from)
	if err != nil {
		return false, err
	}
	var r kernelRecord
	if json.Unmarshal(b, &r) != nil {
		return false, nil
	}
	for p, want := range r.Inputs {
		n := a.root.Lookup(p)
		if n == nil {
			return false, nil
		}
		if id, err := identity(n); err != nil || id != want {
			return false, err
		}
	}
	made := map[string]*filetree.Node{}
	for _, f := range r.Files {
		from, size, ok := a.o.Cache.Load(f.Digest.Hex)
		if !ok || size != f.Size {
			return false, nil
		}
		made[f.Path] = &filetree.Node{Kind: filetree.File, Mode: f.Mode, Size: size, Digest: f.Digest, From: from}
	}
	for p, n := range made {
		if err := a.root.Put(p, n); err != nil {
			return false, err
		}
	}
	a.o.Step("the initramfs is as before")
	return true, nil
}

const maxRecord = 64 << 20

func readAll(from segment.Source) ([]byte, error) {
	rc, err := from.Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(rc, maxRecord))
	return b, errors.Join(err, rc.Close())
}

// keepKernel stores what was made, unless it is not clear of what.
func (a *assembly) keepKernel(key string, before map[string]*filetree.Node) error {
	r := kernelRecord{Inputs: map[string]string{}}
	if image := a.root.Lookup(a.initramfs()); image != nil {
		names, err := initramfsNames(image)
		if err != nil {
			return nil // of a form that is not known here: it is made anew each time
		}
		for _, name := range names {
			at, err := a.root.Resolve("/" + name)
			if err != nil {
				continue // dracut's own
			}
			if n := a.root.Lookup(at); n != nil && n.Kind != filetree.Dir {
				if r.Inputs[at], err = identity(n); err != nil {
					return err
				}
			}
		}
	}
	var failed error
	a.eachKernelFile(func(p string, n *filetree.Node) {
		if before[p] == n || failed != nil {
			return
		}
		if _, failed = identity(n); failed != nil {
			return
		}
		r.Files = append(r.Files, kernelFile{p, n.Mode, n.Size, n.Digest})
		if n.Size > 0 {
			failed = a.o.Cache.Store(n.Digest.Hex, n.From)
		} else {
			failed = a.o.Cache.Store(n.Digest.Hex, segment.Bytes(nil))
		}
	})
	if failed != nil {
		return failed
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return a.o.Cache.Store(key, segment.Bytes(b))
}

// initramfsNames lists what is in an initramfs: cpio archives one behind the other,
// the last of them compressed.
func initramfsNames(n *filetree.Node) (names []string, err error) {
	rc, err := n.From.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	br := bufio.NewReader(rc)
	for {
		head, err := br.Peek(6)
		if err != nil {
			if len(names) > 0 && len(head) == 0 {
				return names, nil
			}
			return nil, fmt.Errorf("initramfs: %w", err)
		}
		switch {
		case head[0] == 0: // padding
			if _, err := br.Discard(1); err != nil {
				return nil, err
			}
		case bytes.HasPrefix(head, []byte("07070")):
			if names, err = cpioNames(br, names); err != nil {
				return nil, err
			}
		default:
			z, err := compress.NewReader(br)
			if err != nil {
				return nil, fmt.Errorf("initramfs: %w", err)
			}
			defer z.Close()
			return cpioNames(bufio.NewReader(z), names)
		}
	}
}

// cpioNames adds the names of an archive's files and links.
func cpioNames(r io.Reader, names []string) ([]string, error) {
	c := cpio.NewReader(r)
	for {
		h, err := c.Next()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("initramfs: %w", err)
		}
		if !h.Mode.IsDir() {
			names = append(names, path.Clean("/" + h.Name)[1:])
		}
	}
}
