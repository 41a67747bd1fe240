package fat_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/disk/fat"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
)

func TestFsck(t *testing.T) {
	root := filetree.NewDir(0o755)
	files := map[string]string{
		"EFI/BOOT/BOOTX64.EFI": strings.Repeat("boot", 300000), "EFI/debian/grub.cfg": "configfile", "EFI/fedora/shimx64.efi": "shim",
		"a-long-name-that-needs-several-entries.conf": "long", "a-long-name-that-needs-several-others.conf": "other", "žluťoučký": "utf-8", "EMPTY": "",
	}
	for i := range 100 {
		files[fmt.Sprintf("many/file number %d", i)] = "x"
	}
	for p, body := range files {
		if err := root.Put(p, filetree.Bytes([]byte(body), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int64{fat.MinSize, 127 << 20, 512 << 20} {
		list, err := fat.New(root, fat.Options{Size: size, VolumeID: 0x7b7795e7, Label: "EFI-SYSTEM", Time: 1700000000})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(t.TempDir(), "esp"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := errors.Join(f.Truncate(size), list.WriteSparse(t.Context(), f, size)); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(fixture.Tool(t, "fsck.fat"), "-n", f.Name()).CombinedOutput()
		if err != nil || bytes.Count(out, []byte("\n")) > 2 {
			t.Errorf("fsck.fat of %d bytes: %v\n%s", size, err, out)
		}
		for p, want := range files {
			got, err := exec.Command(fixture.Tool(t, "mtype"), "-i", f.Name(), "::/"+p).Output()
			if err != nil || string(got) != want {
				t.Errorf("%s: %d bytes, %v, want %d", p, len(got), err, len(want))
			}
		}
	}
	if _, err := fat.New(root, fat.Options{Size: 32 << 20}); !errors.Is(err, fat.ErrTooSmall) {
		t.Errorf("32 MiB: %v, want ErrTooSmall", err)
	}
	root.Put("link", filetree.NewSymlink("x"))
	if _, err := fat.New(root, fat.Options{Size: 64 << 20}); err == nil || !strings.Contains(err.Error(), "/link") {
		t.Errorf("a link: %v", err)
	}
}
