package cltv

import (
	"math"
	"math/bits"
)

// mulDiv returns a·b/c rounded to the nearest, halves away from zero, and ±MaxInt64 where that is passed. b ≥ 0, c > 0.
func mulDiv(a, b, c int64) int64 {
	magnitude, negative := uint64(a), a < 0
	if negative {
		magnitude = -magnitude
	}
	hi, lo := bits.Mul64(magnitude, uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	hi += carry
	result := uint64(math.MaxInt64)
	if hi < uint64(c) {
		quotient, _ := bits.Div64(hi, lo, uint64(c))
		result = min(quotient, math.MaxInt64)
	}
	if negative {
		return -int64(result)
	}
	return int64(result)
}

// toMinor rounds money to whole minor units, halves away from zero, within what a customer's totals may be.
func toMinor(v float64) int64 {
	if !(v > 0) {
		return 0
	}
	return int64(math.Min(math.Round(v), maxTotalMinor))
}

// toMillionths rounds a number that isn't negative to millionths.
func toMillionths(v float64) int64 {
	if !(v > 0) {
		return 0
	}
	return int64(math.Min(math.Round(float64(v*million)), maxTotalMinor))
}
