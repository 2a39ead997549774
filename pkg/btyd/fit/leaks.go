package fit

import (
	"fmt"
	"math"
)

// Leak is a feature that told who would leave where rows were made afterwards, and doesn't where they were made before.
type Leak struct {
	Feature      int
	Older, Newer Evidence
	// Absent says that the feature is the same in all newer rows, so that there is nothing to compare with.
	Absent bool
}

// Evidence is what a feature tells in some rows, on top of the base and of the features that hold.
type Evidence struct {
	// Weight is what a standard deviation of the feature in the older rows adds to the log-odds, by a fit to these rows.
	Weight, StandardError float64
	// Gain is by how much the weight of the older rows lowers the log loss of these; negative where it makes it worse.
	Gain float64
}

// String is for logs: "feature 3 adds 1.2 ± 0.05 in the older rows (gain 0.04), 0.01 ± 0.06 in the newer (gain -0.02)".
func (l Leak) String() string {
	newer := fmt.Sprintf("%.3g ± %.2g in the newer (gain %.2g)", l.Newer.Weight, l.Newer.StandardError, l.Newer.Gain)
	if l.Absent {
		newer = "is the same in all of the newer"
	}
	return fmt.Sprintf("feature %d adds %.3g ± %.2g in the older rows (gain %.2g), %s", l.Feature, l.Older.Weight, l.Older.StandardError, l.Older.Gain, newer)
}

// What makes a leak.
const (
	// A feature told in the older rows where a standard deviation of it adds this much to the log-odds at least, and more
	// than so many standard errors. What tells less does no harm.
	leastTold, leastToldErrors = .1, 4
	// It holds unless its weight is below this part of the old, by more than so many standard errors of the difference.
	leastHeld, leastLostErrors = .5, 3
)

// leakL2 is the same weak hold in all fits, lest fewer rows alone make weights smaller.
const leakL2 = 1

// Leaks compares what features tell in rows that were made from a history already complete (older) and in rows as they were
// known at the time (newer). A feature into which the future leaked, because it was filled in or corrected after the
// customer had left, tells much in the older rows and not in the newer. Weights are compared and not gains of log loss, because
// a weight stays the same while the distribution of its feature drifts, and a gain doesn't.
//
// A feature is a leak where its weight in the newer rows is below half of that in the older, by more than three standard errors
// of the difference: first alone on top of the base; and then, of those, on top of the base and all features that held alone, so
// that an honest feature that only went along with another isn't blamed when they part, and two copies of one leak don't
// hide each other. One that told and is now the same everywhere is a leak too: whatever the reason, nothing can be learned from it.
//
// What it can't see: a leak that is in both kinds of rows; a leak into a feature that keeps half of its weight without
// it; one so weak, or newer rows so few, that the halves can't be told apart; and one that shows only together with
// another feature. What it can't tell from a leak: a feature whose influence itself more than halved between the two.
// Either should not be used as it is. Newer rows whose outcome isn't known yet must be left out, or all weights seem to fade.
//
// Of options, L2 is not used.
func Leaks(older, newer []Renewal, options HazardOptions) ([]Leak, error) {
	both := [2][]Renewal{older, newer}
	var sides [2]renewals
	for i, rows := range both {
		which := [2]string{"older", "newer"}[i]
		if err := checkRenewals(rows); err != nil {
			return nil, fmt.Errorf("%s rows: %w", which, err)
		}
		sides[i] = newRenewals(rows, always)
		if err := sides[i].enough(options); err != nil {
			return nil, fmt.Errorf("%s rows: %w", which, err)
		}
	}
	if got, want := len(newer[0].Features), len(older[0].Features); got != want {
		return nil, fmt.Errorf("newer rows: %w", &DataError{"features of renewal 0", got, fmt.Sprintf("%d, as the older rows have", want)})
	}
	t := leakTest{older: sides[0], newer: sides[1]}
	suspects := map[int]bool{}
	for i, j := range t.older.columns {
		alone := func(column int) bool { return column == j }
		if leak, _ := t.compare(i, j, alone); leak.is() {
			suspects[j] = true
		}
	}
	var leaks []Leak
	if len(suspects) == 0 {
		return leaks, nil
	}
	held := newHazard(t.older.only(func(column int) bool { return !suspects[column] }), leakL2)
	without := held.model(held.solve(held.start()))
	for i, j := range t.older.columns {
		if !suspects[j] {
			continue
		}
		leak, with := t.compare(i, j, func(column int) bool { return column == j || !suspects[column] })
		if leak.is() {
			model := with.hazard.model(with.at)
			leak.Older.Gain = logLoss(without, older, always) - logLoss(model, older, always)
			leak.Newer.Gain = logLoss(without, newer, always) - logLoss(model, newer, always)
			leaks = append(leaks, leak)
		}
	}
	return leaks, nil
}

// leakTest is both kinds of rows.
type leakTest struct{ older, newer renewals }

// weighed is a hazard and its solution.
type weighed struct {
	hazard *hazard
	at     []float64
}

// compare fits the columns that are kept to both kinds of rows and looks at the weight of feature j, which is the i-th column of
// the older rows. Where it told nothing in the older, the newer aren't looked at.
func (t *leakTest) compare(i, j int, keep func(column int) bool) (Leak, weighed) {
	scale := t.older.spread[i]
	leak := Leak{Feature: j}
	var with weighed
	leak.Older, with = weightOf(t.older.only(keep), j, scale)
	if !leak.told() {
		return leak, with
	}
	leak.Newer, _ = weightOf(t.newer.only(keep), j, scale)
	leak.Absent = math.IsInf(leak.Newer.StandardError, 1)
	return leak, with
}

// weightOf is the weight of a feature by a given standard deviation; ±Inf where it is constant.
func weightOf(r renewals, feature int, scale float64) (Evidence, weighed) {
	h := newHazard(r, leakL2)
	at := h.solve(h.start())
	e := Evidence{StandardError: math.Inf(1)}
	for c, j := range r.columns {
		if j == feature {
			e.Weight, e.StandardError = at[2+c]/r.spread[c]*scale, h.errors(at)[2+c]/r.spread[c]*scale
		}
	}
	return e, weighed{h, at}
}

func (l *Leak) told() bool {
	size := math.Abs(l.Older.Weight)
	return size >= leastTold && size > leastToldErrors*l.Older.StandardError
}

func (l *Leak) is() bool {
	if !l.told() || l.Absent {
		return l.told()
	}
	// In the direction of the older weight: one that turned around is lost as well.
	lost := leastHeld*math.Abs(l.Older.Weight) - math.Copysign(1, l.Older.Weight)*l.Newer.Weight
	return lost > leastLostErrors*math.Hypot(leastHeld*l.Older.StandardError, l.Newer.StandardError)
}
