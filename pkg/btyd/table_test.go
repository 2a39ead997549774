package btyd

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTableAgreesWithModels compares what is interpolated, and what lies beyond the table, with direct evaluation.
func TestTableAgreesWithModels(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, table := range slices.Concat(coverageTables(), otherTables()) {
		m, terms := table.Model(), table.Terms()
		for range 4000 {
			x, ageDays := r.IntN(70), int(math.Exp(r.Float64()*10))-1
			if r.IntN(50) == 0 {
				x = r.IntN(10_000)
			}
			txDays := 0
			if x > 0 {
				txDays = r.IntN(ageDays + 1)
			}
			tx, age := float64(txDays)/7, float64(ageDays)/7
			s := table.Score(x, txDays, ageDays, 25)
			for what, pair := range map[string][2]float64{
				"P(alive)":        {s.PAlive, m.PAlive(x, tx, age)},
				"P(alive) alone":  {table.PAlive(x, txDays, ageDays), s.PAlive},
				"P(buys) churn":   {s.PBuysChurn, m.PBuys(x, tx, age, float64(terms.ChurnDays)/7)},
				"P(buys) horizon": {s.PBuysHorizon, m.PBuys(x, tx, age, float64(terms.HorizonDays)/7)},
				"expected":        {s.Expected, m.Expected(x, tx, age, float64(terms.HorizonDays)/7)},
				"DET":             {s.DET, m.DET(x, tx, age, float64(terms.HorizonDays)/7, terms.DiscountPerWeek)},
				"spend":           {s.SpendMean, table.Spend().ExpectedSpend(x, 25)},
				"value":           {s.Value, s.DET * s.SpendMean},
				"churn":           {float64(table.ChurnMillionths(x, txDays, ageDays)), float64(Millionths(1 - s.PBuysChurn))},
			} {
				if !(math.Abs(pair[0]-pair[1]) <= 1e-9*pair[1]+1e-300) {
					t.Fatalf("%s: %+v x %d tx %d age %d: got %.15g, want %.15g", what, m, x, txDays, ageDays, pair[0], pair[1])
				}
			}
			checkScore(t, s)
		}
	}
}

// TestTableAtTheCorners compares where scales and powers of Pareto/NBD are furthest apart.
func TestTableAtTheCorners(t *testing.T) {
	corners := []ParetoNBD{{100, 1e5, 1e-6, 1e-2}, {1e-4, 1e-2, 1e3, 1e6}, {1, 1e5, 1, 1e-2}, {100, 10, 1e3, 10}}
	if testing.Short() {
		corners = corners[:1]
	}
	for _, m := range corners {
		table, err := NewTable(m, cdnowSpend, Terms{36525, 90, .002})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range [][3]int{{0, 0, 0}, {0, 0, 5000}, {3, 10, 400}, {64, 14000, 14610}, {64, 10, 14610}, {80, 700, 20000}, {5000, 30000, 36000}} {
			s := table.Score(c[0], c[1], c[2], 20)
			checkScore(t, s)
			tx, age, h := float64(c[1])/7, float64(c[2])/7, 36525./7
			for what, pair := range map[string][2]float64{
				"P(alive)": {s.PAlive, m.PAlive(c[0], tx, age)},
				"P(buys)":  {s.PBuysHorizon, m.PBuys(c[0], tx, age, h)},
				"expected": {s.Expected, m.Expected(c[0], tx, age, h)},
				"DET":      {s.DET, m.DET(c[0], tx, age, h, .002)},
			} {
				if !(math.Abs(pair[0]-pair[1]) <= 1e-8*pair[1]+1e-12) {
					t.Errorf("%+v %v: %s %.12g by table, %.12g directly", m, c, what, pair[0], pair[1])
				}
			}
		}
	}
}

