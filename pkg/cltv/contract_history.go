package cltv

// ContractHistory is what became of one contract: what a model of contracts is fitted to. Days are local days since
// 1970-01-01.
type ContractHistory struct {
	// Link is the hash of the source's id.
	Link uint64
	// BeganDay is the day of its start, PeriodDays how many days are paid for at once.
	BeganDay, PeriodDays int32
	// Renewals counts those that were made.
	Renewals int32
	// Left says that it has ended; not where the tenant ended it, which says nothing of the customer.
	Left bool
	// EndedDay is when it ended, however it did, and ReturnedDay when the customer's next contract began then or later; 0: not so.
	EndedDay, ReturnedDay int32
	// Chances are the renewals that were due and of which the facts are kept, as they looked before it was known what would
	// become of them.
	Chances []RenewalChance
}

// RenewalChance is one renewal as it looked on a day on which it was open, and what became of it.
type RenewalChance struct {
	// Tenure counts the periods paid by then.
	Tenure int32
	// Day is the day of the look, DueDay when the renewal was due.
	Day, DueDay int32
	// Features are by the rules by which a score has them, from nothing that happened later.
	Features Features
	// Left says that it wasn't renewed, and Involuntary that payments failed.
	Left, Involuntary bool
}

// ContractHistories appends what is known up to asOf, Unix seconds, of the contracts of a customer. A renewal is looked at
// on a day of its period that the contract's identity and the period's number choose, and, where it is still open when a
// quarter of the days of grace are over, again on that day: so that a model learns from what a score sees between, and not
// only from what is known in the end. withChances false leaves the chances out, which take most of the time.
func (f *Folder) ContractHistories(to []ContractHistory, s *State, params *Params, asOf int64, withChances bool) []ContractHistory {
	if s.table == nil {
		s.Reset()
	}
	if !s.hasContracts() {
		return to
	}
	p := &params.orDefaults().policy
	today := p.localDay(1000 * asOf)
	facts, _ := s.contractsUpTo(nil, p, today)
	for i := range facts {
		c := &facts[i]
		h := ContractHistory{Link: c.link, BeganDay: c.beganDay(p), PeriodDays: c.period(), Renewals: c.periods(p) - 1}
		if stage, ended := c.stage(p, today); stage == contractEnded {
			h.EndedDay, h.Left = ended, !c.ofTheMerchant()
			h.ReturnedDay = returned(facts, c, ended, p)
		}
		if withChances {
			h.Chances = f.chances(s, p, c, today)
		}
		to = append(to, h)
	}
	return to
}

// ofTheMerchant says that the tenant ended the contract.
func (c *contractFacts) ofTheMerchant() bool {
	return c.cancelled() && c.reason == cancelledByTheMerchant
}

// returned is the first day after the end of a contract on which another of the customer's began; 0: none did.
func returned(facts []contractFacts, ended *contractFacts, day int32, p *Policy) int32 {
	first := int32(0)
	for i := range facts {
		c := &facts[i]
		if began := c.beganDay(p); c.link != ended.link && began >= day && (first == 0 || began < first) {
			first = began
		}
	}
	return first
}

// chances goes through the payments of a contract that are kept.
func (f *Folder) chances(s *State, p *Policy, c *contractFacts, today int32) []RenewalChance {
	var paid []int32
	for i := range s.sales.items {
		if v := &s.sales.items[i]; v.isContract() && v.parent == c.link {
			if day := p.localDay(s.sales.stamps[i].at); day <= today && (len(paid) == 0 || paid[len(paid)-1] != day) {
				paid = append(paid, day)
			}
		}
	}
	var list []RenewalChance
	for i, day := range paid {
		then := f.contractOn(s, p, c.link, day)
		if then == nil {
			continue
		}
		due, last := then.dueDay(p), i == len(paid)-1
		out := RenewalChance{DueDay: due}
		leftOn := due + p.GraceDays + 1 // the first day on which it is known that it wasn't renewed
		switch {
		case !last:
			out.Left = paid[i+1] >= leftOn
		case c.ofTheMerchant():
			continue
		case c.cancelled():
			leftOn, out.Left = p.localDay(c.cancelledAt), true
			if today < p.localDay(c.endsAt) {
				continue // the end may still be taken back
			}
			out.Involuntary = c.reason == cancelledForPayment
		case today < leftOn:
			continue // still open
		default:
			out.Left = true
		}
		if out.Left && (!last || !c.cancelled()) {
			out.Involuntary = failedBetween(s, p, c.link, day, leftOn)
		}
		period := max(1, due-day)
		looks := [2]int32{day + int32((c.link^uint64(i)*hashSeed)>>32%uint64(period)), due + (p.GraceDays+3)/4}
		for k, look := range looks {
			open := look < leftOn && look <= today && (last || look < paid[i+1])
			if !open || k == 1 && p.GraceDays < 2 {
				continue
			}
			// One that was cancelled and taken up again was not open in between.
			if at := f.contractOn(s, p, c.link, look); at != nil && at.runs(p, look) {
				f.signals, _ = s.signals(f.signals[:0], p, look)
				out.Day, out.Tenure = look, at.periods(p)
				at.features(p, f.signals, look, &out.Features)
				list = append(list, out)
			}
		}
	}
	return list
}

// contractOn is what was known of a contract on a day; nil: nothing.
func (f *Folder) contractOn(s *State, p *Policy, link uint64, day int32) *contractFacts {
	f.contracts, _ = s.contractsUpTo(f.contracts[:0], p, day)
	return ofContract(f.contracts, link)
}

// failedBetween says whether a payment of the contract failed after one day, and not after another.
func failedBetween(s *State, p *Policy, link uint64, after, until int32) bool {
	for i := range s.marks.items {
		v := &s.marks.items[i]
		if v.kind != KindPaymentFailed || v.parent != 0 && v.parent != link {
			continue
		}
		if day := p.localDay(s.marks.stamps[i].at); day > after && day <= until {
			return true
		}
	}
	return false
}

// FeatureNames are the names of all features in their order.
func FeatureNames() []string { return append([]string(nil), featureNames[:]...) }

// ReturnDays are from how many days after the end of a contract the second, third … of Model.ReturnPPM hold.
func ReturnDays() []int32 { return append([]int32(nil), returnDays[:]...) }
