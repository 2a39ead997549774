package btyd

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// anyModel draws parameters over the whole range in which a fit can fall.
func anyModel(r *rand.Rand) BGNBD {
	draw := func(low, high float64) float64 { return math.Exp(math.Log(low) + r.Float64()*math.Log(high/low)) }
	return BGNBD{R: draw(.01, 50), Alpha: draw(.02, 500), A: draw(.005, 30), B: draw(.01, 60)}
}

func anyHistory(r *rand.Rand) (x int, tx, T float64) {
	T = math.Exp(r.Float64()*12.5 - 4) // to about 5,000 weeks
	if x = int(math.Exp(r.Float64()*9.3)) - 1; x > 0 {
		tx = r.Float64() * T
	}
	return x, tx, T
}

func TestModelProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	for range 4000 {
		m := anyModel(r)
		x, tx, T := anyHistory(r)
		h := math.Exp(r.Float64() * 8)
		fail := func(what string, values ...float64) {
			t.Helper()
			t.Errorf("%s: %+v x %d tx %v T %v h %v: %v", what, m, x, tx, T, h, values)
		}
		alive, buys := m.PAlive(x, tx, T), m.PBuys(x, tx, T, h)
		if !(alive >= 0 && alive <= 1) || x == 0 && alive != 1 {
			fail("P(alive)", alive)
		}
		if !(buys >= 0 && buys <= alive) {
			fail("P(buys) above P(alive)", buys, alive)
		}
		if m.PAlive(x, tx, T*1.1) > alive || m.PBuys(x, tx, T*1.1, h) > buys*(1+1e-12) {
			fail("silence made it likelier", alive, buys)
		}
		if x > 0 && m.PAlive(x, tx+(T-tx)/2, T) < alive {
			fail("a later purchase made him less alive", alive)
		}
		expected := m.Expected(x, tx, T, h)
		longer := m.Expected(x, tx, T, 1.5*h)
		if !(expected >= buys*(1-1e-9)) || !(longer >= expected*(1-1e-12)) || longer > 1.5*expected*(1+1e-9) {
			fail("expected: at least P(buys), rising and concave in h", buys, expected, longer)
		}
		low, high := m.DET(x, tx, T, h, .02), m.DET(x, tx, T, h, .001)
		near := m.DET(x, tx, T, h, 1e-13)
		if !(low <= high && high <= expected) || math.Abs(near-expected) > 1e-9*expected {
			fail("discounting", low, high, near, expected)
		}
		mean, variance := m.Moments(x, tx, T, h)
		if mean != expected || !(variance >= mean*(1-mean)-1e-9) || math.IsInf(variance, 0) {
			fail("moments", mean, expected, variance)
		}
		if ln := m.LogLikelihood(x, tx, T); math.IsNaN(ln) || math.IsInf(ln, 0) {
			fail("ln L", ln)
		}
	}
}

// TestCountsAgreeWithMoments sums the probability function and its moments, and P(X ≥ n).
func TestCountsAgreeWithMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 71))
	for tested := 0; tested < 150; {
		m := anyModel(r)
		x, T := r.IntN(30), math.Exp(r.Float64()*6)
		tx := 0.0
		if x > 0 {
			tx = r.Float64() * T
		}
		h := math.Exp(r.Float64() * 4)
		mean, variance := m.Moments(x, tx, T, h)
		if mean+30*math.Sqrt(variance) > 1500 {
			continue
		}
		tested++
		total, first, second := 0.0, 0.0, 0.0
		n := 0
		for ; n < 20000 && (1-total > 1e-13 || n < 50); n++ {
			p := m.PMF(x, tx, T, h, n)
			if p < 0 || p > 1 || math.IsNaN(p) {
				t.Fatalf("%+v x %d T %v h %v: P(%d) = %v", m, x, T, h, n, p)
			}
			if n == 5 {
				want := m.PAlive(x, tx, T) * m.given(x, T).atLeast(5, h)
				if math.Abs(1-total-want) > 1e-10 {
					t.Errorf("%+v x %d T %v h %v: P(X ≥ 5) = %v, want %v", m, x, T, h, want, 1-total)
				}
			}
			total += p
			first += float64(n) * p
			second += float64(n) * float64(n) * p
			if float64(n) > 20*mean+20 && p*float64(n)*float64(n) < 1e-14*(1+second) {
				break
			}
		}
		if math.Abs(total-1) > 1e-9 || math.Abs(first-mean) > 1e-7*(1+mean) || math.Abs(second-first*first-variance) > 1e-5*(1+variance) {
			t.Errorf("%+v x %d T %v h %v: Σp %v, mean %v and %v, variance %v and %v", m, x, T, h, total, first, mean, second-first*first, variance)
		}
	}
}

