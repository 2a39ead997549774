package backtest

import (
	"fmt"
	"math"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

// Contract is what became of one contract.
type Contract struct {
	// Began is its first day, Period the length of its periods in days.
	Began, Period int32
	// Renewals counts those that were made.
	Renewals int32
	// Ended is the day on which it ended, Left says that the customer left it then or was dropped, and Returned is the day on which
	// he began another after that; 0: not so.
	Ended, Returned int32
	Left            bool
}

// Chance is a renewal as it looked on a day on which it was open, and what became of it.
type Chance struct {
	// Contract tells contracts apart: what becomes of the renewals of one goes together.
	Contract int32
	// Tenure counts the periods paid by then.
	Tenure int32
	// Day is the day of the look, Due when the renewal was due.
	Day, Due int32
	// Features are what was known by then; all chances have the same ones.
	Features []float64
	// Left says that it wasn't renewed, Involuntary that payments failed.
	Left, Involuntary bool
}

// ContractModel is a model of contracts: renewals by tenure, and what else counts.
type ContractModel struct {
	// Label names one in force for people.
	Label    string
	Renewals btyd.ContractModel
	// Leaving and Involuntary are nil where tenure alone counts, and where the two ways to leave aren't told apart.
	Leaving, Involuntary *btyd.RenewalHazard
	// Returns are the probabilities of coming back within so many days after a contract ended, see Contracts.ReturnDays; nil:
	// not known.
	Returns []float64
	// OfParent says that it is that of the whole of which these contracts are a part.
	OfParent bool
	// Contracts were fitted to, Renewed of them at least once, up to the end of the day Until.
	Contracts, Renewed int64
	Until              int32
}

// Contracts are the contracts of a population.
type Contracts struct {
	All     []Contract
	Chances []Chance
	// Features names those of the chances.
	Features []string
	// GraceDays is how long after it was due a renewal may come: only then is it known that it doesn't.
	GraceDays int32
	// HorizonDays is how soon somebody must come back to count, and ReturnDays from how many days after the end of a contract
	// the second, third … of ContractModel.Returns hold.
	HorizonDays int32
	ReturnDays  []int32
}

// What a fit needs.
const (
	LeastContracts = 500
	LeastLeft      = 100
	// leastSplit is how many must have left in the window, and by either way for the two to be told apart.
	leastSplit = 30
)

// ContractEntry is a method in a contest, and how good it was in the window. NaN: it
// doesn't say.
type ContractEntry struct {
	Name          string
	Role          Role
	NotIdentified []string
	// LogScore is the mean logarithm of the probability given to what became of each renewal.
	LogScore float64
	evaluate.Probabilities

	logs      []float64
	contracts []int32 // whose renewals they are
	ofParent  bool
}

// ContractContest compares what could be published with what is in force.
type ContractContest struct {
	Window Window
	// Chances are the renewals in the window by which methods are compared, Left those that weren't made.
	Chances, Left int
	Entries       []ContractEntry
	Verdict       Verdict
	Reason        string
	// Leaks names the features that were left out: what they told before the window they don't tell in it.
	Leaks []string
	// Candidate is fitted to everything; nil where no model is identified.
	Candidate *ContractModel
}

// Contest fits models of contracts to what was known before the window, compares them
// in it with the champion, which may be nil, and with the share that leaves whatever
// the customer, and says whether one is to be published: that with what else counts
// where its log score in the window isn't below that of tenure alone. It is refused
// where its log score is below the champion's or the baseline's by more than two
// standard errors of the difference over contracts, and by more than half a per cent;
// a part's must be above its parent's by two standard errors.
func (c *Contracts) Contest(w Window, champion *ContractModel) *ContractContest {
	out := &ContractContest{Window: w}
	older, newer := c.split(w)
	for i := range newer {
		if newer[i].Left {
			out.Left++
		}
	}
	out.Chances = len(newer)
	if out.Chances-out.Left < leastSplit || out.Left < leastSplit {
		out.Reason = fmt.Sprintf("too few renewals in the last %d days to compare by: %d, of which %d weren't made; at least %d of either are needed",
			w.HorizonDays, out.Chances, out.Left, leastSplit)
		return out
	}
	past, err := c.fit(w.Until, older, nil)
	if err != nil {
		out.Reason = err.Error()
		return out
	}
	var leaks []int
	if past.Leaving != nil {
		leaks = c.leaks(past.Renewals, older, newer)
		if len(leaks) > 0 {
			if past, err = c.fit(w.Until, older, leaks); err != nil {
				out.Reason = err.Error()
				return out
			}
		}
	}
	for _, f := range leaks {
		out.Leaks = append(out.Leaks, c.Features[f])
	}
	tenure := *past
	tenure.Leaving = nil
	out.ask(Challenger, tenureName(&tenure), &tenure, newer)
	if past.Leaving != nil {
		out.ask(Challenger, tenureName(&tenure)+" with signals", past, newer)
	}
	if champion != nil {
		out.ask(InForce, champion.Label, champion, newer)
		out.Entries[len(out.Entries)-1].ofParent = champion.OfParent
	}
	out.constant(older, newer)
	out.decide(c, leaks)
	return out
}

// Began is the first day on which a contract began; the greatest day where there is none.
func (c *Contracts) Began() int32 {
	first := int32(math.MaxInt32)
	for i := range c.All {
		first = min(first, c.All[i].Began)
	}
	return first
}

// FitUntil fits a model to what was known at the end of a day; nil where none is
// identified.
func (c *Contracts) FitUntil(until int32) *ContractModel {
	older, _ := c.split(Window{Until: until})
	m, err := c.fit(until, older, nil)
	if err != nil {
		return nil
	}
	return m
}

// split divides the chances: those of which it was known before the window what
// became of them, and those that came due in it.
func (c *Contracts) split(w Window) (older, newer []Chance) {
	for i := range c.Chances {
		switch chance := &c.Chances[i]; {
		case chance.Due+c.GraceDays <= w.Until:
			older = append(older, *chance)
		case chance.Due > w.Until && chance.Due <= w.Until+w.HorizonDays:
			newer = append(newer, *chance)
		}
	}
	return older, newer
}

// tenuresAt are the contracts as they were known at the end of a day. Who leaves before the end of a period counts when the
// renewal was due, as whoever stays does: else those who cancel early in their periods would be known long before
// the others, and more would seem to leave.
func (c *Contracts) tenuresAt(until int32) (tenures fit.Contracts, contracts, renewed, left int64) {
	tenures = fit.Contracts{}
	for i := range c.All {
		k := &c.All[i]
		if k.Began > until {
			continue
		}
		cell := fit.Contract{Renewals: min(k.Renewals, max(0, (until-c.GraceDays-k.Began)/max(1, k.Period)))}
		if k.Ended > 0 && max(k.Ended, k.Began+(k.Renewals+1)*k.Period)+c.GraceDays <= until {
			cell = fit.Contract{Renewals: k.Renewals, Churned: k.Left}
		}
		tenures.Add(cell, 1)
		contracts++
		if cell.Renewals > 0 {
			renewed++
		}
		if cell.Churned {
			left++
		}
	}
	return tenures, contracts, renewed, left
}

// likelihoodGain is by how much the log likelihood of BdW must exceed that of sBG for its third parameter to be worth
// having: Akaike's one, and half as much again against chance.
const likelihoodGain = 1.5

// fit fits all there is to fit to what was known at the end of a day. A hazard that
// isn't identified is left out.
func (c *Contracts) fit(until int32, chances []Chance, without []int) (*ContractModel, error) {
	tenures, contracts, renewed, left := c.tenuresAt(until)
	if contracts < LeastContracts || left < LeastLeft {
		return nil, fmt.Errorf("too few contracts: %d, of which %d ended by the customer; at least %d and %d are needed", contracts, left, LeastContracts, LeastLeft)
	}
	prior := fit.Options{Prior: &fit.Prior{}}
	simple, err := fit.SBG(tenures, prior)
	if err != nil {
		return nil, fmt.Errorf("sBG: %w", err)
	}
	m := &ContractModel{Renewals: simple.Model, Contracts: contracts, Renewed: renewed, Until: until}
	if steep, err := fit.BdW(tenures, prior); err == nil && steep.Report.LogLikelihood > simple.Report.LogLikelihood+likelihoodGain {
		m.Renewals = steep.Model
	}
	m.Returns = c.returns(until)
	rows := rowsOf(m.Renewals, chances, without, func(*Chance) bool { return true }, func(chance *Chance) bool { return chance.Left })
	m.Leaving = hazardOf(rows)
	rows = rowsOf(m.Renewals, chances, without, func(chance *Chance) bool { return chance.Left }, func(chance *Chance) bool { return chance.Involuntary })
	m.Involuntary = hazardOf(rows)
	return m, nil
}

// hazardOptions are those of all hazards.
var hazardOptions = fit.HazardOptions{LeastRows: 2 * leastSplit, LeastEach: leastSplit}

// calibrationShare is the latest part of the chances, by which a hazard is calibrated.
const calibrationShare = 4

// hazardOf fits a hazard and calibrates it on the latest rows; nil where it isn't
// identified.
func hazardOf(rows []fit.Renewal) *btyd.RenewalHazard {
	happened := 0
	for i := range rows {
		if rows[i].Left {
			happened++
		}
	}
	if min(happened, len(rows)-happened) < leastSplit {
		return nil
	}
	fitted, err := fit.RenewalHazard(rows, hazardOptions)
	if err != nil {
		return nil
	}
	model := fitted.Model
	slices.SortStableFunc(rows, func(a, b fit.Renewal) int { return int(a.At) - int(b.At) })
	// How far a fit is off is found out on rows that it hasn't seen, and holds for that to all of them.
	cut := len(rows) - len(rows)/calibrationShare
	if earlier, err := fit.RenewalHazard(rows[:cut], hazardOptions); err == nil {
		if _, by, err := fit.Calibrate(earlier.Model, rows[cut:]); err == nil {
			model = stretched(model, by)
		}
	}
	return &model
}

// stretched moves and stretches the log-odds of a hazard, where its parameters stay within their bounds.
func stretched(m btyd.RenewalHazard, by fit.Calibration) btyd.RenewalHazard {
	out := m
	out.Intercept, out.Tenure = by.Intercept+by.Slope*m.Intercept, by.Slope*m.Tenure
	out.Weights = slices.Clone(m.Weights)
	for j := range out.Weights {
		out.Weights[j] *= by.Slope
	}
	if out.Validate() != nil {
		return m
	}
	return out
}

// rowsOf makes rows of the chances that are asked for.
func rowsOf(renewals btyd.ContractModel, chances []Chance, without []int, wanted, happened func(*Chance) bool) []fit.Renewal {
	base := basesOf(renewals)
	rows := make([]fit.Renewal, 0, len(chances))
	for i := range chances {
		chance := &chances[i]
		if !wanted(chance) {
			continue
		}
		features := chance.Features
		if len(without) > 0 {
			features = slices.Clone(features)
			for _, f := range without {
				features[f] = 0
			}
		}
		rows = append(rows, fit.Renewal{Base: base(chance.Tenure), Features: features, Left: happened(chance), At: chance.Due})
	}
	return rows
}

// basesOf answers the log-odds of leaving by tenure.
func basesOf(renewals btyd.ContractModel) func(tenure int32) float64 {
	known := map[int32]float64{}
	return func(tenure int32) float64 {
		v, ok := known[tenure]
		if !ok {
			v = -btyd.LogOdds(renewals.Renewal(int(max(1, tenure))))
			known[tenure] = v
		}
		return v
	}
}

// leaks are the features that told in the past and don't in the window.
func (c *Contracts) leaks(renewals btyd.ContractModel, older, newer []Chance) []int {
	left := func(chance *Chance) bool { return chance.Left }
	// One look at each renewal: two would be taken for twice the evidence.
	all := func(chance *Chance) bool { return chance.Day <= chance.Due }
	leaks, err := fit.Leaks(rowsOf(renewals, older, nil, all, left), rowsOf(renewals, newer, nil, all, left), hazardOptions)
	if err != nil {
		return nil // there is too little to tell; the contest has said so where it matters
	}
	var found []int
	for _, l := range leaks {
		found = append(found, l.Feature)
	}
	return found
}

// returns are the shares that came back, of those who hadn't at each of the days.
func (c *Contracts) returns(until int32) []float64 {
	shares := make([]float64, len(c.ReturnDays)+1)
	for i := range shares {
		from := int32(0)
		if i > 0 {
			from = c.ReturnDays[i-1]
		}
		asked, came := 0., 0.
		for k := range c.All {
			v := &c.All[k]
			if v.Ended == 0 || v.Ended+from+c.HorizonDays > until || v.Returned > 0 && v.Returned-v.Ended < from {
				continue
			}
			asked++
			if v.Returned > 0 && v.Returned-v.Ended < from+c.HorizonDays {
				came++
			}
		}
		// One more, half of whom came: nobody is said to be sure to stay away, or to come, by a handful.
		shares[i] = (came + .5) / (asked + 1)
		if i > 0 && asked < leastSplit {
			shares[i] = min(shares[i], shares[i-1])
		}
	}
	return shares
}

func tenureName(m *ContractModel) string {
	if _, ok := m.Renewals.(btyd.BdW); ok {
		return "BdW"
	}
	return "sBG"
}

// probability is that of leaving at a renewal.
func (m *ContractModel) probability(base float64, chance *Chance) float64 {
	odds := base
	if m.Leaving != nil {
		odds = m.Leaving.LogOdds(base, chance.Features)
	}
	return btyd.Probability(odds)
}

// ask judges a model.
func (out *ContractContest) ask(role Role, name string, m *ContractModel, newer []Chance) {
	base := basesOf(m.Renewals)
	p := make([]float64, len(newer))
	for i := range newer {
		p[i] = m.probability(base(newer[i].Tenure), &newer[i])
	}
	out.enter(role, name, p, newer)
}

// constant judges the share that left before, whoever it is.
func (out *ContractContest) constant(older, newer []Chance) {
	left := 0.
	for i := range older {
		if older[i].Left {
			left++
		}
	}
	p := make([]float64, len(newer))
	for i := range p {
		p[i] = (left + .5) / (float64(len(older)) + 1)
	}
	out.enter(Baseline, "the share that leaves", p, newer)
}

func (out *ContractContest) enter(role Role, name string, p []float64, newer []Chance) {
	e := ContractEntry{Name: name, Role: role, logs: make([]float64, len(p)), contracts: make([]int32, len(p))}
	happened := make([]bool, len(p))
	for i := range p {
		happened[i], e.contracts[i] = newer[i].Left, newer[i].Contract
		right := p[i]
		if !happened[i] {
			right = 1 - p[i]
		}
		e.logs[i] = math.Log(max(right, math.SmallestNonzeroFloat64))
		e.LogScore += e.logs[i] / float64(len(p))
	}
	e.Probabilities = evaluate.ProbabilitiesOf(p, happened)
	out.Entries = append(out.Entries, e)
}

// hardlyWorse is the share of a log score by which a candidate may be below it whatever the standard error: with many renewals
// differences that nobody would notice are certain.
const hardlyWorse = .005

// decide comes to the verdict on the better of the candidates.
func (out *ContractContest) decide(c *Contracts, leaks []int) {
	best := &out.Entries[0]
	if second := &out.Entries[1]; second.Role == Challenger && second.LogScore >= best.LogScore {
		best = second
	}
	last := out.Window.Until + out.Window.HorizonDays
	older, _ := c.split(Window{Until: last + c.GraceDays})
	whole, err := c.fit(last, older, leaks)
	if err != nil {
		out.Reason = err.Error()
		return
	}
	if best == &out.Entries[0] {
		whole.Leaving = nil
	}
	out.Candidate = whole
	against := ""
	for i := range out.Entries {
		e := &out.Entries[i]
		if e.Role == Challenger {
			continue
		}
		mean, standardError := differenceByContract(best.logs, e.logs, e.contracts)
		least := contestErrors * standardError
		if mean < -max(least, hardlyWorse*math.Abs(e.LogScore)) || e.ofParent && mean < least {
			than := "worse than"
			if e.ofParent {
				than = "not clearly better than"
			}
			out.Verdict = Refused
			out.Reason = fmt.Sprintf("%s is %s %s in the last %d days: mean ln probability %.4f against %.4f, with a standard error of the difference of %.4f",
				best.Name, than, e.Name, out.Window.HorizonDays, best.LogScore, e.LogScore, standardError)
			return
		}
		if against == "" {
			against = fmt.Sprintf("%s (mean ln probability %.4f against %.4f)", e.Name, best.LogScore, e.LogScore)
		}
	}
	out.Verdict = Accepted
	out.Reason = fmt.Sprintf("%s in the last %d days: no worse than %s", best.Name, out.Window.HorizonDays, against)
	if len(out.Leaks) > 0 {
		out.Reason += fmt.Sprintf("; left out, because what they told before the window they no longer tell: %v", out.Leaks)
	}
}

// differenceByContract is the mean of a − b and its standard error, those of one contract taken together.
func differenceByContract(a, b []float64, contracts []int32) (mean, standardError float64) {
	n := float64(len(a))
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	sums := map[int32]float64{}
	for i := range a {
		sums[contracts[i]] += a[i] - b[i] - mean
	}
	squares := make([]float64, 0, len(sums))
	for _, sum := range sums {
		squares = append(squares, sum*sum)
	}
	slices.Sort(squares) // the same sum each time
	total := 0.0
	for _, v := range squares {
		total += v
	}
	return mean, math.Sqrt(total) / n
}
