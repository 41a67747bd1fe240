package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// DriveRepo is where the repository of a drive is looked for.
const DriveRepo = mountRepo

// driveLink leads from the folder of links to a repository that is somewhere else.
const driveLink = mountRepos + "/00-generated"

// standardPlaces need no link.
var standardPlaces = map[string]bool{".ostree/repo": true, "ostree/repo": true}

// DriveOptions say what is copied to a drive.
type DriveOptions struct {
	From   *repo.Repo
	Mount  string           // the drive's folder
	Path   string           // of the repository in it; "": [DriveRepo]
	Refs   []repo.RefName   // at least one
	Commit *ostree.Checksum // of the only ref; nil: where the refs are
	Time   int64            // of the summary, seconds since 1970 UTC
	NoSync bool             // do not wait for the disk
}

// ToDrive copies refs of collections into a repository on a drive, which is made as an
// archive when it is missing, which needs no owners and attributes of the file system,
// and writes its summary.
func ToDrive(ctx context.Context, o DriveOptions) error {
	if o.Path == "" {
		o.Path = DriveRepo
	}
	dir, err := fsutil.Join(o.Mount, o.Path)
	if err != nil {
		return err
	}
	to, err := repo.Create(dir, ostree.ModeArchive)
	if err != nil {
		return err
	}
	if o.NoSync {
		to.DisableSync()
	}
	p := Options{From: Local{o.From}, To: to, Mirror: true, NoBindings: true, Import: repo.ImportOptions{Trust: true}}
	for _, ref := range o.Refs {
		p.Refs = append(p.Refs, Ref{Collection: ref.Collection, Name: ref.Name, Commit: o.Commit})
	}
	if o.Commit == nil {
		if err := p.pinRefs(o.From); err != nil {
			return err
		}
	}
	if _, err := Run(ctx, p); err != nil {
		return err
	}
	if err := to.UpdateSummary(ctx, repo.SummaryOptions{Time: o.Time}); err != nil {
		return err
	}
	return linkDrive(o.Mount, filepath.Clean("/" + o.Path)[1:])
}

// pinRefs looks up where the refs are in a repository itself, whatever its summary says.
func (o *Options) pinRefs(from *repo.Repo) error {
	refs, err := from.CollectionRefs()
	if err != nil {
		return err
	}
	for i, r := range o.Refs {
		c, ok := refs[repo.RefName{Collection: r.Collection, Name: r.Name}]
		if !ok {
			return &RefError{r, true}
		}
		o.Refs[i].Commit = &c
	}
	return nil
}

// linkDrive makes a repository found that is in no usual place.
func linkDrive(mount, path string) error {
	if standardPlaces[path] {
		return nil
	}
	link := filepath.Join(mount, driveLink)
	if err := os.MkdirAll(filepath.Dir(link), 0o775); err != nil {
		return err
	}
	target := filepath.Join("../..", path)
	if was, err := os.Readlink(link); err == nil && was == target {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link to the drive's repository: %w", err)
	}
	return os.Symlink(target, link)
}
