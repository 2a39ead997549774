package cltv

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// monthly is a contract of 30 days a period at 10.00 that began on day 0, and was paid on those days, too.
func monthly(id string, paid ...int) []Event {
	events := make([]Event, 0, len(paid)+1)
	for i, day := range append([]int{0}, paid...) {
		ev := order(day, 1000)
		ev.Kind, ev.Ref, ev.Parent, ev.Until = KindSubscriptionRenewed, id, fmt.Sprint(id, "-", day), ev.OccurredAt+30*testDay
		ev.SourceEventID = ev.Parent
		if i == 0 {
			ev.Kind, ev.Product, ev.Number = KindSubscriptionStarted, "basic", 30
		}
		events = append(events, ev)
	}
	return events
}

func fact(k Kind, day int, change func(*Event)) Event {
	ev := order(day, 0)
	ev.Kind, ev.Currency, ev.SourceEventID = k, "", fmt.Sprint(k, day)
	change(&ev)
	return ev
}

// judged folds events and scores them as of a day.
func judged(t *testing.T, params *Params, day int, events ...Event) (*State, Score) {
	t.Helper()
	var f Folder
	s := new(State)
	for i := range events {
		if step := f.Fold(s, &events[i], At{Offset: int64(i), Params: params}); step.Outcome != Applied {
			t.Fatalf("event %d: %v %v", i, step.Outcome, step.Refusal)
		}
	}
	reassess(s, params, testStart+int64(day)*testDay)
	return s, f.Score(s, params)
}

// byTenure is a model of contracts with round figures: β+n−1 of α+β+n−1 renew, 4 of 5 at the third renewal.
var byTenure = Model{Number: 7, ModelID: "tenure", SBG: btyd.SBG{Alpha: 1, Beta: 2}, ReturnPPM: []int32{300_000, 100_000, 20_000}}

// TestContractValue: by hand, renewals on days 90, 120 and 150 seen from day 75.
func TestContractValue(t *testing.T) {
	params := with(t, nil, modelEvent(byTenure), policyEvent(Policy{Number: 1, HorizonDays: 100, MarginPPM: 500_000}))
	_, score := judged(t, params, 75, monthly("sub", 30, 60)...)
	discount := func(days float64) float64 { return math.Exp(-math.Log(1.1) / 52.18 * days / 7) }
	reach := []float64{4. / 5, 4. / 5 * 5 / 6, 4. / 5 * 5 / 6 * 6 / 7}
	worth := []float64{500 * discount(15), 500 * discount(45), 500 * discount(75)}
	residual, high, expected := 0.0, 0.0, 0.0
	for i := range reach {
		residual += reach[i] * worth[i]
		high += worth[i]
		expected += reach[i]
	}
	want := ContractScore{Method: MethodSBG, ModelID: "tenure", Running: 1, ResidualMinor: int64(math.Round(residual)),
		ExpectedPPM: int64(math.Round(expected * 1e6)), Plan: "basic", Tenure: 3, RenewalAt: testStart/1000 + 90*daySeconds}
	if score.Contracts != want {
		t.Errorf("got  %+v\nwant %+v", score.Contracts, want)
	}
	churn := int32(math.Round(1e6 * (1 - reach[2])))
	if score.ResidualMinor != want.ResidualMinor || score.ResidualLowMinor != 0 || score.ResidualHighMinor != int64(math.Round(high)) ||
		score.ChurnPPM != churn || score.ValueAtRiskMinor != mulDiv(want.ResidualMinor, int64(churn), million) {
		t.Errorf("%d (%d to %d, want up to %f), churn %d, want %d", score.ResidualMinor, score.ResidualLowMinor, score.ResidualHighMinor, high,
			score.ChurnPPM, churn)
	}
	if score.Method != MethodSBG || score.Basis != BasisIndividual || score.Numbers.Contracts != 7 || score.Transactions != 3 {
		t.Errorf("%+v", score)
	}
	// Nothing renewed: what holds for all.
	if _, score := judged(t, params, 10, monthly("sub")...); score.Basis != BasisPopulation || score.Contracts.Tenure != 1 {
		t.Errorf("in the first period: %+v", score)
	}
	// Each of 400 days is more than a renewal away.
	yearly := fact(KindSubscriptionStarted, 0, func(e *Event) { e.Ref, e.AmountMinor, e.Currency, e.Number = "y", 9, "USD", 365 })
	if _, score := judged(t, params, 10, yearly); score.ChurnPPM != 333_333 || score.Contracts.ResidualMinor != 0 {
		t.Errorf("the next renewal counts however far it is: %+v", score)
	}
}

