package btyd

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
)

// buyer is a line of testdata/cdnow.csv, which testdata/cdnow.py makes from the CDNOW sample.
type buyer struct {
	x, txDays, ageDays int
	mean               float64 // dollars
	holdout            int
}

func cdnow(t testing.TB) []buyer {
	t.Helper()
	file, err := os.Open("testdata/cdnow.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var buyers []buyer
	for _, line := range lines[1:] {
		var v [5]int
		for i, cell := range line {
			if v[i], err = strconv.Atoi(cell); err != nil {
				t.Fatal(err)
			}
		}
		b := buyer{x: v[0], txDays: v[1], ageDays: v[2], holdout: v[4]}
		if b.x > 0 {
			b.mean = float64(v[3]) / 100 / float64(b.x)
		}
		buyers = append(buyers, b)
	}
	return buyers
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.10g, want %.10g", what, got, want)
	}
}

// Maximum-likelihood parameters on the CDNOW sample, by R's BTYD package and the papers' spreadsheets.
var (
	cdnowModel = BGNBD{R: .242594, Alpha: 4.41360, A: .792922, B: 2.425906}
	cdnowSpend = GammaGamma{P: 6.24935, Q: 3.74426, Gamma: 15.44431}
)

func TestCDNOWLikelihood(t *testing.T) {
	sum, zeros, repeaters, holdout := 0, 0, 0, 0
	ln, lnSpend := 0.0, 0.0
	for _, b := range cdnow(t) {
		sum += b.x
		holdout += b.holdout
		if b.x == 0 {
			zeros++
		} else {
			repeaters++
		}
		ln += cdnowModel.LogLikelihood(b.x, float64(b.txDays)/7, float64(b.ageDays)/7)
		lnSpend += cdnowSpend.LogLikelihood(b.x, b.mean)
	}
	if sum != 2457 || zeros != 1411 || repeaters != 946 || holdout != 1882 {
		t.Errorf("sample: Σx %d, %d with none, %d repeaters, %d holdout transactions", sum, zeros, repeaters, holdout)
	}
	within(t, "BG/NBD ln L", ln, -9582.4292, 1e-4)
	within(t, "Gamma–Gamma ln L", lnSpend, -4055.9177, 1e-4)
}

// TestCDNOWHoldout repeats the published forecast of the 39 weeks after calibration.
func TestCDNOWHoldout(t *testing.T) {
	buyers := cdnow(t)
	absolute, square := 0.0, 0.0
	var sumF, sumH, sumFF, sumHH, sumFH float64
	for _, b := range buyers {
		forecast := cdnowModel.Expected(b.x, float64(b.txDays)/7, float64(b.ageDays)/7, 39)
		actual := float64(b.holdout)
		absolute += math.Abs(forecast - actual)
		square += (forecast - actual) * (forecast - actual)
		sumF += forecast
		sumH += actual
		sumFF += forecast * forecast
		sumHH += actual * actual
		sumFH += forecast * actual
	}
	n := float64(len(buyers))
	within(t, "mean absolute error", absolute/n, .7855, 5e-5)
	within(t, "root mean square error", math.Sqrt(square/n), 1.6080, 5e-5)
	within(t, "correlation", (n*sumFH-sumF*sumH)/math.Sqrt((n*sumFF-sumF*sumF)*(n*sumHH-sumH*sumH)), .626, 5e-4)
}

// TestPublishedCustomers holds the values at the parameters as the paper rounds them.
func TestPublishedCustomers(t *testing.T) {
	m := BGNBD{.243, 4.414, .793, 2.426}
	table, err := NewTable(m, cdnowSpend, Terms{HorizonDays: 273, ChurnDays: 90})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x, txDays, ageDays int
		expected, alive    float64
	}{
		{2, 213, 272, 1.226116, .726590},
		{1, 12, 272, .203351, .212260},
		{0, 0, 272, .195110, 1},
	} {
		tx, age := float64(c.txDays)/7, float64(c.ageDays)/7
		within(t, "expected", m.Expected(c.x, tx, age, 39), c.expected, 5.1e-7)
		within(t, "P(alive)", m.PAlive(c.x, tx, age), c.alive, 5.1e-7)
		s := table.Score(c.x, c.txDays, c.ageDays, 30)
		within(t, "expected by table", s.Expected, c.expected, 5.1e-7)
		within(t, "P(alive) by table", s.PAlive, c.alive, 5.1e-7)
		within(t, "undiscounted", s.DET, s.Expected, 1e-15)
	}
	for week, want := range map[float64]float64{1: .0532678912, 3: .1508652309, 6: .2807558936} {
		within(t, "E[X(t)]", m.ExpectedNew(week), want, 6e-11)
	}
	stress := BGNBD{.25, 4, .8, 2.5}
	within(t, "ln L at x = 0", stress.LogLikelihood(0, 0, 40), -.59947382, 5.1e-9)
	within(t, "ln L at x = 200", stress.LogLikelihood(200, 38, 40), 100.7957, 5e-5)
}

func TestGammaGammaSpend(t *testing.T) {
	within(t, "population", cdnowSpend.PopulationMean(), 6.24935*15.44431/2.74426, 1e-12)
	within(t, "nothing known", cdnowSpend.ExpectedSpend(0, 1e9), cdnowSpend.PopulationMean(), 0)
	within(t, "much known", cdnowSpend.ExpectedSpend(1_000_000, 55), 55, 1e-3)
	if v := (GammaGamma{P: 2, Q: 1.5, Gamma: 10}).MeanSpendVariance(0, 0); !math.IsInf(v, 1) {
		t.Errorf("q = 1.5 has no variance, got %v", v)
	}
	// By the posterior ν ~ Gamma(q', γ'): E and Var of p/ν, and of a Gamma(p, ν) purchase, by integration.
	g := GammaGamma{P: 2.5, Q: 3.2, Gamma: 12}
	shape, rate := g.posterior(3, 20)
	var norm, mean, square, purchase float64
	for lnNu := -15.0; lnNu < 8; lnNu += 1e-3 {
		nu := math.Exp(lnNu)
		density := math.Exp(shape*lnNu - rate*nu)
		norm += density
		mean += density * g.P / nu
		square += density * g.P * g.P / nu / nu
		purchase += density * g.P * (g.P + 1) / nu / nu
	}
	mean, square, purchase = mean/norm, square/norm, purchase/norm
	within(t, "mean", g.ExpectedSpend(3, 20), mean, 1e-9*mean)
	within(t, "variance of mean", g.MeanSpendVariance(3, 20), square-mean*mean, 1e-9*square)
	within(t, "variance of purchase", g.PurchaseVariance(3, 20), purchase-mean*mean, 1e-9*purchase)
}
