#!/usr/bin/env bash
# Looks for known vulnerabilities in the code that is called, module by module.
# The database is online; where it can't be reached this says so, and fails only
# if PERENNIAL_REQUIRE_VULN is 1.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for module in "$@"; do
  if (cd "$module" && timeout 300 "$GOVULNCHECK" ./...) >"$out" 2>&1; then
    echo "$module: $(tail -n 1 "$out")"
  elif grep -q 'fetching vulnerabilities' "$out"; then
    echo "NOT RUN: the vulnerability database can't be reached: $(tail -n 1 "$out")"
    [ "${PERENNIAL_REQUIRE_VULN:-0}" != 1 ]
    exit
  else
    cat "$out"
    exit 1
  fi
done
