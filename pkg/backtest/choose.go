package backtest

import (
	"fmt"
	"math"

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
	least := math.Inf(1)
	for _, i := range usable {
		trial := Trial{Model: methods[i].Name, MAE: math.NaN(), Gini: math.NaN()}
		if model, report, err := families[i].fit(base, rehearsal.Until, fit.Options{}); err == nil && len(blocked(report.Findings)) == 0 {
			if p, err := predict(model, standIn, customers, rehearsal, 1); err == nil {
				trial.MAE, trial.Gini = evaluate.ErrorsOf(p.expected, purchases).MAE, evaluate.OrderOf(p.expected, purchases).Gini
				least = min(least, trial.MAE)
			}
		}
		trials = append(trials, trial)
	}
	best := -1
	for i, t := range trials {
		if !math.IsNaN(t.Gini) && t.MAE <= least*(1+rehearsalTolerance) && (best < 0 || t.Gini > trials[best].Gini) {
			best = i
		}
	}
	if best < 0 {
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
	return Choice{Model: trials[best].Model, Trials: trials, RehearsalDays: horizon, Reason: fmt.Sprintf(
		"best order (Gini %.3f) in the last %d days of what was known, when fitted to what was before, with a mean absolute error within %.0f %% of the least",
		trials[best].Gini, horizon, 100*rehearsalTolerance)}
}
