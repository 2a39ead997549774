package sim

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/test/oracle"
)

func (g *source) parameter(tenant string) {
	switch g.rng.IntN(7) {
	case 0:
		g.model(tenant)
	case 1, 2:
		g.contractModel(tenant)
	case 3, 4:
		g.policy(tenant)
	case 5:
		g.everywhere(tenant, "/~thresholds", func(ev *perennialv1.Event) {
			ev.Fact = &perennialv1.Event_ThresholdsSet{ThresholdsSet: &perennialv1.ThresholdsSet{
				Number: g.numbers, Tiers: []*perennialv1.Tier{{Name: "silver", FromMinor: int64(1000 + g.rng.IntN(5000))}, {Name: "gold", FromMinor: 20_000}}}}
		})
	default:
		g.everywhere(tenant, "/~unit-costs", func(ev *perennialv1.Event) {
			ev.Fact = &perennialv1.Event_UnitCostsSet{UnitCostsSet: &perennialv1.UnitCostsSet{
				Number: g.numbers, DefaultMinor: int64(g.rng.IntN(900)), ByCampaign: map[string]int64{"camp1": 700}, ByLeadSource: map[string]int64{"list2": 50}}}
		})
	}
}

// everywhere writes a parameter record to every partition, in order from 0. A
// publisher may die in between; what it misses, the owner of 0 repeats.
func (g *source) everywhere(tenant, suffix string, fill func(*perennialv1.Event)) {
	g.numbers++
	if g.rng.IntN(4) == 0 {
		g.numbers -= int64(g.rng.IntN(int(min(g.numbers, 3)))) // an older or equal one, late
	}
	ev := &perennialv1.Event{Tenant: tenant, Source: "operator", SourceEventId: g.id("p"), RecordedAt: timestamppb.New(time.UnixMilli(startOfTime))}
	fill(ev)
	for p := range g.partitions {
		g.putAt(int32(p), tenant+suffix, ev)
		if g.rng.IntN(6) == 0 {
			return
		}
	}
}

func (g *source) model(tenant string) {
	scope := ""
	if g.rng.IntN(4) == 0 {
		scope = "smb"
	}
	g.everywhere(tenant, "/~model", func(ev *perennialv1.Event) {
		scale := 1 + float64(g.rng.IntN(3))/10
		m := &perennialv1.ModelPublished{
			Number: g.numbers, ModelId: fmt.Sprint("m", g.numbers), Scope: scope,
			GammaGamma: &perennialv1.GammaGamma{P: 6.24935, Q: 3.74426, Gamma: 15.44431 * scale},
		}
		switch g.rng.IntN(5) {
		case 0:
			m.MbgNbd = &perennialv1.MbgNbd{R: .524843 * scale, Alpha: 6.18309, A: .891359, B: 1.614001}
		case 1:
			m.ParetoNbd = &perennialv1.ParetoNbd{R: .553277 * scale, Alpha: 10.57768, S: .606240, Beta: 11.66874}
		default:
			m.BgNbd = &perennialv1.BgNbd{R: .242594 * scale, Alpha: 4.41360, A: .792922, B: 2.425906}
		}
		ev.Fact = &perennialv1.Event_ModelPublished{ModelPublished: m}
	})
}

func (g *source) policy(tenant string) {
	g.everywhere(tenant, "/~policy", func(ev *perennialv1.Event) {
		p := &perennialv1.PolicySet{
			Number: g.numbers, MarginPpm: int32(500_000 + g.rng.IntN(500_000)), MinuteCostMinor: int64(g.rng.IntN(30)),
			TicketCostMinor: int64(g.rng.IntN(200)), ClockMode: perennialv1.ClockMode(g.rng.IntN(3)), RescoreDays: int32(g.rng.IntN(9)),
		}
		if g.rng.IntN(2) == 0 {
			p.ZoneOffsets = []*perennialv1.ZoneOffset{{OffsetSeconds: -5 * 3600}, {FromUnix: startOfTime / 1000, OffsetSeconds: -4 * 3600}}
		}
		if g.rng.IntN(2) == 0 {
			p.BandPpm = []int32{200_000, 400_000, 600_000, 800_000}
		}
		if g.rng.IntN(2) == 0 {
			p.HorizonDays, p.ChurnHorizonDays, p.DiscountPpm = 500, 200, 40_000
		}
		p.FinancialYearMonth = int32(g.rng.IntN(13))
		p.GraceDays = []int32{0, 0, -1, 3, 30}[g.rng.IntN(5)]
		if g.rng.IntN(2) == 0 {
			p.MarginByProduct = map[string]int32{"basic": int32(g.rng.IntN(1_000_001)), "pro": int32(g.rng.IntN(1_000_001)), "shoes": int32(g.rng.IntN(1_000_001))}
			delete(p.MarginByProduct, []string{"basic", "pro", "shoes", ""}[g.rng.IntN(4)])
		}
		for _, segment := range []string{"", "smb", "pro"} {
			if g.rng.IntN(3) == 0 {
				p.Valuations = append(p.Valuations, g.valuation(segment))
			}
		}
		if g.rng.IntN(8) == 0 {
			g.spoilPolicy(p)
		}
		ev.Fact = &perennialv1.Event_PolicySet{PolicySet: p}
	})
}

