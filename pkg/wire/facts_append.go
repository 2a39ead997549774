package wire

import "github.com/perennial-cltv/perennial/pkg/cltv"

// appendFact appends the fields of the fact of ev.
func appendFact(b []byte, ev *cltv.Event) []byte {
	switch ev.Kind {
	case cltv.KindCall:
		return appendCall(b, ev)
	case cltv.KindOrder:
		return appendOrder(b, ev)
	case cltv.KindPayment:
		b = appendText(b, 1, ev.Ref)
		b = appendText(b, 2, ev.Parent)
		return appendAmounts(b, 3, 4, ev)
	case cltv.KindRefund:
		b = appendText(b, 1, ev.Ref)
		b = appendText(b, 2, ev.Parent)
		b = appendAmounts(b, 3, 4, ev)
		b = appendInt(b, 5, int64(ev.Code))
		return appendInt(b, 6, int64(ev.Code2))
	case cltv.KindPaymentFailed:
		b = appendText(b, 1, ev.Ref)
		b = appendText(b, 2, ev.Parent)
		b = appendInt(b, 3, int64(ev.Number))
		b = appendAmount(b, 4, ev)
		return appendText(b, 5, ev.Product)
	case cltv.KindSubscriptionStarted, cltv.KindSubscriptionRenewed, cltv.KindSubscriptionChanged, cltv.KindSubscriptionCancelled:
		return appendSubscription(b, ev)
	case cltv.KindMarketingSpend:
		b = appendTouch(b, 1, &ev.Touch)
		return appendAmounts(b, 2, 3, ev)
	case cltv.KindClockAdvanced, cltv.KindReassess:
		return appendTime(b, 1, ev.Until)
	case cltv.KindModelPublished, cltv.KindThresholdsSet, cltv.KindUnitCostsSet, cltv.KindPolicySet:
		return appendParameters(b, ev)
	default:
		return appendRelation(b, ev)
	}
}

func appendCall(b []byte, ev *cltv.Event) []byte {
	b = appendTouch(b, 1, &ev.Touch)
	b = appendInt(b, 2, int64(ev.Code))
	b = appendInt(b, 3, int64(ev.Code2))
	b = appendInt(b, 4, int64(ev.Number))
	b = appendInt(b, 5, int64(ev.Number2))
	b = appendCost(b, 6, ev)
	b = appendText(b, 7, ev.Text)
	b = appendText(b, 8, ev.Parent)
	return appendBool(b, 9, ev.Flag)
}

func appendOrder(b []byte, ev *cltv.Event) []byte {
	b = appendText(b, 1, ev.Ref)
	b = appendAmounts(b, 2, 3, ev)
	b = appendCost(b, 4, ev)
	b = appendText(b, 5, ev.Product)
	b = appendInt(b, 6, int64(ev.Code))
	return appendTouch(b, 7, &ev.Touch)
}

func appendSubscription(b []byte, ev *cltv.Event) []byte {
	b = appendText(b, 1, ev.Ref)
	switch ev.Kind {
	case cltv.KindSubscriptionStarted:
		b = appendText(b, 2, ev.Product)
		b = appendAmount(b, 3, ev)
		b = appendInt(b, 4, int64(ev.Number))
		b = appendText(b, 5, ev.Parent)
		b = appendTime(b, 6, ev.Until)
		return appendTouch(b, 7, &ev.Touch)
	case cltv.KindSubscriptionRenewed:
		b = appendText(b, 2, ev.Parent)
		b = appendAmounts(b, 3, 4, ev)
		return appendTime(b, 5, ev.Until)
	case cltv.KindSubscriptionChanged:
		b = appendText(b, 2, ev.Product)
		b = appendAmount(b, 3, ev)
		b = appendInt(b, 4, int64(ev.Number))
		return appendInt(b, 5, int64(ev.Code))
	default: // cancelled
		b = appendInt(b, 2, int64(ev.Code))
		return appendTime(b, 3, ev.Until)
	}
}

// appendRelation appends what a customer says and is.
func appendRelation(b []byte, ev *cltv.Event) []byte {
	switch ev.Kind {
	case cltv.KindTicketOpened:
		b = appendText(b, 1, ev.Ref)
		b = appendText(b, 2, ev.Product)
		b = appendInt(b, 3, int64(ev.Number))
		return appendBool(b, 4, ev.Flag)
	case cltv.KindTicketResolved, cltv.KindReferral:
		return appendText(b, 1, ev.Ref)
	case cltv.KindSurveyAnswer:
		b = appendInt(b, 1, int64(ev.Number))
		b = appendText(b, 2, ev.Product)
		return appendText(b, 3, ev.Parent)
	case cltv.KindChannelResponse:
		b = appendInt(b, 1, int64(ev.Code))
		b = appendInt(b, 2, int64(ev.Code2))
		return appendTouch(b, 3, &ev.Touch)
	case cltv.KindProfile:
		b = appendText(b, 1, ev.Segment)
		b = appendText(b, 2, ev.Region)
		return appendText(b, 3, ev.AgeBand)
	case cltv.KindConsent:
		b = appendInt(b, 1, int64(ev.Code))
		b = appendBool(b, 2, ev.Flag)
		return appendText(b, 3, ev.Text)
	case cltv.KindIdentityLink:
		b = appendText(b, 1, ev.Ref)
		b = appendInt(b, 2, int64(ev.Code))
		return appendInt(b, 3, int64(ev.Code2))
	case cltv.KindAbsorbed:
		b = appendText(b, 1, ev.Ref)
		return appendText(b, 2, ev.Text)
	case cltv.KindErase:
		return appendText(b, 1, ev.Text)
	default:
		return b
	}
}

// appendTouch writes a Touch unless it is empty.
func appendTouch(b []byte, field int, t *cltv.Touch) []byte {
	if *t == (cltv.Touch{}) {
		return b
	}
	b, at := openMessage(b, field)
	b = appendText(b, 1, t.Campaign)
	b = appendText(b, 2, t.Agent)
	b = appendText(b, 3, t.Offer)
	b = appendText(b, 4, t.LeadSource)
	return closeMessage(b, at)
}

// appendAmount writes the money of ev, which has no conversion.
func appendAmount(b []byte, field int, ev *cltv.Event) []byte {
	if ev.AmountMinor == 0 && ev.Currency == "" {
		return b
	}
	return appendMoney(b, field, ev.AmountMinor, ev.Currency)
}

// appendAmounts writes what was paid and, where it was converted, what that is
// in the tenant's currency.
func appendAmounts(b []byte, amount, converted int, ev *cltv.Event) []byte {
	if ev.OriginalMinor == 0 && ev.OriginalCurrency == "" {
		return appendAmount(b, amount, ev)
	}
	b = appendMoney(b, amount, ev.OriginalMinor, ev.OriginalCurrency)
	return appendMoney(b, converted, ev.AmountMinor, ev.Currency)
}

// appendCost writes the cost of a call or of the goods, where it is known.
func appendCost(b []byte, field int, ev *cltv.Event) []byte {
	if !ev.HasCost {
		return b
	}
	return appendMoney(b, field, ev.CostMinor, ev.CostCurrency)
}
