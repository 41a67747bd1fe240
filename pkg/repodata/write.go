package repodata

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// Metadata is a file to write into repodata/.
type Metadata struct {
	Name    string // relative to the repository
	Content []byte
}

const (
	commonNS = "http://linux.duke.edu/metadata/common"
	rpmNS    = "http://linux.duke.edu/metadata/rpm"
	repoNS   = "http://linux.duke.edu/metadata/repo"
	listNS   = "http://linux.duke.edu/metadata/filelists"
	otherNS  = "http://linux.duke.edu/metadata/other"
)

// WriteMetadata returns the files of a repository's metadata, repomd.xml last. The
// packages need all their files. timestamp is the revision, in seconds since 1970
// UTC. The same packages in the same order give the same bytes.
func WriteMetadata(packages []*Package, timestamp int64) ([]Metadata, error) {
	var out []Metadata
	var index bytes.Buffer
	fmt.Fprintf(&index, "%s<repomd xmlns=\"%s\" xmlns:rpm=\"%s\">\n  <revision>%d</revision>\n", xml.Header, repoNS, rpmNS, timestamp)
	for _, kind := range []struct {
		name  string
		write func(*bytes.Buffer, []*Package)
	}{{"primary", writePrimary}, {"filelists", writeFilelists}, {"other", writeOther}} {
		var plain, packed bytes.Buffer
		kind.write(&plain, packages)
		z, err := compress.NewGzipWriter(&packed, 6)
		if err != nil {
			return nil, err
		}
		if _, err := z.Write(plain.Bytes()); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		sum, open := digest.Sum(packed.Bytes()), digest.Sum(plain.Bytes())
		name := "repodata/" + sum.Hex + "-" + kind.name + ".xml.gz"
		fmt.Fprintf(&index, "  <data type=%q>\n    <checksum type=\"sha256\">%s</checksum>\n    <open-checksum type=\"sha256\">%s</open-checksum>\n"+
			"    <location href=%q/>\n    <timestamp>%d</timestamp>\n    <size>%d</size>\n    <open-size>%d</open-size>\n  </data>\n",
			kind.name, sum.Hex, open.Hex, name, timestamp, packed.Len(), plain.Len())
		out = append(out, Metadata{name, packed.Bytes()})
	}
	index.WriteString("</repomd>\n")
	return append(out, Metadata{"repodata/repomd.xml", index.Bytes()}), nil
}