// checkScore holds what is true of every score.
func checkScore(t *testing.T, s Score) {
	t.Helper()
	for _, v := range []float64{s.PAlive, s.PBuysChurn, s.PBuysHorizon} {
		if !(v >= 0 && v <= 1) {
			t.Fatalf("no probability: %+v", s)
		}
	}
	for _, v := range []float64{s.Expected, s.DET, s.SpendMean, s.Value, s.ValueLow, s.ValueHigh} {
		if !(v >= 0 && v <= math.MaxFloat64) {
			t.Fatalf("not finite: %+v", s)
		}
	}
	if s.PBuysHorizon > s.PAlive || s.DET > s.Expected*(1+1e-12) || s.ValueLow > s.ValueHigh {
		t.Fatalf("out of order: %+v", s)
	}
}

// goldenScores is the hash of scores rounded as they are published, goldenBits that of their very bits. They must come out
// alike with GOAMD64=v1, GOAMD64=v3 and GODEBUG=cpu.fma=off, and on every other architecture. A change of either changes
// every customer's published figures: it goes with a higher version of the fold.
const (
	goldenScores = "75bdbd6a42256d49"
	goldenBits   = "abfb320de65a8f99"
)

func TestGoldenScores(t *testing.T) {
	rounded, bits := fnv.New64a(), fnv.New64a()
	r := rand.New(rand.NewPCG(4, 2))
	hashScores(r, coverageTables(), rounded, bits)
	// The models' own functions, in corners that tables don't reach.
	for range 2000 {
		m := anyParameters(r)
		x, tx, T := r.IntN(300), 0.0, float64(1+r.IntN(2000))/7
		if x > 0 {
			tx = T / 2
		}
		for _, v := range []float64{m.LogLikelihood(x, tx, T), m.DET(x, tx, T, 52, .002), m.PMF(x, tx, T, 52, 7)} {
			fmt.Fprintln(bits, math.Float64bits(v))
		}
	}
	if got := fmt.Sprintf("%016x", rounded.Sum64()); got != goldenScores {
		t.Errorf("rounded scores hash to %s, were %s", got, goldenScores)
	}
	if got := fmt.Sprintf("%016x", bits.Sum64()); got != goldenBits {
		t.Errorf("scores hash to %s, were %s", got, goldenBits)
	}
}

// goldenOthers is of the other purchase models: scores, likelihoods, and customers drawn from them.
const goldenOthers = "ceea2505e3cb2b06"

func TestGoldenOtherModels(t *testing.T) {
	bits := fnv.New64a()
	r := rand.New(rand.NewPCG(4, 3))
	hashScores(r, otherTables(), io.Discard, bits)
	for range 1000 {
		p := anyParameters(r)
		for _, m := range []PurchaseModel{MBGNBD(p), ParetoNBD{p.R, p.Alpha, p.A, p.B}} {
			x, tx, T := r.IntN(300), 0.0, float64(1+r.IntN(2000))/7
			if x > 0 {
				tx = T / 2
			}
			values := append(m.Simulate(r, 20), m.LogLikelihood(x, tx, T), m.PBuys(x, tx, T, 9), m.DET(x, tx, T, 52, .002), m.PMF(x, tx, T, 52, 7))
			for _, v := range values {
				fmt.Fprintln(bits, math.Float64bits(v))
			}
		}
	}
	if got := fmt.Sprintf("%016x", bits.Sum64()); got != goldenOthers {
		t.Errorf("other models hash to %s, were %s", got, goldenOthers)
	}
}

// hashScores writes scores as they are published and their bits.
func hashScores(r *rand.Rand, tables []*Table, rounded, bits io.Writer) {
	for _, table := range tables {
		for i := range 3000 {
			age := r.IntN(121) * r.IntN(121) // to 14,400
			x, tx := r.IntN(66), 0
			if i%40 == 0 {
				x = r.IntN(2000)
			}
			if x > 0 {
				tx = r.IntN(age + 1)
			}
			mean := float64(r.IntN(20000)) / 100
			s := table.Score(x, tx, age, mean)
			day, index, ok := table.NextCrossing(x, tx, age, age+3650, []int{300_000, 600_000, 900_000})
			for _, v := range []float64{s.PAlive, s.PBuysChurn, s.PBuysHorizon} {
				fmt.Fprintln(rounded, Millionths(v))
			}
			for _, v := range []float64{s.Expected, s.DET} {
				fmt.Fprintln(rounded, int64(math.Floor(v*1e6+0.5)))
			}
			for _, v := range []float64{s.SpendMean, s.Value, s.ValueLow, s.ValueHigh} {
				fmt.Fprintln(rounded, int64(math.Floor(v*100+0.5)))
			}
			fmt.Fprintln(rounded, day, index, ok)
			for _, v := range []float64{s.PAlive, s.PBuysChurn, s.PBuysHorizon, s.Expected, s.DET, s.SpendMean, s.Value, s.ValueLow, s.ValueHigh} {
				fmt.Fprintln(bits, math.Float64bits(v))
			}
		}
	}
}

