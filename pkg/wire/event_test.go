package wire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkEvent holds DecodeEvent of b against the generated code.
func checkEvent(t *testing.T, b []byte) {
	t.Helper()
	var m perennialv1.Event
	wantErr := proto.Unmarshal(b, &m)
	want, inRange := mapEvent(&m)

	got := cltv.Event{Tenant: "left over", Until: 1, Policy: &cltv.Policy{}}
	err := DecodeEvent(b, &got)
	var de *DecodeError
	switch {
	case err != nil && !errors.As(err, &de):
		t.Fatalf("error of type %T", err)
	case wantErr != nil:
		if err == nil || de.Reason == TimeOutOfRange {
			t.Fatalf("generated code says %v, DecodeEvent says %v\n%x", wantErr, err, b)
		}
	case !inRange:
		if err == nil || de.Reason != TimeOutOfRange {
			t.Fatalf("a time is out of range, DecodeEvent says %v\n%x", err, b)
		}
	case err != nil:
		t.Fatalf("generated code accepts, DecodeEvent says %v\n%x", err, b)
	case !same(got, want):
		t.Fatalf("decoded\n%+v, generated code says\n%+v\n%x", got, want, b)
	}
}

func TestDecodeEventAgreesWithGeneratedCode(t *testing.T) {
	for seed := range uint64(20_000) {
		f := filler{Rand: random(seed)}
		var m perennialv1.Event
		f.fill(m.ProtoReflect())
		b := marshal(t, &m)
		checkEvent(t, b)

		// A second message behind the first merges into it; often the same kind.
		again := proto.Clone(&m)
		if f.IntN(2) == 0 {
			again = new(perennialv1.Event)
		}
		f.fill(again.ProtoReflect())
		both := append(append(b[:len(b):len(b)], f.unknown()...), marshal(t, again)...)
		checkEvent(t, both)

		// Anything may be broken on the way.
		both[f.IntN(len(both))] ^= byte(1 << f.IntN(8))
		checkEvent(t, both)
		checkEvent(t, both[:f.IntN(len(both))])
	}
}

func TestAppendEventIsReadByGeneratedCode(t *testing.T) {
	for seed := range uint64(20_000) {
		f := filler{Rand: random(seed), canonical: true}
		var m, back perennialv1.Event
		f.fill(m.ProtoReflect())
		var ev cltv.Event
		if err := DecodeEvent(marshal(t, &m), &ev); err != nil {
			t.Fatal(err)
		}
		b := AppendEvent([]byte("before"), &ev)[len("before"):]
		if err := proto.Unmarshal(b, &back); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !proto.Equal(&m, &back) {
			t.Fatalf("seed %d: wrote\n%v, want\n%v", seed, &back, &m)
		}
		var again cltv.Event
		if err := DecodeEvent(b, &again); err != nil || !same(ev, again) {
			t.Fatalf("seed %d: read back\n%+v (%v), want\n%+v", seed, again, err, ev)
		}
	}
}

