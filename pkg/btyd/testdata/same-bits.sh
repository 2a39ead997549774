#!/bin/sh
# Shows that scores are the same to the last bit whatever the processor offers: the golden hash with and without fused
# multiply-add, and no fused instruction in what the compiler makes of the package for processors that have one.
# Run it anywhere in the repository: sh pkg/btyd/testdata/same-bits.sh
set -eu
cd "$(dirname "$0")/.."
for level in v1 v3; do
	GOAMD64=$level go test -count=1 -run TestGolden .
	GOAMD64=$level GODEBUG=cpu.fma=off go test -count=1 -run TestGolden .
done
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
for target in "GOARCH=amd64 GOAMD64=v3" "GOARCH=arm64" "GOARCH=ppc64le"; do
	env $target CGO_ENABLED=0 go build -gcflags=-S . >"$listing" 2>&1
	grep -q 'TEXT.*btyd' "$listing" || { echo "$target: no listing"; exit 1; }
	if grep -E '\b(VFN?M(ADD|SUB)[0-9]|FN?M(ADD|SUB)D?\b)' "$listing"; then
		echo "$target: a product and a sum are fused; write float64(product)"
		exit 1
	fi
	echo "$target: nothing is fused"
done