// anyParameters draws parameters without a function of the math package, so that they are the same everywhere.
func anyParameters(r *rand.Rand) BGNBD {
	draw := func(thousandths int) float64 { return float64(1+r.IntN(thousandths)) / 1000 }
	return BGNBD{R: draw(3000), Alpha: draw(30000), A: draw(4000), B: draw(9000)}
}

// TestScoreOfAnything: whatever comes, there is a finite answer.
func TestScoreOfAnything(t *testing.T) {
	table := coverageTables()[3]
	for _, x := range []int{math.MinInt, -1, 0, 1, 64, 65, 10_000, math.MaxInt} {
		for _, tx := range []int{math.MinInt, 0, 100, math.MaxInt} {
			for _, age := range []int{math.MinInt, 0, 1, 36525, math.MaxInt} {
				for _, spend := range []float64{math.NaN(), math.Inf(-1), -5, 0, 1e-300, 30, 1e17, math.Inf(1)} {
					checkScore(t, table.Score(x, tx, age, spend))
				}
				table.NextCrossing(x, tx, age, 1<<40, []int{-5, 500_000, 2_000_000})
			}
		}
	}
}

// FuzzScore: parameters that Validate lets pass give a finite score for every customer.
func FuzzScore(f *testing.F) {
	f.Add(uint8(0), .242594, 4.4136, .792922, 2.425906, 6.25, 3.74, 15.4, 365, 90, .0018, 3, 100, 270, 30.0)
	f.Add(uint8(2), 1e-4, 1e5, 1e-6, 1e-2, 6.25, 3.74, 15.4, 36525, 1, .1, 3, 100, 36525, 30.0)
	f.Add(uint8(0), 1e-4, 1e-2, 1e-6, 1e-6, 1e-3, 1.000001, 1e-6, 1, 1, 0.0, 0, 0, 0, 0.0)
	f.Add(uint8(0), 100.0, 1e5, 1e3, 1e3, 1e4, 1e4, 1e15, 36525, 36525, .1, 10000, 36000, 36525, 1e9)
	f.Add(uint8(0), 100.0, 1e-2, 1e-6, 1e3, 1e-3, 1e4, 1e15, 36525, 1, .1, 70, 36000, 36525, 1e9)
	f.Add(uint8(0), 1e-4, 1e5, 1e3, 1e-6, 1e4, 1.5, 1e-6, 1, 36525, .05, 1, 1, 2, 1e-9)
	f.Add(uint8(1), 100.0, 1.0, 1.0, 1.0, 1.0, 2.0, 10.0, 36525, 90, .1, 3, 10, 20, 9.0)
	f.Fuzz(func(t *testing.T, kind uint8, r, alpha, a, b, p, q, gamma float64, horizon, churn int, delta float64, x, tx, age int, spend float64) {
		g, terms := GammaGamma{p, q, gamma}, Terms{horizon, churn, delta}
		m := []PurchaseModel{BGNBD{r, alpha, a, b}, MBGNBD{r, alpha, a, b}, ParetoNBD{r, alpha, a, b}}[kind%3]
		table, err := NewTable(m, g, terms)
		if err != nil {
			return
		}
		checkScore(t, table.Score(x, tx, age, spend))
		table.NextCrossing(x, tx, age, age+3650, []int{250_000, 500_000, 750_000})
	})
}
