#!/usr/bin/env bash
# Runs each fuzz test of the module for a while: hack/fuzz.sh [TIME], default 10s.
set -eu
time=${1:-10s}

# fuzz PACKAGE NAME runs one. Now and then go test takes the end of the time for a
# failure of the test; then no input is written.
fuzz() {
	local out
	if out=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" </dev/null 2>&1); then
		tail -n 2 <<<"$out"
	elif grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out"; then
		echo "the time was up"
	else
		echo "$out"
		return 1
	fi
}

go list ./... | while read -r pkg; do
	for name in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "$pkg $name"
		fuzz "$pkg" "$name"
	done
done