// TestContractAndPurchases: the value is the sum of both, and each model sees its own part alone.
func TestContractAndPurchases(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow), modelEvent(byTenure))
	orders := []Event{order(3, 4000), order(20, 5000), order(41, 4500)}
	_, bought := judged(t, params, 75, orders...)
	_, held := judged(t, params, 75, monthly("sub", 30, 60)...)
	_, both := judged(t, params, 75, append(monthly("sub", 30, 60), orders...)...)
	if bought.ResidualMinor == 0 || held.ResidualMinor == 0 || both.ResidualMinor != bought.ResidualMinor+held.ResidualMinor {
		t.Errorf("%d is not %d + %d", both.ResidualMinor, bought.ResidualMinor, held.ResidualMinor)
	}
	if both.RepeatTransactions != 2 || both.AgeDays != 72 || both.LastAgeDays != 38 || both.RepeatMoneyMinor != 9500 || both.Transactions != 6 {
		t.Errorf("purchases as the model sees them: %+v", both)
	}
	if both.ValueAtRiskMinor != bought.ValueAtRiskMinor+held.ValueAtRiskMinor || both.ChurnPPM != held.ChurnPPM || both.Method != bought.Method {
		t.Errorf("at risk %d of %d and %d, churn %d", both.ValueAtRiskMinor, bought.ValueAtRiskMinor, held.ValueAtRiskMinor, both.ChurnPPM)
	}
	below := math.Hypot(float64(bought.ResidualMinor-bought.ResidualLowMinor), float64(held.ResidualMinor-held.ResidualLowMinor))
	if math.Abs(float64(both.ResidualMinor)-below-float64(both.ResidualLowMinor)) > 1 {
		t.Errorf("the interval begins at %d", both.ResidualLowMinor)
	}
	// Two contracts: the one with more at risk decides.
	dear := monthly("dear", 30, 60)
	for i := range dear {
		dear[i].AmountMinor, dear[i].Product = 90_000, "pro"
		if i > 0 {
			dear[i].Product = ""
		}
	}
	_, two := judged(t, params, 75, append(monthly("sub", 30, 60), dear...)...)
	if two.Contracts.Running != 2 || two.Contracts.Plan != "pro" || two.Contracts.ResidualMinor <= 90*held.ResidualMinor {
		t.Errorf("two contracts: %+v", two.Contracts)
	}
}

