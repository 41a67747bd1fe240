package repodata

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// maxDocument is the largest comps or updateinfo, in bytes, that is read.
const maxDocument = 256 << 20

// Comps is the groups of a repository, and what is made of groups.
type Comps struct {
	Groups       []Group
	Environments []Environment
	Categories   []Category
	LangPacks    map[string]string // pattern of the language's package, by package
}

// Group is packages that go together.
type Group struct {
	ID, Name, Description string
	Default, UserVisible  bool
	LangOnly              string
	Packages              []GroupPackage
}

// GroupPackage is a package of a group. Kind is "mandatory", "default", "optional" or
// "conditional", then Requires is the package that makes it wanted.
type GroupPackage struct {
	Name, Kind, Requires string
	BasearchOnly         bool
}

// Environment is groups that make an installation: those that belong to it, and those
// that may be added, of which some are on by default.
type Environment struct {
	ID, Name, Description string
	Groups, Options       []string
	DefaultOptions        []string
}

// Category is groups for a user interface.
type Category struct {
	ID, Name, Description string
	Groups                []string
}

// Install lists the packages that installing the group means: the mandatory ones, the
// default ones, and the conditional ones for whose condition has is true.
func (g *Group) Install(has func(name string) bool) (names []string) {
	for _, p := range g.Packages {
		switch p.Kind {
		case "mandatory", "default":
			names = append(names, p.Name)
		case "conditional":
			if has(p.Requires) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// xmlText is a text that is there in several languages.
type xmlText []struct {
	Lang  string `xml:"lang,attr"`
	Value string `xml:",chardata"`
}

// plain is the text without a language.
func (x xmlText) plain() string {
	for _, t := range x {
		if t.Lang == "" {
			return strings.TrimSpace(t.Value)
		}
	}
	return ""
}

type xmlNamed struct {
	ID          string  `xml:"id"`
	Name        xmlText `xml:"name"`
	OldName     xmlText `xml:"_name"`
	Description xmlText `xml:"description"`
}

func (x *xmlNamed) name() string {
	if n := x.Name.plain(); n != "" {
		return n
	}
	return x.OldName.plain()
}

type xmlComps struct {
	XMLName xml.Name `xml:"comps"`
	Groups  []struct {
		xmlNamed
		Default     string `xml:"default"`
		UserVisible string `xml:"uservisible"`
		LangOnly    string `xml:"langonly"`
		Packages    []struct {
			Name         string `xml:",chardata"`
			Type         string `xml:"type,attr"`
			Requires     string `xml:"requires,attr"`
			BasearchOnly string `xml:"basearchonly,attr"`
		} `xml:"packagelist>packagereq"`
	} `xml:"group"`
	Environments []struct {
		xmlNamed
		Groups  []string `xml:"grouplist>groupid"`
		Options []struct {
			ID      string `xml:",chardata"`
			Default string `xml:"default,attr"`
		} `xml:"optionlist>groupid"`
	} `xml:"environment"`
	Categories []struct {
		xmlNamed
		Groups []string `xml:"grouplist>groupid"`
	} `xml:"category"`
	LangPacks []struct {
		Name    string `xml:"name,attr"`
		Install string `xml:"install,attr"`
	} `xml:"langpacks>match"`
}

// decodeAll reads a document of at most maxDocument bytes. A document type is passed
// over: entities are XML's own, as encoding/xml knows no others.
func decodeAll(what string, r io.Reader, v any) error {
	l := &io.LimitedReader{R: r, N: maxDocument + 1}
	d := xml.NewDecoder(l)
	err := d.Decode(v)
	switch {
	case l.N <= 0:
		return malformed("%s: more than %d bytes", what, maxDocument)
	case err != nil:
		return malformed("%s: at byte %d: %v", what, d.InputOffset(), err)
	}
	return nil
}

// ParseComps reads comps metadata ("group") from its decompressed bytes.
func ParseComps(r io.Reader) (*Comps, error) {
	var x xmlComps
	if err := decodeAll("comps", r, &x); err != nil {
		return nil, err
	}
	yes := func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "true") }
	out := &Comps{LangPacks: map[string]string{}}
	for _, g := range x.Groups {
		if g.ID == "" {
			return nil, fmt.Errorf("comps: a group without an id: %w", ErrMalformed)
		}
		group := Group{ID: g.ID, Name: g.name(), Description: g.Description.plain(), Default: yes(g.Default), UserVisible: yes(g.UserVisible) || g.UserVisible == "", LangOnly: g.LangOnly}
		for _, p := range g.Packages {
			kind := p.Type
			if kind == "" {
				kind = "mandatory"
			}
			group.Packages = append(group.Packages, GroupPackage{strings.TrimSpace(p.Name), kind, p.Requires, yes(p.BasearchOnly)})
		}
		out.Groups = append(out.Groups, group)
	}
	for _, e := range x.Environments {
		env := Environment{ID: e.ID, Name: e.name(), Description: e.Description.plain(), Groups: e.Groups}
		for _, o := range e.Options {
			env.Options = append(env.Options, o.ID)
			if yes(o.Default) {
				env.DefaultOptions = append(env.DefaultOptions, o.ID)
			}
		}
		out.Environments = append(out.Environments, env)
	}
	for _, c := range x.Categories {
		out.Categories = append(out.Categories, Category{c.ID, c.name(), c.Description.plain(), c.Groups})
	}
	for _, l := range x.LangPacks {
		out.LangPacks[l.Name] = l.Install
	}
	return out, nil
}
