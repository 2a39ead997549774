package intake

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestZoneOffsetsAgreeWithTheZone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran"} {
		offsets, err := ZoneOffsets(name)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if offsets[0].FromUnix != 0 {
			t.Errorf("%s begins at %d", name, offsets[0].FromUnix)
		}
		for i := 1; i < len(offsets); i++ {
			if offsets[i].FromUnix <= offsets[i-1].FromUnix || offsets[i].OffsetSeconds == offsets[i-1].OffsetSeconds {
				t.Errorf("%s: stretch %d doesn't rise, or changes nothing", name, i)
			}
		}
		end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		for range 2_000 {
			at := r.Int64N(end)
			if r.IntN(2) == 0 { // at the border of a stretch
				at = max(offsets[r.IntN(len(offsets))].FromUnix-int64(r.IntN(2)), 0)
			}
			got := offsets[0].OffsetSeconds
			for _, o := range offsets {
				if o.FromUnix <= at {
					got = o.OffsetSeconds
				}
			}
			if _, want := time.Unix(at, 0).In(zone).Zone(); int(got) != want {
				t.Fatalf("%s at %d: %d, want %d", name, at, got, want)
			}
		}
	}
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if _, err := ZoneOffsets(name); err == nil {
			t.Errorf("%s is a zone", name)
		}
	}
}
