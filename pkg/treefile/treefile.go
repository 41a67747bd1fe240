package treefile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Treefile is a treefile with all that it includes. A key that is not set has its
// default; an empty list and an empty string mean that there is none. The other
// methods tell what was parsed, whatever the caller puts into the fields.
type Treefile struct {
	// Identity, versions, metadata.
	Edition            string            // "2014" or "2024"
	Ref                string            // branch to write; empty: none
	Basearch           string            // that of Options
	Releasever         string            // of the distribution, for .repo files
	RepoVars           map[string]string // more variables for .repo files
	Variables          map[string]any    // bool, uint64 or string; also those that stand for keys
	Metadata           map[string]any    // for other tools
	AddCommitMetadata  map[string]any    // nil, bool, int64, float64, string, []any, map[string]any
	VersionPrefix      string            // see NextVersion; empty: no automatic version
	VersionSuffix      string
	MutateOSRelease    string // text of os-release that becomes the version; empty: none
	GPGKey             string // id of the key that signs the commit
	RepoMetadata       string // "inline", "detached" or "disabled"
	AdvisoriesMetadata string // "inline", "detached" or "disabled"
	ContainerCmd       []string
	Rojig              *Rojig // nil: none

	// Packages.
	Repos           []string // ids of the RPM repositories to use; empty: those enabled
	LockfileRepos   []string
	Packages        []string // names, globs, capabilities, relations "foo >= 1", paths; sorted
	RepoPackages    []RepoPackages
	ExcludePackages []string
	Modules         Modules
	Recommends      bool // install what chosen packages recommend
	Documentation   bool // unpack files that are marked as documentation
	InstallLangs    []string
	PlatformModule  string // has no effect any more

	// Boot.
	BootLocation    string // "new", "modules" or "kernel-install"
	InitramfsArgs   []string
	NoInitramfs     bool
	Units           []string // to enable
	DefaultTarget   string
	MachineIDCompat bool // ship an empty machine-id
	Container       bool // no kernel, no boot loader

	// Content.
	TmpIsDir             bool
	OptUsrLocal          string // "var", "root" or "state-overlay"
	ReadonlyExecutables  bool
	AddFiles             []AddFile
	RemoveFiles          []string // paths relative to the root
	RemoveFromPackages   []PackageFiles
	Postprocess          []string  // scripts, in the order to run them
	PostprocessScript    *External // runs behind those; nil: none
	OSTreeLayers         []string
	OSTreeOverrideLayers []string
	IgnoreDevices        bool
	Cliwrap              bool
	CliwrapBinaries      []string

	// Integrity.
	Selinux             bool
	SelinuxLabelVersion int
	IMA                 bool

	// Users and groups.
	EtcGroupMembers     []string
	PreservePasswd      bool
	CheckPasswd         Check
	CheckGroups         Check
	IgnoreRemovedUsers  []string // "*" is all
	IgnoreRemovedGroups []string
	Sysusers            string // "compose-auto" or "compose-forced"

	// RPM database.
	RPMDB          string // "target" or "host"
	RPMDBNormalize bool

	// Beyond rpm-ostree.
	Images []Image
	Disk   Disk
	Deltas Deltas

	// Keys are the keys that the files set, in the order of their names, each once; not
	// those that edition and container imply. A caller refuses the ones that it does
	// not act upon. "finalize.d" stands for a folder of scripts beside a treefile, which
	// has no key.
	Keys []KeyUse

	merged layer
}

// KeyUse is a key that a treefile sets.
type KeyUse struct {
	Key     string // packages-ARCH counts as packages, an old spelling as the new one
	File    string // the outermost file that sets it
	Line    int
	Default bool // the value is that of a treefile without the key
}

// build fills the fields.
func build(m layer, l *loader) *Treefile {
	t := &Treefile{merged: m, Keys: keyUses(m, l.uses), Variables: l.vars}
	t.buildIdentity(m)
	t.buildPackages(m)
	t.buildBoot(m)
	t.buildContent(m)
	t.buildUsers(m)
	t.buildOurs(m)
	return t
}

func (t *Treefile) buildIdentity(m layer) {
	t.Edition, t.Ref, t.Basearch = get[string](m, "edition"), get[string](m, "ref"), get[string](m, "basearch")
	if v := get[any](m, "releasever"); v != nil {
		t.Releasever = fmt.Sprint(v)
	}
	t.RepoVars = table[string](m, "repovars")
	t.Metadata, t.AddCommitMetadata = table[any](m, "metadata"), table[any](m, "add-commit-metadata")
	t.VersionPrefix = get[string](m, "automatic-version-prefix")
	t.VersionSuffix = get[string](m, "automatic-version-suffix")
	t.MutateOSRelease, t.GPGKey = get[string](m, "mutate-os-release"), get[string](m, "gpg-key")
	t.RepoMetadata, t.AdvisoriesMetadata = get[string](m, "repo-metadata"), get[string](m, "advisories-metadata")
	t.ContainerCmd = get[[]string](m, "container-cmd")
	if _, ok := m["rojig"]; ok {
		r := get[Rojig](m, "rojig")
		t.Rojig = &r
	}
}

