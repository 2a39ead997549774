package btyd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPublishedTables holds what the literature prints at rounded parameters, for the models beside BG/NBD.
func TestPublishedTables(t *testing.T) {
	mbg, pareto := MBGNBD{.525, 6.183, .891, 1.614}, ParetoNBD{.553, 10.578, .606, 11.669}
	for _, c := range []struct {
		m               PurchaseModel
		x               int
		tx              float64
		expected, alive float64
	}{
		{mbg, 2, 213. / 7, 1.263050, .706215},
		{mbg, 1, 12. / 7, .188992, .170967},
		{mbg, 0, 0, .154024, .389743},
		{pareto, 2, 213. / 7, 1.455226, .869186},
		{pareto, 1, 12. / 7, .171229, .168127},
		{pareto, 0, 0, .107093, .295303},
	} {
		name := fmt.Sprintf("%T x %d", c.m, c.x)
		within(t, name+" expected", c.m.Expected(c.x, c.tx, 272./7, 39), c.expected, 5.1e-7)
		within(t, name+" P(alive)", c.m.PAlive(c.x, c.tx, 272./7), c.alive, 5.1e-7)
	}
	for week, want := range map[float64][2]float64{
		1: {.0530847953, .0510045340}, 3: {.1508632886, .1461242722}, 6: {.2813602240, .2750506374},
	} {
		within(t, "MBG/NBD E[X(t)]", mbg.ExpectedNew(week), want[0], 6e-11)
		within(t, "Pareto/NBD E[X(t)]", ParetoNBD{.5534, 10.5802, .6061, 11.6562}.ExpectedNew(week), want[1], 6e-11)
	}
	// Where the published form with Gauss functions loses all its digits.
	stress := ParetoNBD{.55, 10.58, .61, 11.67}
	within(t, "Pareto/NBD x = 132", stress.Expected(132, 200, 200, 10), 6.20605179, 5.1e-9)
	within(t, "Pareto/NBD x = 133", stress.Expected(133, 200, 200, 10), 6.25287225, 5.1e-9)
}

// TestModelsOnCDNOW holds ln L at the published optimum and the published forecasts.
func TestModelsOnCDNOW(t *testing.T) {
	mbg, pareto := MBGNBD{.524843, 6.18309, .891359, 1.614001}, ParetoNBD{.553277, 10.57768, .606240, 11.66874}
	lnMBG, lnPareto, absolute, square := 0.0, 0.0, 0.0, 0.0
	buyers := cdnow(t)
	for _, b := range buyers {
		tx, age := float64(b.txDays)/7, float64(b.ageDays)/7
		lnMBG += mbg.LogLikelihood(b.x, tx, age)
		lnPareto += pareto.LogLikelihood(b.x, tx, age)
		off := pareto.Expected(b.x, tx, age, 39) - float64(b.holdout)
		absolute += math.Abs(off)
		square += off * off
	}
	within(t, "MBG/NBD ln L", lnMBG, -9582.1357, 1e-4)
	within(t, "Pareto/NBD ln L", lnPareto, -9594.9762, 1e-4)
	within(t, "Pareto/NBD mean absolute error", absolute/float64(len(buyers)), .7545, 5e-5)
	within(t, "Pareto/NBD root mean square error", math.Sqrt(square/float64(len(buyers))), 1.6028, 5e-5)
}

// anyMember draws one of the three models.
func anyMember(r *rand.Rand) PurchaseModel {
	m := anyModel(r)
	switch r.IntN(3) {
	case 0:
		return m
	case 1:
		return MBGNBD(m)
	}
	draw := func(low, high float64) float64 { return math.Exp(math.Log(low) + r.Float64()*math.Log(high/low)) }
	return ParetoNBD{R: draw(.01, 50), Alpha: draw(.02, 5000), S: draw(.005, 30), Beta: draw(.02, 5000)}
}

