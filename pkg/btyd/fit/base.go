package fit

import (
	"fmt"
	"slices"
)

// History is what customers of one cell have in common: X repeat transactions (purchases on one day are one, the first ever
// isn't counted), on a calendar of whole days the day of the first purchase and that of the last. Last is First where X
// is 0. Where day 0 lies is the caller's choice.
type History struct {
	X, First, Last int32
}

// Base is a customer base: how many customers have each history.
type Base map[History]int64

// Add adds count customers of a history, or takes them away where it is negative. A purchase on a new day is
// Add(before, -1) and Add(after, 1).
func (b Base) Add(h History, count int64) {
	addTo(b, h, count)
}

// addTo changes a count; a cell without customers isn't kept.
func addTo[C comparable](counts map[C]int64, cell C, count int64) {
	if now := counts[cell] + count; now != 0 {
		counts[cell] = now
	} else {
		delete(counts, cell)
	}
}

// A DataError says which part of the data given to a fit is impossible.
type DataError struct {
	What  string // "history", "spend", "cohort", "chances", "renewals", or "feature 2 of renewal 17"
	Value any    // the cell, the number, or how many there are
	Want  string // what would be possible
}

// Error names the cell and what is wrong with it.
func (e *DataError) Error() string {
	return fmt.Sprintf("%s %+v: want %s", e.What, e.Value, e.Want)
}

const daysPerWeek = 7

// sample is a base as of a day, in the form in which likelihoods are summed fast: every distinct number of transactions and
// every distinct age stands in a list once, and cells refer to them.
type sample struct {
	counts    []float64 // distinct x, ascending
	ages      []float64 // distinct ages in weeks, ascending: of tx and of T
	cells     []cell    // by x
	customers float64
	repeaters float64
	days      int     // the longest age
	meanAge   float64 // weeks
	perWeek   float64 // repeat transactions by customer and week
}

// cell is customers with the same x, tx and T.
type cell struct {
	x, last, age int32 // indexes into counts, ages and ages
	weight       float64
}

// newSample looks at a base at the end of day until. Customers who first buy after it don't exist yet; one who buys
// again after it is an error, because what he had done until then can't be told.
func newSample(base Base, until int32) (*sample, error) {
	s := &sample{}
	counts, ages := map[int32]int32{}, map[int32]int32{}
	for h, n := range base {
		switch {
		case n < 0:
			return nil, &DataError{"history", h, fmt.Sprintf("a count of customers, not %d", n)}
		case h.X < 0 || h.Last < h.First || h.X == 0 && h.Last != h.First:
			return nil, &DataError{"history", h, "X from 0, Last from First on, and equal to it where X is 0"}
		case int64(h.Last)-int64(h.First) < int64(h.X):
			return nil, &DataError{"history", h, "no more repeat transactions than days, because those of one day are one"}
		case h.First > until || n == 0:
			continue
		case h.Last > until:
			return nil, &DataError{"history", h, fmt.Sprintf("Last up to the day of observation, %d", until)}
		}
		counts[h.X] = 0
		ages[h.Last-h.First], ages[until-h.First] = 0, 0
	}
	s.counts, s.ages = index(counts, 1), index(ages, daysPerWeek)
	merged := map[cell]float64{}
	for h, n := range base {
		if h.First > until || n == 0 {
			continue
		}
		merged[cell{x: counts[h.X], last: ages[h.Last-h.First], age: ages[until-h.First]}] += float64(n)
	}
	s.cells = make([]cell, 0, len(merged))
	for c, weight := range merged {
		c.weight = weight
		s.cells = append(s.cells, c)
	}
	// In an order of their own, so that sums round alike at every run.
	slices.SortFunc(s.cells, func(a, b cell) int {
		if a.x != b.x {
			return int(a.x - b.x)
		}
		if a.last != b.last {
			return int(a.last - b.last)
		}
		return int(a.age - b.age)
	})
	s.summarise()
	return s, nil
}

// most is the largest number of repeat transactions.
func (s *sample) most() float64 {
	if len(s.counts) == 0 {
		return 0
	}
	return s.counts[len(s.counts)-1]
}

func (s *sample) summarise() {
	transactions, weeks := 0.0, 0.0
	for _, c := range s.cells {
		s.customers += c.weight
		if s.counts[c.x] > 0 {
			s.repeaters += c.weight
		}
		transactions += c.weight * s.counts[c.x]
		weeks += c.weight * s.ages[c.age]
		s.days = max(s.days, int(s.ages[c.age]*daysPerWeek+.5))
	}
	if s.customers > 0 {
		s.meanAge = weeks / s.customers
	}
	if weeks > 0 {
		s.perWeek = transactions / weeks
	}
}

// index lists the keys ascending, over the unit, and notes where each stands.
func index(keys map[int32]int32, unit float64) []float64 {
	sorted := make([]int32, 0, len(keys))
	for key := range keys {
		sorted = append(sorted, key)
	}
	slices.Sort(sorted)
	values := make([]float64, len(sorted))
	for i, key := range sorted {
		keys[key] = int32(i)
		values[i] = float64(key) / unit
	}
	return values
}
