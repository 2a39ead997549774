package fit

import (
	"bufio"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// TestRising compares with mpmath; testdata/special.py makes the table.
func TestRising(t *testing.T) {
	file, err := os.Open("testdata/special.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	values, worst := 0, 0.0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var v [4]float64
		for i, cell := range strings.Split(lines.Text(), "\t") {
			if v[i], err = strconv.ParseFloat(cell, 64); err != nil {
				t.Fatal(err)
			}
		}
		ln, slope := rising(v[0], v[1])
		// ln passes through zero, near which its parts are of the size of n.
		offLn := math.Abs(ln-v[2]) / (math.Abs(v[2]) + math.Min(v[1], 1))
		offSlope := math.Abs(slope-v[3]) / math.Abs(v[3])
		if values++; !(offLn < 1e-13 && offSlope < 1e-12) {
			t.Errorf("%s: got %v and %v, off by %.2g and %.2g", lines.Text(), ln, slope, offLn, offSlope)
		}
		worst = math.Max(worst, math.Max(offLn, offSlope))
	}
	if values != 80 {
		t.Errorf("%d values", values)
	}
	t.Logf("largest error %.2g", worst)
	for _, v := range []float64{.3, 25} {
		r := newRisings(v, 40)
		for n := range 41 {
			ln, slope := rising(v, float64(n))
			near(t, "risings", r.ln[n], ln, 1e-12)
			near(t, "slopes of risings", r.slope[n], slope, 1e-12)
		}
	}
}

// The cohorts of Fader and Hardie (2007), of 1,000 customers each.
var (
	regular = []int64{1000, 631, 468, 382, 326, 289, 262, 241}
	highEnd = []int64{1000, 869, 743, 653, 593, 551, 517, 491}
)

// TestPublishedContractFits holds parameters, ln L and the projection of year 12, to the digits that are printed.
func TestPublishedContractFits(t *testing.T) {
	for name, c := range map[string]struct {
		survivors     []int64
		sbg, bdw      []float64
		lnSBG, lnBdW  float64
		yearTwelveSBG float64
	}{
		"regular":  {regular, []float64{.7041, 1.1820}, []float64{.4556, .7793, 1.2835}, -1680.265, -1679.603, .1700},
		"high end": {highEnd, []float64{.6681, 3.8061}, []float64{.2143, 1.4266, 1.7236}, -1611.158, -1605.314, .3780},
	} {
		contracts, err := Survivors(c.survivors)
		if err != nil {
			t.Fatal(err)
		}
		sbg, err := SBG(contracts, Options{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, name+" sBG ln L", sbg.LogLikelihood, c.lnSBG, 5e-4)
		near(t, name+" year 12", sbg.Model.Survival(12), c.yearTwelveSBG, 5e-5)
		bdw, err := BdW(contracts, Options{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, name+" BdW ln L", bdw.LogLikelihood, c.lnBdW, 5e-4)
		for i, p := range sbg.Parameters {
			near(t, name+" sBG "+p.Name, p.Value, c.sbg[i], 5e-5)
		}
		for i, p := range bdw.Parameters {
			near(t, name+" BdW "+p.Name, p.Value, c.bdw[i], 5e-5)
		}
		if len(sbg.Findings)+len(bdw.Findings) > 0 {
			t.Errorf("%s: %v %v", name, sbg.Findings, bdw.Findings)
		}
	}
}

// donors is the cohort of Fader, Hardie and Shang (2010, table 3): 11,104 who first gave in 1995, over six years.
func donors() Chances {
	chances := Chances{}
	for _, c := range [][3]int64{
		{6, 6, 1203}, {5, 6, 728}, {4, 6, 512}, {3, 6, 357}, {2, 6, 234}, {1, 6, 129}, {5, 5, 335}, {4, 5, 284}, {3, 5, 225}, {2, 5, 173}, {1, 5, 119},
		{4, 4, 240}, {3, 4, 181}, {2, 4, 155}, {1, 4, 78}, {3, 3, 322}, {2, 3, 255}, {1, 3, 129}, {2, 2, 613}, {1, 2, 277}, {1, 1, 1091}, {0, 0, 3464},
	} {
		chances.Add(Chance{int32(c[0]), int32(c[1]), 6}, c[2])
	}
	return chances
}

func TestPublishedDonors(t *testing.T) {
	fit, err := BGBB(donors(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ln L", fit.LogLikelihood, -33225.6, .05)
	for i, want := range []float64{1.204, .750, .657, 2.783} {
		near(t, fit.Parameters[i].Name, fit.Parameters[i].Value, want, 1e-3*want)
	}
	if fit.Customers != 11104 || fit.Repeaters != 7640 || len(fit.Findings) > 0 {
		t.Errorf("%+v", fit.Report)
	}
	t.Logf("%+v", fit.Report)
}

func TestContractSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	contracts := Contracts{{0, true}: 5, {0, false}: 2, {3, true}: 4, {12, false}: 9, {12, true}: 1, {600, true}: 2, {900, false}: 1}
	s, err := newContractSample(contracts)
	if err != nil {
		t.Fatal(err)
	}
	chances := Chances{{0, 0, 0}: 1, {0, 0, 9}: 3, {1, 1, 9}: 2, {3, 7, 9}: 2, {9, 9, 9}: 1, {40, 90, 200}: 2, {200, 200, 200}: 1}
	c, err := newChanceSample(chances)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		draw := func() float64 { return math.Exp(r.Float64()*12 - 5) }
		at := []float64{math.Log(draw()), math.Log(draw()), math.Log(.1 + 2*r.Float64())}
		sbg, bdw := btyd.SBG{Alpha: math.Exp(at[0]), Beta: math.Exp(at[1])}, btyd.BdW{Alpha: math.Exp(at[0]), Beta: math.Exp(at[1]), C: math.Exp(at[2])}
		lnSBG, lnBdW := 0.0, 0.0
		for contract, n := range contracts {
			lnSBG += float64(n) * sbg.LogLikelihood(int(contract.Renewals), contract.Churned)
			lnBdW += float64(n) * bdw.LogLikelihood(int(contract.Renewals), contract.Churned)
		}
		near(t, "sBG", s.sum(at[:2], make([]float64, 2)), lnSBG, 1e-10*math.Abs(lnSBG))
		near(t, "BdW", s.sum(at, make([]float64, 3)), lnBdW, 1e-10*math.Abs(lnBdW))
		checkGradient(t, "sBG", s.sum, at[:2])
		checkGradient(t, "BdW", s.sum, at)

		four := []float64{math.Log(draw()), math.Log(draw()), math.Log(draw()), math.Log(draw())}
		m, ln := btyd.BGBB{Alpha: math.Exp(four[0]), Beta: math.Exp(four[1]), Gamma: math.Exp(four[2]), Delta: math.Exp(four[3])}, 0.0
		for chance, n := range chances {
			ln += float64(n) * m.LogLikelihood(int(chance.X), int(chance.Last), int(chance.N))
		}
		near(t, "BG/BB", c.sum(four, make([]float64, 4)), ln, 1e-10*math.Abs(ln))
		checkGradient(t, "BG/BB", c.sum, four)
	}
}

// TestContractsUnidentified: cohorts that carry no model are fitted to valid numbers and say so.
func TestContractsUnidentified(t *testing.T) {
	for name, c := range map[string]struct {
		contracts Contracts
		want      []Kind
	}{
		"nobody left":     {Contracts{{4, false}: 1000}, []Kind{NoDropout, FewRepeaters}},
		"all left":        {Contracts{{0, true}: 1000}, []Kind{AtBound}},
		"constant hazard": {Contracts{{0, true}: 5000, {1, true}: 2500, {2, true}: 1250, {3, false}: 1250}, []Kind{AtBound}},
		"one customer":    {Contracts{{2, true}: 1}, []Kind{FewCustomers}},
	} {
		sbg, err := SBG(c.contracts, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range c.want {
			if _, ok := sbg.Find(kind); !ok {
				t.Errorf("%s: no %s in %v", name, kind, sbg.Findings)
			}
		}
		bdw, err := BdW(c.contracts, Options{Prior: &Prior{}})
		if err != nil || sbg.Model.Validate() != nil || bdw.Model.Validate() != nil {
			t.Errorf("%s: %v, %+v, %+v", name, err, sbg.Model, bdw.Model)
		}
	}
	var wrong *DataError
	for name, contracts := range map[string]Contracts{"empty": {}, "negative": {{1, true}: -1}, "before the first": {{-1, true}: 1}, "too long": {{longestTenure, true}: 1}} {
		if _, err := SBG(contracts, Options{}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, chances := range map[string]Chances{"empty": {}, "negative": {{1, 1, 1}: -1}, "more than chances": {{3, 2, 5}: 1}, "last beyond": {{1, 6, 5}: 1}, "last of none": {{0, 2, 5}: 1}} {
		if _, err := BGBB(chances, Options{}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Survivors([]int64{5, 7}); !errors.As(err, &wrong) {
		t.Errorf("a cohort that grows: %v", err)
	}
}

func TestSBGCoverage(t *testing.T) {
	m := btyd.SBG{Alpha: .8, Beta: 2}
	coverage(t, []float64{m.Alpha, m.Beta}, func(r *rand.Rand) (Report, error) {
		fit, err := SBG(simulatedContracts(r, m), Options{})
		return fit.Report, err
	})
}

func TestBdWCoverage(t *testing.T) {
	m := btyd.BdW{Alpha: .6, Beta: 2, C: 1.4}
	coverage(t, []float64{m.Alpha, m.Beta, m.C}, func(r *rand.Rand) (Report, error) {
		fit, err := BdW(simulatedContracts(r, m), Options{})
		return fit.Report, err
	})
}

// simulatedContracts are customers who began 1 to 24 periods ago.
func simulatedContracts(r *rand.Rand, m btyd.ContractModel) Contracts {
	contracts := Contracts{}
	for range 6000 {
		renewals, churned := m.Simulate(r, 1+r.IntN(24))
		contracts.Add(Contract{int32(renewals), churned}, 1)
	}
	return contracts
}

func TestBGBBCoverage(t *testing.T) {
	m := btyd.BGBB{Alpha: 1.2, Beta: .75, Gamma: .66, Delta: 2.8}
	coverage(t, []float64{m.Alpha, m.Beta, m.Gamma, m.Delta}, func(r *rand.Rand) (Report, error) {
		chances := Chances{}
		for range 5000 {
			n := 4 + r.IntN(9)
			x, tx := m.Simulate(r, n)
			chances.Add(Chance{int32(x), int32(tx), int32(n)}, 1)
		}
		fit, err := BGBB(chances, Options{})
		return fit.Report, err
	})
}
