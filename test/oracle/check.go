package oracle

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// slack is how far a figure of the model may differ from the formulas: both
// round, and the updater interpolates.
func slack(v int64) int64 { return 2 + max(v, -v)/1_000_000 }

func near(a, b int64) bool { return a-b <= slack(b) && b-a <= slack(b) }

// band is the number of the band of a probability.
func band(ppm int32, lines []int32) perennialv1.Band {
	b := perennialv1.Band_BAND_LOW
	for _, l := range lines {
		if ppm >= l {
			b++
		}
	}
	return b
}

// CheckUpdate holds an update against the version that it tells of. Whatever is
// no figure of the model must be equal; what follows from such a figure must
// follow from the one in the update.
func (l *Log) CheckUpdate(u *perennialv1.CltvUpdate) error {
	c := l.Customers[u.Tenant+"/"+u.Customer]
	if c == nil || u.Version < 1 || u.Version > int64(len(c.Versions)) {
		return fmt.Errorf("there is no version %d of %s/%s", u.Version, u.Tenant, u.Customer)
	}
	v := &c.Versions[u.Version-1]
	h, p := u.GetHistoric(), u.GetPrediction()
	cltv := v.margin - v.service + p.GetResidualMinor()
	tier, tierName := v.tier(cltv)
	_ = tier
	ratio := int64(0)
	if v.cac > 0 {
		ratio = share(cltv, 1_000_000, v.cac)
	}
	checks := []check{
		{"as_of", u.GetAsOf().GetSeconds(), v.asOf},
		{"currency", u.Currency, v.currency},
		{"gross", h.GetGrossMinor(), v.gross}, {"refunded", h.GetRefundedMinor(), v.refunded}, {"net", h.GetNetMinor(), v.gross - v.refunded},
		{"margin", h.GetMarginMinor(), v.margin}, {"service cost", h.GetServiceCostMinor(), v.service},
		{"transactions", int64(h.GetTransactions()), v.days}, {"financial year", h.GetFinancialYearMinor(), v.year},
		{"cac", u.CacMinor, v.cac}, {"cltv", u.CltvMinor, cltv}, {"net cltv", u.NetCltvMinor, cltv - v.cac}, {"ltv to cac", u.LtvToCacPpm, ratio},
		{"change", u.ChangeMinor, u.CltvMinor - u.PreviousCltvMinor},
		{"tier", u.Tier, tierName}, {"acquisition", touchOf(u.Acquisition), v.touch},
		{"consent", [3]bool{u.GetConsent().GetDoNotCall(), u.GetConsent().GetDoNotEmail(), u.GetConsent().GetDoNotText()}, v.withheld},
		{"parameters", numbers{u.GetParameters().GetModel(), u.GetParameters().GetThresholds(), u.GetParameters().GetUnitCosts(), u.GetParameters().GetPolicy(), u.GetParameters().GetContractModel()}, v.numbers},
		{"backfill", u.Backfill, v.cause.Backfill},
		{"cause", u.GetCause().GetSourceEventId(), v.cause.SourceEventId},
	}
	if v.days > 0 {
		checks = append(checks,
			check{"first transaction", h.GetFirstTransactionAt().AsTime().UnixMilli(), v.firstAt},
			check{"last transaction", h.GetLastTransactionAt().AsTime().UnixMilli(), v.lastAt})
	}
	var x, tx, age int64
	if b := v.bought; b.days > 0 {
		x, tx, age = b.days-1, b.lastDay-b.firstDay, v.asOfDay-b.firstDay
	}
	checks = append(checks,
		check{"repeat transactions", int64(p.GetRepeatTransactions()), x},
		check{"age of the last", int64(p.GetLastTransactionAgeDays()), tx},
		check{"age", int64(p.GetAgeDays()), age})
	previous := int64(0)
	if u.Version > 1 {
		previous = c.Versions[u.Version-2].cltvApprox
	}
	if !near(u.PreviousCltvMinor, previous) {
		return fmt.Errorf("version %d of %s/%s: previous cltv is %d, should be about %d", u.Version, u.Tenant, u.Customer, u.PreviousCltvMinor, previous)
	}
	if err := firstWrong(checks); err != nil {
		return fmt.Errorf("version %d of %s/%s: %w", u.Version, u.Tenant, u.Customer, err)
	}
	if err := v.checkPrediction(p); err != nil {
		return fmt.Errorf("version %d of %s/%s: %w", u.Version, u.Tenant, u.Customer, err)
	}
	if err := v.someView(func(w *view) error { return v.checkView(w, p, u.GetChurn()) }); err != nil {
		return fmt.Errorf("version %d of %s/%s: %w", u.Version, u.Tenant, u.Customer, err)
	}
	return nil
}

type check struct {
	name      string
	got, want any
}

func firstWrong(checks []check) error {
	for _, c := range checks {
		if c.got != c.want {
			return fmt.Errorf("%s is %v, should be %v", c.name, c.got, c.want)
		}
	}
	return nil
}

