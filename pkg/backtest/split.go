package backtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
)

// Window is where the past ends and how far the future goes.
type Window struct {
	// Until is the last day of the past: what a model may know.
	Until int32
	// HorizonDays is how many days after that are predicted.
	HorizonDays int32
}

// LongestHorizon is a century, days.
const LongestHorizon = 36_525

// validate refuses windows whose days can't be counted.
func (w Window) validate(first int32) error {
	const farthest = 1 << 30
	switch {
	case w.HorizonDays < 1 || w.HorizonDays > LongestHorizon:
		return fmt.Errorf("a horizon of %d days: 1 to %d can be predicted", w.HorizonDays, LongestHorizon)
	case first < -farthest || w.Until > farthest || int64(w.Until)-int64(first) > farthest:
		return fmt.Errorf("days %d to %d are too far from each other or from day 0", first, w.Until)
	case w.Until < first:
		return errors.New("no customer bought before the horizon begins")
	}
	return nil
}

// Customer is one customer at the cut.
type Customer struct {
	Key string
	// History is what was known of his purchases.
	History fit.History
	// SpendMinor is the sum of his repeat transactions, FirstMinor that of the first.
	SpendMinor, FirstMinor int64
	// Future is the days with a purchase in the horizon, FutureMinor what was paid on them.
	Future      int32
	FutureMinor int64
}

// MeanSpend is the mean of the repeat transactions in units of money; 0 where
// there is none.
func (c *Customer) MeanSpend(minorPerUnit float64) float64 {
	if c.History.X == 0 {
		return 0
	}
	return float64(c.SpendMinor) / float64(c.History.X) / minorPerUnit
}

// Split cuts a ledger. Customers whose first purchase comes after the cut are left
// out, and only counted: nobody could have predicted anything of them. The order is
// that of the keys.
func (l *Ledger) Split(w Window) (customers []Customer, later int) {
	customers = make([]Customer, 0, len(l.customers))
	for _, key := range slices.Sorted(maps.Keys(l.customers)) {
		days := l.customers[key]
		if days[0].Day > w.Until {
			later++
			continue
		}
		c := Customer{Key: key, FirstMinor: days[0].Minor, History: fit.History{First: days[0].Day, Last: days[0].Day}}
		for _, p := range days[1:] {
			switch {
			case p.Day <= w.Until:
				c.History.X++
				c.History.Last = p.Day
				c.SpendMinor += p.Minor
			case p.Day <= w.Until+w.HorizonDays:
				c.Future++
				c.FutureMinor += p.Minor
			}
		}
		customers = append(customers, c)
	}
	return customers, later
}
