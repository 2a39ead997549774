package cltv

import (
	"testing"
	"time"
)

// TestStartOfDay compares the start of every day of some years with the zone itself: also where the clocks change at
// midnight, so that a day begins at one o'clock.
func TestStartOfDay(t *testing.T) {
	for _, name := range []string{"UTC", "America/Sao_Paulo", "Asia/Beirut", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Auckland"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		p := Policy{ZoneOffsets: offsetsOf(zone, 2014, 2020)}
		for day := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2019; day = day.AddDate(0, 0, 1) {
			number := int32(day.Unix() / daySeconds)
			at := p.startOfDay(number)
			if here, before := p.localDay(1000*at), p.localDay(1000*at-1000); here != number || before != number-1 {
				t.Errorf("%s: %s begins at %s, which is of day %+d, and the second before of day %+d", name, day.Format(time.DateOnly),
					time.Unix(at, 0).In(zone), here-number, before-number)
			}
		}
	}
}

// offsetsOf resolves a zone by the half hour.
func offsetsOf(zone *time.Location, fromYear, toYear int) []ZoneOffset {
	var offsets []ZoneOffset
	for at := time.Date(fromYear, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < toYear; at = at.Add(30 * time.Minute) {
		_, seconds := at.In(zone).Zone()
		if n := len(offsets); n == 0 || offsets[n-1].OffsetSeconds != int32(seconds) {
			offsets = append(offsets, ZoneOffset{FromUnix: at.Unix(), OffsetSeconds: int32(seconds)})
		}
	}
	return offsets
}
