package cltv

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// TestFeaturesAreDocumented holds the table of docs/CONTRACTS.md to the features, their order and their bounds.
func TestFeaturesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/CONTRACTS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .* \\| ([0-9]+) \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) != int(NumFeatures) {
		t.Fatalf("%d features are documented, there are %d", len(rows), NumFeatures)
	}
	for f := range NumFeatures {
		if row := rows[f]; row[1] != f.String() || row[2] != fmt.Sprint(featureMost[f]) {
			t.Errorf("%s, at most %v, is documented as %s, at most %s", f, featureMost[f], row[1], row[2])
		}
	}
}