// BandChanges lists the versions of a customer whose band isn't that of the
// version before: each must have a churn record. sure is false where the
// probability is so near a line that the rounding decides.
func (c *Customer) BandChanges() (versions []int, sure []bool) {
	last, lastSure := perennialv1.Band_BAND_UNSPECIFIED, true
	for i := range c.Versions {
		v := &c.Versions[i]
		now, nowSure := v.band()
		if now != last || !nowSure || !lastSure {
			versions, sure = append(versions, i+1), append(sure, nowSure && lastSure)
		}
		last, lastSure = now, nowSure
	}
	return versions, sure
}

// band is the band of a version; sure is false where the rounding decides.
func (v *Version) band() (b perennialv1.Band, sure bool) {
	sure = true
	for i, w := range v.views {
		is := band(int32(w.ppm), v.params.bands())
		if i > 0 && is != b {
			sure = false
		}
		b = is
		for _, l := range v.params.bands() {
			sure = sure && !near(w.ppm, int64(l))
		}
	}
	return b, sure
}

// SumKey names one vector of sums.
type SumKey struct{ Tenant, Dimension, ID string }

// Sums recounts all sums of the partition. last gives the last update of each
// customer, whose figures of the model are taken as they are there.
func (l *Log) Sums(last func(key string) *perennialv1.CltvUpdate) map[SumKey]map[string]int64 {
	sums := map[SumKey]map[string]int64{}
	add := func(tenant, dimension, id string, figures map[string]int64) {
		if id == "" {
			id = "~none"
		}
		k := SumKey{tenant, dimension, id}
		for name, n := range figures {
			if n == 0 {
				continue
			}
			if sums[k] == nil {
				sums[k] = map[string]int64{}
			}
			if sums[k][name] += n; sums[k][name] == 0 {
				delete(sums[k], name)
			}
		}
	}
	byTouch := func(tenant string, t touch, figures map[string]int64) {
		add(tenant, "campaign", t.campaign, figures)
		add(tenant, "agent", t.agent, figures)
		add(tenant, "offer", t.offer, figures)
		add(tenant, "lead_source", t.list, figures)
	}
	for key, c := range l.Customers {
		u := last(key)
		v := &c.Versions[len(c.Versions)-1]
		own := v.figures(u)
		byTouch(u.Tenant, v.touch, own)
		for _, call := range v.calls {
			figures := map[string]int64{"calls": 1, "talk seconds": call.talkSeconds, "call cost": call.costMin}
			if call.sale {
				figures["conversions"] = 1
			}
			byTouch(u.Tenant, call.touch, figures)
			for name, n := range figures {
				own[name] += n
			}
		}
		tier := "~none"
		if n, name := v.tier(u.CltvMinor); name != "" {
			tier = strconv.Itoa(n)
		}
		for _, d := range [][2]string{
			{"tenant", "all"}, {"cohort", v.cohort()}, {"segment", v.segment}, {"region", v.region}, {"tier", tier},
			{"band", bandNames[u.GetChurn().GetBand()]}, {"cltv_bucket", bucket(u.CltvMinor)},
		} {
			add(u.Tenant, d[0], d[1], own)
		}
	}
	for _, key := range l.spendKeys {
		f := l.spend[key]
		figures := map[string]int64{"spend": f.amount, "spend facts": 1}
		add(f.ev.Tenant, "tenant", "all", figures)
		byTouch(f.ev.Tenant, f.touch, figures)
	}
	for k, v := range sums {
		if len(v) == 0 {
			delete(sums, k)
		}
	}
	return sums
}

// figures are what a customer adds, besides its calls.
func (v *Version) figures(u *perennialv1.CltvUpdate) map[string]int64 {
	f := map[string]int64{
		"customers": 1, "transactions": v.days, "gross": v.gross, "refunded": v.refunded, "net": v.gross - v.refunded,
		"margin": v.margin, "service cost": v.service, "cac": v.cac, "residual": u.GetPrediction().GetResidualMinor(),
		"cltv": u.CltvMinor, "net cltv": u.NetCltvMinor, "value at risk": u.GetChurn().GetValueAtRiskMinor(),
	}
	if v.days > 0 {
		f["buyers"] = 1
	}
	if slices.Contains([]perennialv1.Band{perennialv1.Band_BAND_HIGH, perennialv1.Band_BAND_CRITICAL, perennialv1.Band_BAND_LOST}, u.GetChurn().GetBand()) {
		f["at risk"] = 1
	}
	return f
}

var bandNames = map[perennialv1.Band]string{
	perennialv1.Band_BAND_LOW: "low", perennialv1.Band_BAND_WATCH: "watch", perennialv1.Band_BAND_HIGH: "high",
	perennialv1.Band_BAND_CRITICAL: "critical", perennialv1.Band_BAND_LOST: "lost",
}

// bucket names the histogram's bucket of a value: four to each doubling, by the
// value nearest to zero in it.
func bucket(v int64) string {
	if v < 0 {
		return "-" + bucket(-v)
	}
	if shift := bits.Len64(uint64(v)) - 3; shift > 0 {
		v = v >> shift << shift
	}
	return strconv.FormatInt(v, 10)
}
