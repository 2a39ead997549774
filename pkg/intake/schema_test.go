package intake

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// free are fields whose every value is good.
var free = map[string]bool{
	"recorded_at": true, // overwritten
	"revision":    true, // checked apart: only its sign can be wrong
}

// Every field of every external kind is checked: a bad value of it, by its type
// alone, is refused and named. A field that is added to the schema and forgotten
// here fails.
func TestEveryFieldIsChecked(t *testing.T) {
	in := newIntake(t, nil)
	eachKind(func(k cltv.Kind) {
		_, ev := example(t, k)
		m := ev.ProtoReflect()
		fact := m.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(k))
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			if fd == fact || fd.ContainingOneof() == nil && fd.Kind() != protoreflect.BoolKind && !free[string(fd.Name())] && (fd.Name() != "customer" || k != cltv.KindMarketingSpend) {
				spoil(t, in, ev, fd, string(fd.Name()), func(e *perennialv1.Event) protoreflect.Message { return e.ProtoReflect() })
			}
		}
	})
}

// spoil sets the field, and the fields below it, to bad values, one at a time.
// of finds the message that has the field in a copy of the event.
func spoil(t *testing.T, in *Intake, ev *perennialv1.Event, fd protoreflect.FieldDescriptor, path string, of func(*perennialv1.Event) protoreflect.Message) {
	t.Helper()
	if sub := fd.Message(); sub != nil {
		below := func(e *perennialv1.Event) protoreflect.Message { return of(e).Mutable(fd).Message() }
		if sub.FullName() == "google.protobuf.Timestamp" {
			for _, seconds := range []int64{-1, -62135596800, 7258118400, math.MaxInt64, math.MinInt64} {
				expectProblem(t, in, ev, path, func(e *perennialv1.Event) {
					below(e).Set(sub.Fields().ByName("seconds"), protoreflect.ValueOfInt64(seconds))
				})
			}
			return
		}
		for i := range sub.Fields().Len() {
			spoil(t, in, ev, sub.Fields().Get(i), path+"."+string(sub.Fields().Get(i).Name()), below)
		}
		return
	}
	for _, bad := range badValues(fd) {
		expectProblem(t, in, ev, path, func(e *perennialv1.Event) { of(e).Set(fd, bad) })
	}
}

func badValues(fd protoreflect.FieldDescriptor) (bad []protoreflect.Value) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		for _, s := range []string{strings.Repeat("x", 1_001), "bell\a", "c1\u0085", "\xff"} {
			bad = append(bad, protoreflect.ValueOfString(s))
		}
	case protoreflect.EnumKind:
		bad = append(bad, protoreflect.ValueOfEnum(999), protoreflect.ValueOfEnum(-1))
	case protoreflect.Int32Kind:
		bad = append(bad, protoreflect.ValueOfInt32(-1), protoreflect.ValueOfInt32(math.MaxInt32), protoreflect.ValueOfInt32(math.MinInt32))
	case protoreflect.Int64Kind:
		bad = append(bad, protoreflect.ValueOfInt64(-1), protoreflect.ValueOfInt64(math.MaxInt64), protoreflect.ValueOfInt64(math.MinInt64))
	default: // every bool is good; external kinds have no other types
	}
	return bad
}

func expectProblem(t *testing.T, in *Intake, good *perennialv1.Event, field string, change func(*perennialv1.Event)) {
	t.Helper()
	ev := proto.Clone(good).(*perennialv1.Event)
	change(ev)
	rejection := in.Validate(ev)
	if rejection == nil {
		t.Errorf("%s: %v is taken", field, ev)
		return
	}
	for _, p := range rejection.Problems {
		if p.Field == field {
			return
		}
	}
	t.Errorf("%s isn't named in %v", field, rejection)
}

// What is taken once is taken again as it is, but for when it was recorded.
func TestAdmitIsIdempotent(t *testing.T) {
	in := newIntake(t, func(c *Config) { c.HashKey = []byte("0123456789abcdef") })
	eachKind(func(k cltv.Kind) {
		_, ev := example(t, k)
		if ev.Customer != "" {
			ev.Customer = "mailto:Jane.Doe@Example.com"
		}
		once := process(t, in, Record{Value: marshal(t, ev)})
		if ev.Customer != "" && strings.Contains(strings.ToLower(string(once.Value)), "jane") {
			t.Errorf("%s: the address passed", k)
		}
		twice := process(t, in, Record{Value: once.Value})
		if !bytes.Equal(once.Value, twice.Value) || !bytes.Equal(once.Key, twice.Key) {
			t.Errorf("%s: changed the second time", k)
		}
	})
}

func TestBordersOfMoneyAndTimeAreTaken(t *testing.T) {
	in := newIntake(t, nil)
	_, ev := example(t, cltv.KindOrder)
	for _, minor := range []int64{0, 1, cltv.MaxAmountMinor} {
		ev.GetOrder().Amount.Minor, ev.GetOrder().Converted = minor, nil
		ev.GetOrder().CostOfGoods = nil
		for _, seconds := range []int64{1, now.Unix() + 86_400} {
			ev.OccurredAt.Seconds, ev.OccurredAt.Nanos = seconds, 0
			if rejection := in.Validate(ev); rejection != nil {
				t.Errorf("%d at %d: %v", minor, seconds, rejection)
			}
		}
	}
	_, cancelled := example(t, cltv.KindSubscriptionCancelled)
	cancelled.GetSubscriptionCancelled().EffectiveAt.Seconds = endOfTime - 1 // the future is no mistake here
	if rejection := in.Validate(cancelled); rejection != nil {
		t.Error(rejection)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	in := newIntake(t, nil)
	long := strings.Repeat("x", 2_000)
	touch := &perennialv1.Touch{Campaign: long, Agent: long, Offer: long, LeadSource: long}
	ev := &perennialv1.Event{Tenant: "T", Customer: "~" + long, Source: "S", Revision: -1, Backfill: true, Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{
		OrderId: long, Amount: &perennialv1.Money{Minor: -1}, Converted: &perennialv1.Money{Minor: -1}, CostOfGoods: &perennialv1.Money{Minor: -1, Currency: "usd"},
		Product: long, Type: 99, Touch: touch}}}
	rejection := in.Validate(ev)
	if rejection == nil || len(rejection.Problems) != maxProblems {
		t.Fatalf("%v", rejection)
	}
	if n := len(rejection.Error()); n > 4_000 {
		t.Errorf("the cause has %d bytes", n)
	}
}
