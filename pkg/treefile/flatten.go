package treefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// JSON is the flattened form: one treefile without includes, variables and repovars,
// where files that it names stand as names, with basearch. It is pretty-printed and
// sorted by key. [ParseStored] reads it.
func (t *Treefile) JSON() ([]byte, error) { return encode(t.flat(), "  ") }

// HashInputs writes to h what the tree depends on, as far as the treefile goes: its
// flattened form without ostree-layers and metadata, and the bytes of
// postprocess-script, of the passwd and the group file, and of the files to add. White
// space, comments, the order of keys, the order of repos and the split into includes
// have no part in it. The caller adds the content checksum of each layer, then the
// packages.
func (t *Treefile) HashInputs(h hash.Hash) error {
	flat := t.flat()
	delete(flat, "ostree-layers")
	delete(flat, "metadata")
	for _, name := range []string{"repos", "lockfile-repos"} {
		if _, ok := flat[name]; ok {
			flat[name] = slices.Sorted(slices.Values(list[string](t.merged, name)))
		}
	}
	b, err := encode(flat, "")
	if err != nil {
		return err
	}
	h.Write(b)
	for _, x := range t.named() {
		fmt.Fprintf(h, "%o %d\n", x.Mode, len(x.Body)) // so that no byte can pass from one file to the next
		h.Write(x.Body)
	}
	return nil
}

// named lists the files that the treefile names, in the order in which they are hashed.
func (t *Treefile) named() []External {
	var out []External
	if e, ok := t.merged["postprocess-script"]; ok {
		out = append(out, e.value.(External))
	}
	for _, key := range []string{"check-passwd", "check-groups"} {
		if c := get[Check](t.merged, key); c.File != nil {
			out = append(out, *c.File)
		}
	}
	files := list[AddFile](t.merged, "add-files")
	slices.SortStableFunc(files, func(a, b AddFile) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		out = append(out, f.External)
	}
	return out
}

// flat is the merged keys as encoding/json takes them.
func (t *Treefile) flat() map[string]any {
	out := map[string]any{}
	for name, e := range t.merged {
		if keys[name].aside {
			continue
		}
		switch v := e.value.(type) {
		case []item:
			l := make([]any, len(v))
			for i, it := range v {
				l[i] = flatValue(it.value)
			}
			out[name] = l
		case map[string]item:
			m := make(map[string]any, len(v))
			for k, it := range v {
				m[k] = flatValue(it.value)
			}
			out[name] = m
		default:
			out[name] = flatValue(v)
		}
	}
	return out
}

// flatValue is a value as a treefile has it.
func flatValue(v any) any {
	if f, ok := v.(interface{ flat() any }); ok {
		return f.flat()
	}
	return v
}

// ParseStored reads the flattened form, as a tree stores it. The files that it names
// are not there any more, and are not looked for: an [External] has only its name.
// Keys that are not known are left out, since the tree may be another tool's.
//
// Every error is an [*Error] of the file treefile.json.
func ParseStored(b []byte, basearch string) (*Treefile, error) {
	const name = "treefile.json"
	l := newLoader(nil, Options{Basearch: basearch})
	if len(b) > maxFile {
		return nil, place{file: name}.errorf("has more than %d MiB", maxFile>>20)
	}
	s := &source{path: name, shown: name, json: true, stored: true, loader: l}
	root, err := s.document(b)
	if err != nil {
		return nil, err
	}
	f, err := s.parse(root)
	if err != nil {
		return nil, err
	}
	for _, u := range f.uses {
		l.uses[u.Key] = u
	}
	f.layer.tidy()
	f.layer["basearch"] = entry{value: basearch, at: f.layer["basearch"].at}
	return build(f.layer, l), nil
}

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return b.Bytes(), err
}
