package cltv

// PurchaseDay is a local day on which a customer bought: the unit that purchase models count.
type PurchaseDay struct {
	// Day is counted from 1970-01-01.
	Day int32
	// Minor is what stands of the day's money after refunds, minor units of the tenant's currency.
	Minor int64
}

// PurchaseDays appends the days up to asOf, Unix seconds and not before the last score, on which a customer bought anything that wasn't taken back in
// full, in their order: what a model of purchases is fitted to, by the rules by which Score counts. Starts and renewals of
// contracts are left out. Number, first, last and money are
// those of the score; where purchases fell out of the state, the days between the first and the last of them are spread
// evenly, and what they brought beside the first likewise, because only their totals are kept.
func (f *Folder) PurchaseDays(to []PurchaseDay, s *State, params *Params, asOf int64) []PurchaseDay {
	if s.table == nil {
		s.Reset()
	}
	p := &params.orDefaults().policy
	today := p.localDay(1000 * asOf)
	start := len(to)
	to = s.closedSales.bought.purchaseDays(to, p)
	f.tally.match(s, p, today)
	for i := range s.sales.items {
		v, l := &s.sales.items[i], &f.tally.lines[i]
		day := p.localDay(s.sales.stamps[i].at)
		if !l.counts || v.isContract() || day > today || l.cancelled(v) {
			continue
		}
		if len(to) == start || to[len(to)-1].Day != day {
			to = append(to, PurchaseDay{Day: day})
		}
		to[len(to)-1].Minor += l.stands(v)
	}
	return to
}

// purchaseDays spreads the days that fell out.
func (c *bought) purchaseDays(to []PurchaseDay, p *Policy) []PurchaseDay {
	if c.days == 0 {
		return to
	}
	first, last := p.localDay(c.firstAt), p.localDay(c.lastAt)
	to = append(to, PurchaseDay{first, c.firstDayMinor})
	span, rest := c.days-1, c.moneyMinor-c.firstDayMinor
	for i := int64(1); i <= span; i++ {
		to = append(to, PurchaseDay{
			Day:   first + int32(int64(last-first)*i/span),
			Minor: mulDiv(rest, i, span) - mulDiv(rest, i-1, span),
		})
	}
	return to
}
