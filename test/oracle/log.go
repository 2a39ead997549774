package oracle

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Verdict is what becomes of a record.
type Verdict int

// The verdicts.
const (
	// Applied: a customer, or a tenant's parameters or clock, changed.
	Applied Verdict = iota
	// NothingNew: it was in already, or says nothing.
	NothingNew
	// Dead: it can't be taken in.
	Dead
	// AppliedDead: a part of it counts (a wish not to be called), the rest can't
	// be taken in.
	AppliedDead
)

// Log is one partition's input, taken in record by record.
type Log struct {
	tenants   map[string]*tenant
	Customers map[string]*Customer
	spend     map[string]*fact
	spendKeys []string
}

// tenant is what is in force.
type tenant struct {
	clock      int64
	models     map[string]*perennialv1.ModelPublished // of purchases
	contracts  map[string]*perennialv1.ModelPublished // of contracts
	thresholds *perennialv1.ThresholdsSet
	unitCosts  *perennialv1.UnitCostsSet
	policy     *perennialv1.PolicySet
}

// NewLog returns an empty one.
func NewLog() *Log {
	return &Log{tenants: map[string]*tenant{}, Customers: map[string]*Customer{}, spend: map[string]*fact{}}
}

// Take takes in a record; timestampMillis is its time in Kafka.
func (l *Log) Take(timestampMillis int64, key, value []byte) Verdict {
	ev := new(perennialv1.Event)
	if proto.Unmarshal(value, ev) != nil || !tenantForm.MatchString(ev.Tenant) || len(ev.Customer) > 200 {
		return Dead
	}
	if ev.GetRecordedAt().AsTime().UnixMilli() > timestampMillis+10*60*1000 && ev.RecordedAt != nil {
		return Dead
	}
	if !rightKey(string(key), ev) {
		return Dead
	}
	t := l.tenants[ev.Tenant]
	if t == nil {
		t = &tenant{models: map[string]*perennialv1.ModelPublished{}, contracts: map[string]*perennialv1.ModelPublished{}}
		l.tenants[ev.Tenant] = t
	}
	switch f := ev.Fact.(type) {
	case *perennialv1.Event_ClockAdvanced:
		to := f.ClockAdvanced.GetTo().GetSeconds()
		if year := time.Unix(to, 0).UTC().Year(); year < 1970 || year >= 2200 {
			return Dead
		}
		if to <= t.clock {
			return NothingNew
		}
		t.clock = to
		return Applied
	case *perennialv1.Event_ModelPublished, *perennialv1.Event_ThresholdsSet, *perennialv1.Event_UnitCostsSet, *perennialv1.Event_PolicySet:
		return t.take(ev)
	case *perennialv1.Event_MarketingSpend:
		return l.takeSpend(string(key), t, ev)
	}
	c := l.Customers[string(key)]
	if c == nil {
		c = &Customer{facts: map[string]*fact{}, profile: map[string]profileEntry{}}
	}
	verdict := c.take(t, ev)
	if len(c.Versions) > 0 {
		l.Customers[string(key)] = c
	}
	return verdict
}

// tenantForm is the only form of a tenant's name.
var tenantForm = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

func rightKey(key string, ev *perennialv1.Event) bool {
	rest, ok := strings.CutPrefix(key, ev.Tenant+"/")
	switch {
	case !ok:
		return false
	case ev.Customer != "":
		return rest == ev.Customer && !strings.HasPrefix(rest, "~")
	case ev.GetMarketingSpend() != nil:
		return rest == "~spend/"+ev.Source+"/"+ev.SourceEventId
	}
	return strings.HasPrefix(rest, "~") && len(rest) > 1
}

