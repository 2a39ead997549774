package cltv

import (
	"encoding/binary"
	"fmt"
	"math"
)

// reader goes through the fields of a message. The first fault sticks, and what is read after it is zero.
type reader struct {
	b     []byte
	pos   int
	field int
	last  int
	wire  int
	value uint64 // of a varint or fixed64 field
	bytes []byte // of a field with a length
	fault string
}

func (r *reader) fail(what string) {
	if r.fault == "" {
		r.fault = what
	}
}

// more says whether anything is left.
func (r *reader) more() bool { return r.pos < len(r.b) }

// next reads the next field; false at the end and after a fault. Fields must come in the order of their numbers.
func (r *reader) next() bool {
	if !r.more() || r.fault != "" {
		return false
	}
	tag := r.uvarint()
	if tag>>3 > 1000 {
		r.fail("is unknown to this version")
		return false
	}
	r.last, r.field, r.wire = r.field, int(tag>>3), int(tag&7)
	if r.field < r.last {
		r.fail("is out of order")
	}
	switch r.wire {
	case wireVarint:
		r.value = r.uvarint()
	case wireFixed64:
		r.value = r.fixed64()
	case wireBytes:
		n := r.uvarint()
		if n > uint64(len(r.b)-r.pos) {
			r.fail("ends early")
			return false
		}
		end := r.pos + int(n)
		r.bytes = r.b[r.pos:end]
		r.pos = end
	default:
		r.fail("has an unknown wire type")
	}
	return r.fault == ""
}

func (r *reader) uvarint() uint64 {
	if r.pos < len(r.b) {
		if c := r.b[r.pos]; c < 0x80 {
			r.pos++
			return uint64(c)
		}
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.fail("has a number that ends early or is too long")
		r.pos = len(r.b)
		return 0
	}
	r.pos += n
	return v
}

// number is the value of a varint field, at most atMost.
func (r *reader) number(atMost int64) int64 {
	if r.wire != wireVarint {
		r.fail("is no number")
		return 0
	}
	return r.bounded(r.value, atMost)
}

func (r *reader) bounded(v uint64, atMost int64) int64 {
	if v > uint64(atMost) {
		r.fail(fmt.Sprintf("is %d, at most %d", v, atMost))
		return 0
	}
	return int64(v)
}

// signed is the value of a zigzag field within ±atMost.
func (r *reader) signed(atMost int64) int64 {
	if r.wire != wireVarint {
		r.fail("is no number")
		return 0
	}
	v := unzigzag(r.value)
	if v > atMost || v < -atMost {
		r.fail(fmt.Sprintf("is %d, beyond ±%d", v, atMost))
		return 0
	}
	return v
}

// packed begins the reading of a packed field.
func (r *reader) packed() reader {
	if r.wire != wireBytes {
		r.fail("isn't packed")
		return reader{field: r.field}
	}
	return reader{b: r.bytes, field: r.field}
}

// finish takes over the fault of a packed field, or that something is left of it.
func (r *reader) finish(p *reader) {
	if p.fault == "" && p.more() {
		p.fail("has too many entries")
	}
	if p.fault != "" {
		r.fail(p.fault)
	}
}

// column reads one number for each item.
func column[T any](r *reader, items []T, atMost int64, set func(*T, int64)) {
	if r.wire != wireBytes {
		r.fail("isn't packed")
		return
	}
	b := r.bytes
	for i := range items {
		v, n := uint64(0), 1
		switch {
		case len(b) > 0 && b[0] < 0x80:
			v = uint64(b[0])
		case len(b) > 1 && b[1] < 0x80:
			v, n = uint64(b[0]&0x7f)|uint64(b[1])<<7, 2
		default:
			if v, n = binary.Uvarint(b); n <= 0 {
				r.fail("has too few entries, or one that is too long")
				return
			}
		}
		if v > uint64(atMost) {
			r.bounded(v, atMost)
			return
		}
		b = b[n:]
		set(&items[i], int64(v))
	}
	if len(b) > 0 {
		r.fail("has too many entries")
	}
}

func (r *reader) fixed64() uint64 {
	if len(r.b)-r.pos < 8 {
		r.fail("ends early")
		r.pos = len(r.b)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b[r.pos:])
	r.pos += 8
	return v
}

// hashes reads one fixed64 for each item that has one.
func hashes[T any](r *reader, items []T, has func(*T) bool, set func(*T, uint64)) {
	p := r.packed()
	for i := range items {
		if has(&items[i]) {
			set(&items[i], p.fixed64())
		}
	}
	r.finish(&p)
}

func always[T any](*T) bool { return true }

// maxKept bounds a list of facts: what a policy allows, and one more.
const maxKept = 513

// ids begins a list with its identities.
func ids[T any](r *reader, l *list[T]) {
	if n := len(r.bytes); r.wire != wireBytes || n > 8*maxKept || n%8 != 0 {
		r.fail("isn't a packed column of identities, or too long")
		return
	}
	var zero T
	for b := r.bytes; len(b) >= 8; b = b[8:] {
		id := binary.LittleEndian.Uint64(b)
		if id == 0 {
			r.fail("has an identity of 0")
		}
		l.stamps = append(l.stamps, stamp{id: id})
		l.items = append(l.items, zero)
	}
}

// times reads the steps from one time to the next.
func times(r *reader, stamps []stamp) {
	p := r.packed()
	at := int64(0)
	for i := range stamps {
		at += p.time()
		if at >= endOfTime {
			p.fail("is after the year 2199")
			break
		}
		stamps[i].at = at
	}
	r.finish(&p)
}

func (r *reader) time() int64 {
	if !r.more() {
		r.fail("has too few entries")
		return 0
	}
	at, ok := unpackTime(r.uvarint())
	if !ok {
		r.fail("has a time out of range")
	}
	return at
}

func untils[T any](r *reader, items []T, set func(*T, int64)) {
	p := r.packed()
	for i := range items {
		at := p.time()
		if at >= endOfTime {
			p.fail("is after the year 2199")
		}
		set(&items[i], at)
	}
	r.finish(&p)
}

func revisions(r *reader, stamps []stamp) {
	column(r, stamps, math.MaxInt64, func(s *stamp, v int64) { s.rev = v })
}

// ordered says whether stamps rise.
func ordered(stamps []stamp) bool {
	for i := 1; i < len(stamps); i++ {
		if compareStamps(stamps[i-1], stamps[i]) >= 0 {
			return false
		}
	}
	return true
}

// message reads what appendMessage wrote, into as many values as there are.
func (r *reader) message(values []int64) stamp {
	m := r.packed()
	m.field = 0
	var s stamp
	clear(values)
	for m.next() {
		switch {
		case m.field == 1:
			s.at = m.number(endOfTime)
		case m.field == 2 && m.wire == wireFixed64:
			s.id = m.value
		case m.field >= 3 && m.field < 3+len(values):
			values[m.field-3] = m.number(math.MaxInt64)
		default:
			m.fail("has a field that is unknown to this version")
		}
	}
	if m.fault != "" {
		r.fail(m.fault)
	}
	return s
}
