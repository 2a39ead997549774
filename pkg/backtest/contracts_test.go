package backtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// monthlyContracts simulates contracts of 30 days up to a day: leavers by sBG and one feature, whose weight can change on a day.
func monthlyContracts(seed uint64, customers int, until int32, weight func(day int32) float64) *Contracts {
	r := rand.New(rand.NewPCG(seed, 3))
	c := &Contracts{Features: []string{"tickets", "told"}, GraceDays: 10, HorizonDays: 90, ReturnDays: []int32{90, 365}}
	for range customers {
		k := Contract{Began: 1 + r.Int32N(until-1), Period: 30}
		for due := k.Began + 30; due+c.GraceDays <= until; due += 30 {
			tickets := float64(r.IntN(3))
			base := -btyd.LogOdds(btyd.SBG{Alpha: 1, Beta: 9}.Renewal(int(k.Renewals) + 1))
			left := r.Float64() < btyd.Probability(base-1+weight(due)*tickets)
			c.Chances = append(c.Chances, Chance{Contract: int32(len(c.All)), Tenure: k.Renewals + 1, Day: due - 7, Due: due, Features: []float64{tickets, 0}, Left: left, Involuntary: left && r.IntN(3) == 0})
			if left {
				k.Left, k.Ended = true, due
				if after := r.Int32N(2000); due+after <= until && after > 0 {
					k.Returned = due + after
				}
				break
			}
			k.Renewals++
		}
		c.All = append(c.All, k)
	}
	return c
}

func steady(int32) float64 { return 1 }

// TestContractContest: signals are found, a champion that has learnt the contrary is replaced, and one that is as good is, too.
func TestContractContest(t *testing.T) {
	c := monthlyContracts(1, 6000, 700, steady)
	w := Window{Until: 600, HorizonDays: 90}
	first := c.Contest(w, nil)
	if first.Verdict != Accepted || first.Candidate == nil || first.Candidate.Leaving == nil || first.Candidate.Involuntary == nil {
		t.Fatalf("%v: %s", first.Verdict, first.Reason)
	}
	if got := first.Candidate.Leaving.Weights[0]; math.Abs(got-1) > .15 {
		t.Errorf("a ticket counts for %.3f, the truth is 1", got)
	}
	if len(first.Entries) != 3 || first.Entries[1].AUC < first.Entries[0].AUC+.05 || first.Entries[1].CalibrationError > .02 {
		t.Errorf("%+v", first.Entries)
	}
	if first.Candidate.Until != 690 || first.Candidate.Contracts != 6000-countBegan(c, 690) {
		t.Errorf("fitted to %d contracts until %d", first.Candidate.Contracts, first.Candidate.Until)
	}
	wrong := *first.Candidate
	hazard := *wrong.Leaving
	hazard.Weights = []float64{-1, 0}
	wrong.Leaving, wrong.Label = &hazard, "the contrary"
	if second := c.Contest(w, &wrong); second.Verdict != Accepted || !strings.Contains(second.Reason, "the contrary") {
		t.Errorf("%v: %s", second.Verdict, second.Reason)
	}
	// Customers who begin to behave otherwise bring in another model by themselves.
	drifted := monthlyContracts(2, 6000, 900, func(day int32) float64 {
		if day > 650 {
			return -1
		}
		return 1
	})
	old := drifted.FitUntil(650)
	old.Label = "before"
	if third := drifted.Contest(Window{Until: 800, HorizonDays: 90}, old); third.Verdict != Accepted {
		t.Errorf("after a drift: %v: %s", third.Verdict, third.Reason)
	}
}

func countBegan(c *Contracts, after int32) int64 {
	n := int64(0)
	for _, k := range c.All {
		if k.Began > after {
			n++
		}
	}
	return n
}

// TestLeakedFeatureIsLeftOut: one that was filled in when it was known who left is caught by time, and has no weight.
func TestLeakedFeatureIsLeftOut(t *testing.T) {
	c := monthlyContracts(3, 6000, 700, steady)
	for i := range c.Chances {
		if v := &c.Chances[i]; v.Left && v.Due <= 600 {
			v.Features[1] = 1
		}
	}
	got := c.Contest(Window{Until: 610, HorizonDays: 80}, nil)
	if !slices.Equal(got.Leaks, []string{"told"}) || got.Verdict != Accepted || got.Candidate.Leaving.Weights[1] != 0 || !strings.Contains(got.Reason, "told") {
		t.Errorf("leaks %v, %v: %s", got.Leaks, got.Verdict, got.Reason)
	}
}

// TestEarlyLeaversAreKnownWhenOthersAre: contracts of a year, of which a fifth is cancelled on some day of each year, and ends
// there. Most contracts are young, and yet a fifth leaves, not more.
func TestEarlyLeaversAreKnownWhenOthersAre(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	const until = 900
	c := &Contracts{GraceDays: 14, HorizonDays: 90, ReturnDays: []int32{90, 365}}
	for range 4000 {
		k := Contract{Began: 1 + until - int32(math.Sqrt(r.Float64())*until), Period: 365}
		for from := k.Began; !k.Left && from <= until; from += k.Period {
			switch ends := from + 1 + r.Int32N(k.Period); {
			case r.IntN(5) > 0:
				if from+k.Period <= until {
					k.Renewals++
				}
			case ends <= until:
				k.Ended, k.Left = ends, true
			}
		}
		c.All = append(c.All, k)
	}
	m := c.FitUntil(until)
	if m == nil {
		t.Fatal("nothing is identified")
	}
	for n := 1; n <= 2; n++ {
		if got := 1 - m.Renewals.Renewal(n); math.Abs(got-.2) > .04 {
			t.Errorf("renewal %d: %.3f leave, the truth is .2", n, got)
		}
	}
}

// TestReturns: the share that comes back, of those who hadn't yet; half a one more.
func TestReturns(t *testing.T) {
	c := &Contracts{HorizonDays: 90, ReturnDays: []int32{90, 365}}
	end := func(ended, returned int32, n int) {
		for range n {
			c.All = append(c.All, Contract{Began: 1, Period: 30, Ended: ended, Returned: returned, Left: true})
		}
	}
	end(100, 130, 30)  // back after 30 days
	end(100, 230, 20)  // after 130
	end(100, 0, 49)    // never
	end(1000, 1010, 7) // not observed for 90 days
	end(0, 0, 5)       // still there
	got := c.returns(1050)
	want := []float64{30.5 / 100, 20.5 / 70, .5 / 50}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestTenuresAt: what was known on a day, and nothing that came later.
func TestTenuresAt(t *testing.T) {
	c := &Contracts{GraceDays: 10, All: []Contract{
		{Began: 1, Period: 30, Renewals: 5, Left: true, Ended: 181},
		{Began: 1, Period: 30, Renewals: 9},
		{Began: 1, Period: 30, Renewals: 1, Ended: 61}, // by the merchant
		{Began: 150, Period: 30},
	}}
	for day, want := range map[int32][4]int64{100: {3, 3, 0, 0}, 190: {4, 3, 0, 0}, 191: {4, 3, 1, 0}} {
		tenures, contracts, renewed, left := c.tenuresAt(day)
		total := int64(0)
		for _, n := range tenures {
			total += n
		}
		if contracts != want[0] || renewed != want[1] || left != want[2] || total != contracts {
			t.Errorf("day %d: %d contracts, %d renewed, %d left, want %v", day, contracts, renewed, left, want)
		}
	}
}
