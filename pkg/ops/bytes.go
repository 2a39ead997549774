package ops

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory or of data. As text it is a whole number with an
// optional unit: B, KiB, MiB, GiB (powers of 1,024).
type Bytes int64

// The units of [Bytes].
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

// byteUnits are tried from the largest down, so that text is as short as it can
// be without losing anything.
var byteUnits = []struct {
	suffix string
	size   Bytes
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}

// String answers the amount in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return "0B"
}

// MarshalText answers [Bytes.String].
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads "64MiB", "512 KiB" or a bare number of bytes. It refuses
// negative amounts and what doesn't fit 63 bits.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, unit := strings.TrimSpace(string(text)), Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/int64(unit)) {
		return fmt.Errorf("not an amount of bytes such as 64MiB")
	}
	*b = Bytes(n) * unit
	return nil
}
