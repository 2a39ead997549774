package history

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// NoCurrency is ISO 4217's code for amounts of which nobody says what they are.
const NoCurrency = "XXX"

// Purchase is a line of a file of transactions.
type Purchase struct {
	Customer string
	// Day is the calendar day in the file's zone, counted from 1970-01-01.
	Day   int32
	Minor int64
}

// Purchases is what was found out about a file of transactions beside them.
type Purchases struct {
	Layout *Layout
	// Currency of all amounts, NoCurrency where neither the file nor anyone says. It has Decimals, and so MinorPerUnit minor
	// units.
	Currency     string
	Decimals     int
	MinorPerUnit float64
	// Taken lines are purchases, Rejected are none; Reasons are the first few, with their line.
	Taken, Rejected int64
	Reasons         []error
}

// mostReasons is how many rejected lines are told.
const mostReasons = 5

// ReadPurchases reads a file of transactions and gives each purchase to take, in
// the order of the lines. A line that is no purchase is counted and told; a file
// without any, and one with several currencies, is an error.
func ReadPurchases(src io.Reader, o Options, take func(Purchase)) (*Purchases, error) {
	buffered := bufio.NewReaderSize(src, SampleBytes)
	sample, err := buffered.Peek(SampleBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	o.Kind = Transactions
	if o.Currency == "" {
		o.Currency = NoCurrency
	}
	layout, err := Inspect(sample, o)
	if err != nil {
		return nil, err
	}
	p := &Purchases{Layout: layout}
	currencyLine := int64(0)
	r := layout.NewReader(buffered)
	for {
		rec, ok := r.Next()
		if !ok {
			break
		}
		if layout.IsHeader(rec) {
			continue
		}
		event, err := layout.Event(rec, "")
		if minor := event.GetOrder().GetAmount().GetMinor(); err == nil && minor > cltv.MaxAmountMinor {
			err = fmt.Errorf("%s: %d minor units are more than the %d that one purchase may have", fieldAmount, minor, int64(cltv.MaxAmountMinor))
		}
		if err == nil && layout.currencyUnsaid(rec) {
			err = fmt.Errorf("%s: is empty; --currency says what such amounts are in", fieldCurrency)
		}
		if err != nil {
			if p.Rejected++; len(p.Reasons) < mostReasons {
				p.Reasons = append(p.Reasons, fmt.Errorf("line %d: %w", rec.Line, err))
			}
			continue
		}
		amount := event.GetOrder().GetAmount()
		if p.Currency == "" {
			p.Currency, currencyLine = amount.Currency, rec.Line
		}
		if amount.Currency != p.Currency {
			return nil, fmt.Errorf("currency: %s in line %d and %s in line %d can't be added up; convert the amounts first, or keep those of one",
				p.Currency, currencyLine, amount.Currency, rec.Line)
		}
		p.Taken++
		take(Purchase{Customer: event.Customer, Day: DayOf(event.OccurredAt.AsTime().In(layout.Zone)), Minor: amount.Minor})
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if p.Taken == 0 {
		return nil, errors.Join(append([]error{errors.New("no line is a purchase")}, p.Reasons...)...)
	}
	p.Decimals = cltv.MinorDigits(p.Currency)
	p.MinorPerUnit = math.Pow10(p.Decimals)
	return p, nil
}

// currencyUnsaid tells whether a record leaves its currency's column empty, and
// nobody says what that means.
func (l *Layout) currencyUnsaid(rec Record) bool {
	_, mapped := l.positions[fieldCurrency]
	return mapped && l.Currency == NoCurrency && l.field(rec, fieldCurrency) == ""
}