// TestNearlyOne passes a through 1, where the closed form of the expectation divides by zero.
func TestNearlyOne(t *testing.T) {
	at := BGNBD{.5, 10, 1, 3}.Expected(4, 20, 30, 52)
	for _, off := range []float64{1e-15, 1e-12, 1e-9, 1e-6} {
		for _, a := range []float64{1 - off, 1 + off} {
			within(t, "expected", BGNBD{.5, 10, a, 3}.Expected(4, 20, 30, 52), at, at*(1e-13+10*off))
		}
	}
}

func TestElementaryFunctions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 61))
	relative := func(got, want float64) float64 { return math.Abs(got-want) / math.Abs(want) }
	for range 50_000 {
		v := math.Exp(r.Float64()*1400 - 700)
		small := math.Exp(-r.Float64()*40) * float64(1-2*r.IntN(2))
		signed := r.Float64()*1400 - 700
		for what, off := range map[string]float64{
			"exp":         relative(exp(signed), math.Exp(signed)),
			"exp small":   relative(exp(small), math.Exp(small)),
			"log":         relative(log(v), math.Log(v)),
			"log near 1":  relative(log(1+small/2), math.Log(1+small/2)),
			"log1p":       relative(log1p(small/2), math.Log1p(small/2)),
			"log1p large": relative(log1p(v), math.Log1p(v)),
			"expm1":       relative(expm1(small), math.Expm1(small)),
		} {
			if off > 0x1p-50 {
				t.Fatalf("%s off by %.2g at %v, %v, %v", what, off, v, small, signed)
			}
		}
		if z := r.NormFloat64() * 3; math.Abs(normalCDF(z)-0.5*math.Erfc(-z/math.Sqrt2)) > 2e-7 {
			t.Fatalf("normalCDF(%v) = %v", z, normalCDF(z))
		}
	}
	for _, c := range [][3]float64{
		{exp(math.Inf(1)), math.Inf(1)}, {exp(math.Inf(-1)), 0}, {exp(1000), math.Inf(1)}, {exp(-1000), 0},
		{log(0), math.Inf(-1)}, {log(math.Inf(1)), math.Inf(1)}, {log1p(math.Inf(1)), math.Inf(1)}, {log1p(-1), math.Inf(-1)},
		{expm1(math.Inf(-1)), -1}, {logAddExp(math.Inf(-1), 3), 3}, {logAddExp(800, 800), 800 + math.Ln2}, {log(1), 0}, {exp(0), 1},
	} {
		if c[0] != c[1] {
			t.Errorf("got %v, want %v", c[0], c[1])
		}
	}
	if !math.IsNaN(log(-1)) || !math.IsNaN(exp(math.NaN())) || !math.IsNaN(expm1(math.NaN())) {
		t.Error("NaN lost")
	}
	within(t, "log of the least number", log(5e-324), -744.4400719213812, 1e-12)
}

func TestValidate(t *testing.T) {
	good, spend, terms := cdnowModel, cdnowSpend, Terms{365, 90, .002}
	for _, c := range []struct {
		field  string
		change func(m *BGNBD, g *GammaGamma, t *Terms)
	}{
		{"R", func(m *BGNBD, _ *GammaGamma, _ *Terms) { m.R = 0 }},
		{"Alpha", func(m *BGNBD, _ *GammaGamma, _ *Terms) { m.Alpha = math.NaN() }},
		{"A", func(m *BGNBD, _ *GammaGamma, _ *Terms) { m.A = math.Inf(1) }},
		{"B", func(m *BGNBD, _ *GammaGamma, _ *Terms) { m.B = -1 }},
		{"P", func(_ *BGNBD, g *GammaGamma, _ *Terms) { g.P = 1e7 }},
		{"Q", func(_ *BGNBD, g *GammaGamma, _ *Terms) { g.Q = 1 }},
		{"Gamma", func(_ *BGNBD, g *GammaGamma, _ *Terms) { g.Gamma = 0 }},
		{"HorizonDays", func(_ *BGNBD, _ *GammaGamma, t *Terms) { t.HorizonDays = 0 }},
		{"ChurnDays", func(_ *BGNBD, _ *GammaGamma, t *Terms) { t.ChurnDays = 40000 }},
		{"DiscountPerWeek", func(_ *BGNBD, _ *GammaGamma, t *Terms) { t.DiscountPerWeek = math.NaN() }},
	} {
		m, g, tt := good, spend, terms
		c.change(&m, &g, &tt)
		_, err := NewTable(m, g, tt)
		var wrong *ParameterError
		if !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	within(t, "weekly discount", WeeklyDiscount(.1), math.Log(1.1)/52.18, 1e-15)
}
