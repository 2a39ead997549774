package wire

// The decoders of what a customer says and is: tickets, answers, responses,
// profile, consent, keys.

func (d *decoder) ticketOpened(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "ticket_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Product, "category")
		case 3<<3 | varint:
			ev.Number = c.int32()
		case 4<<3 | varint:
			ev.Flag = c.bool()
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) surveyAnswer(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			ev.Number = c.int32()
		case 2<<3 | delimited:
			err = c.text(&ev.Product, "survey")
		case 3<<3 | delimited:
			err = c.text(&ev.Parent, "about_id")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) channelResponse(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			ev.Code = c.int32()
		case 2<<3 | varint:
			ev.Code2 = c.int32()
		case 3<<3 | delimited:
			err = decodeTouch(c.data, &ev.Touch)
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) profile(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Segment, "segment")
		case 2<<3 | delimited:
			err = c.text(&ev.Region, "region")
		case 3<<3 | delimited:
			err = c.text(&ev.AgeBand, "age_band")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) consent(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			ev.Code = c.int32()
		case 2<<3 | varint:
			ev.Flag = c.bool()
		case 3<<3 | delimited:
			err = c.text(&ev.Text, "evidence")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) identityLink(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "other")
		case 2<<3 | varint:
			ev.Code = c.int32()
		case 3<<3 | varint:
			ev.Code2 = c.int32()
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

// absorbed keeps the state's bytes, which needn't be UTF-8, in Text.
func (d *decoder) absorbed(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | delimited:
			if err := c.text(&ev.Ref, "link"); err != nil {
				return err
			}
		case 2<<3 | delimited:
			ev.Text = alias(c.data)
		}
	}
	return c.end()
}

func (d *decoder) erase(b []byte) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		if c.key == 1<<3|delimited {
			if err := c.text(&d.ev.Text, "requested_by"); err != nil {
				return err
			}
		}
	}
	return c.end()
}
