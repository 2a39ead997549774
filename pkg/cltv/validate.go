package cltv

import (
	"fmt"
	"unicode/utf8"
)

// MaxAmountMinor bounds a single amount, in minor units.
const MaxAmountMinor = 1_000_000_000_000

// maxTotalMinor bounds each of a customer's totals: gross, refunds, cost of goods and cost of calls.
const maxTotalMinor = 10 * MaxAmountMinor

// endOfTime is the first millisecond of the year 2200.
const endOfTime = 7_258_118_400_000

// Bounds of the schema.
const (
	maxTenant     = 63
	maxCustomer   = 200
	maxSource     = 63
	maxID         = 200
	maxName       = 100
	maxEvidence   = 1000
	maxSeconds    = daySeconds
	maxPeriodDays = 3660
	maxAttempt    = 1_000_000
)

func outOfRange(field string, value, least, atMost int64) *Refusal {
	return &Refusal{CodeOutOfRange, field, fmt.Sprintf("%d is not within %d to %d", value, least, atMost)}
}

func kindText(k Kind) string {
	if name := k.String(); name != "" {
		return name
	}
	return fmt.Sprintf("fact %d", uint8(k))
}

// checkText refuses what is too long or no UTF-8.
func checkText(field, s string, atMost int) *Refusal {
	if len(s) > atMost {
		return &Refusal{CodeTooLong, field, fmt.Sprintf("%d bytes, at most %d", len(s), atMost)}
	}
	if !utf8.ValidString(s) {
		return &Refusal{CodeInvalidText, field, fmt.Sprintf("%q is not UTF-8", s)}
	}
	return nil
}

func checkRequired(field, s string, atMost int) *Refusal {
	if s == "" {
		return &Refusal{CodeMissing, field, "is empty"}
	}
	return checkText(field, s, atMost)
}

// validate refuses what the intakes should have refused, so that a hostile record which reached the log stops nothing
// and spoils nothing.
func validate(ev *Event, p *Policy) *Refusal {
	if r := validateEnvelope(ev); r != nil {
		return r
	}
	if r := validateNames(ev); r != nil {
		return r
	}
	if r := validateMoney(ev, p); r != nil {
		return r
	}
	return validateNumbers(ev)
}

func validateEnvelope(ev *Event) *Refusal {
	if r := checkRequired("tenant", ev.Tenant, maxTenant); r != nil {
		return r
	}
	if ev.Kind == KindMarketingSpend {
		if ev.Customer != "" && !IsSpendCustomer(ev.Customer) {
			return &Refusal{CodeInvalidText, "customer", fmt.Sprintf("%q, and marketing spend has no customer", ev.Customer)}
		}
	} else {
		if r := checkRequired("customer", ev.Customer, maxCustomer); r != nil {
			return r
		}
		if ev.Customer[0] == '~' {
			return &Refusal{CodeInvalidText, "customer", fmt.Sprintf("%q begins with ~", ev.Customer)}
		}
	}
	if r := checkTime("recorded_at", ev.RecordedAt); r != nil {
		return r
	}
	if ev.Kind == KindReassess {
		return nil
	}
	if r := checkRequired("source", ev.Source, maxSource); r != nil {
		return r
	}
	if r := checkRequired("source_event_id", ev.SourceEventID, maxID); r != nil {
		return r
	}
	// Sources write the beginning of 1970 where they know no time; it would be a customer's first day for good.
	if ev.OccurredAt == 0 {
		return &Refusal{CodeMissing, "occurred_at", "is missing"}
	}
	if r := checkTime("occurred_at", ev.OccurredAt); r != nil {
		return r
	}
	if ev.Revision < 0 {
		return outOfRange("revision", ev.Revision, 0, 1<<63-1)
	}
	return nil
}

// CheckClock says why a ClockAdvanced can't be taken in, nil where it can: no fact of a customer lies outside of these
// years, and a clock never goes back.
func CheckClock(ev *Event) *Refusal { return checkTime("to", ev.Until) }

func checkTime(field string, unixMillis int64) *Refusal {
	if unixMillis < 0 || unixMillis >= endOfTime {
		return &Refusal{CodeOutOfRange, field, fmt.Sprintf("%d ms is not within the years 1970 to 2199", unixMillis)}
	}
	return nil
}

// validateNames looks at every text beside the envelope, whether the kind has it or not.
func validateNames(ev *Event) *Refusal {
	if r := checkText("ref", ev.Ref, maxID); r != nil {
		return r
	}
	if r := checkText("parent", ev.Parent, maxID); r != nil {
		return r
	}
	if r := checkText("product", ev.Product, maxName); r != nil {
		return r
	}
	if t := &ev.Touch; *t != (Touch{}) {
		if r := checkText("touch.campaign", t.Campaign, maxName); r != nil {
			return r
		}
		if r := checkText("touch.agent", t.Agent, maxName); r != nil {
			return r
		}
		if r := checkText("touch.offer", t.Offer, maxName); r != nil {
			return r
		}
		if r := checkText("touch.lead_source", t.LeadSource, maxName); r != nil {
			return r
		}
	}
	switch ev.Kind {
	case KindProfile:
		if r := checkText("segment", ev.Segment, maxName); r != nil {
			return r
		}
		if r := checkText("region", ev.Region, maxName); r != nil {
			return r
		}
		return checkText("age_band", ev.AgeBand, maxName)
	case KindConsent:
		return checkText("evidence", ev.Text, maxEvidence)
	default:
		return nil
	}
}

