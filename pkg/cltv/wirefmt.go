package cltv

import "encoding/binary"

// What both directions of the stored form are made of.

func appendTag(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(wire))
}

// appendUint appends a varint field unless it is 0.
func appendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireVarint), v)
}

// beginBytes begins a field with a length; endBytes, given the position that it answers, fills the length in.
func beginBytes(b []byte, field int) ([]byte, int) {
	b = append(appendTag(b, field, wireBytes), 0)
	return b, len(b)
}

func endBytes(b []byte, from int) []byte {
	n := len(b) - from
	if n < 0x80 {
		b[from-1] = byte(n)
		return b
	}
	// The length needs more than the byte that was left for it.
	var length [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(length[:], uint64(n)) - 1
	b = append(b, length[:more]...)
	copy(b[from+more:], b[from:from+n])
	copy(b[from-1:], length[:more+1])
	return b
}

// appendColumn appends a packed column, one entry for each item, unless all are 0.
func appendColumn[T any](b []byte, field int, items []T, get func(*T) uint64) []byte {
	for i := range items {
		if get(&items[i]) != 0 {
			return appendFullColumn(b, field, items, get)
		}
	}
	return b
}

func appendFullColumn[T any](b []byte, field int, items []T, get func(*T) uint64) []byte {
	b, at := beginBytes(b, field)
	for i := range items {
		b = binary.AppendUvarint(b, get(&items[i]))
	}
	return endBytes(b, at)
}

// appendHashes is appendColumn for fixed64.
func appendHashes[T any](b []byte, field int, items []T, get func(*T) uint64) []byte {
	union := uint64(0)
	for i := range items {
		union |= get(&items[i])
	}
	if union == 0 {
		return b
	}
	b, at := beginBytes(b, field)
	for i := range items {
		b = appendFixed64(b, get(&items[i]))
	}
	return endBytes(b, at)
}

func appendIDs(b []byte, field int, stamps []stamp) []byte {
	if len(stamps) == 0 {
		return b
	}
	b, at := beginBytes(b, field)
	for i := range stamps {
		b = appendFixed64(b, stamps[i].id)
	}
	return endBytes(b, at)
}

// appendTimes appends the times as steps from one to the next, the first from 1970.
func appendTimes(b []byte, field int, stamps []stamp) []byte {
	union, last := int64(0), int64(0)
	for i := range stamps {
		union |= stamps[i].at
	}
	if union == 0 {
		return b
	}
	b, at := beginBytes(b, field)
	for i := range stamps {
		b = binary.AppendUvarint(b, packTime(stamps[i].at-last))
		last = stamps[i].at
	}
	return endBytes(b, at)
}

func appendRevisions(b []byte, field int, stamps []stamp) []byte {
	return appendColumn(b, field, stamps, func(s *stamp) uint64 { return uint64(s.rev) })
}

// appendMessage appends a message whose field 1 is the time and field 2 the id of a stamp, followed by plain numbers from
// field 3 on.
func appendMessage(b []byte, field int, s stamp, values ...int64) []byte {
	b, at := beginBytes(b, field)
	b = appendUint(b, 1, uint64(s.at))
	if s.id != 0 {
		b = appendFixed64(appendTag(b, 2, wireFixed64), s.id)
	}
	for i, v := range values {
		b = appendUint(b, 3+i, uint64(v))
	}
	return endBytes(b, at)
}

// The units of packed times, in the lowest two bits.
const (
	unitDay = iota
	unitSecond
	unitMilli
)

// packTime packs milliseconds that aren't negative as a count of the largest unit that divides them, and the unit.
func packTime(millis int64) uint64 {
	switch {
	case millis%1000 != 0:
		return uint64(millis)<<2 | unitMilli
	case millis%dayMillis != 0:
		return uint64(millis/1000)<<2 | unitSecond
	}
	return uint64(millis/dayMillis) << 2
}

// unpackTime is its inverse; false where the unit is unknown or the time beyond what is taken for real.
func unpackTime(packed uint64) (int64, bool) {
	count := int64(packed >> 2)
	unit := int64(1)
	switch packed & 3 {
	case unitDay:
		unit = dayMillis
	case unitSecond:
		unit = 1000
	case unitMilli:
	default:
		return 0, false
	}
	if count > endOfTime/unit {
		return 0, false
	}
	return count * unit, true
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// numbering gives texts and touches the positions that they have in the stored form: in the order of their first use.
type numbering struct {
	// text and touch map positions in the State to stored ones, 0 where not used; the orders are the way back.
	text, touch           []uint16
	textOrder, touchOrder []uint16
}

func (n *numbering) number(s *State) {
	if form := &s.memo.form; form.valid {
		n.backTo(s, form)
	} else {
		n.numberSales(s)
		form.texts, form.touches = len(n.textOrder), len(n.touchOrder)
	}
	for i := range s.calls.items {
		n.useTouch(s, s.calls.items[i].touch)
	}
	for i := range s.marks.items {
		n.useTouch(s, s.marks.items[i].touch)
		n.useText(s.marks.items[i].product)
	}
	for i := range s.contracts {
		n.useText(s.contracts[i].plan)
	}
	for i := range s.profile {
		n.useText(s.profile[i].value)
	}
	n.useTouch(s, s.earliest.touch)
	n.useTouch(s, s.spend.touch)
	n.useTouch(s, s.scored.acquisition)
}

// numberSales begins anew with the sales, which come first.
func (n *numbering) numberSales(s *State) {
	n.text = clearTo(n.text, len(s.table))
	n.touch = clearTo(n.touch, len(s.touches))
	n.textOrder, n.touchOrder = n.textOrder[:0], n.touchOrder[:0]
	for i := range s.sales.items {
		n.useTouch(s, s.sales.items[i].touch)
		n.useText(s.sales.items[i].product)
	}
}

// backTo takes back what came after the sales. The tables may have grown since.
func (n *numbering) backTo(s *State, form *salesForm) {
	for _, r := range n.textOrder[form.texts:] {
		n.text[r] = 0
	}
	for _, r := range n.touchOrder[form.touches:] {
		n.touch[r] = 0
	}
	n.textOrder, n.touchOrder = n.textOrder[:form.texts], n.touchOrder[:form.touches]
	n.text, n.touch = growTo(n.text, len(s.table)), growTo(n.touch, len(s.touches))
}

// growTo lengthens a list with zeros.
func growTo(list []uint16, n int) []uint16 {
	if n > len(list) {
		list = append(list, make([]uint16, n-len(list))...)
	}
	return list
}

func clearTo(list []uint16, n int) []uint16 {
	if cap(list) < n {
		return make([]uint16, n, 2*n)
	}
	list = list[:n]
	clear(list)
	return list
}

func (n *numbering) useText(r textRef) {
	if r != 0 && n.text[r] == 0 {
		n.textOrder = append(n.textOrder, r)
		n.text[r] = uint16(len(n.textOrder))
	}
}

func (n *numbering) useTouch(s *State, r touchRef) {
	if r == 0 || n.touch[r] != 0 {
		return
	}
	n.touchOrder = append(n.touchOrder, r)
	n.touch[r] = uint16(len(n.touchOrder))
	t := &s.touches[r]
	n.useText(t.campaign)
	n.useText(t.agent)
	n.useText(t.offer)
	n.useText(t.leadSource)
}
