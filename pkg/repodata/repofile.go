package repodata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RepoConfig says where an RPM repository is and how it is used: one section of a
// .repo file.
type RepoConfig struct {
	ID, Name       string
	BaseURL        []string // URLs or folders, tried in order
	Mirrorlist     string
	Metalink       string
	Enabled        bool
	GPGCheck       bool // of packages
	RepoGPGCheck   bool // of repomd.xml
	GPGKey         []string
	Priority       int // lower wins
	Cost           int
	Exclude        []string // globs of package names
	IncludePkgs    []string // when there are any, only these are seen
	SkipMissing    bool     // go on without it when it cannot be had
	ModuleHotfixes bool     // modules hide none of its packages

	Proxy                        string // URL; "_none_": none at all; empty: as the environment has it
	ProxyUsername, ProxyPassword string
	Username, Password           string
	SSLInsecure                  bool   // sslverify=0
	SSLCACert                    string // files
	SSLClientCert, SSLClientKey  string
	Timeout                      time.Duration // without a byte; 0: 30 s
	Retries                      int           // 0: the default, negative: without end
}

// Defaults of a section.
const (
	DefaultPriority = 99
	DefaultCost     = 1000
)

// ParseRepoFile reads a .repo file; file is its name for errors. The section [main]
// gives defaults. Variables are $NAME, ${NAME}, ${NAME:-DEFAULT} and ${NAME:+ALT}.
// Keys that do not concern which packages there are, or how they are had, are passed
// over.
//
// Every error wraps [ErrMalformed] and begins with FILE:LINE.
func ParseRepoFile(file string, b []byte, vars map[string]string) ([]RepoConfig, error) {
	var out []RepoConfig
	main := RepoConfig{Enabled: true, Priority: DefaultPriority, Cost: DefaultCost}
	cur := (*RepoConfig)(nil)
	lines, err := logicalLines(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	for _, l := range lines {
		bad := func(format string, a ...any) error {
			return fmt.Errorf("%s:%d: %s: %w", file, l.number, fmt.Sprintf(format, a...), ErrMalformed)
		}
		if strings.HasPrefix(l.text, "[") {
			id, ok := strings.CutSuffix(l.text[1:], "]")
			if !ok || strings.TrimSpace(id) == "" {
				return nil, bad("section %q: want [ID]", l.text)
			}
			if id = strings.TrimSpace(id); id == "main" {
				cur = &main
				continue
			}
			c := main
			c.ID, c.Name = id, id
			out = append(out, c)
			cur = &out[len(out)-1]
			continue
		}
		k, v, ok := strings.Cut(l.text, "=")
		if !ok {
			return nil, bad("%q: want KEY=VALUE", l.text)
		}
		if cur == nil {
			return nil, bad("key %s stands before the first section", strings.TrimSpace(k))
		}
		k = strings.ToLower(strings.TrimSpace(k))
		if err := cur.set(k, substitute(strings.TrimSpace(v), vars)); err != nil {
			return nil, bad("%s: %v", k, err)
		}
	}
	for _, c := range out {
		if len(c.BaseURL) == 0 && c.Mirrorlist == "" && c.Metalink == "" {
			return nil, fmt.Errorf("%s: repository %s: no baseurl, mirrorlist or metalink: %w", file, c.ID, ErrMalformed)
		}
	}
	return out, nil
}

type line struct {
	number int
	text   string
}

// logicalLines joins continued lines and drops comments.
func logicalLines(s string) ([]line, error) {
	var out []line
	for i, text := range strings.Split(s, "\n") {
		text = strings.TrimRight(text, " \t\r")
		switch {
		case text == "", text[0] == '#', text[0] == ';':
		case text[0] == ' ' || text[0] == '\t':
			if len(out) == 0 {
				return nil, fmt.Errorf("%d: a continued line stands first: %w", i+1, ErrMalformed)
			}
			out[len(out)-1].text += "\n" + strings.TrimSpace(text)
		default:
			out = append(out, line{i + 1, text})
		}
	}
	return out, nil
}

func (c *RepoConfig) set(key, value string) (err error) {
	if to := c.lists(key); to != nil {
		*to = list(value)
		return nil
	}
	if to := c.texts(key); to != nil {
		*to = value
		return nil
	}
	if to := c.flags(key); to != nil {
		*to, err = boolean(value)
		return err
	}
	switch key {
	case "sslverify":
		var verify bool
		verify, err = boolean(value)
		c.SSLInsecure = err == nil && !verify
	case "timeout":
		c.Timeout, err = seconds(value)
	case "retries":
		if c.Retries, err = strconv.Atoi(value); c.Retries == 0 {
			c.Retries = -1
		}
	case "priority":
		c.Priority, err = strconv.Atoi(value)
	case "cost":
		c.Cost, err = strconv.Atoi(value)
	case "type":
		if value != "rpm-md" && value != "rpm" && value != "yum" && value != "repomd" {
			err = fmt.Errorf("%q: want rpm-md", value)
		}
	}
	return err
}

func (c *RepoConfig) lists(key string) *[]string {
	switch key {
	case "baseurl":
		return &c.BaseURL
	case "gpgkey":
		return &c.GPGKey
	case "exclude", "excludepkgs":
		return &c.Exclude
	case "includepkgs":
		return &c.IncludePkgs
	}
	return nil
}

func (c *RepoConfig) texts(key string) *string {
	return map[string]*string{
		"name": &c.Name, "mirrorlist": &c.Mirrorlist, "metalink": &c.Metalink, "proxy": &c.Proxy,
		"proxy_username": &c.ProxyUsername, "proxy_password": &c.ProxyPassword, "username": &c.Username, "password": &c.Password,
		"sslcacert": &c.SSLCACert, "sslclientcert": &c.SSLClientCert, "sslclientkey": &c.SSLClientKey,
	}[key]
}

func (c *RepoConfig) flags(key string) *bool {
	switch key {
	case "enabled":
		return &c.Enabled
	case "gpgcheck":
		return &c.GPGCheck
	case "repo_gpgcheck":
		return &c.RepoGPGCheck
	case "skip_if_unavailable":
		return &c.SkipMissing
	case "module_hotfixes":
		return &c.ModuleHotfixes
	}
	return nil
}

// seconds reads a time: 30, 30s, 2m, 1h, 1d.
func seconds(s string) (time.Duration, error) {
	unit := time.Second
	if n := len(s) - 1; n > 0 {
		if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[n]]; ok {
			unit, s = u, s[:n]
		}
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q: want seconds", s)
	}
	return time.Duration(n) * unit, nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
}

func boolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true, nil
	case "0", "no", "false", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q: want 1 or 0", s)
}

var variable = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?:(:[-+])([^}]*))?\}`)

// substitute puts variables in; an unknown one stays as it is.
func substitute(s string, vars map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		g := variable.FindStringSubmatch(m)
		value, ok := vars[g[1]+g[2]]
		switch {
		case g[3] == ":-" && value == "":
			return g[4]
		case g[3] == ":+" && value != "":
			return g[4]
		case g[3] == ":+":
			return ""
		case !ok:
			return m
		}
		return value
	})
}

// ReadVars reads a folder of variables, as /etc/dnf/vars: the name of a file is that
// of a variable, its first line the value. Other files are passed over.
func ReadVars(dir fs.FS) (map[string]string, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !variableName.MatchString(e.Name()) {
			continue
		}
		f, err := dir.Open(e.Name())
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(f, 4096))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		line, _, _ := strings.Cut(string(b), "\n")
		out[e.Name()] = strings.TrimSpace(line)
	}
	return out, nil
}

var variableName = regexp.MustCompile(`^\w+$`)
