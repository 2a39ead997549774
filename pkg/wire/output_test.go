package wire

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// fillStruct sets every field of a struct at random; times stay in range by
// their names being known to the caller.
func fillStruct(f filler, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanSet() {
			continue // what the domain keeps to itself
		}
		switch field.Kind() {
		case reflect.String:
			field.SetString(f.text())
		case reflect.Bool:
			field.SetBool(f.IntN(2) == 1)
		case reflect.Struct:
			fillStruct(f, field)
		case reflect.Int64:
			field.SetInt(f.integer() >> 1)
		case reflect.Int32, reflect.Uint8:
			if field.Kind() == reflect.Uint8 {
				field.SetUint(uint64(f.IntN(256)))
			} else {
				field.SetInt(int64(int32(f.integer())))
			}
		default:
			panic("the filler doesn't know " + field.Kind().String())
		}
	}
}

// randomStep returns an event that may cause an output, and a step.
func randomStep(t testing.TB, r *rand.Rand) (cltv.Event, cltv.Step) {
	f := filler{Rand: r, canonical: true}
	var m perennialv1.Event
	f.fill(m.ProtoReflect())
	var ev cltv.Event
	if err := DecodeEvent(marshal(t, &m), &ev); err != nil {
		t.Fatal(err)
	}
	var step cltv.Step
	fillStruct(f, reflect.ValueOf(&step).Elem())
	s := &step.Score
	s.AsOf, s.BandChangesAt = f.Int64N(maxUnix), f.Int64N(maxUnix)
	s.FirstAt, s.LastAt = f.Int64N(maxUnix*1000), f.Int64N(maxUnix*1000)
	return ev, step
}

func unix(seconds int64) *timestamppb.Timestamp {
	if seconds == 0 {
		return nil
	}
	return timestamppb.New(time.Unix(seconds, 0))
}

