package backtest

import (
	"fmt"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

// Level is the share of outcomes that an interval is to hold: what is published
// with every value.
const Level = .8

// MaxSpendCorrelation is the greatest correlation of number and mean of purchases
// with which Gamma–Gamma, which supposes none, is still used. CDNOW has .11.
const MaxSpendCorrelation = .3

// family is a purchase model that can be fitted.
type family struct {
	name string
	fit  func(fit.Base, int32, fit.Options) (btyd.PurchaseModel, fit.Report, error)
	// has says whether a model is of it.
	has func(btyd.PurchaseModel) bool
}

// families are the purchase models, in the order in which they are reported.
var families = []family{
	familyOf("BG/NBD", fit.BGNBD),
	familyOf("MBG/NBD", fit.MBGNBD),
	familyOf("Pareto/NBD", fit.ParetoNBD),
}

func familyOf[M btyd.PurchaseModel](name string, f func(fit.Base, int32, fit.Options) (fit.Fit[M], error)) family {
	return family{
		name: name,
		fit: func(base fit.Base, until int32, options fit.Options) (btyd.PurchaseModel, fit.Report, error) {
			fitted, err := f(base, until, options)
			return fitted.Model, fitted.Report, err
		},
		has: func(model btyd.PurchaseModel) bool {
			_, ok := model.(M)
			return ok
		},
	}
}

// blocking are the findings with which a model is not used, because what it says
// would be its own assumptions and not the data's. Size comes first: it explains
// most of the others.
var blocking = []fit.Kind{
	fit.FewCustomers, fit.FewRepeaters, fit.ShortHistory, fit.NoDropout, fit.NoMeanSpend, fit.AtBound, fit.NotConverged,
}

// blocked are the reasons not to use a fit, those that explain others first; none
// is best.
func blocked(findings []fit.Finding) []string {
	var out []string
	for _, kind := range blocking {
		for _, f := range findings {
			if f.Kind == kind {
				out = append(out, explain(f))
			}
		}
	}
	return out
}

// cautions are what a fit leaves open that is used all the same.
func cautions(findings []fit.Finding, notIdentified []string) []string {
	var out []string
	for _, f := range findings {
		if f.Kind == fit.Flat && len(notIdentified) == 0 {
			out = append(out, explain(f))
		}
	}
	return out
}

// explain says what a finding means.
func explain(f fit.Finding) string {
	switch f.Kind {
	case fit.FewCustomers:
		return fmt.Sprintf("too few customers: %.0f, at least %d are needed", f.Value, fit.LeastCustomers)
	case fit.FewRepeaters:
		return fmt.Sprintf("too few customers who bought again: %.0f, at least %d are needed", f.Value, fit.LeastRepeaters)
	case fit.ShortHistory:
		return fmt.Sprintf("too short a history: %.0f days, at least %d are needed", f.Value, fit.LeastDays)
	case fit.NoDropout:
		return fmt.Sprintf("dropout not identified: that customers leave can't be told from this history (twice the gain in ln L is %.2f)", max(0, f.Value))
	case fit.NoMeanSpend:
		return "the fitted spend has no finite mean"
	case fit.AtBound:
		return fmt.Sprintf("%s not identified: the likelihood still rises at %.4g, where the model's range ends", f.Parameter, f.Value)
	case fit.Flat:
		return fmt.Sprintf("%s is uncertain: it could be ten times as large or as small as %.4g", f.Parameter, f.Value)
	default:
		return "the search ended elsewhere than at a maximum"
	}
}

// spendOf fits the spend of the repeaters. Those whose purchases add up to nothing
// say nothing to the model and are counted apart. Fewer than least aren't enough.
func spendOf(customers []Customer, minorPerUnit float64, options fit.Options, least int64) (model btyd.GammaGamma, spend Spend) {
	spends := fit.Spends{}
	for i := range customers {
		c := &customers[i]
		switch {
		case c.History.X == 0:
		case c.SpendMinor <= 0:
			spend.WithoutMoney++
		default:
			spends.Add(fit.Spend{X: c.History.X, Total: c.SpendMinor}, 1)
		}
	}
	fitted, err := fit.GammaGamma(spends, minorPerUnit, options)
	if err != nil {
		spend.NotIdentified = []string{err.Error()}
		return model, spend
	}
	spend.Report = &fitted.Report
	findings := slices.DeleteFunc(slices.Clone(fitted.Findings), func(f fit.Finding) bool { return f.Kind == fit.FewRepeaters }) // least says it
	spend.NotIdentified = blocked(findings)
	if n := fitted.Report.Customers; n < least {
		spend.NotIdentified = append(spend.NotIdentified, fmt.Sprintf("too few customers who bought again and paid: %d, at least %d are needed", n, least))
	}
	if r := fitted.SpendCorrelation; math.Abs(r) > MaxSpendCorrelation {
		spend.NotIdentified = append(spend.NotIdentified,
			fmt.Sprintf("independence violated: how often and how much customers buy have a correlation of %.2f, at most ±%.1f is supposed", r, MaxSpendCorrelation))
	}
	spend.Cautions = cautions(fitted.Findings, spend.NotIdentified)
	return fitted.Model, spend
}

// standIn is a spend model for tables of which only the purchases are read.
var standIn = btyd.GammaGamma{P: 1, Q: 2, Gamma: 1}

// prediction is what a model says of each customer, customers in their order.
type prediction struct {
	expected, buys             []float64
	money, moneyLow, moneyHigh []float64
	moneyMass                  float64 // mean probability that the intervals of money have by the model
	meanAlive                  float64
}

// predict asks a model about each customer, by the same tables that score live
// customers.
func predict(model btyd.PurchaseModel, spend btyd.GammaGamma, customers []Customer, w Window, minorPerUnit float64) (*prediction, error) {
	table, err := btyd.NewTable(model, spend, btyd.Terms{HorizonDays: int(w.HorizonDays), ChurnDays: int(w.HorizonDays)})
	if err != nil {
		return nil, err
	}
	p := new(prediction)
	n := float64(len(customers))
	for i := range customers {
		c := &customers[i]
		h := c.History
		s := table.Score(int(h.X), int(h.Last-h.First), int(w.Until-h.First), c.MeanSpend(minorPerUnit))
		p.expected, p.buys = append(p.expected, s.Expected), append(p.buys, s.PBuysHorizon)
		p.money, p.moneyLow, p.moneyHigh = append(p.money, s.Value), append(p.moneyLow, s.ValueLow), append(p.moneyHigh, s.ValueHigh)
		p.moneyMass += moneyMass(1-s.PBuysHorizon) / n
		p.meanAlive += s.PAlive / n
	}
	return p, nil
}

// numbers is what a model says of how many purchases each customer makes.
type numbers struct {
	least, most  []float64 // that the interval holds
	mass         float64   // mean probability that the intervals have by the model
	distribution []float64 // as in Result
}

// numbersOf asks a model for the probability of each number.
func numbersOf(model btyd.PurchaseModel, customers []Customer, w Window) *numbers {
	p := &numbers{distribution: make([]float64, mostPurchases+1)}
	known := make(map[fit.History]counts)
	for i := range customers {
		h := customers[i].History
		n, ok := known[h]
		if !ok {
			n = countsOf(model, h, w)
			known[h] = n
		}
		p.least, p.most = append(p.least, n.least), append(p.most, n.most)
		p.mass += n.mass / float64(len(customers))
		for k, probability := range n.distribution {
			p.distribution[k] += probability
		}
	}
	return p
}

// moneyMass is the probability that the interval of a customer's money has, who
// buys nothing with a probability: it begins at 0 where more than a tenth pay
// nothing, and is 0 alone where nine tenths do.
func moneyMass(nothing float64) float64 {
	const tail = (1 - Level) / 2
	switch {
	case nothing >= 1-tail:
		return nothing
	case nothing >= tail:
		return 1 - tail
	}
	return Level
}

// counts is what a model says of the number of a customer's purchases.
type counts struct {
	// least and most are the numbers between the quantiles of Level, mass is their probability together, which is above
	// Level, since numbers are whole.
	least, most, mass float64
	distribution      [mostPurchases + 1]float64
}

// countsOf asks for each number until what is left is in the upper tail.
func countsOf(model btyd.PurchaseModel, h fit.History, w Window) counts {
	const tail, patience = (1 - Level) / 2, 100_000
	x, tx, age, horizon := int(h.X), float64(h.Last-h.First)/week, float64(w.Until-h.First)/week, float64(w.HorizonDays)/week
	below := 0.0 // probability of fewer than n
	out := counts{least: -1}
	for n := 0; n < patience && (n < mostPurchases || below < 1-tail); n++ {
		p := model.PMF(x, tx, age, horizon, n)
		if out.least < 0 && below+p > tail {
			out.least = float64(n)
		}
		if out.least >= 0 && below < 1-tail {
			out.most, out.mass = float64(n), out.mass+p
		}
		if n < mostPurchases {
			out.distribution[n] = p
		}
		below += p
		if n == mostPurchases-1 {
			out.distribution[mostPurchases] = max(0, 1-below)
		}
	}
	return out
}

// judged judges numbers and their order.
func judged(predicted, actual []float64) *Judgement {
	deciles := evaluate.Groups(predicted, actual, 10)
	return &Judgement{
		Errors: evaluate.ErrorsOf(predicted, actual), DecileMAPE: evaluate.MAPE(deciles),
		Deciles: deciles, Order: evaluate.OrderOf(predicted, actual),
	}
}
