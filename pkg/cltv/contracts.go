package cltv

import (
	"cmp"
	"slices"
)

// maxContracts bounds the subscriptions of which something is remembered after its facts fell out.
const maxContracts = 8

// contractOf returns what is remembered of a subscription, beginning it where nothing is. Of too many, the one that was
// silent longest is forgotten.
func (s *State) contractOf(id uint64) *contract {
	for i := range s.contracts {
		if s.contracts[i].id == id {
			return &s.contracts[i]
		}
	}
	if len(s.contracts) == maxContracts {
		silent := 0
		for i := range s.contracts {
			if c := cmp.Compare(s.contracts[i].lastAt(), s.contracts[silent].lastAt()); c < 0 {
				silent = i
			}
		}
		s.contracts = slices.Delete(s.contracts, silent, silent+1)
	}
	// They stand in the order of their ids, so that the stored form doesn't tell how they came.
	at := 0
	for at < len(s.contracts) && s.contracts[at].id < id {
		at++
	}
	s.contracts = slices.Insert(s.contracts, at, contract{id: id})
	return &s.contracts[at]
}

// lastAt is when the contract was last heard of.
func (c *contract) lastAt() int64 {
	return max(c.startedAt, c.changedAt, c.cancelledAt, c.paidUntil, c.paidAt)
}

// begun says that a start or a renewal is among what fell out.
func (c *contract) begun() bool { return max(c.startedAt, c.paidAt, c.paidUntil) > 0 }

// closeSaleContract remembers what a start or renewal that falls out says of its subscription.
func (s *State) closeSaleContract(at int64, v *sale) {
	if v.parent == 0 || v.kind != KindSubscriptionStarted && v.kind != KindSubscriptionRenewed {
		return
	}
	c := s.contractOf(v.parent)
	if c.firstAt == 0 {
		c.firstAt = at
	}
	c.paidAt, c.lastUntil, c.paidUntil = at, v.until, max(c.paidUntil, v.until)
	if v.kind == KindSubscriptionRenewed {
		c.lastMinor = v.amountMinor
		return
	}
	c.say(said(at, false), v.product, v.amountMinor, v.periodDays)
	c.startedAt = at
}

// closeChange and closeCancellation do the same for a change of plan and for an end.
func (s *State) closeChange(at int64, v *mark) {
	if v.ref == 0 {
		return
	}
	s.memo.params = nil // the margin of a renewal may be that of the plan
	c := s.contractOf(v.ref)
	c.changedAt = max(c.changedAt, at)
	c.say(said(at, true), v.product, v.amountMinor, v.number)
}

func (s *State) closeCancellation(at int64, v *mark) {
	if v.ref == 0 {
		return
	}
	s.memo.params = nil // another contract may be forgotten for this one
	if c := s.contractOf(v.ref); at >= c.cancelledAt {
		c.cancelledAt, c.reason, c.endsAt = at, v.code, max(at, v.until)
	}
}

// isContract says whether a sale is the start or a renewal of a contract.
func (v *sale) isContract() bool {
	return v.parent != 0 && (v.kind == KindSubscriptionStarted || v.kind == KindSubscriptionRenewed)
}

// hasContracts says whether the state knows of a contract at all.
func (s *State) hasContracts() bool {
	for i := range s.contracts {
		if s.contracts[i].begun() {
			return true
		}
	}
	for i := range s.sales.items {
		if s.sales.items[i].isContract() {
			return true
		}
	}
	return false
}

// contractFacts is what the facts say of one contract. Times are Unix milliseconds, 0: not known.
type contractFacts struct {
	link uint64
	// startedAt is the latest start, firstAt the earliest payment that is known, paidAt the latest.
	startedAt, firstAt, paidAt int64
	// paidUntil is the latest end of a paid period that was said, lastUntil that of the latest payment.
	paidUntil, lastUntil int64
	terms
	// lastMinor is what the latest renewal brought.
	lastMinor           int64
	cancelledAt, endsAt int64
	reason              int32
}

// contractsUpTo appends the contracts that have begun, from facts up to a local day, in the order of their links. waits is
// the first day on which a fact that is dated ahead comes in. With everyDay p may be nil.
func (s *State) contractsUpTo(to []contractFacts, p *Policy, upTo int32) (found []contractFacts, waits int32) {
	waits = everyDay
	ahead := func(at int64) bool {
		if upTo == everyDay {
			return false
		}
		day := p.localDay(at)
		if day > upTo {
			waits = min(waits, day)
		}
		return day > upTo
	}
	for i := range s.contracts {
		k := &s.contracts[i]
		to = append(to, contractFacts{link: k.id, startedAt: k.startedAt, firstAt: k.firstAt, paidAt: max(k.paidAt, k.startedAt),
			paidUntil: k.paidUntil, lastUntil: k.lastUntil, terms: k.terms,
			lastMinor: k.lastMinor})
		if c := &to[len(to)-1]; k.cancelledAt > 0 && !ahead(k.cancelledAt) {
			c.cancelledAt, c.endsAt, c.reason = k.cancelledAt, k.endsAt, k.reason
		}
	}
	for i := range s.sales.items {
		if v, at := &s.sales.items[i], s.sales.stamps[i].at; v.isContract() && !ahead(at) {
			to = addContract(to, v.parent)
			ofContract(to, v.parent).pay(at, v)
		}
	}
	for i := range s.marks.items {
		v, at := &s.marks.items[i], s.marks.stamps[i].at
		if v.kind != KindSubscriptionChanged && v.kind != KindSubscriptionCancelled {
			continue
		}
		// The change or end of a contract of which nothing else is known says nothing.
		c := ofContract(to, v.ref)
		switch {
		case c == nil || ahead(at):
		case v.kind == KindSubscriptionChanged:
			c.say(said(at, true), v.product, v.amountMinor, v.number)
		case at >= c.cancelledAt:
			c.cancelledAt, c.reason, c.endsAt = at, v.code, max(at, v.until)
		}
	}
	return slices.DeleteFunc(to, func(c contractFacts) bool { return max(c.paidAt, c.paidUntil) == 0 }), waits
}

