package cltv

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// TestParametersInAnyOrder: the highest number counts, whatever came first, and of equal numbers always the same.
func TestParametersInAnyOrder(t *testing.T) {
	second, third, segment := cdnow, cdnow, cdnow
	other := ofEachProcess()[MethodParetoNBDGammaGamma]
	other.Number = 2
	second.Number, second.BGNBD.R = 2, .3
	third.Number, third.BGNBD.R = 2, .4
	segment.Scope, segment.Number = "gold", 7
	events := []Event{
		modelEvent(cdnow), modelEvent(second), modelEvent(third), modelEvent(other), modelEvent(segment),
		policyEvent(Policy{Number: 1, HorizonDays: 100}), policyEvent(Policy{Number: 3, HorizonDays: 200, Currency: "EUR"}),
		policyEvent(Policy{Number: 3, HorizonDays: 150, Currency: "EUR"}),
		{Kind: KindThresholdsSet, Thresholds: &Thresholds{Number: 1, Tiers: []Tier{{"gold", 5}}}},
		{Kind: KindThresholdsSet, Thresholds: &Thresholds{Number: 1, Tiers: []Tier{{"gold", 6}}}},
		costsEvent(UnitCosts{Number: 2, DefaultMinor: 5}), costsEvent(UnitCosts{Number: 2, ByCampaign: map[string]int64{"a": 1}}),
	}
	r := rand.New(rand.NewPCG(1, 2))
	var want *Params
	for range 30 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		got := with(t, nil, events...)
		if want == nil {
			want = got
			continue
		}
		if !reflect.DeepEqual(got.Policy(), want.Policy()) || !reflect.DeepEqual(got.Models(), want.Models()) ||
			!reflect.DeepEqual(got.Thresholds(), want.Thresholds()) || !reflect.DeepEqual(got.UnitCosts(), want.UnitCosts()) {
			t.Fatalf("%+v\n%+v", got, want)
		}
		again, changed, err := got.With(&events[0], nil)
		if changed || err != nil || again != got {
			t.Fatalf("repeating %v: %v %v", events[0].Kind, changed, err)
		}
	}
	if want.Policy().HorizonDays != 200 || want.Models()[0].BGNBD.R != .4 || len(want.Models()) != 2 || want.PublishedPolicy().RescoreDays != 0 {
		t.Errorf("%+v", want.Policy())
	}
}

// TestParametersDontAlias: what With took in doesn't change with the event.
func TestParametersDontAlias(t *testing.T) {
	policy := Policy{Number: 1, BandPPM: []int32{1, 2, 3, 4}, ZoneOffsets: []ZoneOffset{{0, 3600}}}
	costs := UnitCosts{Number: 1, ByCampaign: map[string]int64{"a": 1}}
	p := with(t, nil, Event{Kind: KindPolicySet, Policy: &policy}, Event{Kind: KindUnitCostsSet, UnitCosts: &costs})
	policy.BandPPM[0], policy.ZoneOffsets[0].OffsetSeconds, costs.ByCampaign["a"] = 9, 9, 9
	if got := p.Policy(); got.BandPPM[0] != 1 || got.ZoneOffsets[0].OffsetSeconds != 3600 || p.UnitCosts().ByCampaign["a"] != 1 {
		t.Error("the parameters changed")
	}
}

// TestTablesAreShared: the same model under the same terms is prepared once, also by many at a time.
func TestTablesAreShared(t *testing.T) {
	var tables Tables
	ev := modelEvent(cdnow)
	params := make([]*Params, 8)
	var done sync.WaitGroup
	for i := range params {
		done.Go(func() { params[i], _, _ = (*Params)(nil).With(&ev, &tables) })
	}
	done.Wait()
	for _, p := range params {
		if p.models[""].prepared != params[0].models[""].prepared {
			t.Fatal("two tables for one model")
		}
	}
}

