package backtest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
)

const (
	contestEnd    = 400
	contestWindow = 90
)

// regime is how a population buys: in weeks, from a customer's first purchase on.
type regime = btyd.BGNBD

var calm, busy = regime{R: .8, Alpha: 12, A: .8, B: 3}, regime{R: 1.6, Alpha: 6, A: .4, B: 3}

// drifting simulates customers who come in the first 300 days. Their purchases
// before the cut follow one regime, those after it another.
func drifting(seed uint64, customers int, before, after regime, spend func(*rand.Rand) func() int64) *backtest.Ledger {
	r := rand.New(rand.NewPCG(seed, 1))
	cut := int32(contestEnd - contestWindow)
	l := new(backtest.Ledger)
	for i := range customers {
		first, amount := int32(r.IntN(300)), spend(r)
		name := fmt.Sprint(i)
		l.Add(name, first, amount())
		ages := [2][]float64{before.Simulate(r, float64(contestEnd-first)/7)}
		if ages[1] = ages[0]; after != before {
			ages[1] = after.Simulate(r, float64(contestEnd-first)/7)
		}
		for part, weeks := range ages {
			for _, week := range weeks {
				if d := first + int32(math.Ceil(7*week)); d <= contestEnd && (d > cut) == (part == 1) {
					l.Add(name, d, amount())
				}
			}
		}
	}
	return l
}

// any amounts: the spend of each purchase is its own.
func anyAmount(r *rand.Rand) func() int64 {
	mean := 2000 + 4000*r.Float64()
	return func() int64 { return int64(mean * (.5 + r.Float64())) }
}

func contest(l *backtest.Ledger, champion *backtest.Champion, parent *backtest.Parent) *backtest.Contest {
	return l.Contest(backtest.Window{Until: contestEnd - contestWindow, HorizonDays: contestWindow}, 100, champion, parent)
}

func wantVerdict(t *testing.T, c *backtest.Contest, want backtest.Verdict, reason string) {
	t.Helper()
	t.Logf("%d customers, %d transactions: %s", c.Customers, c.Transactions, c.Reason)
	for _, e := range c.Entries {
		t.Logf("%-12s %d MAE %.4f Gini %.4f money %.4f log %.4f %s", e.Name, e.Role, e.MAE, e.Gini, e.MoneyGini, e.LogScore, e.NotIdentified)
	}
	if c.Verdict != want || !strings.Contains(c.Reason, reason) {
		t.Fatalf("verdict %d, %q; want %d, %q", c.Verdict, c.Reason, want, reason)
	}
}

// TestContest: who wins, and why.
func TestContest(t *testing.T) {
	calmOnes := &backtest.Champion{Label: "number 1", Purchases: calm}
	busyOnes := &backtest.Champion{Label: "number 1", Purchases: busy}

	t.Run("the first model", func(t *testing.T) {
		c := contest(drifting(1, 1500, calm, calm, anyAmount), nil, nil)
		wantVerdict(t, c, backtest.Accepted, "no model is in force")
		if c.Candidate == nil || c.Candidate.Until != contestEnd || c.Candidate.Customers != 1500 || c.Candidate.Spend == nil {
			t.Fatalf("candidate %+v", c.Candidate)
		}
	})
	t.Run("as good as the champion", func(t *testing.T) {
		accepted := 0
		const populations = 8
		for seed := range uint64(populations) {
			if contest(drifting(seed, 1000, calm, calm, anyAmount), calmOnes, nil).Verdict == backtest.Accepted {
				accepted++
			}
		}
		// The champion is the truth itself: in some samples it must win.
		if accepted < populations*3/4 {
			t.Errorf("accepted in %d of %d populations that didn't change", accepted, populations)
		}
	})
	t.Run("the population drifted", func(t *testing.T) {
		wantVerdict(t, contest(drifting(2, 1500, busy, busy, anyAmount), calmOnes, nil), backtest.Accepted, "no worse than number 1")
	})
	t.Run("a worse candidate", func(t *testing.T) {
		// What the candidate is fitted to isn't how customers buy in the window: the champion knows better.
		wantVerdict(t, contest(drifting(3, 1500, busy, calm, anyAmount), calmOnes, nil), backtest.Refused, "worse than number 1")
		wantVerdict(t, contest(drifting(3, 1500, calm, busy, anyAmount), busyOnes, nil), backtest.Refused, "worse than number 1")
	})
	t.Run("worse than a baseline", func(t *testing.T) {
		// Each pays his own price always, from cents to thousands: the first purchase says it, and the model doesn't read it.
		fixed := func(r *rand.Rand) func() int64 {
			price := int64(math.Exp(8 + 1.2*r.NormFloat64()))
			return func() int64 { return price + 1 }
		}
		seldom := regime{R: .25, Alpha: 20, A: .8, B: 3}
		c := contest(drifting(4, 4000, seldom, seldom, fixed), nil, nil)
		wantVerdict(t, c, backtest.Refused, "worse than past spend")
		if c.Candidate == nil {
			t.Error("what was refused isn't shown")
		}
		// It doesn't protect a champion that is worse in the same, and in everything else.
		stale := &backtest.Champion{Label: "number 1", Purchases: busy, Spend: &btyd.GammaGamma{P: 2, Q: 3, Gamma: 60}}
		wantVerdict(t, contest(drifting(4, 4000, seldom, seldom, fixed), stale, nil), backtest.Accepted, "no worse than number 1")
	})
	t.Run("a customer's own mean for spend", func(t *testing.T) {
		// What a score says without a spend model is judged like any other.
		c := contest(drifting(1, 1500, calm, calm, anyAmount), calmOnes, nil)
		for _, e := range c.Entries {
			if len(e.NotIdentified) == 0 && math.IsNaN(e.MoneyGini) {
				t.Errorf("%s isn't judged by money", e.Name)
			}
		}
	})
}

