package oracle

import (
	"math/big"
	"slices"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// numbers names the parameters of a version.
type numbers struct{ model, thresholds, unitCosts, policy int64 }

func (t *tenant) model(segment string) *perennialv1.ModelPublished {
	if m := t.models[segment]; m != nil {
		return m
	}
	return t.models[""]
}

func (t *tenant) numbers(segment string) numbers {
	return numbers{t.model(segment).GetNumber(), t.thresholds.GetNumber(), t.unitCosts.GetNumber(), t.policy.GetNumber()}
}

// Version is a customer after one record, worked out from all facts so far. The
// figures of the model are left to model.go.
type Version struct {
	cause    *perennialv1.Event
	asOf     int64
	asOfDay  int64
	currency string
	numbers  numbers
	// Parameters as they were.
	params     tenant
	segment    string
	region     string
	withheld   [3]bool
	gross      int64
	refunded   int64
	margin     int64
	service    int64
	cac        int64
	days       int64
	firstAt    int64
	lastAt     int64
	firstDay   int64
	lastDay    int64
	repeat     int64 // money of the days after the first
	standing   int64 // money that stands
	touch      touch
	calls      []callFigures
	residual   int64 // by the formulas
	churnPPM   int64
	predicted  bool
	cltvApprox int64
}

// callFigures is what one call adds to the sums.
type callFigures struct {
	touch                touch
	sale                 bool
	talkSeconds, costMin int64
}

// line is a sale and what was taken back of it.
type line struct {
	f      *fact
	counts bool
	paid   *line
	back   int64
}

func (l *line) stands() int64 { return l.f.amount - min(l.back, l.f.amount) }

// version works out the customer as of now.
func (c *Customer) version(t *tenant, ev *perennialv1.Event) Version {
	v := Version{
		cause: ev, asOf: c.asOf, asOfDay: t.localDay(c.asOf * 1000), currency: t.currency(), numbers: t.numbers(c.segment()), params: *t,
		segment: c.segment(), region: c.profile["region"].value,
	}
	v.params.models = map[string]*perennialv1.ModelPublished{}
	for scope, m := range t.models {
		v.params.models[scope] = m
	}
	for i := range v.withheld {
		v.withheld[i] = c.denied[i] > 0 && c.denied[i] >= c.granted[i]
	}
	facts := make([]*fact, 0, len(c.facts))
	for _, f := range c.facts {
		facts = append(facts, f)
	}
	slices.SortFunc(facts, func(a, b *fact) int { return compare(a.at, b.at) })
	v.money(t, facts)
	v.service = 0
	v.costs(t, facts)
	v.predict()
	return v
}

// money nets refunds and counts purchase days.
func (v *Version) money(t *tenant, facts []*fact) {
	var lines []*line
	for _, f := range facts {
		switch f.kind {
		case "order", "payment", "renewal":
			lines = append(lines, &line{f: f, counts: true})
		case "start":
			lines = append(lines, &line{f: f, counts: f.name != ""})
		}
	}
	for _, l := range lines {
		if l.f.kind == "payment" && l.f.parent != "" {
			if l.paid = paidFor(lines, l.f.parent); l.paid != nil {
				l.counts = false
			}
		}
	}
	unmatched := int64(0)
	for _, f := range facts {
		if f.kind != "refund" || t.localDay(f.at) > v.asOfDay {
			continue
		}
		switch f.ev.GetRefund().Status {
		case perennialv1.RefundStatus_REFUND_STATUS_FAILED, perennialv1.RefundStatus_REFUND_STATUS_DISPUTE_WON:
			continue
		default:
		}
		if !takeBack(lines, f) {
			unmatched += f.amount
		}
	}
	var known, knownCost, taken int64
	var firstDayMoney int64
	for _, l := range lines {
		day := t.localDay(l.f.at)
		if !l.counts || day > v.asOfDay {
			continue
		}
		v.gross += l.f.amount
		taken += min(l.back, l.f.amount)
		if l.back > 0 && l.back >= l.f.amount {
			continue // wholly taken back: no purchase
		}
		if v.days == 0 {
			v.firstAt, v.firstDay = l.f.at, day
		}
		if v.days == 0 || day != v.lastDay {
			v.days++
		}
		if day == v.firstDay {
			firstDayMoney += l.stands()
		}
		v.lastAt, v.lastDay = l.f.at, day
		v.standing += l.stands()
		if l.f.cost >= 0 {
			known += l.stands()
			knownCost += l.f.cost
		}
	}
	v.repeat = v.standing - firstDayMoney
	v.refunded = min(unmatched+taken, v.gross)
	v.margin = known - knownCost + share(v.gross-v.refunded-known, or(t.policy.GetMarginPpm(), 1_000_000), 1_000_000)
}

// paidFor finds what a payment or refund names: an order, else a renewal or a
// start.
func paidFor(lines []*line, name string) *line {
	for _, kinds := range [][]string{{"order"}, {"renewal", "start"}} {
		for _, l := range lines {
			if slices.Contains(kinds, l.f.kind) && l.f.name == name && name != "" {
				return l
			}
		}
	}
	return nil
}

// takeBack puts a refund where it belongs; false where nothing has its name.
func takeBack(lines []*line, f *fact) bool {
	if f.parent == "" {
		return false
	}
	if l := paidFor(lines, f.parent); l != nil {
		l.back += f.amount
		return true
	}
	for _, l := range lines {
		if l.f.kind == "payment" && l.f.name == f.parent {
			if l.paid != nil {
				l = l.paid
			}
			l.back += f.amount
			return true
		}
	}
	var payments []*line
	for _, l := range lines {
		if l.f.kind == "payment" && l.f.parent == f.parent && l.counts {
			payments = append(payments, l)
		}
	}
	rest := f.amount
	for i, l := range payments {
		part := rest
		if i < len(payments)-1 {
			part = min(rest, max(0, l.f.amount-l.back))
		}
		l.back += part
		rest -= part
	}
	return len(payments) > 0
}

// costs divides the cost of calls, and finds the touch that won the customer.
func (v *Version) costs(t *tenant, facts []*fact) {
	winner := (*fact)(nil)
	tickets := int64(0)
	for _, f := range facts {
		day := t.localDay(f.at)
		if day > v.asOfDay {
			continue
		}
		converts := false
		switch f.kind {
		case "call":
			call := f.ev.GetCallOutcome()
			cost := f.cost
			if cost < 0 {
				cost = share(t.policy.GetMinuteCostMinor(), int64(call.TalkSeconds)+int64(call.WrapSeconds), 60)
			}
			if v.days > 0 && day > v.firstDay {
				v.service += cost
			} else {
				v.cac += cost
			}
			converts = call.Disposition == perennialv1.Disposition_DISPOSITION_SALE
			v.calls = append(v.calls, callFigures{f.touch, converts, int64(call.TalkSeconds), cost})
		case "order", "start":
			converts = true
		case "opened":
			tickets++
		}
		if converts && f.touch != (touch{}) && winner == nil {
			winner = f
		}
	}
	v.service += tickets * t.policy.GetTicketCostMinor()
	if winner != nil {
		v.touch = winner.touch
	}
	if u := t.unitCosts; u != nil && v.days > 0 {
		cost, byCampaign := u.ByCampaign[v.touch.campaign]
		switch {
		case byCampaign && v.touch.campaign != "":
		case v.touch.list != "" && hasKey(u.ByLeadSource, v.touch.list):
			cost = u.ByLeadSource[v.touch.list]
		default:
			cost = u.DefaultMinor
		}
		v.cac += cost
	}
}

func hasKey(m map[string]int64, k string) bool { _, ok := m[k]; return ok }

// share is a·b/c to the nearest, halves away from zero.
func share(a, b, c int64) int64 {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	half := big.NewInt(c / 2)
	if n.Sign() < 0 {
		half.Neg(half)
	}
	return n.Add(n, half).Quo(n, big.NewInt(c)).Int64()
}

// tier counts the thresholds that a value reaches.
func (v *Version) tier(cltv int64) (n int, name string) {
	if len(v.params.thresholds.GetTiers()) == 0 {
		return 0, ""
	}
	name = "base"
	for i, tier := range v.params.thresholds.Tiers {
		if cltv >= tier.FromMinor {
			n, name = i+1, tier.Name
		}
	}
	return n, name
}

func (v *Version) cohort() string {
	if v.days == 0 {
		return "~none"
	}
	return time.Unix(v.firstDay*24*3600, 0).UTC().Format("2006-01")
}
