package intake

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// What the intake takes in the fold takes in: a sender who was told 202 has not
// sent a dead letter. Fields are drawn at the borders of what is allowed, and
// beyond. The intake can't know the tenant's currency, so all money is in it;
// identity links are taken in for later.
func TestFoldTakesWhatTheIntakeTakes(t *testing.T) {
	in := newIntake(t, func(c *Config) { c.AllowBackfill = true })
	r := rand.New(rand.NewPCG(3, 5))
	eachKind(func(k cltv.Kind) {
		_, good := example(t, k)
		taken := 0
		for range 4_000 {
			ev := proto.Clone(good).(*perennialv1.Event)
			for range 1 + r.IntN(4) {
				draw(r, ev.ProtoReflect())
			}
			inDollars(ev.ProtoReflect())
			m, rejection := in.Process(Record{Value: marshalAny(ev), Headers: contentTypeProtobuf})
			if rejection != nil {
				continue
			}
			taken++
			var folded cltv.Event
			if err := wire.DecodeEvent(m.Value, &folded); err != nil {
				t.Fatalf("%v: %v", ev, err)
			}
			var folder cltv.Folder
			step := folder.Fold(new(cltv.State), &folded, cltv.At{})
			if step.Refusal.Code != "" && (k != cltv.KindIdentityLink || step.Refusal.Code != cltv.CodeNotSupported) {
				t.Fatalf("%v is taken in and refused: %v", ev, &step.Refusal)
			}
		}
		if taken < 100 {
			t.Errorf("%s: only %d events were taken in", k, taken)
		}
	})
}

// draw sets one field of m, or of a message in it, to a value at a border.
func draw(r *rand.Rand, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	fd := fields.Get(r.IntN(fields.Len()))
	if fd.ContainingOneof() != nil { // the fact stays of its kind
		if fd = m.WhichOneof(fd.ContainingOneof()); fd == nil {
			return
		}
	}
	one := func(values ...int64) int64 { return values[r.IntN(len(values))] }
	switch fd.Kind() {
	case protoreflect.StringKind:
		m.Set(fd, protoreflect.ValueOfString(strings.Repeat("a", int(one(0, 1, 20, 21, 40, 63, 64, 100, 101, 200, 201, 1000, 1001)))))
	case protoreflect.Int32Kind:
		m.Set(fd, protoreflect.ValueOfInt32(int32(one(-1, 0, 1, 4, 5, 10, 11, 3660, 3661, 86_400, 86_401, 1_000_000, 1_000_001))))
	case protoreflect.Int64Kind:
		m.Set(fd, protoreflect.ValueOfInt64(one(-1, 0, 1, 999_999_999, cltv.MaxAmountMinor, cltv.MaxAmountMinor+1, now.Unix(), now.Unix()+86_400, endOfTime-1, endOfTime)))
	case protoreflect.EnumKind:
		m.Set(fd, protoreflect.ValueOfEnum(protoreflect.EnumNumber(one(-1, 0, 1, 2, 3, 4, 5, 6, 14, 15))))
	case protoreflect.BoolKind:
		m.Set(fd, protoreflect.ValueOfBool(r.IntN(2) == 0))
	case protoreflect.MessageKind:
		if r.IntN(8) == 0 {
			m.Clear(fd)
		} else {
			draw(r, m.Mutable(fd).Message())
		}
	default:
	}
}

// inDollars puts all money of a fact into the currency of the default policy.
func inDollars(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Kind() == protoreflect.MessageKind {
			if money, ok := v.Message().Interface().(*perennialv1.Money); ok {
				converted := m.Descriptor().Fields().ByName("converted")
				if fd.Name() != "amount" || converted == nil || !m.Has(converted) {
					money.Currency = "USD"
				}
				return true
			}
			inDollars(v.Message())
		}
		return true
	})
}

func marshalAny(ev *perennialv1.Event) []byte {
	b, _ := proto.Marshal(ev) // texts here are always UTF-8
	return b
}
