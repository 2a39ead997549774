#!/usr/bin/env bash
# Compares the schema with the one that is out: the last release's; where there
# is none yet, main's; on main itself, the commit's before.
set -euo pipefail
cd "$(dirname "$0")/.."
base=
for candidate in "$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || true)" origin/main HEAD^; do
  commit=$(git rev-parse --verify -q "$candidate^{commit}") || continue
  [ "$commit" != "$(git rev-parse HEAD)" ] || continue
  base=$candidate
  break
done
if [ -z "$base" ] || ! git ls-tree -r --name-only "$base" -- proto | grep -q '\.proto$'; then
  echo "no schema to compare with: ${base:-the first commit} has none"
  exit 0
fi
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$base" proto | tar -x -C "$old"
(cd proto && "$BUF" breaking --against "$old/proto")
echo "schema compared with $base: nothing breaks"
