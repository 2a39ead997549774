package wire

import (
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// filler sets random fields of any message, by reflection, so that a field that
// is added to the schema is tested without anybody thinking of it.
type filler struct {
	*rand.Rand
	// canonical leaves out what the domain doesn't distinguish: parts of a
	// millisecond, empty submessages, a conversion of nothing. Times are valid.
	canonical bool
}

func (f filler) fill(m protoreflect.Message) {
	if m.Descriptor().FullName() == "google.protobuf.Timestamp" {
		f.fillTime(m)
		return
	}
	for fields, i := m.Descriptor().Fields(), 0; i < fields.Len(); i++ {
		fd := fields.Get(i)
		if fd.ContainingOneof() == nil && f.IntN(4) > 0 {
			f.set(m, fd)
		}
	}
	for oneofs, i := m.Descriptor().Oneofs(), 0; i < oneofs.Len(); i++ {
		of := oneofs.Get(i).Fields()
		f.set(m, of.Get(f.IntN(of.Len())))
	}
	if f.canonical {
		canonicalise(m)
	}
}

// canonicalise clears a conversion that has nothing to convert, and a Money
// that is there but empty.
func canonicalise(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	amount, converted := fields.ByName("amount"), fields.ByName("converted")
	if amount != nil && converted != nil && !m.Has(amount) {
		m.Clear(converted)
	}
}

func (f filler) set(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	switch {
	case fd.IsMap():
		entries := m.Mutable(fd).Map()
		for range f.IntN(4) {
			entries.Set(f.scalar(fd.MapKey()).MapKey(), f.scalar(fd.MapValue()))
		}
	case fd.IsList():
		list := m.Mutable(fd).List()
		for range f.IntN(5) {
			if fd.Message() == nil {
				list.Append(f.scalar(fd))
				continue
			}
			f.fill(list.AppendMutable().Message())
		}
	case fd.Message() != nil:
		sub := m.Mutable(fd).Message()
		f.fill(sub)
		if f.canonical && fd.ContainingOneof() == nil && empty(sub) {
			m.Clear(fd)
		}
	default:
		m.Set(fd, f.scalar(fd))
	}
}

func empty(m protoreflect.Message) bool {
	none := true
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		none = false
		return false
	})
	return none
}

func (f filler) fillTime(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	seconds, nanos := f.Int64N(maxUnix), f.Int64N(1_000_000_000)
	if f.canonical {
		nanos -= nanos % 1_000_000
	} else if f.IntN(20) == 0 {
		seconds, nanos = f.integer(), int64(int32(f.integer()))
	}
	m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(seconds))
	m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(nanos)))
}

func (f filler) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.text() + "\xff"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(f.integer()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(f.integer()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind:
		return protoreflect.ValueOfInt64(f.integer())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(f.integer()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(f.integer()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.Ldexp(f.NormFloat64(), f.IntN(100)-50))
	default:
		panic("the filler doesn't know " + fd.Kind().String())
	}
}

// integer returns integers of all sizes alike, with the borders.
func (f filler) integer() int64 {
	borders := []int64{0, 1, -1, 127, 128, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	if f.IntN(5) == 0 {
		return borders[f.IntN(len(borders))]
	}
	v := int64(f.Uint64() >> f.IntN(64))
	if f.IntN(4) == 0 {
		return -v
	}
	return v
}

func (f filler) text() string {
	parts := []string{"", "a", "order-17", "größer", "客户", "\U0001f4de", "\u0000", strings.Repeat("long ", 40)}
	s := parts[f.IntN(len(parts))]
	for range f.IntN(3) {
		s += parts[f.IntN(len(parts)-1)]
	}
	return s
}

// unknown returns a random field that isn't in the schema, or one of the schema
// in a wire type that isn't the schema's.
func (f filler) unknown() []byte {
	number := protowire.Number(f.IntN(70) + 1)
	switch f.IntN(4) {
	case 0:
		return protowire.AppendFixed32(protowire.AppendTag(nil, number, protowire.Fixed32Type), f.Uint32())
	case 1:
		return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), f.Uint64())
	case 2:
		b := protowire.AppendTag(nil, number, protowire.StartGroupType)
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), 7)
		return protowire.AppendTag(b, number, protowire.EndGroupType)
	default:
		number += 100
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte(f.text()))
	}
}
