package btyd

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNextCrossing compares with walking day by day.
func TestNextCrossing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	thresholds := []int{50_000, 250_000, 500_000, 750_000, 999_000, 1_000_000}
	found, none := 0, 0
	for _, table := range slices.Concat(coverageTables(), otherTables()) {
		for range 150 {
			x, age := r.IntN(12), 1+r.IntN(900)
			if r.IntN(4) == 0 {
				x = r.IntN(300)
			}
			tx := r.IntN(age + 1)
			last := age + r.IntN(2000)
			day, index, ok := table.NextCrossing(x, tx, age, last, thresholds)

			today := table.ChurnMillionths(x, tx, age)
			wantDay, wantIndex, wantOK := 0, 0, false
			for wantIndex < len(thresholds) && thresholds[wantIndex] <= today {
				wantIndex++
			}
			if wantIndex < len(thresholds) {
				before := today
				for d := age + 1; d <= last; d++ {
					risk := table.ChurnMillionths(x, tx, d)
					if risk < before {
						t.Fatalf("%+v x %d tx %d: risk falls from %d to %d on day %d", table.model, x, tx, before, risk, d)
					}
					before = risk
					if risk >= thresholds[wantIndex] {
						wantDay, wantOK = d, true
						break
					}
				}
			}
			if ok != wantOK || ok && (day != wantDay || index != wantIndex) {
				t.Fatalf("%+v x %d tx %d age %d last %d: got day %d index %d %t, want %d %d %t",
					table.model, x, tx, age, last, day, index, ok, wantDay, wantIndex, wantOK)
			}
			if ok {
				found++
			} else {
				none++
			}
		}
	}
	if found < 500 || none < 100 {
		t.Errorf("%d crossings, %d without: the cases don't test", found, none)
	}
}

func TestNextCrossingAtTheEdges(t *testing.T) {
	table := coverageTables()[0]
	for name, c := range map[string]struct {
		x, tx, age, last int
		thresholds       []int
	}{
		"no thresholds":      {3, 10, 20, 500, nil},
		"past the last day":  {3, 10, 20, 20, []int{999_999}},
		"beyond certainty":   {3, 10, 20, 1 << 40, []int{1_000_001}},
		"already above all":  {3, 10, 2000, 5000, []int{10, 20}},
		"never so sure soon": {3, 10, 20, 25, []int{999_999}},
	} {
		if day, _, ok := table.NextCrossing(c.x, c.tx, c.age, c.last, c.thresholds); ok {
			t.Errorf("%s: day %d", name, day)
		}
	}
	if day, _, ok := table.NextCrossing(3, 10, 20, 1<<40, []int{1_000_000}); !ok || table.ChurnMillionths(3, 10, day) != Million || table.ChurnMillionths(3, 10, day-1) == Million {
		t.Errorf("certainty: day %d %t", day, ok)
	}
}
