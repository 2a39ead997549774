package ops

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]Bytes{1, KiB, MiB, GiB}).Draw(t, "unit")
		want := Bytes(rapid.Int64Range(0, math.MaxInt64/int64(unit)).Draw(t, "n")) * unit
		var got Bytes
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%d printed as %q reads as %d, error %v", int64(want), want, int64(got), err)
		}
	})
}

func TestBytesText(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "0B": 0, "1": 1, "1023B": 1023, "1 KiB": KiB, "64MiB": 64 * MiB, " 2GiB ": 2 * GiB,
		"9223372036854775807": math.MaxInt64, "8589934591GiB": 8589934591 * GiB,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q reads as %d, error %v; want %d", text, int64(got), err, int64(want))
		}
	}
	for _, text := range []string{"", "B", "-1", "-1MiB", "1.5GiB", "1MB", "1k", "9223372036854775808", "8589934592GiB", "NaN", "1GiBB", "１"} {
		got := Bytes(7)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != 7 {
			t.Errorf("%q reads as %d, error %v; want an error and nothing changed", text, int64(got), err)
		}
	}
}
