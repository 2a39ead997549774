#!/usr/bin/env bash
# Proves that the rules in .golangci.yml about who may import what, and who may
# read a clock, can fail: plants one file for each rule, those that must be
# refused and those that must not, in a tree of otherwise empty packages.
set -euo pipefail
cd "$(dirname "$0")/.."
root=github.com/perennial-cltv/perennial
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp .golangci.yml go.work "$tree"
for m in $(go work edit -json | sed -n 's|.*"DiskPath": "\./\(.*\)".*|\1|p'); do
  mkdir -p "$tree/$m"
  cp "$m/go.mod" "$m/go.sum" "$tree/$m/"
done

cases=0
# plant bad|good FOLDER FILE IMPORT [EXPRESSION]: each in a package of its own
# below the folder, so that no two of them make a cycle.
plant() {
  cases=$((cases + 1))
  local dir=$tree/$2/$1$cases name=_
  mkdir -p "$dir"
  [ $# -lt 5 ] || name=
  printf '// Package planted is planted.\npackage planted\n\nimport %s "%s"\n' "$name" "$4" >"$dir/$3"
  [ $# -lt 5 ] || printf '\nvar _ = %s\n' "$5" >>"$dir/$3"
}
bad() { plant bad "$@"; }
good() { plant good "$@"; }

# What is imported below must be there, empty.
for p in proto/perennial/v1 pkg/btyd pkg/btyd/fit pkg/evaluate pkg/cltv pkg/formula pkg/wire pkg/task pkg/stream pkg/store pkg/intake pkg/ops; do
  mkdir -p "$tree/$p"
  printf '// Package %s is empty.\npackage %s\n' "$(basename $p)" "$(basename $p)" >"$tree/$p/doc.go"
done

good pkg/btyd x.go math
bad pkg/btyd x.go os
bad pkg/btyd x.go $root/pkg/ops
bad pkg/btyd x.go $root/pkg/btyd/fit
good pkg/btyd/fit x.go $root/pkg/btyd
bad pkg/btyd/fit x.go $root/pkg/cltv

good pkg/evaluate x.go math
bad pkg/evaluate x.go $root/pkg/btyd
bad pkg/evaluate x.go os
good pkg/backtest x.go $root/pkg/btyd/fit
good pkg/backtest x.go $root/pkg/evaluate
bad pkg/backtest x.go $root/pkg/cltv
bad pkg/backtest x.go os

good pkg/cltv x.go sort
bad pkg/cltv x.go $root/pkg/btyd/fit
good pkg/cltv x.go $root/pkg/btyd
good pkg/cltv x.go time time.Unix
good pkg/cltv x_test.go os
bad pkg/cltv x.go os
bad pkg/cltv x.go os/exec
bad pkg/cltv x.go net/http
bad pkg/cltv x.go log/slog
bad pkg/cltv x.go math/rand/v2
bad pkg/cltv x.go pgregory.net/rapid
bad pkg/cltv x.go google.golang.org/protobuf/proto
bad pkg/cltv x.go $root/pkg/wire
bad pkg/cltv x.go time time.Now
bad pkg/cltv x.go time time.Since
bad pkg/cltv x.go time time.Until

good pkg/formula x.go cel.dev/cel-go/cel
good pkg/formula x.go $root/pkg/cltv
bad pkg/formula x.go $root/pkg/wire
bad pkg/formula x.go google.golang.org/protobuf/proto
bad pkg/formula x.go os
bad pkg/formula x.go math/rand/v2
bad pkg/formula x.go time time.Now
bad pkg/cltv x.go cel.dev/cel-go/cel
bad pkg/cltv x.go $root/pkg/formula
bad pkg/wire x.go cel.dev/cel-go/cel
bad pkg/ops x.go cel.dev/cel-go/cel
bad services/planted x.go cel.dev/cel-go/cel
bad test/planted x.go cel.dev/cel-go/common/types
good services/planted x.go $root/pkg/formula

good pkg/wire x.go $root/proto/perennial/v1
good pkg/wire x.go google.golang.org/protobuf/encoding/protowire
bad pkg/wire x.go $root/pkg/task
bad pkg/wire x.go time time.Now

good pkg/task x.go $root/pkg/wire
bad pkg/task x.go $root/pkg/stream
bad pkg/task x.go net
bad pkg/task x.go crypto/rand
bad pkg/task x.go time time.Now
# The driver of a task is told from the machine by the name of its file.
printf 'package task\n\nimport "time"\n\nvar _ = time.Now\n' >"$tree/pkg/task/driver.go"

good pkg/stream x.go github.com/segmentio/kafka-go
bad pkg/stream x.go github.com/redis/go-redis/v9
good pkg/store x.go github.com/redis/go-redis/v9
bad pkg/store x.go github.com/segmentio/kafka-go
bad pkg/store x.go testing
good pkg/store/storetest x.go testing
bad pkg/store/storetest x.go github.com/segmentio/kafka-go
bad pkg/intake x.go github.com/segmentio/kafka-go
bad pkg/intake x.go $root/pkg/store
good pkg/ops x.go go.opentelemetry.io/otel/trace
bad pkg/ops x.go $root/pkg/cltv
bad pkg/ops x.go github.com/redis/go-redis/v9
good services/planted x.go $root/pkg/stream
bad services/planted x.go github.com/segmentio/kafka-go
bad services/planted x.go github.com/redis/go-redis/v9
good test/planted x.go github.com/segmentio/kafka-go
good test/oracle x.go $root/proto/perennial/v1
bad test/oracle x.go $root/pkg/cltv

found=$(cd "$tree" && "$GOLANGCI_LINT" run --enable-only depguard,forbidigo ./pkg/... ./services/... ./test/... 2>&1) || true
status=0
while read -r file; do
  what="$(sed -n '4,$p' "$tree/$file" | xargs) in $(dirname "$(dirname "$file")")"
  case $file in
    */bad[0-9]*) grep -qF "$file:" <<<"$found" || { echo "not refused: $what"; status=1; } ;;
    *) ! grep -F "$file:" <<<"$found" || { echo "wrongly refused: $what"; status=1; } ;;
  esac
done < <(cd "$tree" && find pkg services test -name '*.go' | sort)
if grep -q typecheck <<<"$found"; then
  echo "$found"
  status=1
fi
[ $status -ne 0 ] || echo "$cases planted imports: each refused or let through as it should be"
exit $status
