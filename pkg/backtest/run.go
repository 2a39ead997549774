package backtest

import (
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

// Result is what a backtest found out. What can't be said is NaN or nil.
type Result struct {
	Window Window
	// FirstDay is the day of the first purchase in the ledger.
	FirstDay int32
	// Customers were known at the cut, Repeaters of them bought on another day, too; Later came after the cut.
	Customers, Repeaters, Later int
	// RepeatTransactions were made before the cut, HorizonTransactions and HorizonMoney (units of money) in the horizon.
	RepeatTransactions, HorizonTransactions int64
	HorizonMoney                            float64

	Spend Spend
	// Methods are the models, then the baselines.
	Methods []Method
	Choice  Choice
	// Steps are the ends of the weeks of tracking, ActualRepeats the repeat transactions to each of them.
	Steps         []int32
	ActualRepeats []float64
	// Distribution is how many customers made 0, 1, 2 … purchases in the horizon; the last entry is that many and more.
	Distribution []float64
}

// Method is a way to predict, and what came of it.
type Method struct {
	Name     string
	Baseline bool
	// Report is the fit of the purchase model; nil for baselines and where there was none.
	Report *fit.Report
	// NotIdentified are the reasons for which nothing is predicted; Cautions are what the data leaves open beside that.
	NotIdentified, Cautions []string

	// Purchases in the horizon, and Money in it; Money is nil where spend isn't identified.
	Purchases, Money *Judgement
	// Buys is how good the probabilities of any purchase in the horizon are; nil for baselines.
	Buys *evaluate.Probabilities
	// PurchaseInterval and MoneyInterval are how often the interval held what came.
	PurchaseInterval, MoneyInterval *Interval
	Tracking                        *Tracking
	// Distribution is Result's as the model expects it.
	Distribution []float64
	// MeanAlive is the mean P(alive) at the cut.
	MeanAlive float64
}

// Judgement is how good numbers and their order are.
type Judgement struct {
	// OrderOnly says that the method gives no numbers: Errors, DecileMAPE and Deciles mean nothing.
	OrderOnly  bool
	Errors     evaluate.Errors
	DecileMAPE float64
	Deciles    []evaluate.Group
	Order      evaluate.Order
}

// Interval compares how much of what came an interval was to hold with how much it held.
type Interval struct {
	// Expected is the mean probability that the model gives to the interval: Level, or more, because numbers are whole and
	// many customers pay nothing.
	Expected, Covered float64
}

// Tracking is the weekly repeat transactions as a model expects them, accumulated.
type Tracking struct {
	Expected []float64
	// CutErrorPercent and EndErrorPercent are by how much Expected is above what happened, at the cut and at the end of the
	// horizon; HorizonMAPE is the mean of the absolute error over the weeks of the horizon.
	CutErrorPercent, EndErrorPercent, HorizonMAPE float64
}

// Spend is the fit of the spend model.
type Spend struct {
	Report *fit.Report
	// NotIdentified and Cautions are as those of a Method.
	NotIdentified, Cautions []string
	// WithoutMoney are repeaters whose repeat transactions add up to nothing: they are left out of the fit.
	WithoutMoney int
}

// Choice is the model that the product would have used.
type Choice struct {
	Model, Reason string
	// Trials are the models on the last RehearsalDays of the past.
	Trials        []Trial
	RehearsalDays int32
}

// Trial is a model on a part of the past. NaN: it couldn't be fitted to what was before.
type Trial struct {
	Model     string
	MAE, Gini float64
}

// mostPurchases is the last entry of a distribution.
const mostPurchases = 10

// Run cuts a ledger and judges every method. minorPerUnit is how many minor units
// a unit of money has. An error says that there is nothing to be judged.
func Run(l *Ledger, w Window, minorPerUnit float64) (*Result, error) {
	first, _, ok := l.Span()
	if !ok {
		return nil, errNoPurchase
	}
	if err := w.validate(first); err != nil {
		return nil, err
	}
	customers, later := l.Split(w)
	r := &Result{Window: w, FirstDay: first, Customers: len(customers), Later: later, Steps: stepsOf(first, w)}
	r.ActualRepeats = l.actualRepeats(w, r.Steps)
	r.Distribution = make([]float64, mostPurchases+1)
	minor := int64(0)
	purchases, money, happened := futureOf(customers), futureMoneyOf(customers, minorPerUnit), make([]bool, len(customers))
	for i := range customers {
		c := &customers[i]
		if c.History.X > 0 {
			r.Repeaters++
		}
		r.RepeatTransactions += int64(c.History.X)
		r.HorizonTransactions += int64(c.Future)
		minor += c.FutureMinor
		happened[i] = c.Future > 0
		r.Distribution[min(c.Future, mostPurchases)]++
	}
	r.HorizonMoney = float64(minor) / minorPerUnit

	spend := standIn
	fittedSpend, report := spendOf(customers, minorPerUnit, fit.Options{}, fit.LeastRepeaters)
	r.Spend = report
	if len(report.NotIdentified) == 0 {
		spend = fittedSpend
	}
	base := baseOf(customers)
	for _, f := range families {
		m := Method{Name: f.name}
		model, fitted, err := f.fit(base, w.Until, fit.Options{})
		if err != nil {
			m.NotIdentified = []string{err.Error()}
			r.Methods = append(r.Methods, m)
			continue
		}
		m.Report, m.NotIdentified = &fitted, blocked(fitted.Findings)
		m.Cautions = cautions(fitted.Findings, m.NotIdentified)
		if len(m.NotIdentified) == 0 {
			if err := m.judge(r, model, spend, customers, purchases, money, happened, minorPerUnit); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		r.Methods = append(r.Methods, m)
	}
	for i := range baselines {
		r.Methods = append(r.Methods, baselines[i].judge(customers, w, purchases, money, minorPerUnit))
	}
	r.Choice = l.choose(r.Methods, w)
	return r, nil
}

// judge asks a fitted model about all customers and compares.
func (m *Method) judge(r *Result, model btyd.PurchaseModel, spend btyd.GammaGamma, customers []Customer, purchases, money []float64, happened []bool, minorPerUnit float64) error {
	p, err := predict(model, spend, customers, r.Window, minorPerUnit)
	if err != nil {
		return err
	}
	m.Purchases = judged(p.expected, purchases)
	buys := evaluate.ProbabilitiesOf(p.buys, happened)
	m.Buys = &buys
	n := numbersOf(model, customers, r.Window)
	m.PurchaseInterval = &Interval{Expected: n.mass, Covered: evaluate.Coverage(n.least, n.most, purchases)}
	if len(r.Spend.NotIdentified) == 0 {
		m.Money = judged(p.money, money)
		m.MoneyInterval = &Interval{Expected: p.moneyMass, Covered: evaluate.Coverage(p.moneyLow, p.moneyHigh, money)}
	}
	m.Tracking = tracking(expectedRepeats(model, customers, r.Steps), r.ActualRepeats, r.Steps, r.Window)
	m.Distribution, m.MeanAlive = n.distribution, p.meanAlive
	return nil
}

// baseOf is the customers as a fit takes them.
func baseOf(customers []Customer) fit.Base {
	base := fit.Base{}
	for i := range customers {
		base.Add(customers[i].History, 1)
	}
	return base
}

// futureOf is the purchases in the horizon.
func futureOf(customers []Customer) []float64 {
	out := make([]float64, len(customers))
	for i := range customers {
		out[i] = float64(customers[i].Future)
	}
	return out
}

// futureMoneyOf is the money in the horizon, in units.
func futureMoneyOf(customers []Customer, minorPerUnit float64) []float64 {
	out := make([]float64, len(customers))
	for i := range customers {
		out[i] = float64(customers[i].FutureMinor) / minorPerUnit
	}
	return out
}