// TestRefusedParameters lists parameters that must not come into force.
func TestRefusedParameters(t *testing.T) {
	model := func(change func(*Model)) Event {
		m := cdnow
		change(&m)
		return modelEvent(m)
	}
	cases := map[string]Event{
		"no model":               {Kind: KindModelPublished},
		"no policy":              {Kind: KindPolicySet},
		"no thresholds":          {Kind: KindThresholdsSet},
		"no costs":               {Kind: KindUnitCostsSet},
		"not a parameter":        {Kind: KindOrder},
		"r is not a number":      model(func(m *Model) { m.BGNBD.R = math.NaN() }),
		"alpha infinite":         model(func(m *Model) { m.BGNBD.Alpha = math.Inf(1) }),
		"a negative":             model(func(m *Model) { m.BGNBD.A = -1 }),
		"no purchase process":    model(func(m *Model) { m.BGNBD = btyd.BGNBD{} }),
		"two purchase processes": model(func(m *Model) { m.ParetoNBD = btyd.ParetoNBD{R: .5, Alpha: 10, S: .6, Beta: 11} }),
		"s is not a number": model(func(m *Model) {
			m.BGNBD, m.ParetoNBD = btyd.BGNBD{}, btyd.ParetoNBD{R: .5, Alpha: 10, S: math.NaN(), Beta: 11}
		}),
		"q at most 1":           model(func(m *Model) { m.Q = 1 }),
		"model number negative": model(func(m *Model) { m.Number = -1 }),
		"model id too long":     model(func(m *Model) { m.ModelID = string(make([]byte, 101)) }),
		"horizon":               policyEvent(Policy{HorizonDays: 3661}),
		"margin":                policyEvent(Policy{MarginPPM: 1_000_001}),
		"currency":              policyEvent(Policy{Currency: "usd"}),
		"three bands":           policyEvent(Policy{BandPPM: []int32{1, 2, 3}}),
		"bands fall":            policyEvent(Policy{BandPPM: []int32{4, 3, 2, 1}}),
		"keeps too little":      policyEvent(Policy{KeepTransactions: 1}),
		"keeps too much":        policyEvent(Policy{KeepMarks: 513}),
		"zone without offsets":  policyEvent(Policy{TimeZone: "Europe/Berlin"}),
		"zone falls":            policyEvent(Policy{ZoneOffsets: []ZoneOffset{{5, 0}, {4, 0}}}),
		"zone beyond a day":     policyEvent(Policy{ZoneOffsets: []ZoneOffset{{5, 100_000}}}),
		"tiers fall":            {Kind: KindThresholdsSet, Thresholds: &Thresholds{Tiers: []Tier{{"a", 2}, {"b", 1}}}},
		"ten tiers":             {Kind: KindThresholdsSet, Thresholds: &Thresholds{Tiers: make([]Tier, 10)}},
		"cost negative":         costsEvent(UnitCosts{DefaultMinor: -1}),
		"campaign cost huge":    costsEvent(UnitCosts{ByCampaign: map[string]int64{"a": MaxAmountMinor + 1}}),
	}
	base := testParams(t)
	for name, ev := range cases {
		p, changed, err := base.With(&ev, &testTables)
		if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code == "" || refusal.Text == "" || changed || p != base {
			t.Errorf("%s: %v %v", name, changed, err)
		}
	}
}

func TestLocalDays(t *testing.T) {
	p := Policy{ZoneOffsets: []ZoneOffset{{1000 * daySeconds, -5 * 3600}, {1100 * daySeconds, -4 * 3600}}}
	for at, want := range map[int64]int32{
		0: -1, 1050 * dayMillis: 1049, 1050*dayMillis + 5*3600*1000: 1050, 1050*dayMillis + 5*3600*1000 - 1: 1049,
		1150*dayMillis + 4*3600*1000: 1150, 1150*dayMillis + 4*3600*1000 - 1: 1149,
	} {
		if got := p.localDay(at); got != want {
			t.Errorf("%d is day %d, want %d", at, got, want)
		}
	}
	for _, day := range []int32{-3, 0, 999, 1000, 1001, 1099, 1100, 1101, 5000} {
		at := 1000 * p.startOfDay(day)
		if p.localDay(at) != day || p.localDay(at-1) != day-1 {
			t.Errorf("day %d begins on day %d, after day %d", day, p.localDay(at), p.localDay(at-1))
		}
	}
}

func TestMulDiv(t *testing.T) {
	for _, c := range []struct{ a, b, c, want int64 }{
		{7, 1, 2, 4}, {-7, 1, 2, -4}, {5, 1, 2, 3}, {0, 9, 7, 0}, {math.MaxInt64, million, million, math.MaxInt64},
		{math.MaxInt64, 2, 1, math.MaxInt64}, {-math.MaxInt64, 2, 1, -math.MaxInt64}, {maxTotalMinor, 350_000, million, 3_500_000_000_000},
		{math.MinInt64, 1, 1, -math.MaxInt64},
	} {
		if got := mulDiv(c.a, c.b, c.c); got != c.want {
			t.Errorf("%d·%d/%d is %d, want %d", c.a, c.b, c.c, got, c.want)
		}
	}
}
