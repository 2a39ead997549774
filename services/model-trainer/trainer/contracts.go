package trainer

import (
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// holders are the customers of a tenant who have or had a contract. A nil *holders
// has none.
type holders struct {
	all map[string]holder
	// chances counts those that are kept; of customers whose hash has one of the lowest halvings bits set none are.
	chances  int
	halvings int
}

type holder struct {
	segment   string
	contracts []backtest.Contract
	chances   []backtest.Chance
}

// mostChances bounds the renewals that hazards are fitted to, some 200 bytes each: where there are more, those of every
// second, fourth … customer are taken. Tenure is fitted to all contracts.
const mostChances = 300_000

// longestContractWindow is how many days of renewals a model of contracts is judged by at most.
const longestContractWindow = 90

// looksAt says whether the chances of a customer are kept.
func (h *holders) looksAt(name string) bool {
	if h == nil || h.halvings == 0 {
		return true
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return hash.Sum64()&(1<<h.halvings-1) == 0
}

func (h *holders) remove(name string) {
	if h != nil {
		h.chances -= len(h.all[name].chances)
		delete(h.all, name)
	}
}

// set puts the contracts of a customer in place of what was known of them.
func (h *holders) set(name, segment string, histories []cltv.ContractHistory) {
	h.remove(name)
	v := holder{segment: segment, contracts: make([]backtest.Contract, len(histories))}
	for i := range histories {
		c := &histories[i]
		v.contracts[i] = backtest.Contract{Began: c.BeganDay, Period: c.PeriodDays, Renewals: c.Renewals, Ended: c.EndedDay,
			Returned: c.ReturnedDay, Left: c.Left}
		for k := range c.Chances {
			chance := &c.Chances[k]
			v.chances = append(v.chances, backtest.Chance{Contract: int32(i), Tenure: chance.Tenure, Day: chance.Day, Due: chance.DueDay,
				Features: chance.Features[:], Left: chance.Left, Involuntary: chance.Involuntary})
		}
	}
	h.all[name] = v
	for h.chances += len(v.chances); h.chances > mostChances; {
		h.halve()
	}
}

// halve lets the chances of every second customer go.
func (h *holders) halve() {
	h.halvings++
	for name, v := range h.all {
		if len(v.chances) > 0 && !h.looksAt(name) {
			h.chances -= len(v.chances)
			v.chances = nil
			h.all[name] = v
		}
	}
}

// count counts the contracts of a segment, or of all, and those of them that the customer left.
func (h *holders) count(segment string) (contracts, left int) {
	for _, v := range h.all {
		if segment != "" && v.segment != segment {
			continue
		}
		contracts += len(v.contracts)
		for i := range v.contracts {
			if v.contracts[i].Left {
				left++
			}
		}
	}
	return contracts, left
}

// contractsOf are those of a segment, or of all, in the order of the customers' names.
func (s *situation) contractsOf(segment string) *backtest.Contracts {
	c := &backtest.Contracts{Features: cltv.FeatureNames(), GraceDays: s.policy.GraceDays, HorizonDays: s.policy.ChurnHorizonDays,
		ReturnDays: cltv.ReturnDays()}
	for _, name := range slices.Sorted(maps.Keys(s.holders.all)) {
		v := s.holders.all[name]
		if segment != "" && v.segment != segment {
			continue
		}
		for _, chance := range v.chances {
			chance.Contract += int32(len(c.All))
			c.Chances = append(c.Chances, chance)
		}
		c.All = append(c.All, v.contracts...)
	}
	return c
}

// decideContracts decides on the models of contracts of a tenant: its own first, then
// those of segments with as many contracts as a fit needs.
func (s *situation) decideContracts(at time.Time, least int32, rests func(*situation, slot) bool) iter.Seq[*perennialv1.ModelDecision] {
	return func(yield func(*perennialv1.ModelDecision) bool) {
		all := s.contractsOf("")
		if !yield(s.decideOnContracts("", all, nil, at, least)) {
			return
		}
		parents := map[int32]*backtest.ContractModel{} // many segments have the same window
		parent := func(until int32) *backtest.ContractModel {
			if _, known := parents[until]; !known {
				parents[until] = all.FitUntil(until)
			}
			return parents[until]
		}
		for _, segment := range s.contractSegments() {
			if !rests(s, slot{true, segment}) && !yield(s.decideOnContracts(segment, s.contractsOf(segment), parent, at, least)) {
				return
			}
		}
	}
}

// contractSegments are those with enough contracts, the largest where there are too many.
func (s *situation) contractSegments() []string {
	sizes := map[string]int{}
	for _, v := range s.holders.all {
		if v.segment != "" {
			sizes[v.segment] += len(v.contracts)
		}
	}
	segments := slices.DeleteFunc(slices.Sorted(maps.Keys(sizes)), func(segment string) bool {
		contracts, left := s.holders.count(segment)
		return contracts < backtest.LeastContracts || left < 2*backtest.LeastLeft
	})
	slices.SortStableFunc(segments, func(a, b string) int { return sizes[b] - sizes[a] })
	segments = segments[:min(len(segments), maxSegments)]
	slices.Sort(segments)
	return segments
}

// settled is the last day of which it is known whatever became of the renewals that were due. Nothing is heard of a contract that
// wasn't renewed: its state says so when it was looked at after the days of grace. Who renewed is known at once, so
// that any later day would have too few who left.
func (s *situation) settled() int32 { return s.day - s.policy.GraceDays - s.policy.RescoreDays }

// decideOnContracts decides on the model of contracts of a scope. The window is the
// latest days of which it is known what became of renewals, but none of which the
// model in force was fitted to.
func (s *situation) decideOnContracts(scope string, c *backtest.Contracts, parent func(until int32) *backtest.ContractModel, at time.Time, least int32) *perennialv1.ModelDecision {
	inForce := s.models[slot{true, scope}]
	known := s.settled()
	days := min(longestContractWindow, max(least, (known-c.Began())/windowShare))
	if until := control.DayOf(inForce.GetTrainedTo()); until > 0 {
		days = min(days, max(1, known-until))
	}
	window := backtest.Window{Until: known - days, HorizonDays: days}
	champion := control.Contracts(inForce)
	if champion == nil && parent != nil {
		if whole := parent(window.Until); whole != nil {
			ofTenant := *whole
			ofTenant.Label, ofTenant.OfParent = "the tenant's model", true
			champion = &ofTenant
		}
	}
	contest := c.Contest(window, champion)
	d := &perennialv1.ModelDecision{
		Tenant: s.tenant, Scope: scope, Contracts: true, DecidedAt: timestamppb.New(at), Outcome: outcomeOf(contest.Verdict), Reason: contest.Reason,
		WindowUntil: dateOf(s.day), Customers: int64(contest.Chances), Transactions: int64(contest.Chances - contest.Left),
	}
	for i := range contest.Entries {
		e := &contest.Entries[i]
		d.Trials = append(d.Trials, &perennialv1.ModelTrial{Name: e.Name, Role: roleOf(e.Role), LogScore: said(e.LogScore), Auc: said(e.AUC),
			CalibrationError: said(e.CalibrationError), Brier: said(e.Brier)})
		d.WindowFrom, d.JudgedUntil = dateOf(window.Until), dateOf(window.Until+window.HorizonDays)
	}
	if contest.Candidate != nil {
		d.Candidate = control.FittedContracts(contest.Candidate, c.Features, d.Reason)
		d.Candidate.Scope = scope
	}
	s.number(d, inForce, at)
	return d
}