// valuation is how a segment's customers are valued.
func (g *source) valuation(segment string) *perennialv1.Valuation {
	v := &perennialv1.Valuation{Segment: segment, Method: perennialv1.ValueMethod(g.rng.IntN(7))}
	switch v.Method {
	case perennialv1.ValueMethod_VALUE_METHOD_SIMPLE:
		v.YearlyChurnPpm = int32(1 + g.rng.IntN(1_000_000))
	case perennialv1.ValueMethod_VALUE_METHOD_DYNAMIC:
		for range 1 + g.rng.IntN(3) {
			v.RetentionPpm = append(v.RetentionPpm, int32(g.rng.IntN(1_000_001)))
		}
	case perennialv1.ValueMethod_VALUE_METHOD_CUSTOM:
		v.Formula = oracle.Formula
	default:
	}
	return v
}

// spoilPolicy makes a policy one that nobody can work by.
func (g *source) spoilPolicy(p *perennialv1.PolicySet) {
	switch g.rng.IntN(7) {
	case 0:
		p.FinancialYearMonth = 13
	case 1:
		p.GraceDays = 367
	case 2:
		p.MarginByProduct = map[string]int32{"basic": 1_000_001}
	case 3:
		p.Valuations = []*perennialv1.Valuation{{}, {Method: perennialv1.ValueMethod_VALUE_METHOD_HISTORICAL}}
	case 4:
		p.Valuations = []*perennialv1.Valuation{{Method: perennialv1.ValueMethod_VALUE_METHOD_DYNAMIC}}
	case 5:
		p.Valuations = []*perennialv1.Valuation{{Method: perennialv1.ValueMethod_VALUE_METHOD_HISTORICAL, YearlyChurnPpm: 1}}
	default:
		p.Valuations = []*perennialv1.Valuation{{Method: perennialv1.ValueMethod_VALUE_METHOD_CUSTOM, Formula: "net *"}}
	}
}

// contractModel publishes a model of contracts; some can't come into force.
func (g *source) contractModel(tenant string) {
	scope := []string{"", "", "", "smb", "pro"}[g.rng.IntN(5)]
	g.everywhere(tenant, "/~model", func(ev *perennialv1.Event) {
		m := &perennialv1.ModelPublished{Number: g.numbers, ModelId: fmt.Sprint("r", g.numbers), Scope: scope}
		if g.rng.IntN(2) == 0 {
			m.SBg = &perennialv1.SBg{Alpha: .2 + 2*g.rng.Float64(), Beta: .5 + 8*g.rng.Float64()}
		} else {
			m.BdW = &perennialv1.BdW{Alpha: .2 + 2*g.rng.Float64(), Beta: .5 + 8*g.rng.Float64(), C: .5 + g.rng.Float64()}
		}
		if g.rng.IntN(3) > 0 {
			m.Leaving = g.hazard()
		}
		if g.rng.IntN(2) == 0 {
			m.Involuntary = g.hazard()
		}
		if g.rng.IntN(2) == 0 {
			m.ReturnPpm = []int32{int32(g.rng.IntN(900_000)), int32(g.rng.IntN(500_000)), int32(g.rng.IntN(200_000))}
		}
		if g.rng.IntN(8) == 0 {
			g.spoilModel(m)
		}
		ev.Fact = &perennialv1.Event_ModelPublished{ModelPublished: m}
	})
}

// hazard weighs some features by hand.
func (g *source) hazard() *perennialv1.RenewalHazard {
	h := &perennialv1.RenewalHazard{Intercept: 3*g.rng.Float64() - 3, Tenure: 1.5 * g.rng.Float64(), MeanBase: -2 * g.rng.Float64()}
	some := 1 + g.rng.IntN(3)
	for f := range cltv.NumFeatures {
		if g.rng.IntN(some) == 0 {
			h.Weights = append(h.Weights, &perennialv1.HazardWeight{Feature: f.String(), Weight: g.rng.Float64() - .4, Mean: g.rng.Float64()})
		}
	}
	g.rng.Shuffle(len(h.Weights), func(i, j int) { h.Weights[i], h.Weights[j] = h.Weights[j], h.Weights[i] })
	return h
}

// spoilModel makes a model of contracts one that can't be.
func (g *source) spoilModel(m *perennialv1.ModelPublished) {
	switch g.rng.IntN(6) {
	case 0:
		m.Leaving = &perennialv1.RenewalHazard{Weights: []*perennialv1.HazardWeight{{Feature: "moon", Weight: 1}}}
	case 1:
		m.Involuntary = &perennialv1.RenewalHazard{Weights: []*perennialv1.HazardWeight{{Feature: "score"}, {Feature: "score", Weight: 1}}}
	case 2:
		m.ReturnPpm = []int32{1, 2}
	case 3:
		m.GammaGamma = &perennialv1.GammaGamma{P: 6, Q: 4, Gamma: 15}
	case 4:
		m.BgNbd = &perennialv1.BgNbd{R: .24, Alpha: 4.4, A: .8, B: 2.4}
	default:
		m.SBg, m.BdW = &perennialv1.SBg{Alpha: -1, Beta: 1}, nil
	}
}
