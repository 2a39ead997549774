package btyd

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestAgainstMpmath compares with high-precision values of formulas other than the ones used here; the scripts beside the
// tables make them.
func TestAgainstMpmath(t *testing.T) {
	compareGolden(t, "testdata/golden.tsv", "loglikelihood", "palive", "pbuys", "expected", "det", "pmf", "meanpower", "betaincomplete", "lgamma")
	for _, model := range []string{"mbg-", "pareto-"} {
		compareGolden(t, "testdata/purchase.tsv", model+"loglikelihood", model+"palive", model+"pbuys", model+"expected", model+"det", model+"pmf")
	}
	compareGolden(t, "testdata/contract.tsv", "lnraised", "sbg-survival", "sbg-loglikelihood", "sbg-derl", "bdw-survival", "bdw-loglikelihood",
		"bdw-residual", "bgbb-loglikelihood", "bgbb-palive", "bgbb-expected", "bgbb-dert")
}

// compareGolden compares every line of a table, which must have all the kinds.
func compareGolden(t *testing.T, name string, kinds ...string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := map[string]int{}
	worst := map[string]float64{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), "\t")
		v := make([]float64, len(cells)-1)
		for i, cell := range cells[1:] {
			if v[i], err = strconv.ParseFloat(cell, 64); err != nil {
				t.Fatalf("%s: %v", lines.Text(), err)
			}
		}
		got, want := goldenValue(t, cells[0], v), v[len(v)-1]
		// Relative, except where the value itself is a logarithm, of which the likelihood is the exponential.
		off := math.Abs(got - want)
		if math.Abs(want) > 1 || !strings.Contains(cells[0], "loglikelihood") && cells[0] != "lgamma" {
			off /= math.Abs(want)
		}
		// A probability below the least normal number may be 0.
		if math.Abs(want) < 1e-250 {
			off = math.Abs(got - want)
		}
		count[cells[0]]++
		worst[cells[0]] = math.Max(worst[cells[0]], off)
		if !(off <= 1e-9) {
			t.Errorf("%s: got %.17g, off by %.2g", lines.Text(), got, off)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for kind, n := range count {
		t.Logf("%-15s %4d values, largest error %.2g", kind, n, worst[kind])
	}
	for _, kind := range kinds {
		if count[kind] == 0 {
			t.Errorf("no values for %s", kind)
		}
	}
}

func goldenValue(t *testing.T, kind string, v []float64) float64 {
	t.Helper()
	switch kind {
	case "meanpower":
		return meanPower(v[0], v[1], v[2], log1p(v[3]))
	case "betaincomplete":
		return betaIncomplete(v[0], v[1], v[2], log(v[2]), log1p(-v[2]))
	case "lgamma":
		return lgamma(v[0])
	case "lnraised":
		return lnRaised(v[0], v[1])
	}
	if contract, rest, ok := strings.Cut(kind, "-"); ok && contract != "mbg" && contract != "pareto" {
		return goldenContract(t, contract, rest, v)
	}
	var m PurchaseModel = BGNBD{v[0], v[1], v[2], v[3]}
	if rest, ok := strings.CutPrefix(kind, "mbg-"); ok {
		m, kind = MBGNBD{v[0], v[1], v[2], v[3]}, rest
	} else if rest, ok := strings.CutPrefix(kind, "pareto-"); ok {
		m, kind = ParetoNBD{v[0], v[1], v[2], v[3]}, rest
	}
	x, tx, T := int(v[4]), v[5], v[6]
	switch kind {
	case "loglikelihood":
		return m.LogLikelihood(x, tx, T)
	case "palive":
		return m.PAlive(x, tx, T)
	case "pbuys":
		return m.PBuys(x, tx, T, v[7])
	case "expected":
		return m.Expected(x, tx, T, v[7])
	case "det":
		return m.DET(x, tx, T, v[7], v[8])
	case "pmf":
		return m.PMF(x, tx, T, v[7], int(v[8]))
	}
	t.Fatalf("unknown kind %q", kind)
	return 0
}

func goldenContract(t *testing.T, contract, kind string, v []float64) float64 {
	t.Helper()
	var m ContractModel = SBG{v[0], v[1]}
	rest := v[2:]
	switch contract {
	case "bdw":
		m, rest = BdW{v[0], v[1], v[2]}, v[3:]
	case "bgbb":
		m := BGBB{v[0], v[1], v[2], v[3]}
		x, tx, n := int(v[4]), int(v[5]), int(v[6])
		switch kind {
		case "loglikelihood":
			return m.LogLikelihood(x, tx, n)
		case "palive":
			return m.PAlive(x, tx, n)
		case "expected":
			return m.Expected(x, tx, n, int(v[7]))
		case "dert":
			return m.DERT(x, tx, n, v[7])
		}
	}
	switch kind {
	case "survival":
		return m.Survival(int(rest[0]))
	case "loglikelihood":
		return m.LogLikelihood(int(rest[0]), true)
	case "derl":
		return m.DERL(int(rest[0]), rest[1])
	case "residual":
		return m.Residual(int(rest[0]), int(rest[1]), rest[2])
	}
	t.Fatalf("unknown kind %q of %s", kind, contract)
	return 0
}
