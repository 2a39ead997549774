package trainer

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// centre is a simulated call centre whose customers have monthly contracts. Whether a customer leaves at a renewal depends on
// how often he renewed, and on what he showed by the middle of the period: tickets that stay open, complaints, answers,
// retention calls that reach nobody. A payment that fails is tried again; of those who leave so, it was involuntary.
type centre struct {
	*rand.Rand
	customers []*subscriber
}

type subscriber struct {
	name   string
	events []cltv.Event
	mood   float64
	began  int
	// left is the day on which he left, 0: he is still there.
	left int
	// odds are the true log-odds at the renewal that was open at the end.
	odds float64
	open bool // it was, and no payment had failed yet
	// leaves says that he leaves at it.
	leaves bool
}

const (
	centreDays    = 600
	centreFailing = .05 // of payments
	centreDropped = .4  // of those who then leave
)

func (c *centre) base(tenure int) float64 {
	return -btyd.LogOdds(btyd.SBG{Alpha: .9, Beta: 9}.Renewal(tenure))
}

// add notes an event of a customer on a day.
func (s *subscriber) add(kind cltv.Kind, day int, change func(*cltv.Event)) {
	at := int64(began+day)*testDay*1000 + testDay*400 + int64(len(s.events))
	ev := cltv.Event{Kind: kind, Tenant: "acme", Customer: s.name, Source: "crm", SourceEventID: fmt.Sprint(len(s.events)), OccurredAt: at, RecordedAt: at}
	change(&ev)
	s.events = append(s.events, ev)
}

// live lets a customer live up to a day: the open renewal stays open.
func (c *centre) live(s *subscriber, until int) {
	s.add(cltv.KindSubscriptionStarted, s.began, func(e *cltv.Event) {
		e.Ref, e.Parent, e.AmountMinor, e.Currency, e.Number, e.Product = "sub", "i0", 2000, "USD", 30, "basic"
		e.Until = e.OccurredAt + 30*testDay*1000
	})
	var complaints, unanswered []int
	openTickets, score := 0, 0.0
	for tenure := 1; ; tenure++ {
		from := s.began + 30*(tenure-1)
		due := from + 30
		for day := from; day < due && day < until; day++ {
			switch {
			case c.Float64() < .012*math.Exp(-.5*s.mood):
				ticket, complaint := fmt.Sprint("t", day), c.IntN(3) == 0
				s.add(cltv.KindTicketOpened, day, func(e *cltv.Event) { e.Ref, e.Flag = ticket, complaint })
				if complaint {
					complaints = append(complaints, day)
				}
				if c.IntN(4) > 0 {
					s.add(cltv.KindTicketResolved, day, func(e *cltv.Event) { e.Ref = ticket })
				} else {
					openTickets++
				}
			case c.Float64() < .008:
				score = math.Round(max(0, min(10, 7+2.2*s.mood+c.NormFloat64())))
				s.add(cltv.KindSurveyAnswer, day, func(e *cltv.Event) { e.Number = int32(score) })
			case c.Float64() < .006*math.Exp(-.4*s.mood):
				unanswered = append(unanswered, day)
				s.add(cltv.KindCall, day, func(e *cltv.Event) { e.Code, e.Code2, e.Flag = 5, 2, true })
			}
		}
		look := min(due, until)
		recent := func(days []int) float64 {
			n := 0
			for _, d := range days {
				if look-d <= 90 {
					n++
				}
			}
			return float64(min(n, 5))
		}
		odds := c.base(tenure) - .6 + .45*float64(min(openTickets, 5)) + .7*recent(complaints) + .5*recent(unanswered)
		if score > 0 {
			odds -= .25 * (score - 7)
		}
		fails := c.Float64() < centreFailing
		voluntary := c.Float64() < btyd.Probability(odds)
		if due >= until {
			p := btyd.Probability(odds)
			p = 1 - (1-p)*(1-centreFailing*centreDropped)
			s.odds, s.open, s.leaves = btyd.LogOdds(p), true, voluntary || fails && c.Float64() < centreDropped
			return
		}
		if fails {
			s.add(cltv.KindPaymentFailed, due, func(e *cltv.Event) { e.Ref, e.Parent, e.Number = fmt.Sprint("i", tenure), "sub", 1 })
		}
		switch {
		case fails && c.Float64() < centreDropped:
			s.left = due + 10
			if s.left < until {
				s.add(cltv.KindSubscriptionCancelled, s.left, func(e *cltv.Event) { e.Ref, e.Code = "sub", 2 })
			}
			return
		case voluntary && c.IntN(2) == 0:
			s.left = due
			s.add(cltv.KindSubscriptionCancelled, due, func(e *cltv.Event) { e.Ref, e.Code = "sub", 1 })
			return
		case voluntary:
			s.left = due // and just doesn't pay any more
			return
		}
		paid := due
		if fails {
			paid += 3
		}
		if paid >= until {
			return
		}
		s.add(cltv.KindSubscriptionRenewed, paid, func(e *cltv.Event) {
			e.Ref, e.Parent, e.AmountMinor, e.Currency = "sub", fmt.Sprint("i", tenure), 2000, "USD"
			e.Until = int64(began+due+30)*testDay*1000 + testDay*400
		})
	}
}

