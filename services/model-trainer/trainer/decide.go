package trainer

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// maxSegments bounds how many segments of a tenant get models of their own; the
// updater takes 256 scopes.
const maxSegments = 200

// windowShare is the greatest part of the history that the window may have: a third.
const windowShare = 3

// parent is the model of the whole tenant that segments are compared with and shrunk
// to, and the last day that it was fitted to.
type parent struct {
	*backtest.Parent
	until int32
}

// decide decides on the models of purchases of a tenant: its own first, then those of its
// segments by their names, but for those that rest. What they are compared by is at
// least so many days.
func (s *situation) decide(at time.Time, least int32, rests func(*situation, slot) bool) iter.Seq[*perennialv1.ModelDecision] {
	return func(yield func(*perennialv1.ModelDecision) bool) {
		if len(s.customers) == 0 {
			return
		}
		all, bySegment := s.ledgers()
		decision := s.decideOn("", all, parent{}, at, least)
		if !yield(decision) {
			return
		}
		whole, ok := s.parent(decision, all)
		if !ok {
			return
		}
		for _, segment := range s.segments(bySegment) {
			if !rests(s, slot{scope: segment}) && !yield(s.decideOn(segment, bySegment[segment], whole, at, least)) {
				return
			}
		}
	}
}

// parent is the family of the tenant's model, fitted to what was before the longest
// window, so that it has seen nothing of what segments are compared by. Without a
// model of the tenant's there is none, nor where the family can't be fitted then.
func (s *situation) parent(decision *perennialv1.ModelDecision, all *backtest.Ledger) (parent, bool) {
	m := s.models[slot{}]
	if decision.Outcome == perennialv1.Outcome_OUTCOME_PUBLISHED {
		m = decision.Candidate
	}
	if m == nil {
		return parent{}, false
	}
	first, _, _ := all.Span()
	until := s.day - s.longest(first)
	fitted, err := all.ParentUntil(control.Purchases(m), until, s.minorPerUnit())
	return parent{fitted, until}, err == nil
}

// longest is the longest window: as many days as a customer may be silent by the
// policy, a third of the history at most.
func (s *situation) longest(first int32) int32 {
	return max(1, min(s.policy.ChurnHorizonDays, (s.day-first)/windowShare))
}

func (s *situation) minorPerUnit() float64 { return math.Pow10(cltv.MinorDigits(s.policy.Currency)) }

// segments are those with enough customers to be looked at: who has a model, then
// the largest, as many as may have one.
func (s *situation) segments(bySegment map[string]*backtest.Ledger) []string {
	segments := slices.DeleteFunc(slices.Sorted(maps.Keys(bySegment)), func(segment string) bool {
		return bySegment[segment].Customers() < backtest.LeastShrunkCustomers
	})
	slices.SortStableFunc(segments, func(a, b string) int { return bySegment[b].Customers() - bySegment[a].Customers() })
	room := maxSegments
	for at := range s.models {
		if !at.contracts {
			room--
		}
	}
	segments = slices.DeleteFunc(segments, func(segment string) bool {
		if s.models[slot{scope: segment}] != nil {
			return false
		}
		room--
		return room < 0
	})
	slices.Sort(segments)
	return segments
}

// window is the latest days, but none that the model in force, or the parent, was
// fitted to: it would have the advantage of having seen them, and keep it for ever
// where it is trained often. Without either it is short enough to leave a history
// that can be fitted to.
func (s *situation) window(first int32, inForce *perennialv1.ModelPublished, whole parent, least int32) backtest.Window {
	days := s.longest(first)
	if inForce == nil && whole.Parent == nil {
		days = min(days, max(least, s.day-first-fit.LeastDays))
	}
	if until := max(control.DayOf(inForce.GetTrainedTo()), whole.until); until > 0 {
		days = min(days, max(least, s.day-until))
	}
	return backtest.Window{Until: s.day - days, HorizonDays: days}
}

