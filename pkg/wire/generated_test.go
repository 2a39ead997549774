package wire

import (
	"math"
	"reflect"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// mapper translates what the generated code decoded into the domain: the
// oracle of the decoder. late is set where a time is out of range.
type mapper struct{ late bool }

func mapEvent(m *perennialv1.Event) (ev cltv.Event, ok bool) {
	var p mapper
	ev = cltv.Event{
		Tenant: m.GetTenant(), Customer: m.GetCustomer(), Source: m.GetSource(), SourceEventID: m.GetSourceEventId(),
		Revision: m.GetRevision(), Backfill: m.GetBackfill(),
		OccurredAt: p.millis(m.GetOccurredAt()), RecordedAt: p.millis(m.GetRecordedAt()),
	}
	p.fact(m, &ev)
	return ev, !p.late
}

func (p *mapper) millis(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	if t.Seconds < 0 || t.AsTime().Year() > 2199 || t.Nanos < 0 || t.Nanos >= 1e9 {
		p.late = true
		return 0
	}
	return t.AsTime().UnixMilli()
}

func amounts(ev *cltv.Event, amount, converted *perennialv1.Money) {
	ev.AmountMinor, ev.Currency = amount.GetMinor(), amount.GetCurrency()
	if converted != nil {
		ev.OriginalMinor, ev.OriginalCurrency = ev.AmountMinor, ev.Currency
		ev.AmountMinor, ev.Currency = converted.Minor, converted.Currency
	}
}

func cost(ev *cltv.Event, m *perennialv1.Money) {
	if m != nil {
		ev.HasCost, ev.CostMinor, ev.CostCurrency = true, m.Minor, m.Currency
	}
}

func touch(t *perennialv1.Touch) cltv.Touch {
	return cltv.Touch{Campaign: t.GetCampaign(), Agent: t.GetAgent(), Offer: t.GetOffer(), LeadSource: t.GetLeadSource()}
}

func (p *mapper) fact(m *perennialv1.Event, ev *cltv.Event) {
	switch f := m.GetFact().(type) {
	case *perennialv1.Event_CallOutcome:
		c := f.CallOutcome
		ev.Kind, ev.Touch, ev.Code, ev.Code2 = cltv.KindCall, touch(c.Touch), int32(c.Disposition), int32(c.Direction)
		ev.Number, ev.Number2, ev.Text, ev.Parent, ev.Flag = c.TalkSeconds, c.WrapSeconds, c.DialerStatus, c.OrderId, c.Retention
		cost(ev, c.Cost)
	case *perennialv1.Event_Order:
		o := f.Order
		ev.Kind, ev.Ref, ev.Product, ev.Code, ev.Touch = cltv.KindOrder, o.OrderId, o.Product, int32(o.Type), touch(o.Touch)
		amounts(ev, o.Amount, o.Converted)
		cost(ev, o.CostOfGoods)
	case *perennialv1.Event_Payment:
		ev.Kind, ev.Ref, ev.Parent = cltv.KindPayment, f.Payment.PaymentId, f.Payment.OrderId
		amounts(ev, f.Payment.Amount, f.Payment.Converted)
	case *perennialv1.Event_Refund:
		r := f.Refund
		ev.Kind, ev.Ref, ev.Parent, ev.Code, ev.Code2 = cltv.KindRefund, r.RefundId, r.OrderId, int32(r.Kind), int32(r.Status)
		amounts(ev, r.Amount, r.Converted)
	case *perennialv1.Event_PaymentFailed:
		q := f.PaymentFailed
		ev.Kind, ev.Ref, ev.Parent, ev.Number, ev.Product = cltv.KindPaymentFailed, q.InvoiceId, q.SubscriptionId, q.Attempt, q.Reason
		amounts(ev, q.Amount, nil)
	case *perennialv1.Event_SubscriptionStarted:
		s := f.SubscriptionStarted
		ev.Kind, ev.Ref, ev.Product, ev.Number = cltv.KindSubscriptionStarted, s.SubscriptionId, s.Plan, s.PeriodDays
		ev.Parent, ev.Until, ev.Touch = s.InvoiceId, p.millis(s.PeriodEnd), touch(s.Touch)
		amounts(ev, s.Price, nil)
	case *perennialv1.Event_SubscriptionRenewed:
		s := f.SubscriptionRenewed
		ev.Kind, ev.Ref, ev.Parent, ev.Until = cltv.KindSubscriptionRenewed, s.SubscriptionId, s.InvoiceId, p.millis(s.PeriodEnd)
		amounts(ev, s.Amount, s.Converted)
	case *perennialv1.Event_SubscriptionChanged:
		s := f.SubscriptionChanged
		ev.Kind, ev.Ref, ev.Product, ev.Number, ev.Code = cltv.KindSubscriptionChanged, s.SubscriptionId, s.Plan, s.PeriodDays, int32(s.Type)
		amounts(ev, s.Price, nil)
	case *perennialv1.Event_SubscriptionCancelled:
		s := f.SubscriptionCancelled
		ev.Kind, ev.Ref, ev.Code, ev.Until = cltv.KindSubscriptionCancelled, s.SubscriptionId, int32(s.Reason), p.millis(s.EffectiveAt)
	case *perennialv1.Event_MarketingSpend:
		ev.Kind, ev.Touch = cltv.KindMarketingSpend, touch(f.MarketingSpend.Touch)
		amounts(ev, f.MarketingSpend.Amount, f.MarketingSpend.Converted)
	case *perennialv1.Event_ClockAdvanced:
		ev.Kind, ev.Until = cltv.KindClockAdvanced, p.millis(f.ClockAdvanced.To)
	case *perennialv1.Event_Reassess:
		ev.Kind, ev.Until = cltv.KindReassess, p.millis(f.Reassess.Clock)
	case *perennialv1.Event_ModelPublished:
		ev.Kind, ev.Model = cltv.KindModelPublished, p.model(f.ModelPublished)
	case *perennialv1.Event_ThresholdsSet:
		ev.Kind, ev.Thresholds = cltv.KindThresholdsSet, mapThresholds(f.ThresholdsSet)
	case *perennialv1.Event_UnitCostsSet:
		ev.Kind, ev.UnitCosts = cltv.KindUnitCostsSet, mapUnitCosts(f.UnitCostsSet)
	case *perennialv1.Event_PolicySet:
		ev.Kind, ev.Policy = cltv.KindPolicySet, mapPolicy(f.PolicySet)
	default:
		relation(m, ev)
	}
}

func relation(m *perennialv1.Event, ev *cltv.Event) {
	switch f := m.GetFact().(type) {
	case *perennialv1.Event_TicketOpened:
		t := f.TicketOpened
		ev.Kind, ev.Ref, ev.Product, ev.Number, ev.Flag = cltv.KindTicketOpened, t.TicketId, t.Category, t.Priority, t.Complaint
	case *perennialv1.Event_TicketResolved:
		ev.Kind, ev.Ref = cltv.KindTicketResolved, f.TicketResolved.TicketId
	case *perennialv1.Event_SurveyAnswer:
		s := f.SurveyAnswer
		ev.Kind, ev.Number, ev.Product, ev.Parent = cltv.KindSurveyAnswer, s.Score, s.Survey, s.AboutId
	case *perennialv1.Event_ChannelResponse:
		c := f.ChannelResponse
		ev.Kind, ev.Code, ev.Code2, ev.Touch = cltv.KindChannelResponse, int32(c.Channel), int32(c.Response), touch(c.Touch)
	case *perennialv1.Event_Referral:
		ev.Kind, ev.Ref = cltv.KindReferral, f.Referral.ReferredCustomer
	case *perennialv1.Event_Profile:
		ev.Kind, ev.Segment, ev.Region, ev.AgeBand = cltv.KindProfile, f.Profile.Segment, f.Profile.Region, f.Profile.AgeBand
	case *perennialv1.Event_Consent:
		ev.Kind, ev.Code, ev.Flag, ev.Text = cltv.KindConsent, int32(f.Consent.Channel), f.Consent.Granted, f.Consent.Evidence
	case *perennialv1.Event_IdentityLink:
		l := f.IdentityLink
		ev.Kind, ev.Ref, ev.Code, ev.Code2 = cltv.KindIdentityLink, l.Other, int32(l.Kind), int32(l.OtherKind)
	case *perennialv1.Event_Absorbed:
		ev.Kind, ev.Ref, ev.Text = cltv.KindAbsorbed, f.Absorbed.Link, string(f.Absorbed.State)
	case *perennialv1.Event_Erase:
		ev.Kind, ev.Text = cltv.KindErase, f.Erase.RequestedBy
	}
}

func (p *mapper) model(m *perennialv1.ModelPublished) *cltv.Model {
	return &cltv.Model{
		Number: m.Number, ModelID: m.ModelId, Scope: m.Scope,
		BGNBD:     btyd.BGNBD{R: m.BgNbd.GetR(), Alpha: m.BgNbd.GetAlpha(), A: m.BgNbd.GetA(), B: m.BgNbd.GetB()},
		MBGNBD:    btyd.MBGNBD{R: m.MbgNbd.GetR(), Alpha: m.MbgNbd.GetAlpha(), A: m.MbgNbd.GetA(), B: m.MbgNbd.GetB()},
		ParetoNBD: btyd.ParetoNBD{R: m.ParetoNbd.GetR(), Alpha: m.ParetoNbd.GetAlpha(), S: m.ParetoNbd.GetS(), Beta: m.ParetoNbd.GetBeta()},
		SBG:       btyd.SBG{Alpha: m.SBg.GetAlpha(), Beta: m.SBg.GetBeta()},
		BdW:       btyd.BdW{Alpha: m.BdW.GetAlpha(), Beta: m.BdW.GetBeta(), C: m.BdW.GetC()},
		Leaving:   mapHazard(m.Leaving), Involuntary: mapHazard(m.Involuntary), ReturnPPM: m.ReturnPpm,
		P: m.GammaGamma.GetP(), Q: m.GammaGamma.GetQ(), Gamma: m.GammaGamma.GetGamma(),
		Customers: m.Customers, Repeaters: m.Repeaters, TrainedTo: p.millis(m.TrainedTo), Reason: m.Reason,
	}
}

func mapThresholds(m *perennialv1.ThresholdsSet) *cltv.Thresholds {
	if m == nil {
		return nil
	}
	t := &cltv.Thresholds{Number: m.Number}
	for _, tier := range m.Tiers {
		t.Tiers = append(t.Tiers, cltv.Tier{Name: tier.Name, FromMinor: tier.FromMinor})
	}
	return t
}

func mapUnitCosts(m *perennialv1.UnitCostsSet) *cltv.UnitCosts {
	if m == nil {
		return nil
	}
	u := &cltv.UnitCosts{Number: m.Number, DefaultMinor: m.DefaultMinor, ByCampaign: m.ByCampaign, ByLeadSource: m.ByLeadSource}
	// The generated code makes a map even for an entry of another wire type.
	if len(u.ByCampaign) == 0 {
		u.ByCampaign = nil
	}
	if len(u.ByLeadSource) == 0 {
		u.ByLeadSource = nil
	}
	return u
}

func mapPolicy(m *perennialv1.PolicySet) *cltv.Policy {
	if m == nil {
		return nil
	}
	p := &cltv.Policy{
		Number: m.Number, Currency: m.Currency, TimeZone: m.TimeZone,
		HorizonDays: m.HorizonDays, DiscountPPM: m.DiscountPpm, MarginPPM: m.MarginPpm,
		MinuteCostMinor: m.MinuteCostMinor, TicketCostMinor: m.TicketCostMinor,
		ChurnHorizonDays: m.ChurnHorizonDays, BandPPM: m.BandPpm, RescoreDays: m.RescoreDays,
		ClockMode:        cltv.ClockMode(m.ClockMode),
		KeepTransactions: m.KeepTransactions, KeepCalls: m.KeepCalls, KeepRefunds: m.KeepRefunds, KeepMarks: m.KeepMarks,
		FinancialYearMonth: m.FinancialYearMonth, GraceDays: m.GraceDays,
	}
	for _, z := range m.ZoneOffsets {
		p.ZoneOffsets = append(p.ZoneOffsets, cltv.ZoneOffset{FromUnix: z.FromUnix, OffsetSeconds: z.OffsetSeconds})
	}
	if len(m.MarginByProduct) > 0 {
		p.MarginByProduct = m.MarginByProduct
	}
	for _, v := range m.Valuations {
		p.Valuations = append(p.Valuations, cltv.Valuation{Segment: v.Segment, Method: cltv.ValueMethod(v.Method),
			YearlyChurnPPM: v.YearlyChurnPpm, RetentionPPM: v.RetentionPpm, Formula: v.Formula})
	}
	return p
}

func mapHazard(m *perennialv1.RenewalHazard) *cltv.Hazard {
	if m == nil {
		return nil
	}
	h := &cltv.Hazard{Intercept: m.Intercept, Tenure: m.Tenure, MeanBase: m.MeanBase}
	for _, w := range m.Weights {
		h.Weights = append(h.Weights, cltv.HazardWeight{Feature: w.Feature, Weight: w.Weight, Mean: w.Mean})
	}
	return h
}

func mapTenant(m *perennialv1.TenantParameters) (t TenantParameters, ok bool) {
	var p mapper
	t = TenantParameters{Tenant: m.Tenant, ClockUnix: m.ClockUnix,
		Thresholds: mapThresholds(m.Thresholds), UnitCosts: mapUnitCosts(m.UnitCosts), Policy: mapPolicy(m.Policy)}
	for _, model := range m.Models {
		t.Models = append(t.Models, p.model(model))
	}
	return t, !p.late
}

func mapCheckpoint(m *perennialv1.Checkpoint) (c Checkpoint, ok bool) {
	c = Checkpoint{NextOffset: m.NextOffset, LastCRC: m.LastCrc, Batch: m.Batch, Partitions: m.Partitions, FoldVersion: m.FoldVersion}
	ok = true
	for _, t := range m.Tenants {
		mapped, tenantOK := mapTenant(t)
		c.Tenants, ok = append(c.Tenants, mapped), ok && tenantOK
	}
	return c, ok
}

func mapOpening(m *perennialv1.Opening) (o Opening, ok bool) {
	var p mapper
	o = Opening{ProducerID: m.ProducerId, ProducerEpoch: m.ProducerEpoch, Opening: m.Opening, NextOffset: m.NextOffset, OpenedAt: p.millis(m.OpenedAt)}
	return o, !p.late
}

// same compares bit for bit, so that NaN equals itself.
func same(a, b any) bool { return reflect.DeepEqual(bitwise(a), bitwise(b)) }

func bitwise(v any) any {
	var models []*cltv.Model
	switch v := v.(type) {
	case cltv.Event:
		bits := modelBits(v.Model)
		v.Model = nil
		return []any{v, bits}
	case TenantParameters:
		models, v.Models = v.Models, nil
		all := []any{v}
		for _, m := range models {
			all = append(all, modelBits(m))
		}
		return all
	case Checkpoint:
		tenants := v.Tenants
		v.Tenants = nil
		all := []any{v}
		for _, t := range tenants {
			all = append(all, bitwise(t))
		}
		return all
	}
	return v
}

func modelBits(m *cltv.Model) any {
	if m == nil {
		return nil
	}
	var bits []uint64
	rest := *m
	for _, f := range []*float64{
		&rest.BGNBD.R, &rest.BGNBD.Alpha, &rest.BGNBD.A, &rest.BGNBD.B, &rest.MBGNBD.R, &rest.MBGNBD.Alpha, &rest.MBGNBD.A, &rest.MBGNBD.B,
		&rest.ParetoNBD.R, &rest.ParetoNBD.Alpha, &rest.ParetoNBD.S, &rest.ParetoNBD.Beta, &rest.P, &rest.Q, &rest.Gamma,
		&rest.SBG.Alpha, &rest.SBG.Beta, &rest.BdW.Alpha, &rest.BdW.Beta, &rest.BdW.C,
	} {
		bits = append(bits, math.Float64bits(*f))
		*f = 0
	}
	leaving, involuntary := hazardBits(rest.Leaving), hazardBits(rest.Involuntary)
	rest.Leaving, rest.Involuntary = nil, nil
	return []any{rest, bits, leaving, involuntary}
}

func hazardBits(h *cltv.Hazard) any {
	if h == nil {
		return nil
	}
	features, bits := []string{}, []uint64{math.Float64bits(h.Intercept), math.Float64bits(h.Tenure), math.Float64bits(h.MeanBase)}
	for _, w := range h.Weights {
		features, bits = append(features, w.Feature), append(bits, math.Float64bits(w.Weight), math.Float64bits(w.Mean))
	}
	return []any{features, bits}
}