func newCentre(seed uint64, customers int) *centre {
	c := &centre{Rand: rand.New(rand.NewPCG(seed, 11))}
	for i := range customers {
		s := &subscriber{name: fmt.Sprint("c", i), mood: c.NormFloat64(), began: c.IntN(centreDays - 20)}
		c.live(s, centreDays)
		c.customers = append(c.customers, s)
	}
	return c
}

// TestCallCentre: from the events of 20,000 customers through the fold to a published model: on renewals that nobody has seen
// yet the scores are calibrated, and tell leavers as well as the true hazards do.
func TestCallCentre(t *testing.T) {
	seeds := uint64(3)
	if raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		c := newCentre(seed, 20_000)
		policy := &cltv.Policy{Number: 1, ChurnHorizonDays: 1, KeepMarks: 64, KeepTransactions: 64}
		before, _, err := (*cltv.Params)(nil).With(&cltv.Event{Kind: cltv.KindPolicySet, Policy: policy}, nil)
		if err != nil {
			t.Fatal(err)
		}
		trainer := newStates(slog.New(slog.DiscardHandler))
		now := int64(began+centreDays) * testDay
		take(t, trainer, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: now - 1, Policy: policy}))
		trainer.readAnew()
		states := make([]cltv.State, len(c.customers))
		var f cltv.Folder
		for i, s := range c.customers {
			for k := range s.events {
				if step := f.Fold(&states[i], &s.events[k], cltv.At{Offset: int64(k), Params: before, Clock: now - 1}); step.Outcome != cltv.Applied {
					t.Fatal(step.Outcome, step.Refusal)
				}
			}
			take(t, trainer, 0, "acme/"+s.name, states[i].AppendTo(nil))
		}
		situation, ok := trainer.situation("acme")
		if !ok {
			t.Fatal("nobody has said what time it is")
		}
		d := newDue(28, slog.New(slog.DiscardHandler))
		if !d.contractsNow(situation) {
			t.Fatal("a model of contracts isn't due")
		}
		var decision *perennialv1.ModelDecision
		for made := range situation.decideContracts(time.Unix(now, 0), 28, never) {
			decision = made
		}
		if decision.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED || decision.Candidate.Leaving == nil || decision.Candidate.Involuntary == nil {
			t.Fatalf("seed %d: %v: %s", seed, decision.Outcome, decision.Reason)
		}
		event, err := control.Publish("acme", decision.Candidate, time.Unix(now, 0))
		if err != nil {
			t.Fatal(err)
		}
		var ev cltv.Event
		decodeInto(t, event, &ev)
		params, _, err := before.With(&ev, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got, truth []float64
		var happened []bool
		for i, s := range c.customers {
			score := f.Score(&states[i], params)
			if !s.open || score.Contracts.Running == 0 {
				continue
			}
			got, truth, happened = append(got, float64(score.ChurnPPM)/1e6), append(truth, btyd.Probability(s.odds)), append(happened, s.leaves)
			sum := int64(0)
			for _, r := range cltv.Reasons(&states[i], params, &score) {
				sum += r.LogOddsPPM
			}
			p := float64(score.ChurnPPM) / 1e6
			if want := 1e6 * math.Log(p/(1-p)); math.Abs(float64(sum)-want) > 2+.6/(p*(1-p)) {
				t.Fatalf("reasons of %s add up to %d, should be %f", s.name, sum, want)
			}
		}
		model, best := evaluate.ProbabilitiesOf(got, happened), evaluate.ProbabilitiesOf(truth, happened)
		t.Logf("seed %d: %s; %d open renewals, %.1f %% not made; calibration error %.4f, AUC %.4f (truth %.4f, %.4f)", seed, decision.Reason,
			len(got), 100*model.Rate, model.CalibrationError, model.AUC, best.CalibrationError, best.AUC)
		if len(got) < 5000 || model.CalibrationError > .02 || math.Abs(model.AUC-best.AUC) > .02 || best.AUC < .65 {
			t.Errorf("seed %d: %d renewals, calibration error %.4f, AUC %.4f, the truth's is %.4f", seed, len(got), model.CalibrationError, model.AUC, best.AUC)
		}
	}
}