// TestStagesOfAContract: running, overdue, lapsed, cancelled for later, ended, taken up again, and after the end.
func TestStagesOfAContract(t *testing.T) {
	params := with(t, nil, modelEvent(byTenure), modelEvent(cdnow))
	cancel := func(day, until int, reason int32) Event {
		return fact(KindSubscriptionCancelled, day, func(e *Event) {
			e.Ref, e.Code = "sub", reason
			if until > 0 {
				e.Until = testStart + int64(until)*testDay
			}
		})
	}
	renewal := func(day int) Event { return monthly("sub", day)[1] }
	early := order(1, 3000)
	for _, c := range []struct {
		name        string
		day         int
		more        []Event
		churn       int32
		involuntary int32
		running     int32
		band        Band
	}{
		{"running", 59, nil, 357_143, 0, 1, BandWatch}, // 3 of 4, 4 of 5 and 5 of 6 renew; see below
		{"overdue", 74, nil, 500_000, 0, 1, BandHigh},
		{"lapsed", 75, nil, 700_000, 0, 0, BandCritical},
		{"lapsed long ago", 60 + 91, nil, 900_000, 0, 0, BandLost},
		{"lapsed in another year", 60 + 365, nil, 980_000, 0, 0, BandLost},
		{"cancelled for later", 55, []Event{cancel(50, 60, 1)}, 1_000_000, 0, 1, BandLost},
		{"cancelled and ended", 60, []Event{cancel(50, 60, 1)}, 700_000, 0, 0, BandCritical},
		{"payments failed", 52, []Event{cancel(50, 0, 2)}, 700_000, 700_000, 0, BandCritical},
		{"taken up again", 55, []Event{cancel(40, 60, 1), renewal(52)}, 0, 0, 1, BandWatch},
		{"lapsed, and bought something", 75, []Event{early}, 0, 0, 0, BandWatch},
	} {
		_, score := judged(t, params, c.day, append(monthly("sub", 30), c.more...)...)
		if c.churn > 0 && c.name != "running" && c.name != "overdue" && score.ChurnPPM != c.churn || score.InvoluntaryPPM != c.involuntary ||
			score.Contracts.Running != c.running {
			t.Errorf("%s: churn %d (%d involuntary), %d running, want %d (%d), %d", c.name, score.ChurnPPM, score.InvoluntaryPPM,
				score.Contracts.Running, c.churn, c.involuntary, c.running)
		}
		if c.running == 0 && score.Contracts.ResidualMinor != 0 || c.running > 0 && score.ChurnPPM < million && score.Contracts.ResidualMinor == 0 {
			t.Errorf("%s: residual %d", c.name, score.Contracts.ResidualMinor)
		}
	}
	// Renewals of days 60, 90 and 120 are within the 90 days of the churn horizon: 1 − 3/4 · 4/5 · 5/6, and on day 59 that of
	// day 150 isn't.
	_, running := judged(t, params, 59, monthly("sub", 30)...)
	if running.ChurnPPM != 500_000 {
		t.Errorf("churn of one who runs is %d", running.ChurnPPM)
	}
	_, plain := judged(t, params, 75, early)
	if _, score := judged(t, params, 75, append(monthly("sub", 30), early)...); score.ChurnPPM != plain.ChurnPPM || score.Band != plain.Band {
		t.Errorf("after the end purchases decide: %d, should be %d", score.ChurnPPM, plain.ChurnPPM)
	}
}

// TestContractReasonsAddUp: to the log-odds of the probability, whatever the facts.
func TestContractReasonsAddUp(t *testing.T) {
	params := testParams(t)
	contracts, several, ended := 0, 0, 0
	for seed := range uint64(2000) {
		g := newScenario(seed)
		g.fill(10 + g.IntN(40))
		if g.IntN(2) == 0 { // contracts alone
			g.events = slices.DeleteFunc(g.events, func(e Event) bool { return e.Kind == KindOrder || e.Kind == KindPayment })
		}
		s := g.play(t, params, g.events)
		if g.IntN(3) == 0 {
			reassess(s, params, s.asOf*1000+g.Int64N(400)*testDay)
		}
		var f Folder
		score := f.Score(s, params)
		reasons := Reasons(s, params, &score)
		if score.Band == BandNone {
			continue
		}
		sum := int64(0)
		for _, r := range reasons {
			sum += r.LogOddsPPM
			if r.Text == "" || r.Code == "" {
				t.Fatalf("seed %d: %+v", seed, r)
			}
		}
		if !score.byContracts {
			continue
		}
		contracts++
		switch {
		case len(reasons) == 1:
			ended++
		case slices.ContainsFunc(reasons, func(r Reason) bool { return r.Code == "renewals" }):
			several++
		}
		p := min(max(float64(score.ChurnPPM), 1), million-1) / million
		// The probability is told in millionths, so its log-odds are known to that.
		if want := math.Log(p/(1-p)) * 1e6; math.Abs(float64(sum)-want) > 2+.6/(p*(1-p)) {
			t.Fatalf("seed %d: shares add up to %d, the log-odds of %d are %f: %+v", seed, sum, score.ChurnPPM, want, reasons)
		}
		if score.VoluntaryPPM+score.InvoluntaryPPM != 0 && score.VoluntaryPPM+score.InvoluntaryPPM != score.ChurnPPM {
			t.Fatalf("seed %d: %d and %d aren't %d", seed, score.VoluntaryPPM, score.InvoluntaryPPM, score.ChurnPPM)
		}
	}
	if contracts < 500 || several < 100 || ended < 100 {
		t.Fatalf("only %d contracts, %d with several renewals, %d ended: the test shows too little", contracts, several, ended)
	}
}

