package solver_test

import (
	"os"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/solver"
	"github.com/treewright/treewright/pkg/treefile"
)

// TestCentOSStream: the treefile that people copy can be had from the distribution, as
// far as its BaseOS repository is here. What AppStream has is named.
func TestCentOSStream(t *testing.T) {
	tf, err := treefile.Parse(os.DirFS("../../treefiles"), "centos-stream-atomic.yaml", treefile.Options{Basearch: "x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	repo := baseOS(t)
	appStream := []string{"ostree", "rpm-ostree", "nss-altfiles", "podman"}
	var want []string
	for _, p := range tf.Packages {
		if !slices.Contains(appStream, p) {
			want = append(want, p)
		}
	}
	tx, err := solver.Solve(t.Context(), []*repodata.Repo{repo}, solver.Request{Install: want, Arch: "x86_64", Weak: tf.Recommends})
	if err != nil {
		t.Fatal(err)
	}
	if len(tx.Install) < 150 || len(tx.Install) > 400 {
		t.Errorf("%d packages are chosen", len(tx.Install))
	}
}
