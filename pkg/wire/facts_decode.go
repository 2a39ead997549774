package wire

import "github.com/perennial-cltv/perennial/pkg/cltv"

// factNames are the names of the oneof's fields, by number.
var factNames = [256]string{
	cltv.KindCall:                  "call_outcome",
	cltv.KindOrder:                 "order",
	cltv.KindPayment:               "payment",
	cltv.KindRefund:                "refund",
	cltv.KindPaymentFailed:         "payment_failed",
	cltv.KindSubscriptionStarted:   "subscription_started",
	cltv.KindSubscriptionRenewed:   "subscription_renewed",
	cltv.KindSubscriptionChanged:   "subscription_changed",
	cltv.KindSubscriptionCancelled: "subscription_cancelled",
	cltv.KindTicketOpened:          "ticket_opened",
	cltv.KindTicketResolved:        "ticket_resolved",
	cltv.KindSurveyAnswer:          "survey_answer",
	cltv.KindChannelResponse:       "channel_response",
	cltv.KindReferral:              "referral",
	cltv.KindMarketingSpend:        "marketing_spend",
	cltv.KindProfile:               "profile",
	cltv.KindConsent:               "consent",
	cltv.KindIdentityLink:          "identity_link",
	cltv.KindClockAdvanced:         "clock_advanced",
	cltv.KindReassess:              "reassess",
	cltv.KindModelPublished:        "model_published",
	cltv.KindThresholdsSet:         "thresholds_set",
	cltv.KindUnitCostsSet:          "unit_costs_set",
	cltv.KindPolicySet:             "policy_set",
	cltv.KindAbsorbed:              "absorbed",
	cltv.KindErase:                 "erase",
}

// untilNames are the names of the field that is Event.Until, by kind, and that
// of a model's TrainedTo.
var untilNames = [256]string{
	cltv.KindSubscriptionStarted:   "period_end",
	cltv.KindSubscriptionRenewed:   "period_end",
	cltv.KindSubscriptionCancelled: "effective_at",
	cltv.KindClockAdvanced:         "to",
	cltv.KindReassess:              "clock",
	cltv.KindModelPublished:        "trained_to",
}

// factFields merges the encoded fact of a kind into d.
func (d *decoder) factFields(kind cltv.Kind, b []byte) *DecodeError {
	switch kind {
	case cltv.KindCall:
		return d.call(b)
	case cltv.KindOrder:
		return d.order(b)
	case cltv.KindPayment:
		return d.payment(b)
	case cltv.KindRefund:
		return d.refund(b)
	case cltv.KindPaymentFailed:
		return d.paymentFailed(b)
	case cltv.KindSubscriptionStarted:
		return d.subscriptionStarted(b)
	case cltv.KindSubscriptionRenewed:
		return d.subscriptionRenewed(b)
	case cltv.KindSubscriptionChanged:
		return d.subscriptionChanged(b)
	case cltv.KindSubscriptionCancelled:
		return d.subscriptionCancelled(b)
	case cltv.KindTicketOpened:
		return d.ticketOpened(b)
	case cltv.KindTicketResolved:
		return d.onlyRef(b, "ticket_id")
	case cltv.KindSurveyAnswer:
		return d.surveyAnswer(b)
	case cltv.KindChannelResponse:
		return d.channelResponse(b)
	case cltv.KindReferral:
		return d.onlyRef(b, "referred_customer")
	case cltv.KindMarketingSpend:
		return d.marketingSpend(b)
	case cltv.KindProfile:
		return d.profile(b)
	case cltv.KindConsent:
		return d.consent(b)
	case cltv.KindIdentityLink:
		return d.identityLink(b)
	case cltv.KindClockAdvanced, cltv.KindReassess:
		return d.onlyUntil(b)
	case cltv.KindAbsorbed:
		return d.absorbed(b)
	case cltv.KindErase:
		return d.erase(b)
	default:
		return d.parameters(kind, b)
	}
}

// decodeTouch merges an encoded Touch, which every fact calls "touch".
func decodeTouch(b []byte, t *cltv.Touch) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&t.Campaign, "campaign")
		case 2<<3 | delimited:
			err = c.text(&t.Agent, "agent")
		case 3<<3 | delimited:
			err = c.text(&t.Offer, "offer")
		case 4<<3 | delimited:
			err = c.text(&t.LeadSource, "lead_source")
		}
		if err != nil {
			return within("touch", err)
		}
	}
	return endOf(&c, "touch")
}

// endOf is c.end for a submessage called field.
func endOf(c *cursor, field string) *DecodeError {
	if c.bad {
		return &DecodeError{Field: field, Reason: Malformed}
	}
	return nil
}

func (d *decoder) call(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = decodeTouch(c.data, &ev.Touch)
		case 2<<3 | varint:
			ev.Code = c.int32()
		case 3<<3 | varint:
			ev.Code2 = c.int32()
		case 4<<3 | varint:
			ev.Number = c.int32()
		case 5<<3 | varint:
			ev.Number2 = c.int32()
		case 6<<3 | delimited:
			err = d.cost.decode(c.data, "cost")
		case 7<<3 | delimited:
			err = c.text(&ev.Text, "dialer_status")
		case 8<<3 | delimited:
			err = c.text(&ev.Parent, "order_id")
		case 9<<3 | varint:
			ev.Flag = c.bool()
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) order(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "order_id")
		case 2<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 3<<3 | delimited:
			err = d.converted.decode(c.data, "converted")
		case 4<<3 | delimited:
			err = d.cost.decode(c.data, "cost_of_goods")
		case 5<<3 | delimited:
			err = c.text(&ev.Product, "product")
		case 6<<3 | varint:
			ev.Code = c.int32()
		case 7<<3 | delimited:
			err = decodeTouch(c.data, &ev.Touch)
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) payment(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "payment_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Parent, "order_id")
		case 3<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 4<<3 | delimited:
			err = d.converted.decode(c.data, "converted")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) refund(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "refund_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Parent, "order_id")
		case 3<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 4<<3 | delimited:
			err = d.converted.decode(c.data, "converted")
		case 5<<3 | varint:
			ev.Code = c.int32()
		case 6<<3 | varint:
			ev.Code2 = c.int32()
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) paymentFailed(b []byte) *DecodeError {
	ev := d.ev
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.text(&ev.Ref, "invoice_id")
		case 2<<3 | delimited:
			err = c.text(&ev.Parent, "subscription_id")
		case 3<<3 | varint:
			ev.Number = c.int32()
		case 4<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 5<<3 | delimited:
			err = c.text(&ev.Product, "reason")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (d *decoder) marketingSpend(b []byte) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = decodeTouch(c.data, &d.ev.Touch)
		case 2<<3 | delimited:
			err = d.amount.decode(c.data, "amount")
		case 3<<3 | delimited:
			err = d.converted.decode(c.data, "converted")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

// onlyRef decodes a fact that has nothing but a name, in field 1.
func (d *decoder) onlyRef(b []byte, field string) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		if c.key == 1<<3|delimited {
			if err := c.text(&d.ev.Ref, field); err != nil {
				return err
			}
		}
	}
	return c.end()
}

// onlyUntil decodes ClockAdvanced and Reassess: a time in field 1.
func (d *decoder) onlyUntil(b []byte) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		if c.key == 1<<3|delimited {
			if err := d.until.decode(c.data, untilNames[d.ev.Kind]); err != nil {
				return err
			}
		}
	}
	return c.end()
}
