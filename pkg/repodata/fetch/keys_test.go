package fetch_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/repodata/fetch"
)

// TestKeys loads a key by path, by file:// and from a server, and once more without it.
func TestKeys(t *testing.T) {
	const id = "4344591E1964C5FC"
	path, err := filepath.Abs("../../rpm/testdata/keys/rpm.org-rsa-2048-test.pub")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(path))))
	defer server.Close()
	c := &fetch.Client{Cache: t.TempDir()}
	url := server.URL + "/" + filepath.Base(path)
	for _, offline := range []bool{false, true} {
		c.Offline = offline
		for _, place := range []string{path, "file://" + path, url} {
			cfg := config("/nowhere")
			cfg.GPGKey = []string{place}
			keys, err := c.Keys(t.Context(), cfg)
			if err != nil || len(keys.Keys()) != 1 || keys.Keys()[0].ID() != id {
				t.Errorf("offline %v, %s: %v, %v, want key %s", offline, place, keys, err, id)
			}
		}
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("no key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]error{
		"/nowhere/key": fetch.ErrNotFound, server.URL + "/other": fetch.ErrOffline, bad: openpgp.ErrMalformed,
	} {
		cfg := config("/nowhere")
		cfg.GPGKey = []string{place}
		if _, err := c.Keys(t.Context(), cfg); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", place, err, want)
		}
	}
}
