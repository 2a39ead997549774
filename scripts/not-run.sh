#!/bin/sh
# Says which tests `make test` left out because they need real servers.
set -eu
cd "$(dirname "$0")/.."
[ -d test/real ] || exit 0
names=$(grep -rhoE '^func Test[A-Za-z0-9_]+\(t \*testing' test/real --include='*_test.go' |
  sed -E 's/^func ([A-Za-z0-9_]+).*/\1/' | sort)
[ -n "$names" ] || exit 0
echo
echo "Not run: the tests on real Kafka and Redis ('make real' runs them):"
echo "$names" | sed 's/^/  /'
