package wire

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The append functions write one field, or nothing where the value is the zero
// value, which is how proto3 writes it.

// appendKey writes a key; the schema's field numbers are below 2,048.
func appendKey(b []byte, field int, wireType uint64) []byte {
	key := uint(field)<<3 | uint(wireType)
	if key < 0x80 {
		return append(b, byte(key))
	}
	return append(b, byte(key)|0x80, byte(key>>7))
}

func appendText(b []byte, field int, s string) []byte {
	if s == "" {
		return b
	}
	b = appendKey(b, field, delimited)
	if len(s) < 0x80 {
		b = append(b, byte(len(s)))
	} else {
		b = protowire.AppendVarint(b, uint64(len(s)))
	}
	return append(b, s...)
}

func appendInt(b []byte, field int, v int64) []byte {
	if v == 0 {
		return b
	}
	b = appendKey(b, field, varint)
	if u := uint64(v); u < 0x80 {
		return append(b, byte(u))
	}
	return binary.AppendUvarint(b, uint64(v))
}

func appendBool(b []byte, field int, v bool) []byte {
	if !v {
		return b
	}
	return append(appendKey(b, field, varint), 1)
}

// appendFloat writes a double; −0 isn't the zero value.
func appendFloat(b []byte, field int, v float64) []byte {
	bits := math.Float64bits(v)
	if bits == 0 {
		return b
	}
	return protowire.AppendFixed64(appendKey(b, field, fixed64), bits)
}

// appendTime writes a google.protobuf.Timestamp of Unix milliseconds; 0 is an
// absent one.
func appendTime(b []byte, field int, millis int64) []byte {
	if millis == 0 {
		return b
	}
	seconds, ms := millis/1000, millis%1000
	if ms < 0 {
		seconds, ms = seconds-1, ms+1000
	}
	b, at := openMessage(b, field)
	b = appendInt(b, 1, seconds)
	b = appendInt(b, 2, ms*1_000_000)
	return closeMessage(b, at)
}

// openMessage begins a submessage, closeMessage ends it: the length is written
// as one byte, and room is made for more where it turns out to need more.
func openMessage(b []byte, field int) (out []byte, at int) {
	b = appendKey(b, field, delimited)
	return append(b, 0), len(b) + 1
}

func closeMessage(b []byte, at int) []byte {
	n := len(b) - at
	if n < 0x80 {
		b[at-1] = byte(n)
		return b
	}
	var length [10]byte
	l := protowire.AppendVarint(length[:0], uint64(n))
	return slices.Replace(b, at-1, at, l...)
}

// appendMoney writes a Money even where it is zero: whether it is there is the
// caller's to know.
func appendMoney(b []byte, field int, minor int64, currency string) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, minor)
	b = appendText(b, 2, currency)
	return closeMessage(b, at)
}