// decodeInto reads a record as the updater does.
func decodeInto(t *testing.T, e *perennialv1.Event, to *cltv.Event) {
	t.Helper()
	value, err := proto.Marshal(e)
	if err == nil {
		err = wire.DecodeEvent(value, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestContractsAreRefused: what is worse than the model in force isn't published, and too little is said to be too little.
func TestContractsAreRefused(t *testing.T) {
	c := newCentre(9, 6_000)
	trainer := newStates(slog.New(slog.DiscardHandler))
	now := int64(began+centreDays) * testDay
	var f cltv.Folder
	for _, s := range c.customers {
		var state cltv.State
		for k := range s.events {
			f.Fold(&state, &s.events[k], cltv.At{Offset: int64(k), Clock: now - 1})
		}
		take(t, trainer, 0, "acme/"+s.name, state.AppendTo(nil))
	}
	take(t, trainer, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: now - 1}))
	situation, _ := trainer.situation("acme")
	all := situation.contractsOf("")
	until := situation.day - situation.policy.GraceDays
	window := backtest.Window{Until: until - 60, HorizonDays: 60}
	champion := all.FitUntil(window.Until - 30)
	champion.Label = "a month ago"
	if contest := all.Contest(window, champion); contest.Verdict != backtest.Accepted {
		t.Errorf("after a month more: %v: %s", contest.Verdict, contest.Reason)
	}
	// Candidates that had only seen another population.
	lied := *all
	lied.Chances = slices.Clone(all.Chances)
	for i := range lied.Chances {
		if v := &lied.Chances[i]; v.Due <= window.Until {
			v.Left = !v.Left
		}
	}
	if contest := lied.Contest(window, champion); contest.Verdict != backtest.Refused {
		t.Errorf("a worse candidate: %v: %s", contest.Verdict, contest.Reason)
	}
	few := *all
	few.Chances = all.Chances[:40]
	if contest := few.Contest(window, nil); contest.Verdict != backtest.Undecided || contest.Candidate != nil {
		t.Errorf("few chances: %v: %s", contest.Verdict, contest.Reason)
	}
	// A part of the same population needs no model of its own.
	part := *all
	part.All, part.Chances = all.All[:len(all.All)/2], all.Chances[:len(all.Chances)/2]
	parent := all.FitUntil(window.Until)
	parent.Label, parent.OfParent = "the tenant's model", true
	if contest := part.Contest(window, parent); contest.Verdict != backtest.Refused {
		t.Errorf("a part like the whole: %v: %s", contest.Verdict, contest.Reason)
	}
}

// TestSettledRenewalsAreKnown: silent customers are looked at every rescore_days only, and yet of all renewals that models are judged
// by it is known what became of them.
func TestSettledRenewalsAreKnown(t *testing.T) {
	c := newCentre(10, 1_000)
	now := int64(began+centreDays) * testDay
	var left [2]int
	for lazy := range 2 {
		trainer := newStates(slog.New(slog.DiscardHandler))
		var f cltv.Folder
		for _, s := range c.customers {
			var state cltv.State
			for k := range s.events {
				f.Fold(&state, &s.events[k], cltv.At{Offset: int64(k)})
			}
			for next := int64(0); next < now; {
				if next = int64(state.DueDay()) * testDay; lazy == 0 {
					next = now
				}
				if next <= now {
					f.Fold(&state, &cltv.Event{Kind: cltv.KindReassess, Tenant: "acme", Customer: s.name, Until: 1000 * next, RecordedAt: 1000 * next, OccurredAt: 1000 * next},
						cltv.At{Offset: state.NextOffset(), Clock: next})
				}
			}
			take(t, trainer, 0, "acme/"+s.name, state.AppendTo(nil))
		}
		take(t, trainer, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: now - 1}))
		situation, _ := trainer.situation("acme")
		for _, chance := range situation.contractsOf("").Chances {
			if chance.Left && chance.Due <= situation.settled() && chance.Due > situation.settled()-28 {
				left[lazy]++
			}
		}
	}
	if left[0] < 50 || left[0] != left[1] {
		t.Errorf("%d left in the last 28 days, of which %d are known", left[0], left[1])
	}
}

