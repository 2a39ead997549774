package wire

import "github.com/perennial-cltv/perennial/pkg/cltv"

// decoder decodes one event. It holds what can be judged only at the end,
// because a later part of the message may change it.
type decoder struct {
	ev                 *cltv.Event
	occurred, recorded stamp
	// Of the fact:
	until                   stamp
	amount, converted, cost money
}

// DecodeEvent decodes a perennial.v1.Event into *ev, overwriting all of it. The
// strings of ev alias b, which must not change as long as they are used;
// parameters (Model, Thresholds, UnitCosts, Policy) are copied. Nothing is
// allocated except for parameters. Times are cut to the millisecond.
//
// The error is a *DecodeError; *ev is then undefined.
func DecodeEvent(b []byte, ev *cltv.Event) error {
	*ev = cltv.Event{}
	d := decoder{ev: ev}
	if err := d.event(b); err != nil {
		return err
	}
	return asError(d.finish())
}

func (d *decoder) event(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Tenant, "tenant")
		case 2<<3 | delimited:
			err = c.text(&ev.Customer, "customer")
		case 3<<3 | delimited:
			err = c.text(&ev.Source, "source")
		case 4<<3 | delimited:
			err = c.text(&ev.SourceEventID, "source_event_id")
		case 5<<3 | delimited:
			err = d.occurred.decode(c.data, "occurred_at")
		case 6<<3 | delimited:
			err = d.recorded.decode(c.data, "recorded_at")
		case 7<<3 | varint:
			ev.Revision = c.int64()
		case 8<<3 | varint:
			ev.Backfill = c.bool()
		default:
			if kind := c.key >> 3; c.key&7 == delimited && kind <= 255 && factNames[kind] != "" {
				err = d.fact(cltv.Kind(kind), c.data)
			}
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

// fact decodes the fact of a kind. A second fact of the same kind is merged into
// the first; one of another kind takes its place.
func (d *decoder) fact(kind cltv.Kind, b []byte) *DecodeError {
	ev := d.ev
	if ev.Kind != kind {
		if ev.Kind != 0 {
			*ev = cltv.Event{
				Tenant: ev.Tenant, Customer: ev.Customer, Source: ev.Source, SourceEventID: ev.SourceEventID,
				Revision: ev.Revision, Backfill: ev.Backfill,
			}
			d.until, d.amount, d.converted, d.cost = stamp{}, money{}, money{}, money{}
		}
		ev.Kind = kind
	}
	if err := d.factFields(kind, b); err != nil {
		return within(factNames[kind], err)
	}
	return nil
}

// finish sets what depends on the whole message: times, and money with its
// conversion.
func (d *decoder) finish() (err *DecodeError) {
	ev := d.ev
	if ev.OccurredAt, err = d.occurred.millis("occurred_at"); err != nil {
		return err
	}
	if ev.RecordedAt, err = d.recorded.millis("recorded_at"); err != nil {
		return err
	}
	if d.until.set {
		ms, err := d.until.millis(untilNames[ev.Kind])
		if err != nil {
			return within(factNames[ev.Kind], err)
		}
		if ev.Model != nil {
			ev.Model.TrainedTo = ms
		} else {
			ev.Until = ms
		}
	}
	if d.converted.set {
		ev.AmountMinor, ev.Currency = d.converted.minor, d.converted.currency
		ev.OriginalMinor, ev.OriginalCurrency = d.amount.minor, d.amount.currency
	} else {
		ev.AmountMinor, ev.Currency = d.amount.minor, d.amount.currency
	}
	if d.cost.set {
		ev.CostMinor, ev.CostCurrency, ev.HasCost = d.cost.minor, d.cost.currency, true
	}
	return nil
}

// AppendEvent appends ev as a perennial.v1.Event. DecodeEvent of it gives ev
// again, and perennialv1's code the message that ev came from, but for what the
// domain doesn't distinguish: parts of a millisecond, and an empty Money, Touch
// or parameter part from an absent one. An ev of an unknown kind is written
// without a fact.
func AppendEvent(b []byte, ev *cltv.Event) []byte {
	b = appendText(b, 1, ev.Tenant)
	b = appendText(b, 2, ev.Customer)
	b = appendText(b, 3, ev.Source)
	b = appendText(b, 4, ev.SourceEventID)
	b = appendTime(b, 5, ev.OccurredAt)
	b = appendTime(b, 6, ev.RecordedAt)
	b = appendInt(b, 7, ev.Revision)
	b = appendBool(b, 8, ev.Backfill)
	if factNames[ev.Kind] == "" {
		return b
	}
	b, at := openMessage(b, int(ev.Kind))
	b = appendFact(b, ev)
	return closeMessage(b, at)
}
