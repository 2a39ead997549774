package fit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const leakCut = 14 * 30

// leakRows are rows of a small call centre before and since a day.
func leakRows(t *testing.T, r *rand.Rand, drift bool) (older, newer []Renewal) {
	t.Helper()
	c := centre{customers: 3000, months: 24, spread: .4}
	if drift {
		c.drift = leakCut
	}
	rows := c.simulate(r)
	rows.setBases(t, leakCut)
	older, newer = rows.upTo(leakCut, true).rows, rows.upTo(leakCut, false).rows
	if drifted := newRenewals(newer, always).means[1]-newRenewals(older, always).means[1] > .5; drifted != drift {
		t.Fatalf("drifted %t", drifted)
	}
	return older, newer
}

// with appends a feature to rows.
func with(rows []Renewal, feature func(row *Renewal) float64) []Renewal {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Features = append(slices.Clone(rows[i].Features), feature(&rows[i]))
	}
	return rows
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// TestLeaks: what tells of the future is caught and named in every way that it comes, and honest features never are, whether or
// not their distributions drift.
func TestLeaks(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		drift := seed%2 == 1
		r := rand.New(rand.NewPCG(seed, 99))
		older, newer := leakRows(t, r, drift)
		noise := func(*Renewal) float64 { return r.NormFloat64() }
		expect := func(name string, older, newer []Renewal, want ...int) []Leak {
			t.Helper()
			leaks, err := Leaks(older, newer, HazardOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, l := range leaks {
				got = append(got, l.Feature)
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d, drift %t, %s: %v, want %v", seed, drift, name, leaks, want)
			}
			return leaks
		}
		expect("honest", older, newer)
		future := func(scale float64) func(row *Renewal) float64 {
			return func(row *Renewal) float64 { return scale*number(row.Left) + r.NormFloat64() }
		}
		for _, scale := range []float64{.7, 2, 10} {
			leaks := expect(fmt.Sprintf("future with noise, %g", scale), with(older, future(scale)), with(newer, noise), 8)
			if len(leaks) == 1 && !(leaks[0].Older.Gain > .005 && leaks[0].Newer.Gain < 0 && !leaks[0].Absent) {
				t.Errorf("seed %d: %+v", seed, leaks[0])
			}
		}
		leaks := expect("future that is filled in afterwards", with(older, future(3)), with(newer, func(*Renewal) float64 { return 0 }), 8)
		if len(leaks) == 1 && (!leaks[0].Absent || !strings.Contains(leaks[0].String(), "the same in all")) {
			t.Errorf("seed %d: %v", seed, leaks[0])
		}
		reason := func(row *Renewal) float64 { return number(row.Left) }
		expect("the outcome", with(older, reason), with(newer, noise), 8)
		// Two copies of a leak don't hide each other; one of them upside down.
		copied := with(with(older, future(2)), func(row *Renewal) float64 { return 5 - 3*row.Features[8] })
		expect("copies", copied, with(with(newer, noise), noise), 8, 9)
		// Calls that are counted to the end of the month, of which a complaint is the last.
		counted := slices.Clone(older)
		for i := range counted {
			if counted[i].Left && r.IntN(2) == 0 {
				counted[i].Features = slices.Clone(counted[i].Features)
				counted[i].Features[2] += 2
			}
		}
		expect("an honest feature with future in it", counted, newer, 2)
		// What holds in both isn't a leak to anybody; what goes along with another and then parts from it isn't either.
		along := with(older, func(row *Renewal) float64 { return row.Features[0] + .3*r.NormFloat64() })
		expect("parted", along, with(newer, noise))
		expect("of no effect", with(older, noise), with(newer, noise))
	}
}

// TestLeaksByHalf: an influence that fades isn't called a leak before half of it is gone, however many rows there are; one that
// turned around is.
func TestLeaksByHalf(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 80))
	older := logisticRows(r, logisticTruth, 30_000)
	for weight, leak := range map[float64]bool{.7: false, .35: false, .1: true, 0: true, -.5: true} {
		faded := logisticTruth
		faded.Weights = slices.Clone(faded.Weights)
		faded.Weights[0] = weight
		leaks, err := Leaks(older, logisticRows(r, faded, 30_000), HazardOptions{})
		if err != nil || (len(leaks) > 0) != leak || leak && leaks[0].Feature != 0 {
			t.Fatalf("%g of %g is left: %v, %v", weight, logisticTruth.Weights[0], leaks, err)
		}
		if leak {
			near(t, "older weight", leaks[0].Older.Weight, logisticTruth.Weights[0], .1)
			near(t, "newer weight", leaks[0].Newer.Weight, weight, .1)
		}
	}
}

// TestLeaksOfFew: from few rows chance makes no leaks, though weights differ widely.
func TestLeaksOfFew(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 80))
	called := 0
	for range 200 {
		leaks, err := Leaks(logisticRows(r, logisticTruth, 400), logisticRows(r, logisticTruth, 300), HazardOptions{LeastEach: 10})
		if err != nil {
			t.Fatal(err)
		}
		called += len(leaks)
	}
	if called > 1 {
		t.Errorf("%d of 800 features are called leaks", called)
	}
}

func TestLeaksOfImpossibleRows(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 80))
	rows := logisticRows(r, logisticTruth, 1000)
	wide := with(rows, func(*Renewal) float64 { return 1 })
	bad := with(rows, func(*Renewal) float64 { return math.NaN() })
	for want, sides := range map[string][2][]Renewal{
		"older rows: renewals none":                          {nil, rows},
		"newer rows: renewals {Rows:50":                      {rows, rows[:50]},
		"newer rows: features of renewal 0 5: want 4":        {rows, wide},
		"older rows: feature 4 of renewal 0 NaN: want a num": {bad, wide},
	} {
		_, err := Leaks(sides[0], sides[1], HazardOptions{})
		var wrong *DataError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
