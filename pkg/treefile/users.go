package treefile

import "math"

// Check says with what the users or groups of a tree are compared.
type Check struct {
	Type    string         // "none", "previous", "file" or "data"
	File    *External      // of type file: a passwd or group file
	Entries map[string]IDs // of type data

	groups bool // Entries are those of groups
}

// IDs are the numbers of a user, or of a group, which has no UID.
type IDs struct{ UID, GID uint32 }

func (c Check) flat() any {
	m := map[string]any{"type": c.Type}
	switch c.Type {
	case "file":
		m["filename"] = c.File.Name
	case "data":
		entries := make(map[string]any, len(c.Entries))
		for name, id := range c.Entries {
			entries[name] = []uint32{id.UID, id.GID}
			if c.groups {
				entries[name] = id.GID
			}
		}
		m["entries"] = entries
	}
	return m
}

// readCheck reads check-passwd or check-groups.
func readCheck(groups bool) reader {
	readIDs := readUserIDs
	if groups {
		readIDs = readGroupID
	}
	read := fields(map[string]reader{
		"type":     oneOf("none", "previous", "file", "data"),
		"filename": readExternal,
		"entries": func(n node) (any, error) {
			return readMap(n, "a mapping from names to numbers", nil, readIDs)
		},
	})
	return func(n node) (any, error) {
		v, err := read(n)
		if err != nil {
			return nil, err
		}
		m := v.(map[string]item)
		c := Check{Type: field[string](m, "type")}
		need := map[string]string{"": "type", "file": "filename", "data": "entries"}[c.Type]
		if _, ok := m[need]; !ok && need != "" {
			return nil, n.errorf("%q is missing", need)
		}
		switch c.Type {
		case "file":
			x := field[External](m, "filename")
			c.File = &x
		case "data":
			c.Entries, c.groups = map[string]IDs{}, groups
			for name, it := range field[map[string]item](m, "entries") {
				c.Entries[name] = it.value.(IDs)
			}
		}
		return c, nil
	}
}

// maxID is the largest uid or gid; the one above means "none".
const maxID = math.MaxUint32 - 1

func readGroupID(n node) (any, error) {
	id, err := n.number(0, maxID)
	return IDs{GID: uint32(id)}, err
}

// readUserIDs reads UID, [UID] or [UID, GID].
func readUserIDs(n node) (any, error) {
	if n.kind() != aList {
		id, err := n.number(0, maxID)
		return IDs{uint32(id), uint32(id)}, err
	}
	l, err := n.items("")
	if err != nil {
		return nil, err
	}
	if len(l) != 1 && len(l) != 2 {
		return nil, n.errorf("want UID or [UID, GID], have a list of %d", len(l))
	}
	uid, err := l[0].number(0, maxID)
	if err != nil {
		return nil, err
	}
	gid, err := l[len(l)-1].number(0, maxID)
	return IDs{uint32(uid), uint32(gid)}, err
}

// Rojig is what is left of a delivery format: the name of a product.
type Rojig struct {
	Name        string `json:"name"`
	Summary     string `json:"summary"`
	License     string `json:"license"`
	Description string `json:"description,omitempty"`
}

func readRojig(n node) (any, error) {
	v, err := fields(map[string]reader{"name": readText, "summary": readText, "license": readText, "description": readText})(n)
	if err != nil {
		return nil, err
	}
	m := v.(map[string]item)
	for _, name := range []string{"name", "summary", "license"} {
		if _, ok := m[name]; !ok {
			return nil, n.errorf("%q is missing", name)
		}
	}
	return Rojig{field[string](m, "name"), field[string](m, "summary"), field[string](m, "license"), field[string](m, "description")}, nil
}
