#!/usr/bin/env bash
# Generates the code of the schema aside and compares it with what is committed.
set -euo pipefail
cd "$(dirname "$0")/../proto"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
PATH="$(dirname "$PROTOC_GEN_GO"):$PATH" "$BUF" generate -o "$fresh"
status=0
while read -r f; do
  cmp -s "$f" "$fresh/$f" || { echo "proto/$f isn't what 'make generate' writes"; status=1; }
done < <({ find . -name '*.pb.go'; cd "$fresh"; find . -name '*.pb.go'; } | sort -u)
exit "$status"
