package backtest

import (
	"maps"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// week is the length of a step of tracking, days.
const week = 7

// actualRepeats is how many repeat transactions there were to the end of each
// step, of customers who came before the cut.
func (l *Ledger) actualRepeats(w Window, steps []int32) []float64 {
	perDay := make(map[int32]float64)
	for _, days := range l.customers {
		if days[0].Day > w.Until {
			continue
		}
		for _, p := range days[1:] {
			perDay[p.Day]++
		}
	}
	first, _, _ := l.Span()
	out := make([]float64, len(steps))
	total, day := 0.0, first
	for i, end := range steps {
		for ; day <= end; day++ {
			total += perDay[day]
		}
		out[i] = total
	}
	return out
}

// expectedRepeats is the same as a model expects it of new customers who came
// when these did: nothing of what they did is known to it.
func expectedRepeats(model btyd.PurchaseModel, customers []Customer, steps []int32) []float64 {
	cohorts := make(map[int32]float64)
	for i := range customers {
		cohorts[customers[i].History.First]++
	}
	known := make(map[int32]float64) // by age
	out := make([]float64, len(steps))
	firsts := slices.Sorted(maps.Keys(cohorts)) // the same sum on every run
	for i, end := range steps {
		for _, first := range firsts {
			age := end - first
			if age <= 0 {
				continue
			}
			e, ok := known[age]
			if !ok {
				e = model.ExpectedNew(float64(age) / week)
				known[age] = e
			}
			out[i] += cohorts[first] * e
		}
	}
	return out
}

// stepsOf are the ends of the weeks from the first day to the end of the horizon,
// the cut and that end among them.
func stepsOf(first int32, w Window) []int32 {
	var steps []int32
	end := w.Until + w.HorizonDays
	for day := first + week - 1; day < end; day += week {
		if n := len(steps); (n == 0 || steps[n-1] < w.Until) && day > w.Until {
			steps = append(steps, w.Until)
		}
		steps = append(steps, day)
	}
	if n := len(steps); (n == 0 || steps[n-1] < w.Until) && w.Until < end {
		steps = append(steps, w.Until)
	}
	return append(steps, end)
}

// tracking compares the two curves.
func tracking(expected, actual []float64, steps []int32, w Window) *Tracking {
	t := &Tracking{Expected: expected, CutErrorPercent: math.NaN(), EndErrorPercent: math.NaN()}
	percent := func(i int) float64 { return 100 * (expected[i] - actual[i]) / actual[i] }
	sum, n := 0.0, 0
	for i, day := range steps {
		if actual[i] == 0 {
			continue
		}
		switch {
		case day == w.Until:
			t.CutErrorPercent = percent(i)
		case day > w.Until:
			sum += math.Abs(percent(i))
			n++
		}
	}
	if last := len(steps) - 1; actual[last] > 0 {
		t.EndErrorPercent = percent(last)
	}
	t.HorizonMAPE = sum / float64(n)
	return t
}
