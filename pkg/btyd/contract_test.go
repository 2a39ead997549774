package btyd

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPublishedContracts holds Fader and Hardie (2007, 2010): projections of two cohorts, and the value of tenure.
func TestPublishedContracts(t *testing.T) {
	within(t, "regular, year 12", SBG{.7041, 1.1820}.Survival(12), .1700, 5e-5)
	within(t, "high end, year 12", SBG{.6681, 3.8061}.Survival(12), .3780, 5e-5)
	for i, want := range []float64{3.31, 3.45, 3.59, 3.72, 3.84} {
		within(t, "DERL", SBG{3.80, 15.20}.DERL(i, .1), want, 5e-3)
	}
	within(t, "renewal", SBG{.7041, 1.1820}.Renewal(1), 1.1820/(.7041+1.1820), 1e-15)
	within(t, "no discount", SBG{3, 4}.DERL(2, 0), (4.+2)/(3-1), 1e-12)
	if v := (SBG{.9, 4}).DERL(2, 0); !math.IsInf(v, 1) {
		t.Errorf("α < 1 has no mean, got %v", v)
	}
	if v := (BdW{.9, 4, 2}).DERL(2, 0); !math.IsInf(v, 1) {
		t.Errorf("without discount there is no sum, got %v", v)
	}
}

func anyContract(r *rand.Rand) ContractModel {
	draw := func(low, high float64) float64 { return math.Exp(math.Log(low) + r.Float64()*math.Log(high/low)) }
	if r.IntN(2) == 0 {
		return SBG{draw(1e-3, 1e3), draw(1e-3, 1e3)}
	}
	return BdW{draw(1e-3, 1e3), draw(1e-3, 1e3), draw(.1, 4)}
}

func TestContractProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 28))
	for range 2000 {
		m := anyContract(r)
		fail := func(what string, values ...float64) {
			t.Helper()
			t.Errorf("%s: %T%+v: %v", what, m, m, values)
		}
		before, product := 1.0, 1.0
		for k := range 30 {
			s := m.Survival(k)
			if !(s >= 0 && s <= before) || k == 0 && s != 1 {
				fail("survival", s, before)
			}
			if k > 0 {
				renewal := m.Renewal(k)
				product *= renewal
				if !(renewal >= 0 && renewal <= 1) || math.Abs(product-s) > 1e-10*(s+1e-30) && s > 1e-200 {
					fail("renewals multiply up to survival", renewal, product, s)
				}
			}
			// Of all who made k renewals, some leave and the others renew.
			left, stayed := m.LogLikelihood(k, true), m.LogLikelihood(k, false)
			if next := m.Survival(k + 1); s > 1e-200 && (math.Abs(math.Exp(stayed)-s) > 1e-10*s || math.Abs(math.Exp(left)+next-s) > 1e-10*s) {
				fail("likelihood", left, stayed, s, next)
			}
			before = s
		}
		k, d := r.IntN(20), math.Exp(-r.Float64()*5)
		short, long, end := m.Residual(k, 5, d), m.Residual(k, 50, d), m.DERL(k, d)
		if !(short >= 0 && short <= long && long <= end*(1+1e-9)) || short > 5 || m.Residual(k, 5, 2*d) > short {
			fail("residual", short, long, end)
		}
		if full := m.Residual(k, int(40/math.Log1p(d)), d); math.Abs(full-end) > 1e-9*end {
			fail("residual without an end", full, end)
		}
	}
	// C = 1 makes the one the other.
	for range 200 {
		m := SBG{.01 + 5*r.Float64(), .01 + 20*r.Float64()}
		w := BdW{m.Alpha, m.Beta, 1}
		k := r.IntN(50)
		within(t, "survival", w.Survival(k), m.Survival(k), 1e-12)
		within(t, "ln L", w.LogLikelihood(k, true), m.LogLikelihood(k, true), 1e-10)
		within(t, "DERL", w.DERL(k, .1), m.DERL(k, .1), 1e-9*m.DERL(k, .1))
	}
}

func TestChancesProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 72))
	for range 2000 {
		draw := func() float64 { return math.Exp(r.Float64()*12 - 5) }
		m := BGBB{draw(), draw(), draw(), draw()}
		n := r.IntN(12)
		// All histories together have probability 1.
		total, choose := 0.0, func(n, k int) float64 {
			v := 1.0
			for i := range k {
				v = v * float64(n-i) / float64(i+1)
			}
			return v
		}
		for tx := range n + 1 {
			for x := min(1, tx); x <= tx; x++ {
				total += choose(max(tx-1, 0), max(x-1, 0)) * math.Exp(m.LogLikelihood(x, tx, n))
			}
		}
		within(t, fmt.Sprintf("%+v: total of %d chances", m, n), total, 1, 1e-9)
		x, tx := 0, 0
		if n > 0 {
			if tx = r.IntN(n + 1); tx > 0 {
				x = 1 + r.IntN(tx)
			}
		}
		alive, later := m.PAlive(x, tx, n), m.PAlive(x, tx, n+1)
		expected := m.Expected(x, tx, n, 10)
		if !(alive >= 0 && alive <= 1 && later <= alive*(1+1e-9)) || !(expected >= 0 && expected <= 10*alive) ||
			m.Discounted(x, tx, n, 10, .1) > expected || m.DERT(x, tx, n, .1) < m.Discounted(x, tx, n, 10, .1)*(1-1e-9) {
			t.Errorf("%+v x %d tx %d n %d: P(alive) %v, then %v, expected %v", m, x, tx, n, alive, later, expected)
		}
	}
	if ln := (BGBB{.5, 2, .7, 3}).LogLikelihood(10_000, 20_000, 30_000); math.IsNaN(ln) || math.IsInf(ln, 0) {
		t.Errorf("ln L of a long history: %v", ln)
	}
}

// TestSimulatedContracts: simulated customers survive as the models say.
func TestSimulatedContracts(t *testing.T) {
	const customers = 40_000
	r := rand.New(rand.NewPCG(4, 4))
	for _, m := range []ContractModel{SBG{.7, 1.2}, BdW{.5, .8, 1.3}, BdW{2, 6, .6}} {
		var survivors [9]float64
		for range customers {
			renewals, churned := m.Simulate(r, 8)
			if churned == (renewals == 8) {
				t.Fatalf("%d renewals, churned %t", renewals, churned)
			}
			for k := range renewals + 1 {
				survivors[k]++
			}
		}
		for k, n := range survivors {
			s := m.Survival(k)
			within(t, fmt.Sprintf("%T%+v after %d", m, m, k), n/customers, s, 4*math.Sqrt(s*(1-s)/customers)+1e-12)
		}
	}
	m := BGBB{1.204, .75, .657, 2.783}
	sum, square := 0.0, 0.0
	for range customers {
		x, tx := m.Simulate(r, 6)
		if x > tx || tx > 6 || (x == 0) != (tx == 0) {
			t.Fatalf("x %d, tx %d", x, tx)
		}
		sum += float64(x)
		square += float64(x * x)
	}
	mean := sum / customers
	within(t, "chances taken", mean, m.ExpectedNew(6), 4*math.Sqrt((square/customers-mean*mean)/customers))
}

func TestValidateContracts(t *testing.T) {
	for field, m := range map[string]interface{ Validate() error }{
		"Alpha": SBG{0, 1}, "Beta": SBG{1, math.NaN()}, "C": BdW{1, 1, 9}, "Gamma": BGBB{1, 1, math.Inf(1), 1}, "Delta": BGBB{1, 1, 1, -1},
	} {
		var wrong *ParameterError
		if err := m.Validate(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, m := range []interface{ Validate() error }{SBG{.7, 1.2}, BdW{.7, 1.2, 1}, BGBB{1, 1, 1, 1}} {
		if err := m.Validate(); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
}
