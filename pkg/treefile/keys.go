package treefile

import "maps"

// rule says how the values of a key are merged, of which the first is the includer's.
type rule int

const (
	firstWins rule = iota // the first value stands
	prepend               // []item: the second list, then the first
	union                 // []item: a set, in byte order
	byName                // map[string]item: both, where the first value of an entry stands
	joined                // map[string]item of []string: each list as with prepend
	lost                  // the second value is dropped
)

// key is what there is to know of a key.
type key struct {
	read  reader
	rule  rule
	def   any  // value when the key is not set; nil: the zero value
	subst bool // ${name} is replaced
	aside bool // not in the flattened form
}

// keys are all but the include family, variables and packages-ARCH.
var keys = map[string]key{
	// identity, versions, metadata
	"edition":                  {read: oneOf("2014", "2024"), def: "2014"},
	"ref":                      {read: check(margins), subst: true},
	"basearch":                 {read: check(blanks)},
	"releasever":               {read: readReleasever},
	"repovars":                 {read: readRepoVars, rule: byName, aside: true},
	"metadata":                 {read: readPlainMap, rule: byName, subst: true},
	"rojig":                    {read: readRojig, subst: true},
	"add-commit-metadata":      {read: readPlainMap, rule: byName, subst: true},
	"automatic-version-prefix": {read: check(margins), subst: true},
	"automatic-version-suffix": {read: check(wrongSuffix), def: "."},
	"mutate-os-release":        {read: check(margins), subst: true},
	"gpg-key":                  {read: check(margins)},
	"repo-metadata":            {read: oneOf("inline", "detached", "disabled"), def: "inline"},
	"advisories-metadata":      {read: oneOf("inline", "detached", "disabled"), def: "inline"},
	"container-cmd":            {read: words(readText)},

	// packages
	"repos":            {read: stringList(check(wrongRepo)), rule: prepend},
	"lockfile-repos":   {read: stringList(check(wrongRepo)), rule: prepend},
	"packages":         {read: readPackages, rule: union},
	"repo-packages":    {read: listOf("a list of mappings with repo and packages", readRepoPackages), rule: prepend},
	"exclude-packages": {read: stringList(check(wrongExclude)), rule: prepend},
	"modules":          {read: fields(moduleFields), rule: joined},
	"recommends":       {read: readBool, def: true},
	"documentation":    {read: readBool, def: true},
	"install-langs":    {read: stringList(check(blanks)), rule: prepend},
	"platform-module":  {read: readText, rule: lost, subst: true},

	// boot
	"boot-location":    {read: readBootLocation, def: "new"},
	"initramfs-args":   {read: stringList(check(margins)), rule: prepend},
	"no-initramfs":     {read: readBool, def: false},
	"units":            {read: stringList(check(wrongUnit)), rule: prepend},
	"default-target":   {read: check(wrongUnit)},
	"machineid-compat": {read: readBool, def: true},
	"container":        {read: readBool, def: false},

	// content
	"tmp-is-dir":             {read: readBool, def: false},
	"opt-usrlocal":           {read: readOptUsrlocal, def: "var"},
	"readonly-executables":   {read: readBool, def: false},
	"add-files":              {read: listOf("a list of [SOURCE, DESTINATION]", readAddFile), rule: prepend},
	"remove-files":           {read: stringList(check(wrongPath)), rule: prepend},
	"remove-from-packages":   {read: listOf("a list of [PACKAGE, PATTERN...]", readRemoveFromPackage), rule: prepend},
	"postprocess":            {read: stringList(readScript), rule: prepend},
	"postprocess-script":     {read: readExternal},
	"ostree-layers":          {read: stringList(check(wrongRef)), rule: prepend},
	"ostree-override-layers": {read: stringList(check(wrongRef)), rule: prepend},
	"ignore-devices":         {read: readBool, def: true},
	"cliwrap":                {read: readBool, def: false},
	"cliwrap-binaries":       {read: stringList(oneOf("kernel-install")), rule: prepend},

	// integrity
	"selinux":               {read: readBool, def: true},
	"selinux-label-version": {read: readLabelVersion, def: uint64(0)},
	"ima":                   {read: readBool, def: false},

	// users and groups
	"etc-group-members":     {read: stringList(check(blanks)), rule: prepend},
	"preserve-passwd":       {read: readBool, def: true},
	"check-passwd":          {read: readCheck(false), def: Check{Type: "previous"}},
	"check-groups":          {read: readCheck(true), def: Check{Type: "previous"}},
	"ignore-removed-users":  {read: stringList(check(blanks)), rule: union},
	"ignore-removed-groups": {read: stringList(check(blanks)), rule: union},
	"sysusers":              {read: oneOf("compose-auto", "compose-forced"), def: "compose-auto"},

	// RPM database
	"rpmdb":           {read: readRPMDB, def: "target"},
	"rpmdb-normalize": {read: readBool, def: false},

	// ours
	"images": {read: readImages},
	"disk":   {read: fields(diskFields), rule: byName},
	"deltas": {read: fields(deltaFields), rule: byName},

	// in the state of a client; rpm-ostree refuses to compose them, too
	"base-refspec":                {read: readText},
	"container-image-reference":   {read: readText},
	"packages-local":              {read: readPlain},
	"packages-local-fileoverride": {read: readPlain},
	"override-remove":             {read: words(readText)},
	"ex-override-replace":         {read: readPlain},
	"override-replace-local":      {read: readPlain},
	"initramfs":                   {read: readPlainMap, rule: byName},
	"custom":                      {read: readPlainMap, rule: byName},
	"override-commit":             {read: readText},
	"unconfigured-state":          {read: readText},
}

// specials are the keys that a file is read by, before there is anything to merge.
var specials = []string{"include", "arch-include", "conditional-include", "variables"}

// renamed are other spellings of a key.
var renamed = map[string]string{
	"gpg_key":                  "gpg-key",
	"boot_location":            "boot-location",
	"default_target":           "default-target",
	"automatic_version_prefix": "automatic-version-prefix",
	"bootstrap-packages":       "packages",
	"bootstrap_packages":       "packages", // as the manual has it
}

// known lists the keys that a file may have.
func known() []string {
	out := append([]string{}, specials...)
	for name := range maps.Keys(keys) {
		out = append(out, name)
	}
	return out
}

var (
	readBootLocation = renamedValue(oneOf("modules", "kernel-install", "new"), nil)
	readOptUsrlocal  = renamedValue(oneOf("var", "root", "state-overlay", "stateoverlay"), map[string]string{"stateoverlay": "state-overlay"})
	readRPMDB        = renamedValue(oneOf("target", "host", "bdb", "b-d-b", "ndb", "sqlite"),
		map[string]string{"bdb": "target", "b-d-b": "target", "ndb": "target", "sqlite": "target"})
)

// renamedValue reads a string, and turns old words to the new ones.
func renamedValue(read reader, old map[string]string) reader {
	return func(n node) (any, error) {
		v, err := read(n)
		if s, ok := v.(string); ok && old[s] != "" {
			return old[s], err
		}
		return v, err
	}
}