// TestInvoluntaryReasons add up to the log-odds of the share that is involuntary.
func TestInvoluntaryReasons(t *testing.T) {
	params := testParams(t)
	failed := fact(KindPaymentFailed, 61, func(e *Event) { e.Ref, e.Parent, e.Number = "inv", "sub", 1 })
	s, score := judged(t, params, 63, append(monthly("sub", 30), failed)...)
	sum := int64(0)
	for _, r := range InvoluntaryReasons(s, params, &score) {
		sum += r.LogOddsPPM
	}
	share := float64(score.InvoluntaryPPM) / float64(score.ChurnPPM)
	if want := 1e6 * math.Log(share/(1-share)); sum == 0 || math.Abs(float64(sum)-want) > 30 {
		t.Errorf("shares add up to %d, the log-odds are %f", sum, want)
	}
	if _, before := judged(t, params, 58, monthly("sub", 30)...); before.InvoluntaryPPM >= score.InvoluntaryPPM || before.ChurnPPM >= score.ChurnPPM {
		t.Errorf("a failed payment doesn't raise the risk: %d and %d, before %d and %d", score.ChurnPPM, score.InvoluntaryPPM, before.ChurnPPM, before.InvoluntaryPPM)
	}
}

// TestContractBandChangesWhenForetold: the band stays until the day that was named, and is another on it.
func TestContractBandChangesWhenForetold(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 3}))
	checked := 0
	for seed := range uint64(400) {
		g := newScenario(seed)
		paid := []int{}
		for day := 30; day < 30*(1+g.IntN(5)); day += 30 {
			paid = append(paid, day)
		}
		events := monthly("sub", paid...)
		for range g.IntN(12) {
			ev := g.fact()
			switch ev.Kind {
			case KindCall, KindTicketOpened, KindTicketResolved, KindSurveyAnswer, KindChannelResponse, KindPaymentFailed:
				ev.OccurredAt = testStart + g.Int64N(int64(30*len(paid)+20))*testDay
				ev.RecordedAt = ev.OccurredAt
				events = append(events, ev)
			default:
			}
		}
		from := 30*len(paid) + 20
		s := g.play(t, params, events)
		reassess(s, params, testStart+int64(from)*testDay)
		var f Folder
		now := f.Score(s, params)
		for day := from + 1; day < from+90; day++ {
			at := testStart + int64(day)*testDay
			reassess(s, params, at)
			then := f.Score(s, params)
			if foretold := now.BandChangesAt > 0 && at >= 1000*now.BandChangesAt; foretold != (then.Band != now.Band) {
				t.Fatalf("seed %d: on day %d, after day %d, %v became %v (%d, then %d), foretold for %s", seed, day, from, now.Band, then.Band,
					now.ChurnPPM, then.ChurnPPM, timeText(now.BandChangesAt))
			} else if foretold {
				now = then
				checked++
			}
		}
	}
	if checked < 200 {
		t.Fatalf("only %d changes: the test shows too little", checked)
	}
}

