package wire

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wire types, as the low bits of a key.
const (
	varint    = uint64(protowire.VarintType)
	fixed64   = uint64(protowire.Fixed64Type)
	delimited = uint64(protowire.BytesType)
)

// cursor walks the fields of one message. After next, key is the field's number
// and wire type (number<<3 | type), so that a field of another wire type than
// the schema's matches no case and is skipped like an unknown one.
type cursor struct {
	rest []byte
	key  uint64
	// num is the value of a varint or fixed64 field.
	num uint64
	// data is the value of a length-delimited field.
	data []byte
	// bad is set where the bytes are no message.
	bad bool
}

// next reads one field. False: the message has ended, or is bad.
func (c *cursor) next() bool {
	b := c.rest
	if len(b) == 0 {
		return false
	}
	key := uint64(b[0])
	switch {
	case key < 0x80:
		b = b[1:]
	case len(b) >= 2 && b[1] < 0x80:
		key = key&0x7f | uint64(b[1])<<7
		b = b[2:]
	default:
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return c.fail()
		}
		key, b = v, b[n:]
	}
	if n := key >> 3; n < uint64(protowire.MinValidNumber) || n > uint64(protowire.MaxValidNumber) {
		return c.fail()
	}
	c.key = key
	switch key & 7 {
	case varint:
		if len(b) > 0 && b[0] < 0x80 {
			c.num, c.rest = uint64(b[0]), b[1:]
			return true
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return c.fail()
		}
		c.num, c.rest = v, b[n:]
	case delimited:
		if len(b) > 0 && b[0] < 0x80 {
			n := int(b[0])
			if n >= len(b) {
				return c.fail()
			}
			c.data, c.rest = b[1:1+n], b[1+n:]
			return true
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return c.fail()
		}
		c.data, c.rest = v, b[n:]
	case fixed64:
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return c.fail()
		}
		c.num, c.rest = v, b[n:]
	default:
		n := protowire.ConsumeFieldValue(protowire.Number(key>>3), protowire.Type(key&7), b)
		if n < 0 {
			return c.fail()
		}
		c.rest = b[n:]
	}
	return true
}

func (c *cursor) fail() bool {
	c.bad, c.rest = true, nil
	return false
}

// end returns the error of a walk that is over.
func (c *cursor) end() *DecodeError {
	if c.bad {
		return &DecodeError{Reason: Malformed}
	}
	return nil
}

// text sets *to to the field's bytes, which it aliases.
func (c *cursor) text(to *string, field string) *DecodeError {
	if !isASCII(c.data) && !utf8.Valid(c.data) {
		return &DecodeError{Field: field, Reason: InvalidUTF8}
	}
	*to = alias(c.data)
	return nil
}

// isASCII looks at eight bytes at once, the last eight overlapping those before:
// most texts are short ids, for which utf8.Valid goes byte by byte.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	n := len(b)
	if n >= 8 {
		bits := binary.LittleEndian.Uint64(b[n-8:])
		for i := 0; i+8 <= n; i += 8 {
			bits |= binary.LittleEndian.Uint64(b[i:])
		}
		return bits&high == 0
	}
	if n >= 4 {
		return (binary.LittleEndian.Uint32(b)|binary.LittleEndian.Uint32(b[n-4:]))&(high>>32) == 0
	}
	var bits byte
	for _, c := range b {
		bits |= c
	}
	return bits < 0x80
}

// ownText is text into memory of its own, for what outlives the buffer.
func (c *cursor) ownText(to *string, field string) *DecodeError {
	if !utf8.Valid(c.data) {
		return &DecodeError{Field: field, Reason: InvalidUTF8}
	}
	*to = string(c.data)
	return nil
}

func (c *cursor) int32() int32 { return int32(c.num) }
func (c *cursor) int64() int64 { return int64(c.num) }
func (c *cursor) bool() bool   { return c.num != 0 }

// alias returns b as a string without copying it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// stamp is a google.protobuf.Timestamp as it stands on the wire, unchecked, so
// that a repeated one can be merged.
type stamp struct {
	seconds int64
	nanos   int32
	set     bool
}

// maxUnix is 2200-01-01, the first second that is refused.
const maxUnix = 7_258_118_400

// decode merges an encoded Timestamp into s.
func (s *stamp) decode(b []byte, field string) *DecodeError {
	s.set = true
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			s.seconds = c.int64()
		case 2<<3 | varint:
			s.nanos = c.int32()
		}
	}
	if c.bad {
		return &DecodeError{Field: field, Reason: Malformed}
	}
	return nil
}

// millis returns s in Unix milliseconds, 0 where it is absent.
func (s *stamp) millis(field string) (int64, *DecodeError) {
	if !s.set {
		return 0, nil
	}
	if s.seconds < 0 || s.seconds >= maxUnix || s.nanos < 0 || s.nanos > 999_999_999 {
		return 0, &DecodeError{Field: field, Reason: TimeOutOfRange}
	}
	return s.seconds*1000 + int64(s.nanos)/1_000_000, nil
}

// money is a perennial.v1.Money.
type money struct {
	minor    int64
	currency string
	set      bool
}

// decode merges an encoded Money into m.
func (m *money) decode(b []byte, field string) *DecodeError {
	m.set = true
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			m.minor = c.int64()
		case 2<<3 | delimited:
			if err := c.text(&m.currency, "currency"); err != nil {
				return within(field, err)
			}
		}
	}
	if c.bad {
		return &DecodeError{Field: field, Reason: Malformed}
	}
	return nil
}
