package cltv

import (
	"encoding/binary"
	"math/bits"
)

// Ids are kept as 64-bit hashes. They are part of the stored state, so the function must never change: two 64-bit
// multiplications per sixteen bytes, the halves of each 128-bit product xored, after the pattern of wyhash.
const (
	hashSeed  = 0x9e3779b97f4a7c15
	hashMulA  = 0xa0761d6478bd642f
	hashMulB  = 0xe7037ed1a0b428db
	hashFinal = 0x8ebc6af09c88c6e3
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashText hashes s, starting from h.
func hashText(h uint64, s string) uint64 {
	n := len(s)
	h ^= hashSeed
	for len(s) > 16 {
		h = mix(load64(s)^hashMulA, load64(s[8:])^h)
		s = s[16:]
	}
	var a, b uint64
	switch {
	case len(s) >= 8:
		a, b = load64(s), load64(s[len(s)-8:])
	case len(s) >= 4:
		a, b = uint64(load32(s)), uint64(load32(s[len(s)-4:]))
	case len(s) > 0:
		a = uint64(s[0])<<16 | uint64(s[len(s)/2])<<8 | uint64(s[len(s)-1])
	}
	h = mix(a^hashMulB, b^h)
	return mix(h^hashFinal, uint64(n)^hashMulA)
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// kindSalt keeps the ids of different kinds apart, even where a source numbers them alike.
func kindSalt(k Kind) uint64 { return mix(uint64(k)+hashSeed, hashMulB) }

// linkKey is the hash by which facts of one source name one another: an order's id in a refund, a subscription in a
// renewal. It doesn't know of what kind the thing is. 0 means none, so it never is.
func linkKey(source uint64, ref string) uint64 {
	if ref == "" {
		return 0
	}
	return nonZero(hashText(source, ref))
}

// factID is the identity of the thing of one kind that a source calls ref.
func factID(source uint64, k Kind, ref string) uint64 {
	return nonZero(hashText(source, ref) ^ kindSalt(k))
}

func nonZero(h uint64) uint64 {
	if h == 0 {
		return hashSeed
	}
	return h
}

// appendFixed64 appends v in little-endian order.
func appendFixed64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