// TestFamilyProperties holds what is true of every model: probabilities, order, monotony, and the absence of NaN for any
// customer up to x = 10,000 and a hundred years.
func TestFamilyProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 41))
	for range 6000 {
		m := anyMember(r)
		x, tx, T := anyHistory(r)
		h := math.Exp(r.Float64() * 8)
		fail := func(what string, values ...float64) {
			t.Helper()
			t.Errorf("%s: %T%+v x %d tx %v T %v h %v: %v", what, m, m, x, tx, T, h, values)
		}
		const noise = 1 + 1e-10
		alive, buys := m.PAlive(x, tx, T), m.PBuys(x, tx, T, h)
		if !(alive >= 0 && alive <= 1) || !(buys >= 0 && buys <= alive*noise) {
			fail("probabilities", alive, buys)
		}
		if m.PAlive(x, tx, T*1.1) > alive*noise || m.PBuys(x, tx, T*1.1, h) > buys*noise {
			fail("silence made it likelier", alive, buys)
		}
		if x > 0 && m.PAlive(x, tx+(T-tx)/2, T) < alive/noise {
			fail("a later purchase made him less alive", alive)
		}
		expected, longer := m.Expected(x, tx, T, h), m.Expected(x, tx, T, 1.5*h)
		if !(expected >= buys/(1+1e-9)) || !(longer >= expected/noise) || longer > 1.5*expected*noise {
			fail("expected: at least P(buys), rising and concave in h", buys, expected, longer)
		}
		low, high := m.DET(x, tx, T, h, .02), m.DET(x, tx, T, h, .001)
		nearly := m.DET(x, tx, T, h, 1e-13)
		if !(low >= 0 && low <= high*noise && high <= expected*noise) || math.Abs(nearly-expected) > 1e-9*expected {
			fail("discounting", low, high, nearly, expected)
		}
		mean, variance := m.Moments(x, tx, T, h)
		if mean != expected || !(variance >= mean*(1-mean)-1e-9) || math.IsInf(variance, 0) {
			fail("moments", mean, expected, variance)
		}
		if p := m.PMF(x, tx, T, h, 0); math.Abs(p+buys-1) > 1e-10 {
			fail("P(0)", p, buys)
		}
		if ln := m.LogLikelihood(x, tx, T); math.IsNaN(ln) || math.IsInf(ln, 0) {
			fail("ln L", ln)
		}
		if total := m.ExpectedNew(T); !(total >= 0) || math.IsInf(total, 0) || m.ExpectedNew(2*T) < total/noise {
			fail("new customer", total)
		}
	}
}

// TestCountsOfPareto sums the probability function and its moments.
func TestCountsOfPareto(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 5))
	for tested := 0; tested < 40; {
		m, ok := anyMember(r).(ParetoNBD)
		x, T, h := r.IntN(30), math.Exp(r.Float64()*6), math.Exp(r.Float64()*4)
		tx := 0.0
		if x > 0 {
			tx = r.Float64() * T
		}
		mean, variance := m.Moments(x, tx, T, h)
		if !ok || mean+30*math.Sqrt(variance) > 400 {
			continue
		}
		tested++
		total, first, second := 0.0, 0.0, 0.0
		for n := 0; n < 4000 && (1-total > 1e-13 || n < 50); n++ {
			p := m.PMF(x, tx, T, h, n)
			if !(p >= 0 && p <= 1) {
				t.Fatalf("%+v x %d T %v h %v: P(%d) = %v", m, x, T, h, n, p)
			}
			if n == 5 {
				want := m.PAlive(x, tx, T) * m.given(x, T).atLeast(5, h)
				within(t, "P(X ≥ 5)", 1-total, want, 1e-6)
			}
			total += p
			first += float64(n) * p
			second += float64(n) * float64(n) * p
		}
		if math.Abs(total-1) > 1e-9 || math.Abs(first-mean) > 1e-7*(1+mean) || math.Abs(second-first*first-variance) > 1e-5*(1+variance) {
			t.Errorf("%+v x %d T %v h %v: Σp %v, mean %v and %v, variance %v and %v", m, x, T, h, total, first, mean, second-first*first, variance)
		}
	}
}

