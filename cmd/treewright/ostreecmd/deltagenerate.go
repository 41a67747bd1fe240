package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// generateFlags are the flags of static-delta generate.
type generateFlags struct {
	from, to, endian, minFallback, maxBsdiff, maxChunk, file, signType *string
	empty, inline, noBsdiff, ifNotExists, swap                         *bool
	keys                                                               *[]string
}

func deltaGenerateCommand() *command {
	c := newCommand("generate", "[TO]", "Generate static delta files")
	f := c.flags
	o := generateFlags{
		from:        f.String("from", "", "create the delta from revision `REV` (default: the parent)"),
		empty:       f.Bool("empty", false, "create the delta from nothing"),
		inline:      f.Bool("inline", false, "put the parts into the main file"),
		to:          f.String("to", "", "create the delta to revision `REV`"),
		noBsdiff:    f.Bool("disable-bsdiff", false, "do without bsdiff"),
		ifNotExists: f.BoolP("if-not-exists", "n", false, "only when there is none yet"),
		endian:      f.String("set-endianness", "", "byte order of the metadata: `ENDIAN` is l or B"),
		swap:        f.Bool("swap-endianness", false, "byte order of the metadata: not this machine's"),
		minFallback: f.String("min-fallback-size", "", "content above this `SIZE`, in megabytes, is fetched by itself; 0: never"),
		maxBsdiff:   f.String("max-bsdiff-size", "", "largest `SIZE`, in megabytes, of content for bsdiff"),
		maxChunk:    f.String("max-chunk-size", "", "largest `SIZE`, in megabytes, of a part"),
		file:        f.String("filename", "", "write the main file to `PATH`, and the parts beside it"),
		keys:        f.StringArray("sign", nil, "sign the delta with the key `KEY_ID`"),
		signType:    f.String("sign-type", sign.KindEd25519, "the kind of --sign's keys is `NAME`"),
	}
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		opt, err := o.options(e, r)
		if err != nil {
			return err
		}
		if *o.ifNotExists {
			names, err := r.DeltaNames()
			if name := delta.Name(opt.From, opt.To); err != nil || slices.Contains(names, name) {
				if err == nil {
					e.printf("Delta %s already exists.\n", name)
				}
				return err
			}
		}
		from := "empty"
		if opt.From != nil {
			from = opt.From.String()
		}
		e.printf("Generating static delta:\n  From: %s\n  To:   %s\n", from, opt.To)
		return r.WithLock(ctx, false, func(r *repo.Repo) error {
			report, err := delta.Generate(ctx, r, r.Path(), opt)
			if err == nil {
				e.printDelta(report)
			}
			return err
		})
	}
	return c
}

func (o *generateFlags) options(e *env, r *repo.Repo) (opt delta.Options, err error) {
	to := *o.to
	if len(e.args) > 0 && to == "" {
		to = e.args[0]
	}
	if to == "" {
		return opt, errors.New("TO revision must be specified")
	}
	if *o.empty && *o.from != "" {
		return opt, errors.New("Cannot specify both --empty and --from=REV")
	}
	if !*o.empty {
		from, err := r.Resolve(orParent(*o.from, to))
		if err != nil {
			return opt, err
		}
		opt.From = &from
	}
	if opt.To, err = r.Resolve(to); err != nil {
		return opt, err
	}
	if opt.Order, err = o.order(); err != nil {
		return opt, err
	}
	now, err := e.now()
	if err != nil {
		return opt, err
	}
	opt.Time, opt.Inline, opt.File = now.Unix(), *o.inline, *o.file
	if opt.File != "" {
		dir := filepath.Dir(opt.File)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return opt, fmt.Errorf("opendir(%s): No such file or directory", dir)
		}
	}
	o.sizes(&opt)
	signers, err := e.keySigners(*o.signType, *o.keys, nil)
	if err != nil {
		return opt, err
	}
	if len(signers) > 0 {
		opt.Sign = func(b []byte) (ostree.Metadata, error) { return sign.Sign(nil, b, signers...) }
	}
	return opt, nil
}

// orParent is from, or the parent of to.
func orParent(from, to string) string {
	if from != "" {
		return from
	}
	return to + "^"
}

func (o *generateFlags) order() (byte, error) {
	order := byte('l') // this machine's, on all that Go calls little-endian
	switch *o.endian {
	case "", "l":
	case "B":
		order = 'B'
	default:
		return 0, fmt.Errorf("Invalid endianness '%s'", *o.endian)
	}
	if *o.swap && *o.endian == "" {
		order = 'B'
	}
	return order, nil
}

// sizes are in megabytes of 10^6 bytes.
func (o *generateFlags) sizes(opt *delta.Options) {
	if *o.minFallback != "" {
		if opt.MinFallbackSize = megabytes(*o.minFallback); opt.MinFallbackSize == 0 {
			opt.MinFallbackSize = -1
		}
	}
	if *o.maxChunk != "" {
		opt.MaxPartSize = megabytes(*o.maxChunk)
	}
}

// megabytes reads as strtoull does: what is no number is 0.
func megabytes(s string) int64 {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.ParseInt(s[:end], 10, 40)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return n * 1e6
}

// printDelta says on standard error what a delta is made of.
func (e *env) printDelta(r *delta.Report) {
	w := e.Err
	fmt.Fprintf(w, "modified: %d\n", r.Modified)
	fmt.Fprintf(w, "new reachable: metadata=%d content regular=%d symlink=%d\n", r.Metadata+1, r.Regular, r.Links)
	var size, usize uint64
	for i, p := range r.Headers {
		fmt.Fprintf(w, "part %d n:%d compressed:%d uncompressed:%d\n", i+1, len(p.Objects), p.Size, p.USize)
		size, usize = size+p.Size, usize+p.USize
	}
	fmt.Fprintf(w, "uncompressed=%d compressed=%d loose=%d\n", usize, size, r.Loose)
	fmt.Fprintf(w, "rollsum=%d objects, %d bytes\n", 0, 0)
	fmt.Fprintf(w, "bsdiff=%d objects\n", 0)
}
