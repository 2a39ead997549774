package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DateFormat reads a point in time from text.
type DateFormat struct {
	// Name is how people write it, such as YYYYMMDD; it is also what a
	// --date-format flag takes.
	Name  string
	parse func(s string, zone *time.Location) (time.Time, error)
}

// dateFormats are those that are guessed. Where several read all samples the
// first counts, unless they are the two orders of day and month.
var dateFormats = []DateFormat{
	{"iso", parseISO},
	pattern("YYYYMMDD"),
	pattern("YYYYMMDDhhmmss"),
	pattern("YYYY/MM/DD"),
	pattern("YYYY/MM/DD hh:mm:ss"),
	pattern("DD.MM.YYYY"),
	pattern("DD.MM.YYYY hh:mm"),
	pattern("DD.MM.YYYY hh:mm:ss"),
	pattern("DD/MM/YYYY"),
	pattern("MM/DD/YYYY"),
	pattern("DD/MM/YYYY hh:mm"),
	pattern("MM/DD/YYYY hh:mm"),
	pattern("DD/MM/YYYY hh:mm:ss"),
	pattern("MM/DD/YYYY hh:mm:ss"),
	{"epoch", parseEpoch(time.Second, 9, 11)},
	{"epoch-ms", parseEpoch(time.Millisecond, 12, 14)},
	{"rfc2822", parseRFC2822},
}

// ParseDateFormat reads the value of a --date-format flag: iso, epoch,
// epoch-ms, rfc2822, or a pattern of YYYY MM DD hh mm ss.
func ParseDateFormat(s string) (DateFormat, error) {
	for _, f := range dateFormats {
		if f.Name == s {
			return f, nil
		}
	}
	if strings.Contains(s, "YYYY") && strings.Contains(s, "MM") && strings.Contains(s, "DD") {
		return pattern(s), nil
	}
	return DateFormat{}, fmt.Errorf("date format %q: must be iso, epoch, epoch-ms, rfc2822, or a pattern such as DD.MM.YYYY hh:mm:ss", s)
}

// pattern makes a format of YYYY MM DD hh mm ss and what stands between them.
func pattern(name string) DateFormat {
	layout := strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05").Replace(name)
	return DateFormat{name, func(s string, zone *time.Location) (time.Time, error) {
		return parseLocal(layout, s, zone)
	}}
}

// parseLocal is time.ParseInLocation, but for times that the zone skips, as some
// skip midnight: those are as long after the change as the text says, and not
// before it, which would be another day.
func parseLocal(layout, s string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil || t.Location() != zone {
		return t, err
	}
	civil, err := time.Parse(layout, s)
	if err != nil {
		return t, err
	}
	_, offset := t.Zone()
	if skipped := civil.Sub(t) - time.Duration(offset)*time.Second; skipped > 0 {
		return t.Add(skipped), nil
	}
	return t, nil
}

// isoLayouts are what people call ISO 8601: a day, or a time with or without
// its zone.
var isoLayouts = []string{
	time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700", "2006-01-02T15:04", "2006-01-02 15:04",
}

func parseISO(s string, zone *time.Location) (time.Time, error) {
	for _, layout := range isoLayouts {
		if t, err := parseLocal(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q isn't a date such as 1997-09-30 or 1997-09-30T14:05:00Z", s)
}

// parseEpoch reads a count of unit since 1970 that has so many digits; the
// bounds tell it from YYYYMMDD and from one another.
func parseEpoch(unit time.Duration, fewest, most int) func(string, *time.Location) (time.Time, error) {
	return func(s string, _ *time.Location) (time.Time, error) {
		whole, _, _ := strings.Cut(s, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || len(whole) < fewest || len(whole) > most {
			return time.Time{}, fmt.Errorf("%q isn't a count of %s since 1970", s, map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}[unit])
		}
		perSecond := int64(time.Second / unit)
		return time.Unix(n/perSecond, n%perSecond*int64(unit)), nil
	}
}

func parseRFC2822(s string, _ *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC1123Z, time.RFC1123, "2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q isn't a date such as Tue, 30 Sep 1997 14:05:00 +0000", s)
}

// Parse reads s; text without a zone is local time in zone. Years outside 1970
// to 2199 are refused, as everywhere in Perennial.
func (f DateFormat) Parse(s string, zone *time.Location) (time.Time, error) {
	t, err := f.parse(s, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q isn't a date in the format %s", s, f.Name)
	}
	if year := t.UTC().Year(); year < 1970 || year > 2199 {
		return time.Time{}, fmt.Errorf("%q is outside the years 1970 to 2199", s)
	}
	return t, nil
}

// guessDateFormat answers the format that reads the most samples, at least half
// of them. Day and month that can't be told apart are an error: a guess would
// put half a history on wrong days.
func guessDateFormat(samples []string, zone *time.Location) (DateFormat, error) {
	reads := make([]int, len(dateFormats))
	best := 0
	for i, f := range dateFormats {
		for _, s := range samples {
			if _, err := f.parse(s, zone); err == nil {
				reads[i]++
			}
		}
		if reads[i] > reads[best] {
			best = i
		}
	}
	if len(samples) == 0 || reads[best]*2 < len(samples) {
		example := ""
		if len(samples) > 0 {
			example = fmt.Sprintf(", such as %q", samples[0])
		}
		return DateFormat{}, fmt.Errorf("the format of the dates%s isn't known; give it by --date-format", example)
	}
	for i, f := range dateFormats {
		if i != best && reads[i] == reads[best] && swapped(f.Name) == dateFormats[best].Name {
			return DateFormat{}, fmt.Errorf("dates such as %q can be %s or %s; say which by --date-format", samples[0], dateFormats[best].Name, f.Name)
		}
	}
	return dateFormats[best], nil
}

// swapped answers a pattern with day and month changed over.
func swapped(name string) string {
	return strings.NewReplacer("DD", "MM", "MM", "DD").Replace(name)
}
