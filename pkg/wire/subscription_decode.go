package wire

func (d *decoder) subscriptionStarted(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "subscription_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Product, "plan")
		case 3<<3 | delimited:
			err = d.amount.decode(c.data, "price")
		case 4<<3 | varint:
			ev.Number = c.int32()
		case 5<<3 | delimited:
			err = c.text(&ev.Parent, "invoice_id")
		case 6<<3 | delimited:
			err = d.until.decode(c.data, "period_end")
		case 7<<3 | delimited:
			err = decodeTouch(c.data, &ev.Touch)
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) subscriptionRenewed(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "subscription_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Parent, "invoice_id")
		case 3<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 4<<3 | delimited:
			err = d.converted.decode(c.data, "converted")
		case 5<<3 | delimited:
			err = d.until.decode(c.data, "period_end")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) subscriptionChanged(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "subscription_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Product, "plan")
		case 3<<3 | delimited:
			err = d.amount.decode(c.data, "price")
		case 4<<3 | varint:
			ev.Number = c.int32()
		case 5<<3 | varint:
			ev.Code = c.int32()
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) subscriptionCancelled(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "subscription_id")
		case 2<<3 | varint:
			ev.Code = c.int32()
		case 3<<3 | delimited:
			err = d.until.decode(c.data, "effective_at")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}