// TestParentUntil: a parent is what was known then.
func TestParentUntil(t *testing.T) {
	l, until := cdnow(t)
	p, err := l.ParentUntil(btyd.BGNBD{}, until, 100)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := p.Purchases.(btyd.BGNBD)
	if !ok || p.Spend == nil {
		t.Fatalf("%T, %v", p.Purchases, p.Spend)
	}
	near(t, "r", m.R, .242594, 2e-4)
	near(t, "p", p.Spend.P, 6.24935, 6e-3)
	if _, err := l.ParentUntil(btyd.BGNBD{}, until-260, 100); err == nil {
		t.Error("two weeks are too short a history")
	}
}

// TestContestWithoutAnswer: what can't be decided is said, whatever the history.
func TestContestWithoutAnswer(t *testing.T) {
	one := new(backtest.Ledger)
	for d := range int32(contestEnd) {
		one.Add("ann", d, 100)
	}
	single := new(backtest.Ledger)
	for i := range int32(2000) {
		single.Add(fmt.Sprint(i), i%300, 100)
	}
	late := new(backtest.Ledger)
	late.Add("ann", contestEnd, 100)
	silent := drifting(5, 1500, calm, regime{R: 1e-4, Alpha: 1e5, A: 1, B: 1}, anyAmount)
	for name, c := range map[string]struct {
		ledger *backtest.Ledger
		reason string
	}{
		"nothing":                 {new(backtest.Ledger), "no purchase"},
		"one customer":            {one, "too few customers"},
		"single buyers":           {single, "no model is identified"},
		"nobody before":           {late, "before the horizon"},
		"nothing bought":          {silent, "too few purchases in the last 90 days"},
		"a small one, no parent":  {drifting(6, 300, calm, calm, anyAmount), "too few customers"},
		"too small for any model": {drifting(6, 40, calm, calm, anyAmount), "too few customers"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := &backtest.Parent{Purchases: calm}
			if name == "a small one, no parent" {
				parent = nil
			}
			wantVerdict(t, contest(c.ledger, nil, parent), backtest.Undecided, c.reason)
		})
	}
}

// TestContestShrinks: a small segment stays near its parent, but for what its own
// history says.
func TestContestShrinks(t *testing.T) {
	parent := &backtest.Parent{Purchases: calm, Spend: &btyd.GammaGamma{P: 6, Q: 4, Gamma: 20}}
	tenants := &backtest.Champion{Label: "the tenant's", Purchases: calm, OfParent: true}
	wantVerdict(t, contest(drifting(8, 400, calm, calm, anyAmount), tenants, parent), backtest.Refused, "not clearly better than the tenant's")
	c := contest(drifting(7, 400, busy, busy, anyAmount), tenants, parent)
	wantVerdict(t, c, backtest.Accepted, "no worse than the tenant's")
	own, ok := c.Candidate.Purchases.(btyd.BGNBD)
	if !ok || len(c.Entries) != 4 {
		t.Fatalf("%T, %d entries; the parent's family alone is fitted", c.Candidate.Purchases, len(c.Entries))
	}
	rate := func(m regime) float64 { return m.R / m.Alpha }
	if r := rate(own); r <= rate(calm) || r >= 1.2*rate(busy) {
		t.Errorf("purchases a week: %.3f, the parent has %.3f, the truth is %.3f", r, rate(calm), rate(busy))
	}
	// A large one is on its own.
	large := contest(drifting(7, 1500, busy, busy, anyAmount), nil, parent)
	wantVerdict(t, large, backtest.Accepted, "")
	if len(large.Entries) != 5 {
		t.Errorf("%d entries, three families and two baselines are compared", len(large.Entries))
	}
}

// TestContestOnCDNOW: real customers, the last 90 days of the calibration.
func TestContestOnCDNOW(t *testing.T) {
	l, until := cdnow(t)
	published := &backtest.Champion{
		Label: "cdnow", Purchases: btyd.BGNBD{R: .242594, Alpha: 4.41360, A: .792922, B: 2.425906},
		Spend: &btyd.GammaGamma{P: 6.24935, Q: 3.74426, Gamma: 15.44431},
	}
	for _, end := range []int32{until, until + 273} {
		c := l.Contest(backtest.Window{Until: end - 90, HorizonDays: 90}, 100, published, nil)
		wantVerdict(t, c, backtest.Accepted, "no worse than cdnow")
	}
}
