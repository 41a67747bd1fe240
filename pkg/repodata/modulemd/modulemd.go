// Package modulemd reads the modules of an RPM repository and says which of their
// streams are on.
//
// # Format
//
// A YAML stream of documents: "modulemd" of version 1 or 2 is one build of a module's
// stream, with the packages that belong to it (artifacts), those that its profiles
// install, and the streams of other modules that it requires; "modulemd-defaults"
// names a module's default stream, and the default profiles of streams. Documents of
// other kinds are passed over.
//
// # Selection
//
// On are the streams that were asked for, what they require, and the default streams
// of other modules as far as they fit those. Of a stream, the newest version counts
// whose requirements can be met. What a stream requires of the module "platform" is
// not looked at.
//
// Not here: obsoletes, translations, the demodularized list.
//
// Source: the format's description in libmodulemd, and dnf 4.14 as observed; see
// docs/FORMATS.md.
package modulemd

import (
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/treewright/treewright/pkg/nevra"
)

// What a caller can tell apart with errors.Is.
var (
	ErrMalformed = errors.New("module metadata is malformed")
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("streams cannot be on together")
)

// Limits of the documents.
const (
	maxSize      = 256 << 20 // bytes
	maxDocuments = 100_000
)

// Build is one build of a module's stream.
type Build struct {
	Module, Stream string
	Version        uint64
	Context, Arch  string
	Requires       []map[string][]string // alternatives; streams by module
	Profiles       map[string][]string   // names of packages by profile
	Artifacts      []nevra.NEVRA         // binary packages
}

// Modules is all modules of some repositories.
type Modules struct {
	Builds   []Build
	Stream   map[string]string              // default streams by module
	Profiles map[string]map[string][]string // default profiles by module and stream
}

type document struct {
	Document string    `yaml:"document"`
	Version  int       `yaml:"version"`
	Data     yaml.Node `yaml:"data"`
}

type moduleData struct {
	Name         string    `yaml:"name"`
	Stream       string    `yaml:"stream"`
	Version      uint64    `yaml:"version"`
	Context      string    `yaml:"context"`
	Arch         string    `yaml:"arch"`
	Dependencies yaml.Node `yaml:"dependencies"`
	Profiles     map[string]struct {
		RPMs []string `yaml:"rpms"`
	} `yaml:"profiles"`
	Artifacts struct {
		RPMs []string `yaml:"rpms"`
	} `yaml:"artifacts"`
}

type defaultsData struct {
	Module   string              `yaml:"module"`
	Stream   string              `yaml:"stream"`
	Profiles map[string][]string `yaml:"profiles"`
}

// Read adds the documents of r. A default that stands already is kept.
//
// Every error but r's wraps [ErrMalformed] and names the document.
func (m *Modules) Read(r io.Reader) error {
	d := yaml.NewDecoder(io.LimitReader(r, maxSize))
	for n := 1; n <= maxDocuments; n++ {
		var doc document
		err := d.Decode(&doc)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = m.add(&doc)
		}
		if err != nil {
			return fmt.Errorf("modules: document %d: %v: %w", n, err, ErrMalformed)
		}
	}
	return fmt.Errorf("modules: more than %d documents: %w", maxDocuments, ErrMalformed)
}

func (m *Modules) add(doc *document) error {
	switch {
	case doc.Document == "modulemd" && (doc.Version == 1 || doc.Version == 2):
		return m.addBuild(doc)
	case doc.Document == "modulemd-defaults" && doc.Version == 1:
		return m.addDefaults(doc)
	}
	return nil
}

func (m *Modules) addBuild(doc *document) error {
	var data moduleData
	if err := doc.Data.Decode(&data); err != nil {
		return err
	}
	if data.Name == "" || data.Stream == "" {
		return errors.New("name or stream is missing")
	}
	b := Build{Module: data.Name, Stream: data.Stream, Version: data.Version, Context: data.Context, Arch: data.Arch, Profiles: map[string][]string{}}
	for name, p := range data.Profiles {
		b.Profiles[name] = p.RPMs
	}
	for _, a := range data.Artifacts.RPMs {
		n, err := nevra.ParseNEVRA(a)
		if err != nil {
			return err
		}
		if n.Arch != "src" && n.Arch != "nosrc" {
			b.Artifacts = append(b.Artifacts, n)
		}
	}
	var err error
	if b.Requires, err = requires(doc.Version, &data.Dependencies); err != nil {
		return fmt.Errorf("module %s:%s: %w", data.Name, data.Stream, err)
	}
	m.Builds = append(m.Builds, b)
	return nil
}

// requires reads dependencies: of version 1 a mapping, of version 2 a list of such.
func requires(version int, n *yaml.Node) (out []map[string][]string, err error) {
	if n.IsZero() {
		return nil, nil
	}
	if version == 1 {
		var d struct {
			Requires map[string]string `yaml:"requires"`
		}
		if err := n.Decode(&d); err != nil || len(d.Requires) == 0 {
			return nil, err
		}
		one := map[string][]string{}
		for module, stream := range d.Requires {
			one[module] = []string{stream}
		}
		return []map[string][]string{one}, nil
	}
	var list []struct {
		Requires map[string][]string `yaml:"requires"`
	}
	if err := n.Decode(&list); err != nil {
		return nil, err
	}
	for _, d := range list {
		out = append(out, d.Requires)
	}
	return out, nil
}

func (m *Modules) addDefaults(doc *document) error {
	var data defaultsData
	if err := doc.Data.Decode(&data); err != nil {
		return err
	}
	if data.Module == "" {
		return errors.New("module is missing")
	}
	if m.Stream == nil {
		m.Stream, m.Profiles = map[string]string{}, map[string]map[string][]string{}
	}
	if data.Stream != "" && m.Stream[data.Module] == "" {
		m.Stream[data.Module] = data.Stream
	}
	if m.Profiles[data.Module] == nil {
		m.Profiles[data.Module] = data.Profiles
	}
	return nil
}