// TestBandChangeFromEdgeToEdge: the search by edges finds what a look at each day finds, whatever periods, horizons, days of
// grace and features there are.
func TestBandChangeFromEdgeToEdge(t *testing.T) {
	found, never := 0, 0
	var params *Params
	for seed := range uint64(3000) {
		g := newScenario(seed)
		if seed%300 == 0 { // tables take long to make
			params = edgeParams(t, g)
		}
		period := []int{7, 30, 90, 365}[g.IntN(4)]
		last := period * g.IntN(4)
		var events []Event
		for day := 0; day <= last; day += period {
			events = append(events, monthly("sub", day)[1])
			events[len(events)-1].Until += int64(period-30) * testDay
		}
		events[0].Kind, events[0].Product, events[0].Number = KindSubscriptionStarted, "basic", int32(period)
		for range g.IntN(20) {
			if ev := g.fact(); ev.Kind != KindSubscriptionCancelled && ev.Kind != KindSubscriptionRenewed && ev.Kind != KindSubscriptionStarted {
				ev.OccurredAt = testStart + g.Int64N(int64(last+period))*testDay
				ev.RecordedAt = ev.OccurredAt
				events = append(events, ev)
			}
		}
		if g.IntN(4) == 0 {
			events = append(events, fact(KindSubscriptionCancelled, last, func(e *Event) { e.Ref, e.Until = "sub", testStart+int64(last+g.IntN(100))*testDay }))
		}
		s := g.play(t, params, events)
		today := last + g.IntN(period+30)
		reassess(s, params, testStart+int64(today)*testDay)
		var f Folder
		out := f.Score(s, params)
		m := params.contractsFor(s.Segment())
		if len(f.outlooks) == 0 || f.mainContract().stage == contractEnded || !out.byContracts {
			continue
		}
		p, main := &params.policy, f.mainContract().facts
		runsTo := min(out.AsOfDay+lookAheadContracts, main.runsTo(p))
		want := int32(0)
		var o outlook
		for day := out.AsOfDay + 1; day <= runsTo && want == 0; day++ {
			if m.risk(main, p, f.signals, day, &o); bandOf(o.churnPPM, p.BandPPM) != out.Band {
				want = day
			}
			if o.stage == contractEnded {
				t.Fatalf("seed %d: ended on day %d, which runsTo leaves out", seed, day)
			}
		}
		if got := f.bandChangeWhileRunning(m, main, p, &out, runsTo); got != want {
			t.Fatalf("seed %d: day %d, want %d; today is %d, due on %d, runs to %d", seed, got, want, out.AsOfDay, main.dueDay(p), runsTo)
		}
		if want > 0 {
			found++
		} else {
			never++
		}
	}
	if found < 500 || never < 500 {
		t.Fatalf("%d changes and %d without: the test shows too little", found, never)
	}
}

// edgeParams are a policy and a hazard of all features, made up.
func edgeParams(t *testing.T, g *scenario) *Params {
	t.Helper()
	model := contracts
	model.Number = 9
	model.Leaving = &Hazard{Intercept: -2 + 3*g.Float64(), Tenure: g.Float64(), MeanBase: -1.4}
	for f := range NumFeatures {
		model.Leaving.Weights = append(model.Leaving.Weights, HazardWeight{Feature: f.String(), Weight: g.NormFloat64() / 3})
	}
	return with(t, testParams(t), modelEvent(model),
		policyEvent(Policy{Number: 3, ChurnHorizonDays: 1 + g.Int32N(400), GraceDays: 1 + g.Int32N(60)}))
}