// Every field of every fact reaches the domain: setting it alone changes the
// decoded event. Else a field added to the schema would be lost silently.
func TestEveryFieldReachesTheDomain(t *testing.T) {
	facts := (&perennialv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("fact").Fields()
	for i := range facts.Len() {
		fact := facts.Get(i)
		if name := factNames[fact.Number()]; name != string(fact.Name()) {
			t.Errorf("kind %d is called %q, in the schema %q", fact.Number(), name, fact.Name())
		}
		for _, path := range leaves(fact.Message()) {
			var without, with perennialv1.Event
			without.ProtoReflect().Mutable(fact)
			setLeaf(with.ProtoReflect().Mutable(fact).Message(), path)
			if same(decoded(t, &without), decoded(t, &with)) {
				t.Errorf("%s%s doesn't reach the domain", fact.Name(), pathName(path))
			}
		}
	}
}

func decoded(t *testing.T, m *perennialv1.Event) cltv.Event {
	t.Helper()
	var ev cltv.Event
	if err := DecodeEvent(marshal(t, m), &ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

// leaves returns the paths to all fields of md that hold a value.
func leaves(md protoreflect.MessageDescriptor) (paths [][]protoreflect.FieldDescriptor) {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fd.Message() == nil || fd.IsMap() {
			paths = append(paths, []protoreflect.FieldDescriptor{fd})
			continue
		}
		for _, below := range leaves(fd.Message()) {
			if below[len(below)-1].FullName() != "google.protobuf.Timestamp.nanos" {
				paths = append(paths, append([]protoreflect.FieldDescriptor{fd}, below...))
			}
		}
	}
	return paths
}

func setLeaf(m protoreflect.Message, path []protoreflect.FieldDescriptor) {
	for _, fd := range path[:len(path)-1] {
		if fd.IsList() {
			m = m.Mutable(fd).List().AppendMutable().Message()
			continue
		}
		m = m.Mutable(fd).Message()
	}
	f := filler{Rand: random(1), canonical: true}
	fd := path[len(path)-1]
	for !m.Has(fd) {
		if fd.Kind() == protoreflect.Int64Kind && fd.Name() == "seconds" {
			m.Set(fd, protoreflect.ValueOfInt64(1))
			continue
		}
		f.set(m, fd)
	}
}

func pathName(path []protoreflect.FieldDescriptor) (s string) {
	for _, fd := range path {
		s += "." + string(fd.Name())
	}
	return s
}

func TestDecodeErrorNamesTheField(t *testing.T) {
	text := func(number protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), s)
	}
	order := func(b []byte) []byte { return text(21, string(b)) }
	for _, c := range []struct {
		give   []byte
		field  string
		reason Reason
	}{
		{text(1, "\xff"), "tenant", InvalidUTF8},
		{text(5, "\x08\xff"), "occurred_at", Malformed},
		{text(5, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "occurred_at", TimeOutOfRange},
		{order(text(1, "\xff")), "order.order_id", InvalidUTF8},
		{order(text(3, string(text(2, "\xc0")))), "order.converted.currency", InvalidUTF8},
		{order(text(7, "\x0a\x05a")), "order.touch", Malformed},
		{order([]byte{0x08}), "order", Malformed},
		{text(65, string(text(4, "\x08"))), "policy_set.zone_offsets", Malformed},
		{text(64, string(text(3, string(text(1, "\xff"))))), "unit_costs_set.by_campaign.key", InvalidUTF8},
		{text(63, string(text(2, string(text(1, "\xff"))))), "thresholds_set.tiers.name", InvalidUTF8},
		{text(28, string(text(3, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))), "subscription_cancelled.effective_at", TimeOutOfRange},
		{text(62, string(text(8, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))), "model_published.trained_to", TimeOutOfRange},
		{[]byte{0x07}, "", Malformed},
		{[]byte{0x00}, "", Malformed},
	} {
		var ev cltv.Event
		var de *DecodeError
		if err := DecodeEvent(c.give, &ev); !errors.As(err, &de) || de.Field != c.field || de.Reason != c.reason {
			t.Errorf("%x: %v, want %s: %s", c.give, err, c.field, c.reason)
		}
		checkEvent(t, c.give)
	}
}

func TestDecodeEventDoesNotAllocate(t *testing.T) {
	for kind := cltv.Kind(1); kind <= cltv.KindErase; kind++ {
		switch kind {
		case cltv.KindModelPublished, cltv.KindThresholdsSet, cltv.KindUnitCostsSet, cltv.KindPolicySet:
			continue // copied on purpose
		default:
		}
		if factNames[kind] == "" {
			continue
		}
		b := marshal(t, sample(kind))
		var ev cltv.Event
		if n := testing.AllocsPerRun(100, func() {
			if err := DecodeEvent(b, &ev); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("decoding %s allocates %v times", factNames[kind], n)
		}
		out := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { out = AppendEvent(out[:0], &ev) }); n != 0 {
			t.Errorf("appending %s allocates %v times", factNames[kind], n)
		}
	}
}

// sample returns a filled event of a kind.
func sample(kind cltv.Kind) *perennialv1.Event {
	var m perennialv1.Event
	f := filler{Rand: random(uint64(kind)), canonical: true}
	f.fill(m.ProtoReflect())
	fd := m.ProtoReflect().Descriptor().Fields().ByNumber(protoreflect.FieldNumber(kind))
	f.fill(m.ProtoReflect().Mutable(fd).Message())
	return &m
}

func TestEveryDomainFieldIsWritten(t *testing.T) {
	// The other way round of TestEveryFieldReachesTheDomain, for the envelope.
	ev := cltv.Event{Tenant: "t", Customer: "c", Source: "s", SourceEventID: "i", Revision: 1, Backfill: true, OccurredAt: 1, RecordedAt: 1_001}
	var back cltv.Event
	if err := DecodeEvent(AppendEvent(nil, &ev), &back); err != nil || !reflect.DeepEqual(ev, back) {
		t.Fatalf("%+v, %v", back, err)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for kind := range cltv.Kind(255) {
		if factNames[kind] != "" {
			f.Add(marshal(f, sample(kind)))
		}
	}
	f.Fuzz(checkEvent)
}

func BenchmarkDecodeEvent(b *testing.B) {
	for _, c := range benchEvents() {
		in := AppendEvent(nil, &c)
		b.Run(factNames[c.Kind], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			var ev cltv.Event
			for b.Loop() {
				if err := DecodeEvent(in, &ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	for _, c := range benchEvents() {
		b.Run(factNames[c.Kind], func(b *testing.B) {
			b.ReportAllocs()
			out := make([]byte, 0, 512)
			for b.Loop() {
				out = AppendEvent(out[:0], &c)
			}
		})
	}
}

func benchEvents() []cltv.Event {
	envelope := cltv.Event{
		Tenant: "acme", Customer: "customer-0012345", Source: "stripe", SourceEventID: "evt_1MqqbKLt4dXK03v5qaIbiNCC",
		OccurredAt: 1_700_000_000_123, RecordedAt: 1_700_000_000_456,
	}
	touch := cltv.Touch{Campaign: "spring", Agent: "agent-17", Offer: "gold", LeadSource: "web"}
	call, order := envelope, envelope
	call.Kind, call.Touch, call.Code, call.Code2, call.Number, call.Number2 = cltv.KindCall, touch, 1, 2, 245, 31
	order.Kind, order.Ref, order.Touch, order.AmountMinor, order.Currency = cltv.KindOrder, "order-778812", touch, 12_995, "USD"
	order.Product = "gold-plan"
	clock := cltv.Event{Tenant: "acme", Kind: cltv.KindClockAdvanced, Until: 1_700_000_000_000}
	return []cltv.Event{call, order, clock}
}

func ExampleDecodeError() {
	var ev cltv.Event
	err := DecodeEvent([]byte("\x0a\x01\xff"), &ev)
	var de *DecodeError
	if errors.As(err, &de) {
		fmt.Println(de.Field, de.Reason)
	}
	// Output: tenant invalid_utf8
}

func TestIsASCII(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n)
		if !isASCII(b) {
			t.Errorf("%d zero bytes aren't ASCII", n)
		}
		for i := range b {
			b[i] = 0x80
			if isASCII(b) {
				t.Errorf("%d bytes with 0x80 at %d are ASCII", n, i)
			}
			b[i] = 0x7f
		}
	}
}
