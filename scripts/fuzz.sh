#!/bin/sh
# Runs every fuzz target of the module for the given time, one after another.
set -eu

time="${1:-10s}"
go="${GO:-go}"
grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
	folder=$(dirname "$file")
	for target in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //'); do
		echo "== $folder $target for $time"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$folder" </dev/null
	done
done
