package history

import (
	"strings"
	"testing"
	"time"
)

func TestGuessDateFormat(t *testing.T) {
	for _, c := range []struct{ samples, format, first string }{
		{"19970101|19970118", "YYYYMMDD", "1997-01-01T00:00:00Z"},
		{"1997-01-01|1997-01-18", "iso", "1997-01-01T00:00:00Z"},
		{"1997-01-01T10:00:00+02:00|1997-01-18", "iso", "1997-01-01T08:00:00Z"},
		{"1997-01-01 10:00:00|1997-01-18 11:00:00", "iso", "1997-01-01T10:00:00Z"},
		{"1997/01/01", "YYYY/MM/DD", "1997-01-01T00:00:00Z"},
		{"31.01.1997 23:59", "DD.MM.YYYY hh:mm", "1997-01-31T23:59:00Z"},
		{"01/02/1997|31/01/1997", "DD/MM/YYYY", "1997-02-01T00:00:00Z"},
		{"01/02/1997|01/31/1997", "MM/DD/YYYY", "1997-01-02T00:00:00Z"},
		{"852076800", "epoch", "1997-01-01T00:00:00Z"},
		{"852076800000", "epoch-ms", "1997-01-01T00:00:00Z"},
		{"Wed, 01 Jan 1997 00:00:00 +0000", "rfc2822", "1997-01-01T00:00:00Z"},
		{"19970101|garbage|19970102", "YYYYMMDD", "1997-01-01T00:00:00Z"},
		{"01/02/1997|03/04/1997", "can be", ""},
		{"yesterday|tomorrow", "isn't known", ""},
		{"00000000", "isn't known", ""},
		{"", "isn't known", ""},
	} {
		samples := strings.Split(c.samples, "|")
		f, err := guessDateFormat(samples, time.UTC)
		if err != nil {
			if !strings.Contains(err.Error(), c.format) {
				t.Errorf("%q: %v, want %s", c.samples, err, c.format)
			}
			continue
		}
		at, err := f.Parse(samples[0], time.UTC)
		if f.Name != c.format || err != nil || at.UTC().Format(time.RFC3339) != c.first {
			t.Errorf("%q: %s, %v, %v; want %s, %s", c.samples, f.Name, at, err, c.format, c.first)
		}
	}
}

// TestZone checks that a day without a zone begins at local midnight.
func TestZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at, err := pattern("YYYYMMDD").Parse("19970701", zone)
	if err != nil || !at.Equal(time.Date(1997, 7, 1, 4, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", at, err)
	}
}

// TestSkippedMidnight: a day that begins at one o'clock is that day.
func TestSkippedMidnight(t *testing.T) {
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2018-11-03", "2018-11-04", "2018-11-05", "2018-11-04 12:30"} {
		f, err := ParseDateFormat("iso")
		if err != nil {
			t.Fatal(err)
		}
		at, err := f.Parse(text, zone)
		if err != nil || at.In(zone).Format(time.DateOnly) != text[:10] {
			t.Errorf("%s is %v, %v", text, at.In(zone), err)
		}
	}
	if at, _ := pattern("DD.MM.YYYY").Parse("04.11.2018", zone); at.In(zone).Format(time.DateTime) != "2018-11-04 01:00:00" {
		t.Errorf("4 November is %v", at)
	}
}