// TestChancesAreAsKnownThen: what a model is fitted to is what a score saw on that day, with nothing that came later.
func TestChancesAreAsKnownThen(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 3, KeepTransactions: 512, KeepMarks: 512, KeepCalls: 512}))
	policy := params.Policy()
	looks, left, involuntary := 0, 0, 0
	for seed := range uint64(300) {
		g := newScenario(seed)
		g.fill(20 + g.IntN(60))
		// One content of each fact: what was corrected later was seen in another way.
		for i := 0; i < len(g.events); i++ {
			if slices.ContainsFunc(g.events[:i], func(e Event) bool { return sameFact(&e, &g.events[i]) }) {
				g.events = slices.Delete(g.events, i, i+1)
				i--
			}
		}
		s := g.play(t, params, g.events)
		var f Folder
		for _, h := range f.ContractHistories(nil, s, params, testStart/1000+400*daySeconds, true) {
			for _, c := range h.Chances {
				looks++
				if c.Left {
					left++
				}
				if c.Involuntary {
					involuntary++
				}
				if c.Involuntary && !c.Left || c.Tenure < 1 || c.Day > c.DueDay+policy.GraceDays {
					t.Fatalf("seed %d: %+v", seed, c)
				}
				// The state without what happened later.
				past := slices.DeleteFunc(slices.Clone(g.events), func(e Event) bool { return policy.localDay(e.OccurredAt) > c.Day })
				then := newScenario(seed).play(t, params, past)
				facts, _ := then.contractsUpTo(nil, &policy, c.Day)
				signals, _ := then.signals(nil, &policy, c.Day)
				one := ofContract(facts, h.Link)
				if one == nil {
					t.Fatalf("seed %d: nothing was known of the contract on day %d", seed, c.Day)
				}
				var z Features
				one.features(&policy, signals, c.Day, &z)
				if stage, _ := one.stage(&policy, c.Day); z != c.Features || one.periods(&policy) != c.Tenure || stage != contractRuns {
					t.Fatalf("seed %d, day %d: %v, stage %d, a score saw %v", seed, c.Day, c.Features, stage, z)
				}
			}
		}
	}
	if looks < 1000 || left < 100 || involuntary < 10 {
		t.Fatalf("only %d looks, %d left, %d of them involuntarily: the test shows too little", looks, left, involuntary)
	}
}

// TestContractHistory: what became of contracts, by hand.
func TestContractHistory(t *testing.T) {
	params := with(t, nil, modelEvent(byTenure))
	again := monthly("again")[0]
	again.OccurredAt += 100 * testDay
	again.Until += 100 * testDay
	again.SourceEventID = "again"
	merchant := fact(KindSubscriptionCancelled, 40, func(e *Event) { e.Ref, e.Code = "ours", cancelledByTheMerchant })
	failed := fact(KindPaymentFailed, 62, func(e *Event) { e.Ref, e.Parent, e.Number = "inv", "sub", 1 })
	events := append(append(monthly("sub", 30), monthly("ours", 30)...), again, merchant, failed)
	s, _ := judged(t, params, 105, events...)
	var f Folder
	source := hashText(0, "billing")
	start := params.orDefaults().policy.localDay(testStart)
	for _, h := range f.ContractHistories(nil, s, params, testStart/1000+105*daySeconds, true) {
		chances := h.Chances
		h.Chances = nil
		switch h.Link {
		case linkKey(source, "sub"):
			want := ContractHistory{Link: h.Link, BeganDay: start, PeriodDays: 30, Renewals: 1, Left: true, EndedDay: start + 60, ReturnedDay: start + 100}
			if !reflect.DeepEqual(h, want) {
				t.Errorf("got  %+v\nwant %+v", h, want)
			}
			// One look in the first period, one in the second, and one while it was overdue, after the payment had failed.
			if len(chances) != 3 || chances[0].Left || !chances[2].Left || !chances[2].Involuntary || chances[2].Day != start+64 ||
				chances[2].Features[FeatureFailedPayments] != 1 || chances[2].Features[FeatureOverdueDays] != 4 || chances[1].Features[FeatureFailedPayments] != 0 {
				t.Errorf("%+v", chances)
			}
		case linkKey(source, "ours"):
			if h.Left || h.EndedDay != start+40 || len(chances) != 1 {
				t.Errorf("ended by the merchant: %+v, %+v", h, chances)
			}
		default:
			if h.Left || h.EndedDay != 0 || h.Renewals != 0 || len(chances) != 0 {
				t.Errorf("still open: %+v, %+v", h, chances)
			}
		}
	}
}

