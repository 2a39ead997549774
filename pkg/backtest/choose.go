package backtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

const (
	// rehearsalShare is the part at the end of the past on which models are compared before the future is known.
	rehearsalShare = 3
	// rehearsalTolerance is by how much of the least mean absolute error a model may be worse and still be chosen for its order.
	rehearsalTolerance = .05
)

// choose answers which of the usable models the product would use: the one that,
// fitted to all but the last part of the past (as long as the horizon, a third at
// most), put the customers of that part in the best order (normalised Gini), among
// those whose mean absolute error there was within 5 % of the least. Order comes first because it decides whom to
// keep and whom to call; the bound on the error keeps the money right.
// methods begin with the families.
func (l *Ledger) choose(methods []Method, w Window) Choice {
	var usable []int
	for i := range methods {
		if !methods[i].Baseline && len(methods[i].NotIdentified) == 0 {
			usable = append(usable, i)
		}
	}
	switch len(usable) {
	case 0:
		return Choice{Reason: "no model is identified on this history"}
	case 1:
		return Choice{Model: methods[usable[0]].Name, Reason: "the only model that is identified on this history"}
	}
	first, _, _ := l.Span()
	horizon := min(w.HorizonDays, (w.Until-first)/rehearsalShare)
	rehearsal := Window{Until: w.Until - horizon, HorizonDays: horizon}
	customers, _ := l.Split(rehearsal)
	base, purchases := baseOf(customers), futureOf(customers)

	trials := make([]Trial, 0, len(usable))
	for _, i := range usable {
		trial := Trial{Model: methods[i].Name, MAE: math.NaN(), Gini: math.NaN()}
		if model, report, err := families[i].fit(base, rehearsal.Until, fit.Options{}); err == nil && len(blocked(report.Findings)) == 0 {
			if p, err := predict(model, standIn, customers, rehearsal, 1); err == nil {
				trial.MAE, trial.Gini = evaluate.ErrorsOf(p.expected, purchases).MAE, evaluate.Gini(p.expected, purchases)
			}
		}
		trials = append(trials, trial)
	}
	order := ranked(len(trials), func(i int) (mae, gini float64) { return trials[i].MAE, trials[i].Gini })
	if len(order) == 0 || math.IsNaN(trials[order[0]].Gini) {
		likeliest := usable[0]
		for _, i := range usable {
			if methods[i].Report.LogLikelihood > methods[likeliest].Report.LogLikelihood {
				likeliest = i
			}
		}
		return Choice{Model: methods[likeliest].Name, Trials: trials, RehearsalDays: horizon, Reason: fmt.Sprintf(
			"greatest ln L (%.1f); the last %d days of the past don't tell models apart, because nothing was bought in them or too little is known before",
			methods[likeliest].Report.LogLikelihood, horizon)}
	}
	best := trials[order[0]]
	return Choice{Model: best.Model, Trials: trials, RehearsalDays: horizon, Reason: fmt.Sprintf(
		"best order (Gini %.3f) in the last %d days of what was known, when fitted to what was before, with a mean absolute error within %.0f %% of the least",
		best.Gini, horizon, 100*rehearsalTolerance)}
}

// ranked are n methods, by their positions: those whose mean absolute error is within
// 5 % of the least, and of them those with the best order first. A NaN error leaves
// one out, a NaN order, as all have where nothing was bought, puts it last.
func ranked(n int, of func(i int) (mae, gini float64)) []int {
	least := math.Inf(1)
	for i := range n {
		if mae, _ := of(i); mae < least {
			least = mae
		}
	}
	var order []int
	for i := range n {
		if mae, _ := of(i); mae <= least*(1+rehearsalTolerance) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		_, ofA := of(a)
		_, ofB := of(b)
		return cmp.Compare(ofB, ofA)
	})
	return order
}
