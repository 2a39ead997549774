package screen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Count writes n with its digits in groups of three.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// Money writes minor units of a currency with the given decimals, without the
// currency.
func Money(minor int64, decimals int) string {
	if decimals == 0 {
		return Count(minor)
	}
	sign := ""
	magnitude := uint64(minor)
	if minor < 0 {
		sign, magnitude = "-", -magnitude
	}
	unit := uint64(1)
	for range decimals {
		unit *= 10
	}
	return fmt.Sprintf("%s%s.%0*d", sign, Count(int64(magnitude/unit)), decimals, magnitude%unit)
}

// Percent writes millionths as a percentage with one decimal.
func Percent(ppm int64) string { return fmt.Sprintf("%.1f %%", float64(ppm)/1e4) }

// Duration writes whole seconds as 42s, 3m05s or 2h07m.
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}
