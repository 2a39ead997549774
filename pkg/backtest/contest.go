package backtest

import (
	"fmt"
	"math"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

// Champion is the model in force.
type Champion struct {
	// Label names it for people.
	Label     string
	Purchases btyd.PurchaseModel
	// Spend is nil where it foretells none.
	Spend *btyd.GammaGamma
	// OfParent says that the model is that of the whole of which this population is a part: a model of its own must then be
	// clearly better, since otherwise there would be one more for nothing.
	OfParent bool
}

// Verdict is what a contest comes to.
type Verdict int

// The verdicts.
const (
	// Undecided: nothing could be compared.
	Undecided Verdict = iota
	// Accepted: the candidate is no worse than the champion and the baselines.
	Accepted
	// Refused: it is worse than one of them.
	Refused
)

// Role is what a method is compared as.
type Role int

// The roles.
const (
	Challenger Role = iota
	InForce
	Baseline
)

// Entry is a method in a contest, and how good it was in the window. NaN: it
// doesn't say.
type Entry struct {
	Name          string
	Role          Role
	NotIdentified []string
	// MAE and Gini are those of the purchases, MoneyGini is that of the money. A model without spend is taken as a score takes it:
	// with the customer's own mean.
	MAE, Gini, MoneyGini float64
	// LogScore is the mean logarithm of the probability given to the number of purchases that each customer made (Good 1952): the
	// one figure that can't be bettered by saying anything but what one believes.
	LogScore float64

	logs []float64 // of each customer
	// ofMoney says of a baseline that it is meant for the order of money.
	ofMoney bool
	// ofParent is Champion's.
	ofParent bool
}

// Contest compares what could be published with what is in force.
type Contest struct {
	Window Window
	// Customers were known before the window, Transactions are the days on which they bought in it; of large populations, those
	// of a part by which methods are compared.
	Customers    int
	Transactions int64
	Entries      []Entry
	Verdict      Verdict
	Reason       string
	// Candidate is fitted to all up to the end of the window; nil where no model is identified.
	Candidate *Fitted
}

const (
	// leastTransactions in the window tell methods apart.
	leastTransactions = 100
	// contestTolerance is by how much the candidate's order may be worse than that of what it is compared with.
	contestTolerance = .05
	// contestErrors is how many standard errors the candidate's log score may be below the champion's.
	contestErrors = 2
)

// Contest fits every family to what was before the window, compares them in it with
// the champion and with two baselines (recency; past spend), and says whether one
// of them is to be published. champion and parent may be nil.
//
// Candidates stand in the order in which a backtest chooses, and the first that isn't
// refused is taken. One is refused where its log score
// is below the champion's by more than two standard errors of the difference over
// customers, or its order worse than the champion's by more than 5 %, or its order of
// purchases so much worse than recency's or that of money than past spend's, unless
// the champion's is, too. The mean
// absolute error has no say against the champion: where most buy nothing, it is
// least for who foretells nothing. A champion that was fitted to data of the window has seen
// what it is asked: choose a window that begins after its training.
func (l *Ledger) Contest(w Window, minorPerUnit float64, champion *Champion, parent *Parent) *Contest {
	c := &Contest{Window: w}
	first, _, ok := l.Span()
	if !ok {
		c.Reason = errNoPurchase.Error()
		return c
	}
	if err := w.validate(first); err != nil {
		c.Reason = err.Error()
		return c
	}
	customers, _ := l.Split(w)
	if !parent.applies(customers) {
		parent = nil
	}
	r := newRink(w, customers, minorPerUnit)
	c.Customers = len(r.customers)
	for i := range r.customers {
		c.Transactions += int64(r.customers[i].Future)
	}
	candidates := parent.families()
	base := baseOf(customers)
	spend, aboutSpend := parent.spendOf(customers, minorPerUnit)
	for _, f := range candidates {
		e := Entry{Name: f.name, Role: Challenger}
		unsaid(&e)
		model, report, err := f.fit(base, w.Until, parent.options())
		if err != nil {
			e.NotIdentified = []string{err.Error()}
		} else if e.NotIdentified = parent.blocked(report.Findings); len(e.NotIdentified) == 0 {
			foretold := &spend
			if len(aboutSpend.NotIdentified) > 0 {
				foretold = nil
			}
			r.ask(&e, model, foretold)
		}
		c.Entries = append(c.Entries, e)
	}
	if champion != nil {
		e := Entry{Name: champion.Label, Role: InForce, ofParent: champion.OfParent}
		unsaid(&e)
		r.ask(&e, champion.Purchases, champion.Spend)
		c.Entries = append(c.Entries, e)
	}
	for i := range baselines {
		if !baselines[i].rates {
			c.Entries = append(c.Entries, r.order(&baselines[i]))
		}
	}
	c.decide(l, candidates, minorPerUnit, parent)
	return c
}

// rink is where methods are compared.
type rink struct {
	window           Window
	customers        []Customer
	minorPerUnit     float64
	purchases, money []float64
}

// mostCompared bounds the customers by which methods are compared: of more every
// n-th is taken, in the order of the keys. Fits take all.
const mostCompared = 50_000

func newRink(w Window, customers []Customer, minorPerUnit float64) *rink {
	r := &rink{window: w, minorPerUnit: minorPerUnit, customers: customers}
	if n := (len(customers) + mostCompared - 1) / mostCompared; n > 1 {
		r.customers = nil
		for i := 0; i < len(customers); i += n {
			r.customers = append(r.customers, customers[i])
		}
	}
	r.purchases, r.money = futureOf(r.customers), futureMoneyOf(r.customers, minorPerUnit)
	return r
}

func unsaid(e *Entry) {
	e.MAE, e.Gini, e.MoneyGini, e.LogScore = math.NaN(), math.NaN(), math.NaN(), math.NaN()
}

// ask judges a model.
func (r *rink) ask(e *Entry, model btyd.PurchaseModel, spend *btyd.GammaGamma) {
	table := standIn
	if spend != nil {
		table = *spend
	}
	p, err := predict(model, table, r.customers, r.window, r.minorPerUnit)
	if err != nil {
		e.NotIdentified = []string{err.Error()}
		return
	}
	e.MAE, e.Gini = evaluate.ErrorsOf(p.expected, r.purchases).MAE, evaluate.Gini(p.expected, r.purchases)
	money := p.money
	if spend == nil { // a score then takes the customer's own mean
		for i := range r.customers {
			c := &r.customers[i]
			money[i] = p.expected[i] * float64(c.FirstMinor+c.SpendMinor) / float64(c.History.X+1)
		}
	}
	e.MoneyGini = evaluate.Gini(money, r.money)
	e.logs = r.logsOf(model)
	sum := 0.0
	for _, v := range e.logs {
		sum += v
	}
	e.LogScore = sum / float64(len(e.logs))
}

// logsOf are the logarithms of the probabilities of what each customer did.
func (r *rink) logsOf(model btyd.PurchaseModel) []float64 {
	type did struct {
		x, tx, age, n int32
	}
	known := make(map[did]float64)
	logs := make([]float64, len(r.customers))
	for i := range r.customers {
		h := r.customers[i].History
		d := did{h.X, h.Last - h.First, r.window.Until - h.First, r.customers[i].Future}
		v, ok := known[d]
		if !ok {
			p := model.PMF(int(d.x), float64(d.tx)/week, float64(d.age)/week, float64(r.window.HorizonDays)/week, int(d.n))
			v = math.Log(max(p, math.SmallestNonzeroFloat64))
			known[d] = v
		}
		logs[i] = v
	}
	return logs
}

// order judges a baseline.
func (r *rink) order(b *baseline) Entry {
	e := Entry{Name: b.name, Role: Baseline, ofMoney: b.ofMoney}
	unsaid(&e)
	scores := b.scores(r.customers, r.window)
	e.Gini, e.MoneyGini = evaluate.Gini(scores, r.purchases), evaluate.Gini(scores, r.money)
	return e
}

// decide comes to the verdict: that of the first candidate which is accepted, else
// that of the first.
func (c *Contest) decide(l *Ledger, candidates []family, minorPerUnit float64, parent *Parent) {
	// The entries begin with the candidates; one that isn't identified says nothing.
	order := ranked(len(candidates), func(i int) (mae, gini float64) { return c.Entries[i].MAE, c.Entries[i].Gini })
	if len(order) == 0 {
		c.Reason = "no model is identified on this history"
		for i := range candidates {
			if reasons := c.Entries[i].NotIdentified; len(reasons) > 0 {
				c.Reason += "; " + c.Entries[i].Name + ": " + reasons[0]
				break
			}
		}
		return
	}
	if c.Transactions < leastTransactions {
		c.Reason = fmt.Sprintf("too few purchases in the last %d days to compare by: %d, at least %d are needed", c.Window.HorizonDays, c.Transactions, leastTransactions)
		return
	}
	end := c.Window.Until + c.Window.HorizonDays
	for n, at := range order {
		verdict, reason := c.judge(&c.Entries[at])
		if verdict != Accepted && n > 0 {
			continue
		}
		whole, err := l.fitUntil(&candidates[at], end, minorPerUnit, parent)
		if verdict == Accepted && err != nil {
			verdict, reason = Undecided, err.Error()
		}
		c.Verdict, c.Reason, c.Candidate = verdict, reason, whole
		if verdict == Accepted {
			return
		}
	}
}

// judge comes to the verdict on one candidate. A baseline that the champion doesn't
// reach either doesn't protect it.
func (c *Contest) judge(candidate *Entry) (Verdict, string) {
	against := "no model is in force; no worse than the baselines"
	var champion *Entry
	for i := range c.Entries {
		e := &c.Entries[i]
		if e.Role == Challenger || e.Role == Baseline && champion != nil && champion.worseThan(e) != "" {
			continue
		}
		if worse := candidate.worseThan(e); worse != "" {
			than := "worse than"
			if e.ofParent {
				than = "not clearly better than"
			}
			return Refused, fmt.Sprintf("%s is %s %s in the last %d days: %s", candidate.Name, than, e.Name, c.Window.HorizonDays, worse)
		}
		if e.Role == InForce { // it comes before the baselines
			champion = e
			against = fmt.Sprintf("no worse than %s: mean ln probability %.4f against %.4f, Gini %.3f against %.3f",
				e.Name, candidate.LogScore, e.LogScore, candidate.Gini, e.Gini)
		}
	}
	return Accepted, fmt.Sprintf("%s in the last %d days: %s", candidate.Name, c.Window.HorizonDays, against)
}

// worseThan says in what e is worse than the other; "": in nothing. What either
// doesn't say isn't compared.
func (e *Entry) worseThan(other *Entry) string {
	if len(e.logs) > 0 && len(other.logs) > 0 {
		mean, standardError := difference(e.logs, other.logs)
		if least := contestErrors * standardError; mean < -least || other.ofParent && mean < least {
			return fmt.Sprintf("mean ln probability %.4f against %.4f, with a standard error of the difference of %.4f", e.LogScore, other.LogScore, standardError)
		}
	}
	for _, f := range []struct {
		name        string
		own, others float64
		compared    bool // a baseline is good at one of them
	}{
		{"Gini of purchases", e.Gini, other.Gini, other.Role == InForce || !other.ofMoney},
		{"Gini of money", e.MoneyGini, other.MoneyGini, other.Role == InForce || other.ofMoney},
	} {
		if f.compared && f.others-f.own > contestTolerance*math.Abs(f.others) {
			return fmt.Sprintf("%s %.4f against %.4f", f.name, f.own, f.others)
		}
	}
	return ""
}

// difference is the mean of a − b and its standard error.
func difference(a, b []float64) (mean, standardError float64) {
	n := float64(len(a))
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	squares := 0.0
	for i := range a {
		d := a[i] - b[i] - mean
		squares += d * d
	}
	return mean, math.Sqrt(squares / n / max(1, n-1))
}
