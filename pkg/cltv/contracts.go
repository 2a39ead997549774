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
func (c *contract) lastAt() int64 { return max(c.startedAt, c.changedAt, c.cancelledAt, c.paidUntil) }

// closeSaleContract remembers what a start or renewal that falls out says of its subscription.
func (s *State) closeSaleContract(at int64, v *sale) {
	if v.parent == 0 || v.kind != KindSubscriptionStarted && v.kind != KindSubscriptionRenewed {
		return
	}
	c := s.contractOf(v.parent)
	c.paidUntil = max(c.paidUntil, v.until)
	if v.kind == KindSubscriptionStarted && at >= max(c.startedAt, c.changedAt) {
		c.startedAt = at
		c.plan, c.priceMinor, c.periodDays = v.product, v.amountMinor, v.periodDays
	}
}

// closeChange and closeCancellation do the same for a change of plan and for an end.
func (s *State) closeChange(at int64, v *mark) {
	if v.ref == 0 {
		return
	}
	if c := s.contractOf(v.ref); at >= max(c.startedAt, c.changedAt) {
		c.changedAt = at
		c.plan, c.priceMinor, c.periodDays = v.product, v.amountMinor, v.number
	}
}

func (s *State) closeCancellation(at int64, v *mark) {
	if v.ref == 0 {
		return
	}
	if c := s.contractOf(v.ref); at >= c.cancelledAt {
		c.cancelledAt, c.reason, c.endsAt = at, v.code, max(at, v.until)
	}
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
}

// Active says whether the contract runs at a time in Unix milliseconds.
func (c *Subscription) Active(at int64) bool {
	return c.StartedAt <= at && (c.EndsAt == 0 || at < c.EndsAt)
}

// Subscriptions returns the contracts of which the state knows, in the order of their links.
func (s *State) Subscriptions() []Subscription {
	var found []Subscription
	of := func(link uint64) *Subscription {
		for i := range found {
			if found[i].Link == link {
				return &found[i]
			}
		}
		found = append(found, Subscription{Link: link})
		return &found[len(found)-1]
	}
	planAt := make(map[uint64]int64)
	plan := func(c *Subscription, at int64, product textRef, priceMinor int64, periodDays int32) {
		if known, ok := planAt[c.Link]; ok && at < known {
			return
		}
		planAt[c.Link] = at
		c.Plan, c.PriceMinor, c.PeriodDays = s.text(product), priceMinor, periodDays
	}
	for i := range s.contracts {
		k := &s.contracts[i]
		c := of(k.id)
		*c = Subscription{Link: k.id, StartedAt: k.startedAt, CancelledAt: k.cancelledAt, EndsAt: k.endsAt,
			PaidUntil: k.paidUntil, CancellationReason: k.reason}
		plan(c, max(k.startedAt, k.changedAt), k.plan, k.priceMinor, k.periodDays)
	}
	for i := range s.sales.items {
		v, at := &s.sales.items[i], s.sales.stamps[i].at
		if v.parent == 0 || v.kind != KindSubscriptionStarted && v.kind != KindSubscriptionRenewed {
			continue
		}
		c := of(v.parent)
		c.PaidUntil = max(c.PaidUntil, v.until)
		if v.kind == KindSubscriptionStarted {
			c.StartedAt = max(c.StartedAt, at)
			plan(c, at, v.product, v.amountMinor, v.periodDays)
		}
	}
	for i := range s.marks.items {
		v, at := &s.marks.items[i], s.marks.stamps[i].at
		switch {
		case v.ref == 0:
		case v.kind == KindSubscriptionChanged:
			plan(of(v.ref), at, v.product, v.amountMinor, v.number)
		case v.kind == KindSubscriptionCancelled:
			if c := of(v.ref); at >= c.CancelledAt {
				c.CancelledAt, c.CancellationReason, c.EndsAt = at, v.code, max(at, v.until)
			}
		}
	}
	slices.SortFunc(found, func(a, b Subscription) int { return cmp.Compare(a.Link, b.Link) })
	return found
}