// addContract makes room for a contract in the order of links.
func addContract(list []contractFacts, link uint64) []contractFacts {
	at := 0
	for at < len(list) && list[at].link < link {
		at++
	}
	if at < len(list) && list[at].link == link {
		return list
	}
	return slices.Insert(list, at, contractFacts{link: link})
}

// ofContract finds a contract; nil where there is none.
func ofContract(list []contractFacts, link uint64) *contractFacts {
	for i := range list {
		if list[i].link == link {
			return &list[i]
		}
	}
	return nil
}

// pay takes in a start or a renewal. They come in the order of time.
func (c *contractFacts) pay(at int64, v *sale) {
	if c.firstAt == 0 || at < c.firstAt {
		c.firstAt = at
	}
	c.paidAt, c.lastUntil = max(c.paidAt, at), v.until
	c.paidUntil = max(c.paidUntil, v.until)
	if v.kind == KindSubscriptionRenewed {
		c.lastMinor = v.amountMinor
		return
	}
	c.startedAt = max(c.startedAt, at)
	c.say(said(at, false), v.product, v.amountMinor, v.periodDays)
}

// usualPeriodDays is the period of a contract of which none is known.
const usualPeriodDays = 30

// period is how many days are paid for at once.
func (c *contractFacts) period() int32 {
	if c.periodDays > 0 {
		return c.periodDays
	}
	return usualPeriodDays
}

// price is what a renewal costs.
func (c *contractFacts) price() int64 {
	if c.priceMinor > 0 {
		return c.priceMinor
	}
	return c.lastMinor
}

// dueDay is the local day on which the next renewal is due: the end of what is paid, which is a period after the latest payment
// where that says none, or one that isn't after it.
func (c *contractFacts) dueDay(p *Policy) int32 {
	due := p.localDay(c.paidUntil)
	if c.lastUntil <= c.paidAt {
		due = max(due, p.localDay(c.paidAt)+c.period())
	}
	return due
}

// beganDay is the local day on which the contract began, as far as is known.
func (c *contractFacts) beganDay(p *Policy) int32 {
	switch {
	case c.startedAt > 0:
		return p.localDay(c.startedAt)
	case c.firstAt > 0:
		return p.localDay(c.firstAt)
	}
	return c.dueDay(p) - c.period() // version 1 of the fold kept no more
}

// periods counts those that were paid, from the days: it needs no renewal to have been kept, or reported.
func (c *contractFacts) periods(p *Policy) int32 {
	days, period := c.dueDay(p)-c.beganDay(p), c.period()
	return max(1, (days+period/2)/period)
}

// cancelled says that the contract has an end: it was cancelled, and nobody paid since.
func (c *contractFacts) cancelled() bool { return c.cancelledAt > 0 && c.paidAt <= c.cancelledAt }

// contractStage is how far a contract is.
type contractStage uint8

const (
	// contractRuns: the next renewal is open, perhaps overdue.
	contractRuns contractStage = iota
	// contractEnding: it was cancelled, and runs until its end.
	contractEnding
	// contractEnded: it was cancelled, or its renewal didn't come within the days of grace.
	contractEnded
)

// stage is as of a local day; ended is the day of its end, where it has one.
func (c *contractFacts) stage(p *Policy, day int32) (stage contractStage, ended int32) {
	if c.cancelled() {
		if ends := p.localDay(c.endsAt); day < ends {
			return contractEnding, ends
		} else {
			return contractEnded, ends
		}
	}
	if due := c.dueDay(p); day > due+p.GraceDays {
		return contractEnded, due
	}
	return contractRuns, 0
}

// runsTo is the last local day of a contract that hasn't ended, if nothing happens.
func (c *contractFacts) runsTo(p *Policy) int32 {
	if c.cancelled() {
		return p.localDay(c.endsAt) - 1
	}
	return c.dueDay(p) + p.GraceDays
}

// runs says that the next renewal is open on a local day.
func (c *contractFacts) runs(p *Policy, day int32) bool {
	stage, _ := c.stage(p, day)
	return stage == contractRuns
}

// Subscription is what the facts say of one contract.
type Subscription struct {
	// Link is the hash of the source's id: the state keeps no other.
	Link uint64
	// Times are Unix milliseconds, 0: not known.
	StartedAt, CancelledAt, EndsAt, PaidUntil int64
	Plan                                      string
	PriceMinor                                int64
	PeriodDays                                int32
	CancellationReason                        int32
	// Runs says that the contract hasn't ended: it is paid, overdue within the days of grace, or cancelled for a later day.
	Runs bool
}

// Subscriptions returns the contracts of which the state knows as of a local day, in the order of their links. nil params:
// the defaults.
func (s *State) Subscriptions(params *Params, day int32) []Subscription {
	p := &params.orDefaults().policy
	facts, _ := s.contractsUpTo(nil, p, day)
	list := make([]Subscription, len(facts))
	for i := range facts {
		c := &facts[i]
		list[i] = Subscription{
			Link: c.link, StartedAt: c.startedAt, CancelledAt: c.cancelledAt, EndsAt: c.endsAt, PaidUntil: c.paidUntil,
			Plan: s.text(c.plan), PriceMinor: c.price(), PeriodDays: c.period(), CancellationReason: c.reason,
		}
		stage, _ := c.stage(p, day)
		list[i].Runs = stage != contractEnded
	}
	return list
}
