package oracle

import (
	"math/big"
	"slices"
	"time"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// numbers names the parameters of a version.
type numbers struct{ model, thresholds, unitCosts, policy, contracts int64 }

func (t *tenant) model(segment string) *perennialv1.ModelPublished {
	if m := t.models[segment]; m != nil {
		return m
	}
	return t.models[""]
}

func (t *tenant) contractModel(segment string) *perennialv1.ModelPublished {
	if m := t.contracts[segment]; m != nil {
		return m
	}
	return t.contracts[""]
}

// numbers are those that apply to the customer; that of the model of contracts
// does from the first contract on, also one that is dated ahead.
func (c *Customer) numbers(t *tenant) numbers {
	n := numbers{
		model: t.model(c.segment()).GetNumber(), thresholds: t.thresholds.GetNumber(), unitCosts: t.unitCosts.GetNumber(), policy: t.policy.GetNumber(),
	}
	for _, f := range c.facts {
		if f.contract != "" && (f.kind == "start" || f.kind == "renewal") {
			n.contracts = t.contractModel(c.segment()).GetNumber()
		}
	}
	return n
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
	year       int64 // money that stands of the financial year
	bought     bought
	touch      touch
	calls      []callFigures
	cltvApprox int64

	// By the formulas: the model's and the policy's figures, in minor units and
	// millionths.
	fromPurchases             bool
	boughtResidual, boughtPPM int64
	alivePPM                  int64
	facts                     []*fact // up to the as-of day
	contracts                 []*contract
	outlooks                  []*outlook // one for each contract, if there is a model
	contractResidual          int64
	views                     []view // none: nothing is predicted
	method                    perennialv1.Method
	modelID                   string
	residual                  int64
	// contractual and byRule tell that the policy chose another method, ruleApplies
	// that it can be used.
	contractual, byRule, ruleApplies bool
}

// bought is the part of the sales that isn't of contracts.
type bought struct {
	days, firstDay, lastDay int64
	minor, firstMinor       int64 // money that stands, and that of the first day
	margin                  int64 // minor times the margins of products, millionths
}

func (b *bought) add(day, minor, margin int64) {
	if b.days == 0 {
		b.firstDay = day
	}
	if b.days == 0 || day != b.lastDay {
		b.days++
	}
	if day == b.firstDay {
		b.firstMinor += minor
	}
	b.lastDay = day
	b.minor += minor
	b.margin += margin
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

// product is what was sold: of a renewal the plan at that time.
func (l *line) product(facts []*fact) string {
	switch {
	case l.f.kind == "order":
		return l.f.ev.GetOrder().Product
	case l.f.kind == "start":
		return l.f.ev.GetSubscriptionStarted().Plan
	case l.f.contract != "":
		return planAt(facts, l.f.contract, l.f.at)
	}
	return ""
}

func (l *line) stands() int64 { return l.f.amount - min(l.back, l.f.amount) }

// version works out the customer as of now.
func (c *Customer) version(t *tenant, ev *perennialv1.Event) Version {
	v := Version{
		cause: ev, asOf: c.asOf, asOfDay: t.localDay(c.asOf * 1000), currency: t.currency(), numbers: c.numbers(t), params: *t,
		segment: c.segment(), region: c.profile["region"].value,
	}
	v.params.models = map[string]*perennialv1.ModelPublished{}
	for scope, m := range t.models {
		v.params.models[scope] = m
	}
	v.params.contracts = map[string]*perennialv1.ModelPublished{}
	for scope, m := range t.contracts {
		v.params.contracts[scope] = m
	}
	for i := range v.withheld {
		v.withheld[i] = c.denied[i] > 0 && c.denied[i] >= c.granted[i]
	}
	facts := make([]*fact, 0, len(c.facts))
	for _, f := range c.facts {
		facts = append(facts, f)
	}
	slices.SortFunc(facts, inTime)
	v.money(t, facts)
	v.service = 0
	v.costs(t, facts)
	v.predict(facts)
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
	year := t.financialYear(v.asOfDay)
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
		v.lastAt, v.lastDay = l.f.at, day
		stands := l.stands()
		if day >= year {
			v.year += stands
		}
		product := l.product(facts)
		_, ownMargin := t.policy.GetMarginByProduct()[product]
		switch {
		case l.f.cost >= 0:
			known += stands
			knownCost += l.f.cost
		case ownMargin && product != "":
			known += stands
			knownCost += stands - share(stands, t.marginOf(product), 1_000_000)
		}
		if l.f.contract == "" {
			v.bought.add(day, stands, stands*t.marginOf(product))
		}
	}
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
