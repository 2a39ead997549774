package btyd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// outcome draws one residual value: is he alive, at which rate, dropout and spend, and what happens then.
func outcome(r *rand.Rand, t *Table, x, txDays, ageDays int, meanSpend float64) float64 {
	m := t.model
	age := float64(ageDays) / daysPerWeek
	if r.Float64() >= m.PAlive(x, float64(txDays)/daysPerWeek, age) {
		return 0
	}
	g := t.life.future(x, age)
	buying, unit := g.buying()
	rate := drawGamma(r, buying) / unit
	leaves, end := 0.0, t.horizon
	switch g := g.(type) {
	case given:
		one, other := drawGamma(r, g.a), drawGamma(r, g.b)
		leaves = one / (one + other)
	case mortal:
		end = min(end, r.ExpFloat64()/(drawGamma(r, g.s)/g.beta))
	}
	shape, scale := t.spend.posterior(x, meanSpend)
	nu := drawGamma(r, shape) / scale
	value := 0.0
	for u := r.ExpFloat64() / rate; u <= end; u += r.ExpFloat64() / rate {
		value += math.Exp(-t.terms.DiscountPerWeek*u) * drawGamma(r, t.spend.P) / nu
		if r.Float64() < leaves {
			break
		}
	}
	return value
}

// drawGamma is a standard gamma variable (Marsaglia and Tsang 2000).
func drawGamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return drawGamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		z := r.NormFloat64()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// coverageTables are populations unlike one another: published CDNOW, frequent and loyal, half of them leaving at once,
// spend that varies wildly or hardly, short and long horizons.
var coverageTables = sync.OnceValue(func() []*Table {
	return tablesOf([]pairing{
		{BGNBD{.242594, 4.4136, .792922, 2.425906}, GammaGamma{6.24935, 3.74426, 15.44431}},
		{BGNBD{.8, 10, .3, 3}, GammaGamma{2, 2.5, 40}},
		{BGNBD{2, 8, 1.5, 2}, GammaGamma{6, 4, 15}},
		{BGNBD{.5, 4, 2, 8}, GammaGamma{.7, 1.6, 20}},
		{BGNBD{.3, 2, .1, 1}, GammaGamma{15, 10, 20}},
		{BGNBD{5, 20, .5, 10}, GammaGamma{3, 3, 10}},
		{BGNBD{.4, 6, .02, .5}, GammaGamma{100, 30, 20}},
	})
})

// pairing is a model of purchases with one of spend.
type pairing struct {
	m PurchaseModel
	g GammaGamma
}

// tablesOf makes a table of each under short and long terms.
func tablesOf(models []pairing) []*Table {
	var tables []*Table
	for _, pair := range models {
		for _, terms := range []Terms{{365, 90, WeeklyDiscount(.1)}, {1826, 180, WeeklyDiscount(.15)}} {
			table, err := NewTable(pair.m, pair.g, terms)
			if err != nil {
				panic(err)
			}
			tables = append(tables, table)
		}
	}
	return tables
}

// otherTables are of the other purchase models; coverageTables' golden hash is of BG/NBD alone.
var otherTables = sync.OnceValue(func() []*Table {
	return tablesOf([]pairing{
		{MBGNBD{.525, 6.183, .891, 1.614}, GammaGamma{6.24935, 3.74426, 15.44431}},
		{MBGNBD{2, 8, .5, 2}, GammaGamma{6, 4, 15}},
		{ParetoNBD{.553277, 10.57768, .606240, 11.66874}, GammaGamma{6.24935, 3.74426, 15.44431}},
		{ParetoNBD{2, 8, 1.5, 60}, GammaGamma{6, 4, 15}},
		{ParetoNBD{.8, 10, 3, 900}, GammaGamma{2, 2.5, 40}},
		{ParetoNBD{.5, 40, .4, .5}, GammaGamma{.7, 1.6, 20}},
	})
})

// TestIntervalCoverage simulates futures from the posterior: a tenth of the outcomes must lie above the interval and
// a tenth below, but for the atom at zero, which may make the lower tail smaller and both ends 0.
func TestIntervalCoverage(t *testing.T) {
	outcomes, tolerance := 6000, 0.02
	if testing.Short() {
		outcomes, tolerance = 2500, 0.03
	}
	r := rand.New(rand.NewPCG(20, 25))
	proper, least, most := 0, 1.0, 0.0
	for _, table := range slices.Concat(coverageTables(), otherTables()) {
		for _, history := range [][3]int{
			{0, 0, 5}, {0, 0, 270}, {0, 0, 1400}, {1, 28, 30}, {1, 30, 200}, {3, 25, 28}, {3, 250, 270}, {3, 100, 270}, {7, 600, 700},
			{10, 70, 72}, {10, 265, 270}, {10, 200, 270}, {28, 500, 520}, {40, 268, 270}, {40, 1390, 1400}, {50, 300, 340}, {90, 700, 704}, {200, 1300, 1310},
		} {
			x, txDays, ageDays := history[0], history[1], history[2]
			spend := 1.2 * table.spend.PopulationMean()
			s := table.Score(x, txDays, ageDays, spend)
			below, above := 0.0, 0.0
			for range outcomes {
				v := outcome(r, table, x, txDays, ageDays, spend)
				if v < s.ValueLow {
					below += 1 / float64(outcomes)
				}
				if v > s.ValueHigh {
					above += 1 / float64(outcomes)
				}
			}
			name := fmt.Sprintf("%+v %+v %+v history %v: below %v %.3f, above %v %.3f (buys %.3f)",
				table.model, table.spend, table.terms, history, s.ValueLow, below, s.ValueHigh, above, s.PBuysHorizon)
			if below > 0.1+tolerance || above > 0.1+tolerance {
				t.Errorf("too much outside: %s", name)
			}
			if s.ValueHigh > 0 && above < 0.1-tolerance {
				t.Errorf("too wide above: %s", name)
			}
			if s.ValueLow > 0 && 1-s.PBuysHorizon < 0.05 {
				inside := 1 - below - above
				proper, least, most = proper+1, math.Min(least, inside), math.Max(most, inside)
				if inside < 0.75 || inside > 0.85 {
					t.Errorf("covers %.3f: %s", inside, name)
				}
			}
		}
	}
	t.Logf("%d intervals clear of zero cover %.3f to %.3f", proper, least, most)
	if proper < 40 {
		t.Errorf("only %d intervals clear of zero: the cases don't test", proper)
	}
}