// validateMoney looks at amount and cost. An amount of 0 may leave its currency out.
func validateMoney(ev *Event, p *Policy) *Refusal {
	if ev.AmountMinor < 0 || ev.AmountMinor > MaxAmountMinor {
		return outOfRange("amount.minor", ev.AmountMinor, 0, MaxAmountMinor)
	}
	// What a failed payment would have been isn't counted, so it may be in any currency.
	if ev.Kind != KindPaymentFailed && ev.Currency != p.Currency && (ev.Currency != "" || ev.AmountMinor != 0) {
		return wrongCurrency("amount.currency", ev.Currency, p.Currency)
	}
	if r := validateOriginal(ev); r != nil || !ev.HasCost {
		return r
	}
	if ev.CostMinor < 0 || ev.CostMinor > MaxAmountMinor {
		return outOfRange("cost.minor", ev.CostMinor, 0, MaxAmountMinor)
	}
	if ev.CostCurrency != p.Currency && (ev.CostCurrency != "" || ev.CostMinor != 0) {
		return wrongCurrency("cost.currency", ev.CostCurrency, p.Currency)
	}
	return nil
}

// validateOriginal looks at what was paid before it was converted.
func validateOriginal(ev *Event) *Refusal {
	if ev.OriginalMinor < 0 || ev.OriginalMinor > MaxAmountMinor {
		return outOfRange("amount.minor", ev.OriginalMinor, 0, MaxAmountMinor)
	}
	if ev.OriginalCurrency != "" && !isCurrency(ev.OriginalCurrency) {
		return &Refusal{CodeInvalidText, "amount.currency", fmt.Sprintf("%q is no ISO 4217 code", ev.OriginalCurrency)}
	}
	return nil
}

func wrongCurrency(field, is, want string) *Refusal {
	return &Refusal{CodeCurrency, field, fmt.Sprintf("%q, and the tenant's currency is %s: a converted amount is needed", is, want)}
}

func validateNumbers(ev *Event) *Refusal {
	if ev.Until != 0 {
		if r := checkTime("until", ev.Until); r != nil {
			return r
		}
	}
	codeLast, code2Last, numberLast := int32(0), int32(0), int32(0)
	switch ev.Kind {
	case KindCall:
		codeLast, code2Last, numberLast = dispositionLast, directionLast, maxSeconds
		if ev.Number2 < 0 || ev.Number2 > maxSeconds {
			return outOfRange("wrap_seconds", int64(ev.Number2), 0, maxSeconds)
		}
	case KindOrder:
		codeLast = orderTypeLast
	case KindRefund:
		codeLast, code2Last = refundKindLast, refundStatusLast
	case KindPaymentFailed:
		numberLast = maxAttempt
	case KindSubscriptionStarted:
		numberLast = maxPeriodDays
	case KindSubscriptionChanged:
		codeLast, numberLast = orderTypeLast, maxPeriodDays
	case KindSubscriptionCancelled:
		codeLast = cancellationReasonLast
	case KindTicketOpened:
		numberLast = 4
	case KindSurveyAnswer:
		numberLast = 10
	case KindChannelResponse:
		codeLast, code2Last = channelLast, responseLast
	case KindConsent:
		codeLast = consentChannelLast
	default:
		return nil
	}
	if ev.Code < 0 || ev.Code > codeLast {
		return unknownValue(ev.Kind, "first", ev.Code)
	}
	if ev.Code2 < 0 || ev.Code2 > code2Last {
		return unknownValue(ev.Kind, "second", ev.Code2)
	}
	if ev.Number < 0 || ev.Number > numberLast {
		return outOfRange(numberNames[ev.Kind], int64(ev.Number), 0, int64(numberLast))
	}
	return nil
}

// enumNames are the fields that Event.Code and Event.Code2 hold.
var enumNames = map[Kind][2]string{
	KindCall:                  {"disposition", "direction"},
	KindOrder:                 {"type", ""},
	KindRefund:                {"kind", "status"},
	KindSubscriptionChanged:   {"type", ""},
	KindSubscriptionCancelled: {"reason", ""},
	KindChannelResponse:       {"channel", "response"},
	KindConsent:               {"channel", ""},
}

// numberNames are the fields that Event.Number holds.
var numberNames = map[Kind]string{
	KindCall:                "talk_seconds",
	KindPaymentFailed:       "attempt",
	KindSubscriptionStarted: "period_days",
	KindSubscriptionChanged: "period_days",
	KindTicketOpened:        "priority",
	KindSurveyAnswer:        "score",
}

func unknownValue(k Kind, which string, value int32) *Refusal {
	names := enumNames[k]
	field := names[0]
	if which == "second" {
		field = names[1]
	}
	return &Refusal{CodeUnknownValue, field, fmt.Sprintf("%d is no value that this version knows", value)}
}
