package remote

import (
	"testing"
)

func FuzzParseMetalink(f *testing.F) {
	f.Add([]byte(`<metalink><files><file name="summary"><size>3</size><verification><hash type="sha256">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</hash></verification><resources><url protocol="http" preference="1">http://a/summary</url></resources></file></files></metalink>`))
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><metalink>&a;</metalink>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMetalink(b, "summary")
		if err != nil {
			if m != nil {
				t.Fatalf("%v with %v", m, err)
			}
			return
		}
		if m.size <= 0 || len(m.urls) == 0 || len(m.digest) != hashes[m.hash]().Size() {
			t.Fatalf("%+v", m)
		}
		for _, u := range m.urls {
			if u.Scheme != "http" && u.Scheme != "https" {
				t.Fatalf("URL %s", u)
			}
		}
	})
}

func FuzzParseMirrorlist(f *testing.F) {
	f.Add("# list\n\nhttp://a/repo\nftp://b\nhttps://user:pass@c:1/x y\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, u := range parseMirrorlist(text) {
			if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				t.Fatalf("base %q", u)
			}
			if v := below(u, "config"); v.Host != u.Host || v.Scheme != u.Scheme {
				t.Fatalf("below %s: %s", u, v)
			}
		}
	})
}