func (t *Treefile) buildPackages(m layer) {
	t.Repos, t.LockfileRepos = list[string](m, "repos"), list[string](m, "lockfile-repos")
	t.Packages, t.RepoPackages = list[string](m, "packages"), list[RepoPackages](m, "repo-packages")
	t.ExcludePackages, t.InstallLangs = list[string](m, "exclude-packages"), list[string](m, "install-langs")
	modules := table[[]string](m, "modules")
	t.Modules = Modules{Enable: modules["enable"], Install: modules["install"]}
	t.Recommends, t.Documentation = get[bool](m, "recommends"), get[bool](m, "documentation")
	t.PlatformModule = get[string](m, "platform-module")
	t.RPMDB, t.RPMDBNormalize = get[string](m, "rpmdb"), get[bool](m, "rpmdb-normalize")
}

func (t *Treefile) buildBoot(m layer) {
	t.BootLocation, t.InitramfsArgs = get[string](m, "boot-location"), list[string](m, "initramfs-args")
	t.NoInitramfs, t.MachineIDCompat = get[bool](m, "no-initramfs"), get[bool](m, "machineid-compat")
	t.Units, t.DefaultTarget = list[string](m, "units"), get[string](m, "default-target")
	t.Container = get[bool](m, "container")
}

func (t *Treefile) buildContent(m layer) {
	t.TmpIsDir, t.OptUsrLocal = get[bool](m, "tmp-is-dir"), get[string](m, "opt-usrlocal")
	t.ReadonlyExecutables, t.IgnoreDevices = get[bool](m, "readonly-executables"), get[bool](m, "ignore-devices")
	t.AddFiles, t.RemoveFiles = list[AddFile](m, "add-files"), list[string](m, "remove-files")
	t.RemoveFromPackages = list[PackageFiles](m, "remove-from-packages")
	t.Postprocess = list[string](m, "postprocess")
	if _, ok := m["postprocess-script"]; ok {
		x := get[External](m, "postprocess-script")
		t.PostprocessScript = &x
	}
	t.OSTreeLayers, t.OSTreeOverrideLayers = list[string](m, "ostree-layers"), list[string](m, "ostree-override-layers")
	t.Cliwrap, t.CliwrapBinaries = get[bool](m, "cliwrap"), list[string](m, "cliwrap-binaries")
	t.Selinux, t.IMA = get[bool](m, "selinux"), get[bool](m, "ima")
	t.SelinuxLabelVersion = int(get[uint64](m, "selinux-label-version"))
}

func (t *Treefile) buildUsers(m layer) {
	t.EtcGroupMembers, t.PreservePasswd = list[string](m, "etc-group-members"), get[bool](m, "preserve-passwd")
	t.CheckPasswd, t.CheckGroups = get[Check](m, "check-passwd"), get[Check](m, "check-groups")
	t.IgnoreRemovedUsers = list[string](m, "ignore-removed-users")
	t.IgnoreRemovedGroups = list[string](m, "ignore-removed-groups")
	t.Sysusers = get[string](m, "sysusers")
}

// Place tells where an element of a list or mapping stands: a package, a unit, a
// script by its text, the source of a file to add, a key of add-commit-metadata. With
// an empty name it is the place of the key. The line is 0 when there is no such thing.
func (t *Treefile) Place(key, name string) (file string, line int) {
	e, ok := t.merged[key]
	if name == "" || !ok {
		return e.at.file, e.at.line
	}
	switch v := e.value.(type) {
	case []item:
		if i := slices.IndexFunc(v, func(it item) bool { return it.name == name }); i >= 0 {
			return v[i].at.file, v[i].at.line
		}
	case map[string]item:
		return v[name].at.file, v[name].at.line
	}
	return "", 0
}

// keyUses lists the uses of keys, of which m has the values.
func keyUses(m layer, uses map[string]KeyUse) []KeyUse {
	out := slices.Collect(maps.Values(uses))
	for i, u := range out {
		if e, ok := m[u.Key]; ok {
			out[i].Default = isDefault(e.value, keys[u.Key].def)
		}
	}
	slices.SortFunc(out, func(a, b KeyUse) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func isDefault(v, def any) bool {
	if def != nil {
		return reflect.DeepEqual(v, def)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() == 0
	default:
		return r.IsZero()
	}
}
