package gvariant

// pattern is what is known of a type before all of a value has been seen.
type pattern struct {
	maybes int  // it is at least so many maybes of what follows
	open   bool // it may be more
	code   byte // of a type, or one of those below
	kids   []*pattern
}

const (
	anyType   = '*'
	anyNumber = 'N'
	anyString = 'S' // s, o or g
)

// resolve finds the type of a value and makes it.
func (n *node) resolve() (Variant, error) {
	p, err := n.pattern()
	if err != nil {
		return Variant{}, err
	}
	text, ok := p.appendType(nil)
	if !ok {
		return Variant{}, n.wrong("unable to infer type")
	}
	t, err := parseType(string(text))
	if err != nil {
		return Variant{}, n.wrong("%v", err)
	}
	v, err := n.as(t)
	return Variant{t.text, v}, err
}

// appendType appends the type that the pattern comes to: no more maybes than needed,
// numbers are i and strings s.
func (p *pattern) appendType(b []byte) ([]byte, bool) {
	for range p.maybes {
		b = append(b, 'm')
	}
	ok := p.code != anyType
	switch p.code {
	case anyNumber:
		return append(b, 'i'), ok
	case anyString:
		return append(b, 's'), ok
	}
	b = append(b, p.code)
	for _, k := range p.kids {
		var known bool
		b, known = k.appendType(b)
		ok = ok && known
	}
	switch p.code {
	case '(':
		b = append(b, ')')
	case '{':
		b = append(b, '}')
	}
	return b, ok
}

// patternOf is the pattern of a type that is known.
func patternOf(t *typ) *pattern {
	p := &pattern{}
	for ; t.code == 'm'; t = t.children[0] {
		p.maybes++
	}
	p.code = t.code
	for _, c := range t.children {
		p.kids = append(p.kids, patternOf(c))
	}
	return p
}

// pattern tells what the node says of its type.
func (n *node) pattern() (*pattern, error) {
	switch n.kind {
	case kindTyped:
		return patternOf(n.typ), nil
	case kindMaybe:
		if len(n.kids) == 0 {
			return &pattern{maybes: 1, code: anyType}, nil
		}
		p, err := n.kids[0].pattern()
		if err != nil {
			return nil, err
		}
		return &pattern{p.maybes + 1, p.open, p.code, p.kids}, nil
	case kindArray:
		return n.arrayPattern()
	case kindDict, kindEntry:
		return n.dictPattern()
	}
	p := &pattern{open: true}
	switch n.kind {
	case kindNumber:
		p.code = n.numberPattern()
	case kindString:
		p.code = anyString
	case kindBool:
		p.code = 'b'
	case kindBytes:
		p.code, p.kids = 'a', []*pattern{{code: 'y'}}
	case kindVariant:
		p.code = 'v'
	case kindTuple:
		p.code = '('
		for _, k := range n.kids {
			kp, err := k.pattern()
			if err != nil {
				return nil, err
			}
			p.kids = append(p.kids, kp)
		}
	}
	return p, nil
}

func (n *node) arrayPattern() (*pattern, error) {
	p, err := common(n.kids)
	return &pattern{open: true, code: 'a', kids: []*pattern{p}}, err
}

func (n *node) dictPattern() (*pattern, error) {
	var keys []*node
	for i := 0; i < len(n.kids); i += 2 {
		keys = append(keys, n.kids[i])
	}
	k, err := common(keys)
	if err != nil {
		return nil, err
	}
	known := len(keys) > 0 && k.code != anyNumber && k.code != anyString
	if known && (k.maybes > 0 || k.code == anyType || !(&typ{code: k.code}).isBasic()) {
		return nil, n.wrong("dictionary keys must have basic types")
	}
	v := &pattern{code: anyType}
	if len(n.kids) > 0 { // the first value tells for all, as for GLib
		if v, err = n.kids[1].pattern(); err != nil {
			return nil, err
		}
	}
	entry := &pattern{code: '{', kids: []*pattern{k, v}}
	if n.kind == kindEntry {
		entry.open = true
		return entry, nil
	}
	return &pattern{open: true, code: 'a', kids: []*pattern{entry}}, nil
}

// common is the pattern that fits all of the nodes.
func common(list []*node) (*pattern, error) {
	all := &pattern{code: anyType}
	for i, n := range list {
		p, err := n.pattern()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = p
		} else if all = unify(all, p); all == nil {
			return nil, n.wrong("unable to find a common type")
		}
	}
	return all, nil
}

// unify is the pattern of what fits both, or nil.
func unify(a, b *pattern) *pattern {
	if b.code == anyType {
		a, b = b, a
	}
	if a.code == anyType {
		switch {
		case a.maybes <= b.maybes:
			return b
		case b.code == anyType:
			return a
		case b.open:
			return &pattern{a.maybes, true, b.code, b.kids}
		}
		return nil
	}
	if a.maybes > b.maybes {
		a, b = b, a
	}
	code, ok := unifyCode(a.code, b.code)
	if !ok || a.maybes < b.maybes && !a.open || len(a.kids) != len(b.kids) {
		return nil
	}
	out := &pattern{b.maybes, a.open && b.open, code, nil}
	for i := range a.kids {
		k := unify(a.kids[i], b.kids[i])
		if k == nil {
			return nil
		}
		out.kids = append(out.kids, k)
	}
	return out
}

func unifyCode(a, b byte) (byte, bool) {
	oneOf := func(code, class byte) bool {
		if class == anyNumber {
			return code != 'b' && basic[code] != nil && basic[code].size > 0
		}
		return class == anyString && (code == 's' || code == 'o' || code == 'g')
	}
	switch {
	case a == b:
		return a, true
	case oneOf(b, a):
		return b, true
	}
	return a, oneOf(a, b)
}