// decideOn decides on the model of a scope.
func (s *situation) decideOn(scope string, ledger *backtest.Ledger, whole parent, at time.Time, least int32) *perennialv1.ModelDecision {
	inForce := s.models[slot{scope: scope}]
	first, _, _ := ledger.Span()
	window := s.window(first, inForce, whole, least)
	contest := ledger.Contest(window, s.minorPerUnit(), champion(inForce, whole.Parent), whole.Parent)
	d := &perennialv1.ModelDecision{
		Tenant: s.tenant, Scope: scope, DecidedAt: timestamppb.New(at), Reason: contest.Reason,
		WindowUntil: dateOf(s.day), Customers: int64(contest.Customers), Transactions: contest.Transactions,
	}
	d.Outcome = outcomeOf(contest.Verdict)
	for i := range contest.Entries {
		d.Trials = append(d.Trials, trialOf(&contest.Entries[i]))
		d.WindowFrom = dateOf(window.Until)
	}
	if contest.Candidate != nil {
		if reasons := contest.Candidate.SpendNotIdentified; len(reasons) > 0 {
			d.Reason += "; a customer's own mean is taken for spend: " + reasons[0]
		}
		d.Candidate = control.Fitted(contest.Candidate, d.Reason)
		d.Candidate.Scope = scope
	}
	s.number(d, inForce, at)
	return d
}

// number gives a candidate that is to be published the next number, unless the updater
// would refuse it.
func (s *situation) number(d *perennialv1.ModelDecision, inForce *perennialv1.ModelPublished, at time.Time) {
	if d.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED {
		return
	}
	d.Candidate.Number = inForce.GetNumber() + 1
	if _, err := control.Publish(s.tenant, d.Candidate, at); err != nil {
		d.Outcome, d.Reason = perennialv1.Outcome_OUTCOME_UNDECIDED, fmt.Sprintf("the updater would refuse the candidate: %v", err)
		d.Candidate.Number = 0
	}
}

func outcomeOf(v backtest.Verdict) perennialv1.Outcome {
	switch v {
	case backtest.Accepted:
		return perennialv1.Outcome_OUTCOME_PUBLISHED
	case backtest.Refused:
		return perennialv1.Outcome_OUTCOME_REFUSED
	default:
		return perennialv1.Outcome_OUTCOME_UNDECIDED
	}
}

// ledgers are the purchases of all customers, and of those of each segment.
func (s *situation) ledgers() (all *backtest.Ledger, bySegment map[string]*backtest.Ledger) {
	all, bySegment = new(backtest.Ledger), map[string]*backtest.Ledger{}
	for name, c := range s.customers {
		all.Set(name, c.days)
		if c.segment == "" {
			continue
		}
		if bySegment[c.segment] == nil {
			bySegment[c.segment] = new(backtest.Ledger)
		}
		bySegment[c.segment].Set(name, c.days)
	}
	return all, bySegment
}

// champion is what a candidate of a scope is compared with: the model in force
// there, which for a segment without one is the tenant's.
func champion(inForce *perennialv1.ModelPublished, parent *backtest.Parent) *backtest.Champion {
	switch {
	case inForce != nil:
		return &backtest.Champion{
			Label:     fmt.Sprintf("number %d (%s)", inForce.Number, inForce.ModelId),
			Purchases: control.Purchases(inForce), Spend: control.Spend(inForce),
		}
	case parent != nil:
		return &backtest.Champion{Label: "the tenant's model", Purchases: parent.Purchases, Spend: parent.Spend, OfParent: true}
	default:
		return nil
	}
}

func trialOf(e *backtest.Entry) *perennialv1.ModelTrial {
	t := &perennialv1.ModelTrial{
		Name: e.Name, NotIdentified: e.NotIdentified,
		Mae: said(e.MAE), Gini: said(e.Gini), MoneyGini: said(e.MoneyGini), LogScore: said(e.LogScore),
	}
	t.Role = roleOf(e.Role)
	return t
}

func roleOf(r backtest.Role) perennialv1.Role {
	switch r {
	case backtest.InForce:
		return perennialv1.Role_ROLE_CHAMPION
	case backtest.Baseline:
		return perennialv1.Role_ROLE_BASELINE
	default:
		return perennialv1.Role_ROLE_CHALLENGER
	}
}

// said is nil for what isn't said.
func said(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func dateOf(day int32) *timestamppb.Timestamp {
	return timestamppb.New(control.DateOf(day))
}
