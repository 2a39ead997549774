package cltv

import (
	"encoding/binary"
	"errors"
)

// SumField is a position in Sums.
type SumField int

// The fields of Sums, in their stored order. A new one goes to the end.
const (
	SumCustomers SumField = iota
	// SumBuyers counts customers with a purchase that stands.
	SumBuyers
	// SumTransactions counts days with a purchase that stands.
	SumTransactions
	SumGross
	SumRefunded
	SumNet
	SumMargin
	SumServiceCost
	SumCAC
	SumResidual
	SumCLTV
	SumNetCLTV
	SumValueAtRisk
	// SumAtRisk counts customers in the bands high, critical and lost.
	SumAtRisk
	SumCalls
	// SumConversions counts calls that ended in a sale.
	SumConversions
	SumTalkSeconds
	SumCallCost
	// SumSpend is marketing spend, SumSpendFacts the number of its records.
	SumSpend
	SumSpendFacts
	NumSumFields
)

// Sums is a vector of totals: counts, seconds, and money in minor units.
type Sums [NumSumFields]int64

// SumLimit bounds each total: ±2⁶².
const SumLimit = 1 << 62

// Add adds v times sign (1 or −1) to s. It answers false, and leaves s as it was, where a total would pass SumLimit.
func (s *Sums) Add(v *Sums, sign int64) bool {
	next := *s
	for i, n := range v {
		// Both are within ±2⁶², so the sum can't wrap.
		if n > SumLimit || n < -SumLimit {
			return false
		}
		next[i] += sign * n
		if next[i] > SumLimit || next[i] < -SumLimit {
			return false
		}
	}
	*s = next
	return true
}

// IsZero says whether all totals are 0.
func (s *Sums) IsZero() bool { return *s == Sums{} }

// sumsLength is the least length of a stored vector. Redis keeps a hash of up to 128 short values as one listpack, which
// it goes through for each value that is set: a batch sets nearly all of a hash. A value above 64 bytes prevents that.
const sumsLength = 65

// AppendTo appends the vector: zigzag varints in the order of the fields, followed by zeros up to sumsLength.
func (s *Sums) AppendTo(b []byte) []byte {
	n, start := len(s), len(b)
	for n > 0 && s[n-1] == 0 {
		n--
	}
	for _, v := range s[:n] {
		b = binary.AppendVarint(b, v)
	}
	for len(b)-start < sumsLength {
		b = append(b, 0)
	}
	return b
}

var errSums = errors.New("not a vector of sums")

// Decode reads what AppendTo wrote. A vector of a newer version with more fields that aren't zero is an error.
func (s *Sums) Decode(b []byte) error {
	*s = Sums{}
	for i := 0; len(b) > 0; i++ {
		v, n := binary.Varint(b)
		if n <= 0 || i >= len(s) && v != 0 || v > SumLimit || v < -SumLimit {
			return errSums
		}
		if i < len(s) {
			s[i] = v
		}
		b = b[n:]
	}
	return nil
}