// text is s with the characters escaped that XML needs escaped.
func text(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// isPrimary tells whether the primary metadata has a file.
func isPrimary(f File) bool {
	return strings.HasPrefix(f.Path, "/etc/") || strings.Contains(f.Path, "bin/") || f.Path == "/usr/lib/sendmail"
}

func writePrimary(b *bytes.Buffer, packages []*Package) {
	fmt.Fprintf(b, "%s<metadata xmlns=\"%s\" xmlns:rpm=\"%s\" packages=\"%d\">\n", xml.Header, commonNS, rpmNS, len(packages))
	for _, p := range packages {
		v := p.NEVRA.EVR
		fmt.Fprintf(b, "<package type=\"rpm\">\n  <name>%s</name>\n  <arch>%s</arch>\n  %s\n", text(p.NEVRA.Name), text(p.NEVRA.Arch), version(v))
		fmt.Fprintf(b, "  <checksum type=%q pkgid=\"YES\">%s</checksum>\n", p.Checksum.Algorithm, p.Checksum.Hex)
		fmt.Fprintf(b, "  <summary>%s</summary>\n  <description>%s</description>\n  <packager>%s</packager>\n  <url>%s</url>\n",
			text(p.Summary), text(p.Description), text(p.Packager), text(p.URL))
		fmt.Fprintf(b, "  <time file=\"%d\" build=\"%d\"/>\n  <size package=\"%d\" installed=\"%d\" archive=\"%d\"/>\n  <location href=\"%s\"/>\n  <format>\n",
			p.FileTime, p.BuildTime, p.Size, p.InstalledSize, p.ArchiveSize, text(p.Location))
		fmt.Fprintf(b, "    <rpm:license>%s</rpm:license>\n    <rpm:vendor>%s</rpm:vendor>\n    <rpm:group>%s</rpm:group>\n    <rpm:buildhost>%s</rpm:buildhost>\n    <rpm:sourcerpm>%s</rpm:sourcerpm>\n",
			text(p.License), text(p.Vendor), text(p.Group), text(p.BuildHost), text(p.SourceRPM))
		fmt.Fprintf(b, "    <rpm:header-range start=\"%d\" end=\"%d\"/>\n", p.HeaderStart, p.HeaderEnd)
		for _, kind := range []string{"provides", "requires", "conflicts", "obsoletes", "suggests", "enhances", "recommends", "supplements"} {
			writeRelations(b, kind, *p.relations(kind), p.PreRequires)
		}
		for _, f := range p.Files {
			if isPrimary(f) {
				writeFile(b, "    ", f)
			}
		}
		b.WriteString("  </format>\n</package>\n")
	}
	b.WriteString("</metadata>\n")
}

func version(v nevra.EVR) string {
	epoch := v.Epoch
	if epoch == "" {
		epoch = "0"
	}
	return fmt.Sprintf("<version epoch=\"%s\" ver=\"%s\" rel=\"%s\"/>", text(epoch), text(v.Version), text(v.Release))
}

var flagNames = map[nevra.Flag]string{nevra.EQ: "EQ", nevra.LT: "LT", nevra.GT: "GT", nevra.LT | nevra.EQ: "LE", nevra.GT | nevra.EQ: "GE"}

func writeRelations(b *bytes.Buffer, kind string, list []nevra.Relation, pre map[int]bool) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "    <rpm:%s>\n", kind)
	for i, r := range list {
		fmt.Fprintf(b, "      <rpm:entry name=\"%s\"", text(r.Name))
		if f := flagNames[r.Flags]; f != "" {
			epoch := r.EVR.Epoch
			if epoch == "" {
				epoch = "0"
			}
			fmt.Fprintf(b, " flags=%q epoch=%q ver=\"%s\"", f, epoch, text(r.EVR.Version))
			if r.EVR.Release != "" {
				fmt.Fprintf(b, " rel=\"%s\"", text(r.EVR.Release))
			}
		}
		if kind == "requires" && pre[i] {
			b.WriteString(" pre=\"1\"")
		}
		b.WriteString("/>\n")
	}
	fmt.Fprintf(b, "    </rpm:%s>\n", kind)
}

func writeFile(b *bytes.Buffer, indent string, f File) {
	if f.Type != "" {
		fmt.Fprintf(b, "%s<file type=%q>%s</file>\n", indent, f.Type, text(f.Path))
		return
	}
	fmt.Fprintf(b, "%s<file>%s</file>\n", indent, text(f.Path))
}

func writeList(b io.Writer, root, ns string, packages []*Package, each func(*Package)) {
	fmt.Fprintf(b, "%s<%s xmlns=\"%s\" packages=\"%s\">\n", xml.Header, root, ns, strconv.Itoa(len(packages)))
	for _, p := range packages {
		fmt.Fprintf(b, "<package pkgid=\"%s\" name=\"%s\" arch=\"%s\">\n  %s\n", p.Checksum.Hex, text(p.NEVRA.Name), text(p.NEVRA.Arch), version(p.NEVRA.EVR))
		each(p)
		fmt.Fprint(b, "</package>\n")
	}
	fmt.Fprintf(b, "</%s>\n", root)
}

func writeFilelists(b *bytes.Buffer, packages []*Package) {
	writeList(b, "filelists", listNS, packages, func(p *Package) {
		for _, f := range p.Files {
			writeFile(b, "  ", f)
		}
	})
}

func writeOther(b *bytes.Buffer, packages []*Package) {
	writeList(b, "otherdata", otherNS, packages, func(*Package) {})
}

// Sort orders packages as a repository lists them: by name, version, architecture.
func Sort(packages []*Package) {
	slices.SortStableFunc(packages, func(a, b *Package) int {
		if c := strings.Compare(a.NEVRA.Name, b.NEVRA.Name); c != 0 {
			return c
		}
		if c := nevra.Compare(a.NEVRA.EVR, b.NEVRA.EVR); c != 0 {
			return c
		}
		return strings.Compare(a.NEVRA.Arch, b.NEVRA.Arch)
	})
}
