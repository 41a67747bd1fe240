// Package rpmdb writes the database of installed packages that stock `rpm` reads:
// rpmdb.sqlite.
//
// # Format
//
// Table Packages maps a number, which is the order of installation, to a header
// blob: il, dl, index and data of the package's main header as in its file, and
// behind its region more entries: those of the signature header under other
// numbers, and facts of the installation. 18 tables map a key to package number and
// position, one for each tag that is looked up.
//
// The same packages in the same order give the same bytes. The journal mode is
// DELETE, so that a read-only file system can hold the database.
//
// Source: rpm 4.18.0 as observed; see docs/FORMATS.md.
package rpmdb

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/treewright/treewright/pkg/rpm"
)

// Installed is one package of the database.
type Installed struct {
	Header *rpm.Header
	// NotInstalled are the positions, in the header's file list, of files that are
	// not there (documentation that was left out).
	NotInstalled []int
}

// Write makes the database at path, which must not exist. The packages are in the
// order of installation. The first is installed at time, in seconds since 1970
// UTC, and each further one a second later.
func Write(ctx context.Context, path string, packages []Installed, time int64) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=page_size(4096)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() {
		if err = errors.Join(err, db.Close()); err != nil {
			os.Remove(path)
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := &writer{ctx: ctx, tx: tx, time: time, insert: map[string]*sql.Stmt{}}
	if err := w.schema(); err != nil {
		return err
	}
	for i, p := range packages {
		if err := w.add(i, p); err != nil {
			return fmt.Errorf("rpmdb: %s: %w", p.Header.NEVRA(), err)
		}
	}
	return tx.Commit()
}

// table is one index table.
type table struct {
	name  string
	tag   uint32 // whose values are the keys
	blob  bool   // key type
	array bool   // has an index on the package number
}

// tables are in the order in which rpm makes them.
var tables = []table{
	{"Name", 1000, false, false}, {"Basenames", 1117, false, true}, {"Group", 1016, false, false},
	{"Requirename", 1049, false, true}, {"Providename", 1047, false, true}, {"Conflictname", 1054, false, true},
	{"Obsoletename", 1090, false, true}, {"Triggername", 1066, false, true}, {"Dirnames", 1118, false, true},
	{"Installtid", 1128, true, false}, {"Sigmd5", 261, true, false}, {"Sha1header", 269, false, false},
	{"Filetriggername", 5069, false, true}, {"Transfiletriggername", 5079, false, true},
	{"Recommendname", 5046, false, true}, {"Suggestname", 5049, false, true},
	{"Supplementname", 5052, false, true}, {"Enhancename", 5055, false, true},
}

type writer struct {
	ctx    context.Context
	tx     *sql.Tx
	time   int64
	insert map[string]*sql.Stmt
}

func (w *writer) schema() error {
	stmts := []string{`CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)`}
	for _, t := range tables {
		kind := "TEXT"
		if t.blob {
			kind = "BLOB"
		}
		stmts = append(stmts, fmt.Sprintf(`CREATE TABLE '%s' (key '%s' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))`, t.name, kind))
		if !t.blob {
			stmts = append(stmts, fmt.Sprintf(`CREATE INDEX '%s_key_idx' ON '%s'(key ASC)`, t.name, t.name))
		}
		if t.array {
			stmts = append(stmts, fmt.Sprintf(`CREATE INDEX '%s_hnum_idx' ON '%s'(hnum ASC)`, t.name, t.name))
		}
	}
	for _, s := range stmts {
		if _, err := w.tx.ExecContext(w.ctx, s); err != nil {
			return err
		}
	}
	for _, t := range tables {
		s, err := w.tx.PrepareContext(w.ctx, fmt.Sprintf(`INSERT INTO '%s' VALUES(?, ?, ?)`, t.name))
		if err != nil {
			return err
		}
		w.insert[t.name] = s
	}
	return nil
}

// add writes one package and its rows.
func (w *writer) add(i int, p Installed) error {
	hnum := int64(i + 1)
	blob, err := headerBlob(p, w.time+int64(i), w.time)
	if err != nil {
		return err
	}
	if _, err := w.tx.ExecContext(w.ctx, `INSERT INTO 'Packages' VALUES(?, ?)`, hnum, blob); err != nil {
		return err
	}
	for _, t := range tables {
		rows, err := keys(t, p.Header, w.time)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := w.insert[t.name].ExecContext(w.ctx, r.key, hnum, r.idx); err != nil {
				return err
			}
		}
	}
	return nil
}

