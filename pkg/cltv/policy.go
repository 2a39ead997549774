package cltv

import (
	"cmp"
	"fmt"
	"slices"
)

// What a policy says where it says nothing.
const (
	DefaultCurrency         = "USD"
	DefaultTimeZone         = "UTC"
	DefaultHorizonDays      = 273
	DefaultDiscountPPM      = 100_000
	DefaultMarginPPM        = 1_000_000
	DefaultChurnHorizonDays = 90
	DefaultRescoreDays      = 7
	DefaultKeepTransactions = 32
	DefaultKeepCalls        = 32
	DefaultKeepRefunds      = 8
	DefaultKeepMarks        = 16
	DefaultGraceDays        = 14
)

// defaultBandPPM is where the bands watch, high, critical and lost begin.
var defaultBandPPM = [numBands - 2]int32{300_000, 500_000, 700_000, 900_000}

const million = 1_000_000

// WithDefaults returns the policy with every zero field set to its default, and a negative discount or grace to 0. Slices
// and maps are shared with p, except a default BandPPM, which is new.
func (p Policy) WithDefaults() Policy {
	setDefault(&p.Currency, DefaultCurrency)
	setDefault(&p.TimeZone, DefaultTimeZone)
	setDefault(&p.HorizonDays, DefaultHorizonDays)
	setDefault(&p.DiscountPPM, DefaultDiscountPPM)
	p.DiscountPPM = max(p.DiscountPPM, 0)
	setDefault(&p.MarginPPM, DefaultMarginPPM)
	setDefault(&p.ChurnHorizonDays, DefaultChurnHorizonDays)
	if len(p.BandPPM) == 0 {
		p.BandPPM = slices.Clone(defaultBandPPM[:])
	}
	setDefault(&p.RescoreDays, DefaultRescoreDays)
	setDefault(&p.ClockMode, ClockLive)
	setDefault(&p.KeepTransactions, DefaultKeepTransactions)
	setDefault(&p.KeepCalls, DefaultKeepCalls)
	setDefault(&p.KeepRefunds, DefaultKeepRefunds)
	setDefault(&p.KeepMarks, DefaultKeepMarks)
	setDefault(&p.FinancialYearMonth, 1)
	setDefault(&p.GraceDays, DefaultGraceDays)
	p.GraceDays = max(p.GraceDays, 0)
	return p
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// maxZoneOffsets bounds a policy: two changes a year for two and a half centuries.
const maxZoneOffsets = 512

// check refuses a policy whose fields, where set, are out of range.
func (p *Policy) check() *Refusal {
	for _, f := range []struct {
		field         string
		value         int64
		least, atMost int64
	}{
		{"number", p.Number, 0, 1<<63 - 1},
		{"horizon_days", int64(p.HorizonDays), 0, 3660},
		{"discount_ppm", int64(p.DiscountPPM), -1 << 31, 10 * million},
		{"margin_ppm", int64(p.MarginPPM), 0, million},
		{"minute_cost_minor", p.MinuteCostMinor, 0, 1_000_000_000},
		{"ticket_cost_minor", p.TicketCostMinor, 0, 1_000_000_000},
		{"churn_horizon_days", int64(p.ChurnHorizonDays), 0, 3660},
		{"rescore_days", int64(p.RescoreDays), 0, 366},
		{"clock_mode", int64(p.ClockMode), 0, int64(ClockPlayback)},
		{"keep_transactions", zeroOr(p.KeepTransactions, 8), 8, 512},
		{"keep_calls", zeroOr(p.KeepCalls, 4), 4, 512},
		{"keep_refunds", zeroOr(p.KeepRefunds, 4), 4, 128},
		{"keep_marks", zeroOr(p.KeepMarks, 8), 8, 512},
		{"financial_year_month", int64(p.FinancialYearMonth), 0, 12},
		{"grace_days", int64(p.GraceDays), -1 << 31, 366},
	} {
		if f.value < f.least || f.value > f.atMost {
			return outOfRange(f.field, f.value, f.least, f.atMost)
		}
	}
	if p.Currency != "" && !isCurrency(p.Currency) {
		return &Refusal{CodeInvalidText, "currency", fmt.Sprintf("%q is no ISO 4217 code", p.Currency)}
	}
	if r := checkText("time_zone", p.TimeZone, 100); r != nil {
		return r
	}
	if r := p.checkBands(); r != nil {
		return r
	}
	if r := p.checkMargins(); r != nil {
		return r
	}
	if r := p.checkValuations(); r != nil {
		return r
	}
	return p.checkZone()
}

// zeroOr passes a field that isn't set as a value in range.
func zeroOr(value, inRange int32) int64 {
	if value == 0 {
		return int64(inRange)
	}
	return int64(value)
}

func (p *Policy) checkBands() *Refusal {
	if len(p.BandPPM) == 0 {
		return nil
	}
	if len(p.BandPPM) != len(defaultBandPPM) {
		return &Refusal{CodeOutOfRange, "band_ppm", fmt.Sprintf("%d values, want %d", len(p.BandPPM), len(defaultBandPPM))}
	}
	last := int32(0)
	for _, ppm := range p.BandPPM {
		if ppm <= last || ppm > million {
			return &Refusal{CodeOutOfRange, "band_ppm", fmt.Sprintf("%v doesn't rise within 1 to 1000000", p.BandPPM)}
		}
		last = ppm
	}
	return nil
}

func (p *Policy) checkZone() *Refusal {
	if p.TimeZone != "" && p.TimeZone != DefaultTimeZone && len(p.ZoneOffsets) == 0 {
		return &Refusal{CodeMissing, "zone_offsets", fmt.Sprintf("time_zone %q has none, and its days would be those of UTC", p.TimeZone)}
	}
	if len(p.ZoneOffsets) > maxZoneOffsets {
		return &Refusal{CodeOutOfRange, "zone_offsets", fmt.Sprintf("%d entries, at most %d", len(p.ZoneOffsets), maxZoneOffsets)}
	}
	for i, z := range p.ZoneOffsets {
		if z.OffsetSeconds < -86400 || z.OffsetSeconds > 86400 {
			return outOfRange("zone_offsets.offset_seconds", int64(z.OffsetSeconds), -86400, 86400)
		}
		if i > 0 && z.FromUnix <= p.ZoneOffsets[i-1].FromUnix {
			return &Refusal{CodeOutOfRange, "zone_offsets.from_unix", fmt.Sprintf("%d doesn't rise", z.FromUnix)}
		}
	}
	return nil
}

// offsetSeconds is how far east of UTC the tenant's zone is at a time.
func (p *Policy) offsetSeconds(unix int64) int64 {
	zone := p.ZoneOffsets
	if len(zone) == 0 {
		return 0
	}
	i, found := slices.BinarySearchFunc(zone, unix, func(z ZoneOffset, at int64) int { return cmp.Compare(z.FromUnix, at) })
	if !found && i > 0 {
		i--
	}
	return int64(zone[i].OffsetSeconds)
}

const (
	daySeconds = 86400
	dayMillis  = 1000 * daySeconds
)

// localDay is the tenant's calendar day at a time in Unix milliseconds, counted from 1970-01-01.
func (p *Policy) localDay(unixMillis int64) int32 {
	if len(p.ZoneOffsets) > 0 {
		unixMillis += 1000 * p.offsetSeconds(floorDiv(unixMillis, 1000))
	}
	return int32(floorDiv(unixMillis, dayMillis))
}

// LocalDay is the tenant's calendar day at a time in Unix seconds, counted from 1970-01-01.
func (p *Policy) LocalDay(unix int64) int32 { return p.localDay(1000 * unix) }

// startOfDay is when a local day begins, Unix seconds.
func (p *Policy) startOfDay(day int32) int64 {
	local := int64(day) * daySeconds
	// The offset at midnight is that in force there; one step settles it.
	guess := local - p.offsetSeconds(local)
	at := local - p.offsetSeconds(guess)
	if p.localDay(1000*at) < day {
		return guess // the clocks went forward at midnight, and the day has none
	}
	return at
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// comparePolicies is the fixed order in which one of two policies of the same number counts.
func comparePolicies(a, b *Policy) int {
	return cmp.Or(
		cmp.Compare(a.Currency, b.Currency),
		cmp.Compare(a.TimeZone, b.TimeZone),
		cmp.Compare(a.HorizonDays, b.HorizonDays),
		cmp.Compare(a.DiscountPPM, b.DiscountPPM),
		cmp.Compare(a.MarginPPM, b.MarginPPM),
		cmp.Compare(a.MinuteCostMinor, b.MinuteCostMinor),
		cmp.Compare(a.TicketCostMinor, b.TicketCostMinor),
		cmp.Compare(a.ChurnHorizonDays, b.ChurnHorizonDays),
		slices.Compare(a.BandPPM, b.BandPPM),
		cmp.Compare(a.RescoreDays, b.RescoreDays),
		cmp.Compare(a.ClockMode, b.ClockMode),
		cmp.Compare(a.KeepTransactions, b.KeepTransactions),
		cmp.Compare(a.KeepCalls, b.KeepCalls),
		cmp.Compare(a.KeepRefunds, b.KeepRefunds),
		cmp.Compare(a.KeepMarks, b.KeepMarks),
		compareTables(a.MarginByProduct, b.MarginByProduct),
		cmp.Compare(a.FinancialYearMonth, b.FinancialYearMonth),
		cmp.Compare(a.GraceDays, b.GraceDays),
		slices.CompareFunc(a.Valuations, b.Valuations, compareValuations),
		slices.CompareFunc(a.ZoneOffsets, b.ZoneOffsets, func(x, y ZoneOffset) int {
			return cmp.Or(cmp.Compare(x.FromUnix, y.FromUnix), cmp.Compare(x.OffsetSeconds, y.OffsetSeconds))
		}),
	)
}