// TestHoldersLetChancesGo: of too many renewals those of whole customers are kept, and counts stay right.
func TestHoldersLetChancesGo(t *testing.T) {
	h := &holders{all: map[string]holder{}}
	history := []cltv.ContractHistory{{Left: true, EndedDay: 1, Chances: make([]cltv.RenewalChance, 30)}, {}}
	const customers = 2*mostChances/30 + 100
	for i := range customers {
		name := fmt.Sprint(i)
		list := history
		if !h.looksAt(name) {
			list = []cltv.ContractHistory{{Left: true, EndedDay: 1}, {}}
		}
		h.set(name, "", list)
	}
	kept := 0
	for _, v := range h.all {
		kept += len(v.chances)
	}
	if h.chances > mostChances || h.chances < mostChances/4 || kept != h.chances || h.halvings == 0 {
		t.Errorf("%d chances are kept, %d are counted, after %d halvings", kept, h.chances, h.halvings)
	}
	if contracts, left := h.count(""); contracts != 2*customers || left != customers {
		t.Errorf("%d contracts, %d left", contracts, left)
	}
	for i := range customers {
		h.remove(fmt.Sprint(i))
	}
	if len(h.all) != 0 || h.chances != 0 {
		t.Errorf("%d customers and %d chances are left", len(h.all), h.chances)
	}
}

// BenchmarkContractTraining is a training of a model of contracts, states taken in already.
func BenchmarkContractTraining(b *testing.B) {
	for _, customers := range []int{20_000, 100_000} {
		b.Run(fmt.Sprint("customers=", customers), func(b *testing.B) {
			trainer := newStates(slog.New(slog.DiscardHandler))
			now := int64(began+centreDays) * testDay
			var f cltv.Folder
			for _, s := range newCentre(1, customers).customers {
				var state cltv.State
				for k := range s.events {
					f.Fold(&state, &s.events[k], cltv.At{Offset: int64(k), Clock: now - 1})
				}
				take(b, trainer, 0, "acme/"+s.name, state.AppendTo(nil))
			}
			take(b, trainer, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: now - 1}))
			situation, _ := trainer.situation("acme")
			b.ReportMetric(float64(situation.holders.chances), "renewals")
			for b.Loop() {
				for range situation.decideContracts(time.Unix(now, 0), 28, never) {
				}
			}
		})
	}
}