// TestSimulateAgreesWithExpectation: mean and share of buyers of simulated customers are the model's, within four
// standard errors.
func TestSimulateAgreesWithExpectation(t *testing.T) {
	const customers = 40_000
	r := rand.New(rand.NewPCG(1, 9))
	for _, m := range []PurchaseModel{
		BGNBD{.8, 10, .3, 3}, BGNBD{.242594, 4.4136, .792922, 2.425906}, MBGNBD{.525, 6.183, .891, 1.614}, MBGNBD{3, 20, .2, .4},
		ParetoNBD{.553, 10.578, .606, 11.669}, ParetoNBD{2, 8, 1.5, 60},
	} {
		for _, T := range []float64{5, 80} {
			sum, square, buyers := 0.0, 0.0, 0.0
			for range customers {
				ages := m.Simulate(r, T)
				for i, age := range ages {
					if age > T || age <= 0 || i > 0 && age <= ages[i-1] {
						t.Fatalf("%T%+v: %v", m, m, ages)
					}
				}
				sum += float64(len(ages))
				square += float64(len(ages) * len(ages))
				buyers += min(1, float64(len(ages)))
			}
			mean, share := sum/customers, buyers/customers
			name := fmt.Sprintf("%T%+v to %v", m, m, T)
			within(t, name+" mean", mean, m.ExpectedNew(T), 4*math.Sqrt((square/customers-mean*mean)/customers))
			within(t, name+" buyers", share, m.PBuys(0, 0, 0, T), 4*math.Sqrt(share/customers))
		}
	}
}

// FuzzModels: parameters that Validate lets pass give finite answers for every customer.
func FuzzModels(f *testing.F) {
	f.Add(.242594, 4.4136, .792922, 2.425906, 3, 100, 270, 365, 7)
	f.Add(1e-4, 1e-2, 1e-6, 1e-2, 0, 0, 0, 1, 0)
	f.Add(100.0, 1e5, 1e3, 1e3, 10000, 36000, 36525, 36525, 10000)
	f.Add(100.0, 1e-2, 1e-6, 1e3, 70, 36000, 36525, 36525, 1)
	f.Add(1e-4, 1e5, 1e3, 1e-2, 10000, 1, 36525, 36525, 2)
	f.Fuzz(func(t *testing.T, p, q, v, w float64, x, tx, age, horizon, n int) {
		x, tx, age = min(max(x, 0), 10_000), min(max(tx, 0), 36525), min(max(age, 0), 36525)
		tx, horizon, n = min(tx, age), min(max(horizon, 1), 36525), min(max(n, 0), 10_000)
		for _, m := range []PurchaseModel{BGNBD{p, q, v, w}, MBGNBD{p, q, v, w}, ParetoNBD{p, q, v, w}} {
			if m.Validate() != nil {
				continue
			}
			a, b, h := float64(tx)/7, float64(age)/7, float64(horizon)/7
			alive, buys, pmf := m.PAlive(x, a, b), m.PBuys(x, a, b, h), m.PMF(x, a, b, h, n)
			for _, probability := range []float64{alive, buys, pmf} {
				if !(probability >= 0 && probability <= 1+1e-9) {
					t.Fatalf("%T%+v: %v", m, m, []float64{alive, buys, pmf})
				}
			}
			expected, discounted := m.Expected(x, a, b, h), m.DET(x, a, b, h, .002)
			if !(discounted >= 0 && discounted <= expected*(1+1e-9)) || math.IsInf(expected, 0) {
				t.Fatalf("%T%+v: DET %v, expected %v", m, m, discounted, expected)
			}
			if ln := m.LogLikelihood(x, a, b); math.IsNaN(ln) || math.IsInf(ln, 0) {
				t.Fatalf("%T%+v: ln L %v", m, m, ln)
			}
		}
	})
}