// take brings parameters into force: the highest number, and of equal ones the
// later in the order of contents.
func (t *tenant) take(ev *perennialv1.Event) Verdict {
	news := false
	switch f := ev.Fact.(type) {
	case *perennialv1.Event_ModelPublished:
		next := f.ModelPublished
		if !acceptsModel(next) {
			return Dead
		}
		models := t.models
		if ofContracts(next) {
			models = t.contracts
		}
		old := models[next.Scope]
		if news = old == nil || later(old.Number, next.Number, compareModels(old, next)); news {
			models[next.Scope] = next
		}
	case *perennialv1.Event_ThresholdsSet:
		next, old := f.ThresholdsSet, t.thresholds
		if news = old == nil || later(old.Number, next.Number, compare(old.Tiers[0].FromMinor, next.Tiers[0].FromMinor)); news {
			t.thresholds = next
		}
	case *perennialv1.Event_UnitCostsSet:
		next, old := f.UnitCostsSet, t.unitCosts
		if news = old == nil || later(old.Number, next.Number, compare(old.DefaultMinor, next.DefaultMinor)); news {
			t.unitCosts = next
		}
	case *perennialv1.Event_PolicySet:
		next, old := f.PolicySet, t.policy
		if !acceptsPolicy(next) {
			return Dead
		}
		if news = old == nil || later(old.Number, next.Number, comparePolicies(old, next)); news {
			if !readsFormulas(next) {
				return Dead
			}
			t.policy = next
		}
	}
	if news {
		return Applied
	}
	return NothingNew
}

// compareModels orders models by the first parameter of their process, which the
// generator varies.
func compareModels(a, b *perennialv1.ModelPublished) int {
	rates := func(m *perennialv1.ModelPublished) []float64 {
		return []float64{m.GetBgNbd().GetR(), m.GetMbgNbd().GetR(), m.GetParetoNbd().GetR(), m.GetSBg().GetAlpha(), m.GetBdW().GetAlpha()}
	}
	return slices.Compare(rates(a), rates(b))
}

func comparePolicies(a, b *perennialv1.PolicySet) int {
	for _, c := range []int{
		compare(a.HorizonDays, b.HorizonDays), compare(a.DiscountPpm, b.DiscountPpm),
		compare(a.MarginPpm, b.MarginPpm), compare(a.MinuteCostMinor, b.MinuteCostMinor), compare(a.TicketCostMinor, b.TicketCostMinor),
		slices.Compare(a.BandPpm, b.BandPpm), compare(a.RescoreDays, b.RescoreDays), compare(a.ClockMode, b.ClockMode),
		compare(len(a.ZoneOffsets), len(b.ZoneOffsets)),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

func later(old, next int64, contents int) bool { return next > old || next == old && contents < 0 }

func compare[T int | int32 | int64 | perennialv1.ClockMode](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (l *Log) takeSpend(key string, t *tenant, ev *perennialv1.Event) Verdict {
	if !t.understands(ev) || ev.GetMarketingSpend().GetTouch().GetCampaign() == "" {
		return Dead
	}
	f := newFact(ev)
	if old := l.spend[key]; old != nil && !f.beats(old) {
		return NothingNew
	}
	if l.spend[key] == nil {
		l.spendKeys = append(l.spendKeys, key)
	}
	l.spend[key] = f
	return Applied
}

// Policy values with their defaults.

func (t *tenant) currency() string {
	if c := t.policy.GetCurrency(); c != "" {
		return c
	}
	return "USD"
}

func or(v, otherwise int32) int64 {
	if v == 0 {
		return int64(otherwise)
	}
	return int64(v)
}

func (t *tenant) bands() []int32 {
	if b := t.policy.GetBandPpm(); len(b) > 0 {
		return b
	}
	return []int32{300_000, 500_000, 700_000, 900_000}
}

// localDay counts the tenant's days from 1970-01-01.
func (t *tenant) localDay(unixMillis int64) int64 {
	seconds := floor(unixMillis, 1000)
	if zone := t.policy.GetZoneOffsets(); len(zone) > 0 {
		offset := zone[0].OffsetSeconds
		for _, z := range zone {
			if z.FromUnix <= seconds {
				offset = z.OffsetSeconds
			}
		}
		unixMillis += 1000 * int64(offset)
	}
	return floor(unixMillis, 24*3600*1000)
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
