#!/bin/sh
# Runs every fuzz target of the module, one after another, for a time such as 10m
# or a number of executions such as 50000x. Only a number is certain to end well:
# up to Go 1.26 a time that runs out can be reported as the failure "context
# deadline exceeded" of a target that found nothing (golang.org/issue/75804).
set -eu

amount="${1:-50000x}"
go="${GO:-go}"
grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
	folder=$(dirname "$file")
	for target in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //'); do
		echo "== $folder $target for $amount"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$amount" "$folder" </dev/null
	done
done
