package backtest

import (
	"cmp"
	"errors"
	"slices"
)

// Purchase is what a customer paid on one day, in minor units; several purchases
// on one day are one.
type Purchase struct {
	Day   int32
	Minor int64
}

// Ledger holds the purchases of many customers. They may be added in any order.
type Ledger struct {
	customers map[string][]Purchase
	first     int32
	last      int32
}

var errNoPurchase = errors.New("there is no purchase")

// Add adds a purchase. Its sum with those of the same day must not overflow.
func (l *Ledger) Add(customer string, day int32, minor int64) {
	if l.customers == nil {
		l.customers = make(map[string][]Purchase)
		l.first, l.last = day, day
	}
	l.first, l.last = min(l.first, day), max(l.last, day)
	days := l.customers[customer]
	// Files are mostly in order, so the place is looked for from the end.
	at := len(days)
	if at > 0 && days[at-1].Day >= day {
		at, _ = slices.BinarySearchFunc(days, day, func(p Purchase, day int32) int { return cmp.Compare(p.Day, day) })
	}
	if at < len(days) && days[at].Day == day {
		days[at].Minor += minor
		return
	}
	l.customers[customer] = slices.Insert(days, at, Purchase{day, minor})
}

// Set puts purchases in place of all that is known of a customer. Their days must
// rise; the slice is kept, and not changed until Add adds to it.
func (l *Ledger) Set(customer string, days []Purchase) {
	if len(days) == 0 {
		delete(l.customers, customer)
		return
	}
	first, last := days[0].Day, days[len(days)-1].Day
	if l.customers == nil {
		l.customers = make(map[string][]Purchase)
		l.first, l.last = first, last
	}
	l.first, l.last = min(l.first, first), max(l.last, last)
	l.customers[customer] = days
}

// Customers is how many there are.
func (l *Ledger) Customers() int { return len(l.customers) }

// Span is the first and the last day with a purchase; false where there is none.
func (l *Ledger) Span() (first, last int32, ok bool) { return l.first, l.last, len(l.customers) > 0 }
