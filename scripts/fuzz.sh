#!/usr/bin/env bash
# Runs every fuzz target for the time given, one after the other: go test takes
# one target at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:?how long each, such as 10s}
count=0
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]+).*/\1/' <<<"$line")
  echo "$name in $(dirname "$file")"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$(dirname "$file")"
  count=$((count + 1))
done < <(grep -roE '^func Fuzz[A-Za-z0-9_]+\(f \*testing\.F' pkg services test proto --include='*_test.go' | sort)
echo "$count fuzz targets ran for $time each"
[ "$count" -gt 0 ]
