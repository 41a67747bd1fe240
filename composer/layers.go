package composer

import (
	"context"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/treefile"
)

// layers reads the trees that the treefile lays over the packages: those of
// ostree-layers, then those of ostree-override-layers.
func layers(ctx context.Context, target *repo.Repo, t *treefile.Treefile) (out []rootfs.Layer, err error) {
	err = eachLayer(target, t, func(ref string, c ostree.Checksum, override bool) error {
		root, err := target.ReadTree(ctx, c)
		out = append(out, rootfs.Layer{Name: ref, Root: root, Override: override})
		return err
	})
	return out, err
}

// hashLayers writes what the layers contribute to the input hash: their content.
func hashLayers(w io.Writer, target *repo.Repo, t *treefile.Treefile) error {
	return eachLayer(target, t, func(_ string, c ostree.Checksum, override bool) error {
		commit, err := target.ReadCommit(c)
		if err == nil {
			_, err = fmt.Fprintf(w, "layer %v %s\n", override, commit.ContentChecksum())
		}
		return err
	})
}

func eachLayer(target *repo.Repo, t *treefile.Treefile, fn func(ref string, c ostree.Checksum, override bool) error) error {
	for _, k := range []struct {
		key      string
		refs     []string
		override bool
	}{{"ostree-layers", t.OSTreeLayers, false}, {"ostree-override-layers", t.OSTreeOverrideLayers, true}} {
		for _, ref := range k.refs {
			c, err := target.Resolve(ref)
			if err == nil {
				err = fn(ref, c, k.override)
			}
			if err != nil {
				return fmt.Errorf("%s: %s: %w", k.key, ref, err)
			}
		}
	}
	return nil
}
