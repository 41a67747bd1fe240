package ostree_test

import (
	"errors"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// TestEncodeRefuses has objects that must not be written.
func TestEncodeRefuses(t *testing.T) {
	one := ostree.Checksum{1}
	x := func(names ...string) (out []filetree.Xattr) {
		for _, n := range names {
			out = append(out, filetree.Xattr{Name: n})
		}
		return out
	}
	variant := gvariant.Variant{Type: "b", Value: true}
	for name, tc := range map[string]struct {
		o    encoder
		want error
	}{
		"dirtree out of order":         {&ostree.DirTree{Files: []ostree.FileEntry{{Name: "b"}, {Name: "a"}}}, ostree.ErrMalformed},
		"dirtree with a name twice":    {&ostree.DirTree{Dirs: []ostree.DirEntry{{Name: "a"}, {Name: "a"}}}, ostree.ErrMalformed},
		"dirtree with a file as dir":   {&ostree.DirTree{Files: []ostree.FileEntry{{Name: "a"}}, Dirs: []ostree.DirEntry{{Name: "a"}}}, ostree.ErrMalformed},
		"dirtree with dot dot":         {&ostree.DirTree{Dirs: []ostree.DirEntry{{Name: ".."}}}, ostree.ErrMalformed},
		"dirtree with a slash":         {&ostree.DirTree{Files: []ostree.FileEntry{{Name: "a/b"}}}, ostree.ErrMalformed},
		"dirtree with a NUL":           {&ostree.DirTree{Files: []ostree.FileEntry{{Name: "a\x00b"}}}, ostree.ErrMalformed},
		"dirtree with an empty name":   {&ostree.DirTree{Files: []ostree.FileEntry{{}}}, ostree.ErrMalformed},
		"dirtree that is not UTF-8":    {&ostree.DirTree{Files: []ostree.FileEntry{{Name: "\xff"}}}, ostree.ErrUnsupported},
		"dirmeta of a file":            {&ostree.DirMeta{Mode: 0o100755}, ostree.ErrMalformed},
		"attribute twice":              {&ostree.DirMeta{Xattrs: x("user.a", "user.a")}, ostree.ErrMalformed},
		"attribute without a name":     {&ostree.DirMeta{Xattrs: x("")}, ostree.ErrMalformed},
		"attribute with a NUL":         {&ostree.DirMeta{Xattrs: x("user.\x00")}, ostree.ErrMalformed},
		"commit with an empty key":     {&ostree.Commit{Metadata: ostree.Metadata{{Value: variant}}}, ostree.ErrMalformed},
		"commit with a bad value":      {&ostree.Commit{Metadata: ostree.Metadata{{Key: "a", Value: gvariant.Variant{Type: "s", Value: 1}}}}, gvariant.ErrType},
		"summary out of order":         {&ostree.Summary{Refs: []ostree.SummaryRef{{Name: "b"}, {Name: "a"}}}, ostree.ErrMalformed},
		"collection with a ref twice":  {&ostree.Summary{Collections: []ostree.Collection{{Refs: []ostree.SummaryRef{{Name: "a"}, {Name: "a", Commit: one}}}}}, ostree.ErrMalformed},
		"detached data with empty key": {&ostree.Metadata{{Value: variant}}, ostree.ErrMalformed},
	} {
		if b, err := tc.o.Encode(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %x, %v, want %v", name, b, err, tc.want)
		}
	}
	for _, f := range []ostree.File{
		{Mode: 0o120777, Target: "x", Size: 1},
		{Mode: 0o100644, Xattrs: x("user.a", "user.a")},
		{Mode: 0o140644}, {Mode: 0o1100644},
	} {
		if _, err := f.ArchiveHeader(); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("%+v: %v, want ErrMalformed", f, err)
		}
	}
	if _, err := (&ostree.File{Mode: 0o120777, Target: "\xff"}).Header(); !errors.Is(err, ostree.ErrUnsupported) {
		t.Errorf("link target that is not UTF-8: %v, want ErrUnsupported", err)
	}
}

// TestRefNames has what `ostree refs --create` takes and refuses.
func TestRefNames(t *testing.T) {
	for _, name := range []string{"žluť", "a-b", "_ab", "a..b", "ẍ", "२३", "á"} {
		if err := ostree.CheckRef(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a€b", "-ab", ".ab", "a/.b", "a b", "..", "a/../b", "\xff", "a\x00"} {
		if err := ostree.CheckRef(name); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("CheckRef(%q) = %v, want ErrMalformed", name, err)
		}
	}
	for name, ok := range map[string]bool{"origin": true, "a/b": false, "": false, "..": false} {
		if err := ostree.CheckRemote(name); (err == nil) != ok {
			t.Errorf("CheckRemote(%q) = %v", name, err)
		}
	}
}
