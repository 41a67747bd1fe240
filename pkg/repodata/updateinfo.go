package repodata

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// Advisory is what a repository says of an update.
type Advisory struct {
	ID, Title, Summary, Description string
	Type                            string // "security", "bugfix", "enhancement", "newpackage"
	Severity                        string // of security ones: "Critical", "Important", …
	Status, From, Rights, Release   string
	Issued, Updated                 string // as written; "2019-03-29 00:00:00" as a rule
	References                      []Reference
	Packages                        []AdvisoryPackage
}

// Reference points to more about an advisory.
type Reference struct {
	ID, Type, Title, Href string // Type is "cve", "bugzilla", …
}

// AdvisoryPackage is a package that an advisory is about, of the versions in which it
// brings what the advisory tells.
type AdvisoryPackage struct {
	NEVRA  nevra.NEVRA
	Module string // NAME:STREAM when it is one's
	Reboot bool   // it takes effect when the machine was started again
}

// CVEs lists the vulnerabilities that an advisory is about.
func (a *Advisory) CVEs() (ids []string) {
	for _, r := range a.References {
		if r.Type == "cve" {
			id := r.ID
			if !strings.HasPrefix(id, "CVE-") && strings.HasPrefix(r.Title, "CVE-") {
				id, _, _ = strings.Cut(r.Title, " ")
			}
			ids = append(ids, id)
		}
	}
	return ids
}

type xmlDate struct {
	Date string `xml:"date,attr"`
}

type xmlUpdates struct {
	XMLName xml.Name `xml:"updates"`
	Updates []struct {
		From        string  `xml:"from,attr"`
		Status      string  `xml:"status,attr"`
		Type        string  `xml:"type,attr"`
		ID          string  `xml:"id"`
		Title       string  `xml:"title"`
		Severity    string  `xml:"severity"`
		Release     string  `xml:"release"`
		Rights      string  `xml:"rights"`
		Summary     string  `xml:"summary"`
		Description string  `xml:"description"`
		Issued      xmlDate `xml:"issued"`
		Updated     xmlDate `xml:"updated"`
		References  []struct {
			ID    string `xml:"id,attr"`
			Type  string `xml:"type,attr"`
			Title string `xml:"title,attr"`
			Href  string `xml:"href,attr"`
		} `xml:"references>reference"`
		Collections []struct {
			Modules []struct {
				Name   string `xml:"name,attr"`
				Stream string `xml:"stream,attr"`
			} `xml:"module"`
			Packages []struct {
				Name    string    `xml:"name,attr"`
				Epoch   string    `xml:"epoch,attr"`
				Version string    `xml:"version,attr"`
				Release string    `xml:"release,attr"`
				Arch    string    `xml:"arch,attr"`
				Reboot  *struct{} `xml:"reboot_suggested"`
			} `xml:"package"`
		} `xml:"pkglist>collection"`
	} `xml:"update"`
}

// ParseUpdateinfo reads updateinfo metadata from its decompressed bytes.
func ParseUpdateinfo(r io.Reader) ([]Advisory, error) {
	var x xmlUpdates
	if err := decodeAll("updateinfo", r, &x); err != nil {
		return nil, err
	}
	var out []Advisory
	for _, u := range x.Updates {
		if u.ID == "" {
			return nil, malformed("updateinfo: an update without an id")
		}
		a := Advisory{ID: u.ID, Title: u.Title, Summary: u.Summary, Description: u.Description, Type: u.Type, Severity: u.Severity, Status: u.Status,
			From: u.From, Rights: u.Rights, Release: u.Release, Issued: u.Issued.Date, Updated: u.Updated.Date}
		for _, r := range u.References {
			a.References = append(a.References, Reference{r.ID, r.Type, r.Title, r.Href})
		}
		for _, c := range u.Collections {
			module := ""
			if len(c.Modules) > 0 {
				module = c.Modules[0].Name + ":" + c.Modules[0].Stream
			}
			for _, p := range c.Packages {
				n := nevra.NEVRA{Name: p.Name, EVR: nevra.EVR{Epoch: p.Epoch, Version: p.Version, Release: p.Release}, Arch: p.Arch}
				a.Packages = append(a.Packages, AdvisoryPackage{n, module, p.Reboot != nil})
			}
		}
		out = append(out, a)
	}
	return out, nil
}
