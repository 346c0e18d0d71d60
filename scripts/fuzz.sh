#!/bin/sh
# Runs every fuzz target of the module, one after another, for a time such as 10m
# or a number of executions such as 50000x. Only a number is certain to end well:
# up to Go 1.26 a time that runs out can be reported as the failure "context
# deadline exceeded" of a target that found nothing (golang.org/issue/75804).
# Each package is built once for all of its targets. What a target finds is written
# to the package's folder testdata/fuzz.
#
# With "plain" as second argument nothing is built for it: inputs are varied without
# looking at what they reach. Few executions would not profit from that, and to
# instrument all that a package needs takes minutes. TAGS are those with which the
# tests have been built before, if any, so that they need not be built anew.
set -eu

amount="${1:-50000x}"
case "${2:-}" in
plain) build="-ldflags=-s" ;;
*) build="-fuzz=." ;;
esac
go="${GO:-go}"
cache="$("$go" env GOCACHE)/fuzz"
binary="$(mktemp)"
trap 'rm -f "$binary"' EXIT
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u | while read -r folder; do
	"$go" test -c "$build" -tags "${TAGS:-}" -o "$binary" "$folder" </dev/null
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$folder"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $folder $target for $amount"
		(cd "$folder" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$amount" \
			-test.fuzzcachedir "$cache/$folder" </dev/null)
	done
done
