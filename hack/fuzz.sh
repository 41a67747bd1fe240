#!/usr/bin/env bash
# Runs each fuzz test of the module for a while: hack/fuzz.sh [TIME], default 10s.
set -eu
time=${1:-10s}
go list ./... | while read -r pkg; do
	for name in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "$pkg $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$pkg" </dev/null
	done
done