// row is one row of an index table.
type row struct {
	key any
	idx int
}

// Tags that have rules of their own.
const (
	tagGroup      = 1016
	tagInstallTID = 1128
	tagSigMD5     = 261
	tagSHA1Header = 269
	tagRequires   = 1049
	tagReqFlags   = 1048
	tagTriggers   = 1066
	tagFileTrig   = 5069
	tagFileTrigIx = 5070
	tagTransTrig  = 5079
	tagTransIx    = 5080
)

// richTables have a row for each name in a rich dependency.
var richTables = map[uint32]bool{1049: true, 1054: true, 5049: true, 5052: true, 5046: true, 5055: true}

// keys returns the rows of one package in one table.
func keys(t table, h *rpm.Header, time int64) ([]row, error) {
	switch t.tag {
	case tagInstallTID:
		return []row{{binary.LittleEndian.AppendUint32(nil, uint32(time)), 0}}, nil
	case tagSigMD5:
		if e, ok := signatureEntry(h, 1004); ok {
			return []row{{e.Value, 0}}, nil
		}
		return nil, nil
	case tagSHA1Header:
		if e, ok := signatureEntry(h, tagSHA1Header); ok {
			return []row{{strings.TrimRight(string(e.Value), "\x00"), 0}}, nil
		}
		return nil, nil
	case tagGroup:
		if g := h.Strings(tagGroup); len(g) > 0 {
			return []row{{g[0], 0}}, nil
		}
		return []row{{"Unknown", 0}}, nil
	}
	var rows []row
	values, indexes := h.Strings(int(t.tag)), triggerIndexes(t.tag, h)
	flags := h.Ints(tagReqFlags)
	seen := map[string]bool{}
	for i, v := range values {
		idx := i
		switch {
		case t.tag == tagRequires && i < len(flags) && transient(uint32(flags[i])):
			continue
		case t.tag == tagTriggers && seen[v]:
			continue
		case i < len(indexes):
			idx = int(indexes[i])
		}
		seen[v] = true
		rows = append(rows, row{v, idx})
		if richTables[t.tag] && strings.HasPrefix(v, "(") {
			names, err := richNames(v)
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				rows = append(rows, row{n, idx})
			}
		}
	}
	return rows, nil
}

// triggerIndexes are the script numbers that file triggers have as position.
func triggerIndexes(tag uint32, h *rpm.Header) []int64 {
	switch tag {
	case tagFileTrig:
		return h.Ints(tagFileTrigIx)
	case tagTransTrig:
		return h.Ints(tagTransIx)
	}
	return nil
}

// Bits of a requirement that is needed only while installing, and of one that is
// needed later, too.
const (
	transientBits = 0x80 | 0x20 | 0x200 | 0x400 | 0x1000000 | 0x4000000 // pretrans, posttrans, pre, post, rpmlib, keyring
	lastingBits   = 0x800 | 0x1000 | 0x100000 | 0x200000 | 0x20000000   // preun, postun, preuntrans, postuntrans, meta
)

func transient(flags uint32) bool { return flags&transientBits != 0 && flags&lastingBits == 0 }

func signatureEntry(h *rpm.Header, tag uint32) (rpm.Entry, bool) {
	for _, e := range h.SignatureEntries() {
		if e.Tag == tag {
			return e, true
		}
	}
	return rpm.Entry{}, false
}