func atMillis(ms int64) *timestamppb.Timestamp {
	if ms == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

func wantCause(ev *cltv.Event) *perennialv1.Cause {
	return &perennialv1.Cause{Kind: ev.Kind.String(), Source: ev.Source, SourceEventId: ev.SourceEventID, OccurredAt: atMillis(ev.OccurredAt)}
}

func wantTouch(t cltv.Touch) *perennialv1.Touch {
	if t == (cltv.Touch{}) {
		return nil
	}
	return &perennialv1.Touch{Campaign: t.Campaign, Agent: t.Agent, Offer: t.Offer, LeadSource: t.LeadSource}
}

func wantChurn(s *cltv.Score) *perennialv1.Churn {
	return &perennialv1.Churn{Band: perennialv1.Band(s.Band), ProbabilityPpm: s.ChurnPPM, HorizonDays: s.ChurnHorizonDays,
		ValueAtRiskMinor: s.ValueAtRiskMinor, BandChangesAt: unix(s.BandChangesAt), VoluntaryPpm: s.VoluntaryPPM, InvoluntaryPpm: s.InvoluntaryPPM}
}

func wantConsent(c cltv.Consent) *perennialv1.ConsentFlags {
	return &perennialv1.ConsentFlags{DoNotCall: c.DoNotCall, DoNotEmail: c.DoNotEmail, DoNotText: c.DoNotText}
}

func wantNumbers(n cltv.Numbers) *perennialv1.ParameterNumbers {
	return &perennialv1.ParameterNumbers{Model: n.Model, Thresholds: n.Thresholds, UnitCosts: n.UnitCosts, Policy: n.Policy, ContractModel: n.Contracts}
}

func wantUpdate(ev *cltv.Event, step *cltv.Step) *perennialv1.CltvUpdate {
	s := &step.Score
	h := &perennialv1.HistoricValue{GrossMinor: s.GrossMinor, RefundedMinor: s.RefundedMinor, NetMinor: s.NetMinor,
		MarginMinor: s.MarginMinor, ServiceCostMinor: s.ServiceCostMinor, Transactions: s.Transactions, FinancialYearMinor: s.FinancialYearMinor}
	if s.Transactions > 0 {
		h.FirstTransactionAt, h.LastTransactionAt = atMillis(s.FirstAt), atMillis(s.LastAt)
	}
	var contracts *perennialv1.ContractPrediction
	if c := s.Contracts; c.Method != cltv.MethodNone {
		contracts = &perennialv1.ContractPrediction{Method: perennialv1.Method(c.Method), ModelId: c.ModelID, Running: c.Running,
			ResidualMinor: c.ResidualMinor, ExpectedRenewalsPpm: c.ExpectedPPM, Plan: c.Plan, TenurePeriods: c.Tenure, RenewalAt: unix(c.RenewalAt)}
	}
	return &perennialv1.CltvUpdate{
		Tenant: ev.Tenant, Customer: ev.Customer, Version: s.Version, AsOf: unix(s.AsOf), Cause: wantCause(ev),
		Currency: s.Currency, Historic: h, CacMinor: s.CACMinor,
		Prediction: &perennialv1.Prediction{
			Method: perennialv1.Method(s.Method), ModelId: s.ModelID, Basis: perennialv1.Basis(s.Basis), HorizonDays: s.HorizonDays,
			ResidualMinor: s.ResidualMinor, ResidualLowMinor: s.ResidualLowMinor, ResidualHighMinor: s.ResidualHighMinor,
			AlivePpm: s.AlivePPM, ExpectedPurchasesPpm: s.ExpectedPPM, ExpectedSpendMinor: s.ExpectedSpendMinor,
			RepeatTransactions: s.RepeatTransactions, LastTransactionAgeDays: s.LastAgeDays, AgeDays: s.AgeDays, Contracts: contracts,
		},
		CltvMinor: s.CLTVMinor, NetCltvMinor: s.NetCLTVMinor, LtvToCacPpm: s.LTVToCACPPM,
		PreviousCltvMinor: step.PreviousCLTVMinor, ChangeMinor: s.CLTVMinor - step.PreviousCLTVMinor, Tier: s.TierName,
		Acquisition: wantTouch(s.Acquisition), Churn: wantChurn(s), Consent: wantConsent(s.Consent),
		FoldVersion: cltv.FoldVersion, Parameters: wantNumbers(s.Numbers), Backfill: ev.Backfill,
	}
}

func TestAppendUpdateIsReadByGeneratedCode(t *testing.T) {
	for seed := range uint64(5_000) {
		ev, step := randomStep(t, random(seed))
		var got perennialv1.CltvUpdate
		if err := proto.Unmarshal(AppendUpdate(nil, &ev, &step), &got); err != nil {
			t.Fatal(err)
		}
		if want := wantUpdate(&ev, &step); !proto.Equal(&got, want) {
			t.Fatalf("seed %d: wrote\n%v, want\n%v", seed, &got, want)
		}
	}
}

func TestAppendChurnIsReadByGeneratedCode(t *testing.T) {
	for seed := range uint64(5_000) {
		r := random(seed)
		ev, step := randomStep(t, r)
		s := &step.Score
		want := &perennialv1.ChurnRisk{
			Tenant: ev.Tenant, Customer: ev.Customer, Version: s.Version, AsOf: unix(s.AsOf), Cause: wantCause(&ev),
			Currency: s.Currency, Churn: wantChurn(s), PreviousBand: perennialv1.Band(step.PreviousBand),
			ResidualMinor: s.ResidualMinor, CltvMinor: s.CLTVMinor, Tier: s.TierName, Acquisition: wantTouch(s.Acquisition),
			Consent: wantConsent(s.Consent), FoldVersion: cltv.FoldVersion, Parameters: wantNumbers(s.Numbers), Backfill: ev.Backfill,
		}
		var lists [2][]cltv.Reason
		for i, to := range []*[]*perennialv1.Reason{&want.Reasons, &want.InvoluntaryReasons} {
			for range r.IntN(4) {
				var reason cltv.Reason
				fillStruct(filler{Rand: r}, reflect.ValueOf(&reason).Elem())
				lists[i] = append(lists[i], reason)
				*to = append(*to, &perennialv1.Reason{Code: reason.Code, Text: reason.Text, LogOddsPpm: reason.LogOddsPPM})
			}
		}
		var got perennialv1.ChurnRisk
		if err := proto.Unmarshal(AppendChurn(nil, &ev, &step, lists[0], lists[1]), &got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&got, want) {
			t.Fatalf("seed %d: wrote\n%v, want\n%v", seed, &got, want)
		}
	}
}

// Every field of the outputs can be set: else one added to the schema would
// stay empty for ever.
func TestEveryOutputFieldIsWritten(t *testing.T) {
	update, churn := new(perennialv1.CltvUpdate), new(perennialv1.ChurnRisk)
	for seed := range uint64(50) {
		ev, step := randomStep(t, random(seed))
		reasons := []cltv.Reason{{Code: "recency", Text: "quiet", LogOddsPPM: 1}}
		for m, b := range map[proto.Message][]byte{update: AppendUpdate(nil, &ev, &step), churn: AppendChurn(nil, &ev, &step, reasons, reasons)} {
			if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(b, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range []proto.Message{update, churn} {
		for _, path := range leaves(m.ProtoReflect().Descriptor()) {
			at := m.ProtoReflect()
			for _, fd := range path[:len(path)-1] {
				if fd.IsList() {
					at = at.Get(fd).List().Get(0).Message()
					continue
				}
				at = at.Get(fd).Message()
			}
			if !at.Has(path[len(path)-1]) {
				t.Errorf("%s%s is never written", m.ProtoReflect().Descriptor().Name(), pathName(path))
			}
		}
	}
}

func BenchmarkAppendUpdate(b *testing.B) {
	ev := benchEvents()[1]
	step := cltv.Step{PreviousCLTVMinor: 120_000, Score: cltv.Score{
		Version: 12, AsOf: 1_700_000_000, Currency: "USD", GrossMinor: 99_000, NetMinor: 99_000, MarginMinor: 45_000,
		ServiceCostMinor: 1_200, Transactions: 9, FirstAt: 1_600_000_000_000, LastAt: 1_699_000_000_000, CACMinor: 2_500,
		Method: 1, Basis: 1, ModelID: "acme-2023-11-01", HorizonDays: 273, ResidualMinor: 80_000, ResidualLowMinor: 12_000,
		ResidualHighMinor: 170_000, AlivePPM: 871_000, ExpectedPPM: 4_500_000, ExpectedSpendMinor: 11_000, RepeatTransactions: 8,
		LastAgeDays: 1_140, AgeDays: 1_157, CLTVMinor: 123_800, NetCLTVMinor: 121_300, LTVToCACPPM: 49_520_000, TierName: "gold",
		Acquisition: ev.Touch, Band: 1, ChurnPPM: 210_000, ChurnHorizonDays: 90, ValueAtRiskMinor: 16_800,
		BandChangesAt: 1_702_000_000, Numbers: cltv.Numbers{Model: 4, Thresholds: 2, Policy: 1},
	}}
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendUpdate(out[:0], &ev, &step)
	}
	if n := testing.AllocsPerRun(10, func() { out = AppendUpdate(out[:0], &ev, &step) }); n != 0 {
		b.Fatalf("%v allocations", n)
	}
}