// TestContractModelsHaveTheirOwnNumbers: they don't replace those of purchases, and what doesn't fit is refused.
func TestContractModelsHaveTheirOwnNumbers(t *testing.T) {
	params := with(t, nil, modelEvent(contracts), modelEvent(cdnow))
	if models := params.Models(); len(models) != 2 || models[0].ModelID != "cdnow" || models[1].ModelID != "contracts" {
		t.Fatalf("in force: %+v", models)
	}
	newer := contracts
	newer.Number, newer.ModelID = 2, "newer"
	if models := with(t, params, modelEvent(newer)).Models(); len(models) != 2 || models[1].ModelID != "newer" {
		t.Fatalf("in force: %+v", models)
	}
	for field, spoil := range map[string]func(*Model){
		"s_bg":                    func(m *Model) { m.BGNBD = cdnow.BGNBD },
		"gamma_gamma":             func(m *Model) { m.P, m.Q, m.Gamma = 1, 2, 3 },
		"leaving.weights.feature": func(m *Model) { m.Leaving = &Hazard{Weights: []HazardWeight{{Feature: "luck"}}} },
		"involuntary.weights.feature": func(m *Model) {
			m.Involuntary = &Hazard{Weights: []HazardWeight{{Feature: "score"}, {Feature: "score"}}}
		},
		"leaving":    func(m *Model) { m.Leaving = &Hazard{Intercept: math.NaN()} },
		"return_ppm": func(m *Model) { m.ReturnPPM = []int32{1} },
		"sBG.Alpha":  func(m *Model) { m.SBG.Alpha = -1 },
	} {
		m := contracts
		spoil(&m)
		ev := modelEvent(m)
		_, _, err := params.With(&ev, nil)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	stray := cdnow
	stray.Leaving = contracts.Leaving
	if _, _, err := params.With(new(modelEvent(stray)), nil); err == nil {
		t.Error("a model of purchases with a hazard was taken")
	}
}

// TestTermsThatWereNotSaid stay what they were: billing systems tell of a new plan alone, of a new price alone.
func TestTermsThatWereNotSaid(t *testing.T) {
	for _, keep := range []int32{0, 8} {
		params := with(t, nil, modelEvent(byTenure), policyEvent(Policy{Number: 1, KeepMarks: keep, KeepTransactions: keep}))
		yearly := fact(KindSubscriptionStarted, 0, func(e *Event) {
			e.Ref, e.Parent, e.AmountMinor, e.Currency, e.Number, e.Product = "y", "i", 12_000, "USD", 365, "basic"
			e.Until = e.OccurredAt + 365*testDay
		})
		events := []Event{yearly,
			fact(KindSubscriptionChanged, 20, func(e *Event) { e.Ref, e.Product = "y", "pro" }),
			fact(KindSubscriptionChanged, 30, func(e *Event) { e.Ref, e.AmountMinor, e.Currency = "y", 15_000, "USD" })}
		if keep > 0 {
			for day := range 10 {
				events = append(events, fact(KindTicketOpened, 40+day, func(e *Event) { e.Ref = fmt.Sprint("t", day) }), order(40+day, 100))
			}
		}
		s, score := judged(t, params, 60, events...)
		if sub := s.Subscriptions(params, score.AsOfDay); len(sub) != 1 || sub[0].Plan != "pro" || sub[0].PriceMinor != 15_000 || sub[0].PeriodDays != 365 || score.Contracts.Tenure != 1 {
			t.Errorf("keeping %d: %+v, in period %d", keep, sub, score.Contracts.Tenure)
		}
		if score := s.DueDay(); score == 0 {
			t.Errorf("keeping %d: nobody looks at it again", keep)
		}
	}
}
