package wire

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// plausible returns a fact that the fold takes in.
func plausible(f filler, id int) cltv.Event {
	kinds := []cltv.Kind{cltv.KindCall, cltv.KindOrder, cltv.KindPayment, cltv.KindRefund, cltv.KindPaymentFailed,
		cltv.KindSubscriptionStarted, cltv.KindSubscriptionRenewed, cltv.KindSubscriptionChanged, cltv.KindSubscriptionCancelled,
		cltv.KindTicketOpened, cltv.KindTicketResolved, cltv.KindSurveyAnswer, cltv.KindChannelResponse, cltv.KindReferral,
		cltv.KindProfile, cltv.KindConsent}
	at := 1_600_000_000_000 + f.Int64N(100_000_000_000)
	name := func(of string, n int) string { return fmt.Sprint(of, "-", f.IntN(n)) }
	ev := cltv.Event{
		Tenant: "acme", Customer: "c", Source: "source", SourceEventID: fmt.Sprint(id), Kind: kinds[f.IntN(len(kinds))],
		OccurredAt: at, RecordedAt: at + f.Int64N(1_000_000), Revision: f.Int64N(3),
		Ref: name("ref", 50), Parent: name("ref", 50), Product: name("product", 5),
		Touch: cltv.Touch{Campaign: name("campaign", 4), Agent: name("agent", 9), LeadSource: name("list", 3)},
	}
	switch ev.Kind {
	case cltv.KindCall:
		ev.Code, ev.Code2, ev.Number, ev.Number2, ev.Text = f.Int32N(15), f.Int32N(3), f.Int32N(300), f.Int32N(100), "SALE"
		ev.Flag = f.IntN(2) == 0
		if f.IntN(2) == 0 {
			ev.HasCost, ev.CostMinor, ev.CostCurrency = true, f.Int64N(500), "USD"
		}
	case cltv.KindOrder, cltv.KindPayment, cltv.KindRefund, cltv.KindSubscriptionStarted, cltv.KindSubscriptionRenewed, cltv.KindSubscriptionChanged:
		if ev.AmountMinor, ev.Currency = f.Int64N(100_000), "USD"; f.IntN(2) == 0 {
			ev.OriginalMinor, ev.OriginalCurrency = f.Int64N(100_000), "EUR"
		}
	case cltv.KindPaymentFailed:
		ev.Number, ev.AmountMinor, ev.Currency = f.Int32N(4), f.Int64N(9_000), "USD"
	case cltv.KindTicketOpened:
		ev.Number, ev.Flag = f.Int32N(5), f.IntN(2) == 0
	case cltv.KindSurveyAnswer:
		ev.Number = f.Int32N(11)
	case cltv.KindChannelResponse:
		ev.Code, ev.Code2 = 1+f.Int32N(4), 1+f.Int32N(5)
	case cltv.KindProfile:
		ev.Segment, ev.Region, ev.AgeBand = name("segment", 3), name("region", 3), "35-44"
	case cltv.KindConsent:
		ev.Code, ev.Flag, ev.Text = f.Int32N(4), f.IntN(2) == 0, "form"
	default:
	}
	switch ev.Kind {
	case cltv.KindOrder:
		ev.Code, ev.HasCost, ev.CostMinor, ev.CostCurrency = f.Int32N(6), true, f.Int64N(5_000), "USD"
	case cltv.KindRefund:
		ev.Code, ev.Code2 = f.Int32N(3), f.Int32N(6)
	case cltv.KindSubscriptionStarted, cltv.KindSubscriptionChanged:
		ev.Number = 1 + f.Int32N(360)
		if f.IntN(2) == 0 {
			ev.Parent = "" // no invoice
		}
	case cltv.KindSubscriptionCancelled:
		ev.Code = f.Int32N(4)
	default:
	}
	switch ev.Kind {
	case cltv.KindSubscriptionStarted, cltv.KindSubscriptionRenewed, cltv.KindSubscriptionCancelled:
		ev.Until = at + f.Int64N(10_000_000_000)
	default:
	}
	return ev
}

// What the domain stores is the schema's CustomerState: the generated code knows
// every field of it, and what the generated code writes the domain reads alike.
func TestStoredStateIsTheSchemas(t *testing.T) {
	seen := make(map[protoreflect.Name]bool)
	for seed := range uint64(300) {
		f := filler{Rand: random(seed)}
		var (
			folder cltv.Folder
			state  cltv.State
		)
		applied := 0
		for i := range 1 + f.IntN(900) {
			ev := plausible(f, i)
			if folder.Fold(&state, &ev, cltv.At{Offset: int64(i)}).Outcome == cltv.Applied {
				applied++
			}
		}
		if applied == 0 {
			continue
		}
		stored := state.AppendTo(nil)
		var m perennialv1.CustomerState
		if err := proto.Unmarshal(stored, &m); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		noUnknown(t, m.ProtoReflect())
		m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			seen[fd.Name()] = true
			return true
		})
		var again cltv.State
		if err := again.Decode(marshal(t, &m)); err != nil {
			t.Fatalf("seed %d: what the generated code wrote: %v", seed, err)
		}
		if !bytes.Equal(again.AppendTo(nil), stored) {
			t.Fatalf("seed %d: the generated code changed the state", seed)
		}
	}
	for fields, i := (&perennialv1.CustomerState{}).ProtoReflect().Descriptor().Fields(), 0; i < fields.Len(); i++ {
		if name := fields.Get(i).Name(); !seen[name] && name != "spend" { // spend states have nothing else
			t.Errorf("no state had %s", name)
		}
	}
}

// noUnknown fails where the schema lacks a field that was written.
func noUnknown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if b := m.GetUnknown(); len(b) > 0 {
		t.Fatalf("%s has fields that the schema lacks: %x", m.Descriptor().Name(), b)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				noUnknown(t, v.List().Get(i).Message())
			}
		default:
			noUnknown(t, v.Message())
		}
		return true
	})
}
