package cltv

// Kind is what an event reports. The values are the field numbers of the oneof
// in perennial.v1.Event, so that a decoder needs no table.
type Kind uint8

// The kinds of facts and of internal records.
const (
	KindCall                  Kind = 20
	KindOrder                 Kind = 21
	KindPayment               Kind = 22
	KindRefund                Kind = 23
	KindPaymentFailed         Kind = 24
	KindSubscriptionStarted   Kind = 25
	KindSubscriptionRenewed   Kind = 26
	KindSubscriptionChanged   Kind = 27
	KindSubscriptionCancelled Kind = 28
	KindTicketOpened          Kind = 29
	KindTicketResolved        Kind = 30
	KindSurveyAnswer          Kind = 31
	KindChannelResponse       Kind = 32
	KindReferral              Kind = 33
	KindMarketingSpend        Kind = 34
	KindProfile               Kind = 35
	KindConsent               Kind = 36
	KindIdentityLink          Kind = 37

	KindClockAdvanced  Kind = 60
	KindReassess       Kind = 61
	KindModelPublished Kind = 62
	KindThresholdsSet  Kind = 63
	KindUnitCostsSet   Kind = 64
	KindPolicySet      Kind = 65
	KindAbsorbed       Kind = 66
	KindErase          Kind = 67
)

// Event is one record of customer.events.v1, flat, so that a decoder can fill
// it without allocating. Only the fields of its kind are set; the meaning of
// each is that of the field of the same name in the schema. Strings may alias
// the buffer they were decoded from: what a State keeps, it clones.
type Event struct {
	Tenant        string
	Customer      string
	Source        string
	SourceEventID string
	Kind          Kind
	Revision      int64
	Backfill      bool
	// OccurredAt and RecordedAt are Unix milliseconds.
	OccurredAt int64
	RecordedAt int64

	// Ref names the thing itself: order, payment, refund, ticket, subscription,
	// failed invoice, or the referred customer.
	Ref string
	// Parent names what Ref belongs to: the order of a payment, refund or call;
	// the invoice of a renewal or start; the subscription of a failed payment; what a survey answer is about.
	Parent string
	Touch  Touch
	// AmountMinor is the money in the tenant's currency (the converted amount
	// where there is one), and Currency its code.
	AmountMinor int64
	Currency    string
	// OriginalMinor and OriginalCurrency are what was paid, where it was
	// converted; else 0 and empty.
	OriginalMinor    int64
	OriginalCurrency string
	// CostMinor is the cost of goods of an order, or the cost of a call; HasCost
	// tells a cost of 0 from an unknown one. CostCurrency is its currency.
	CostMinor    int64
	HasCost      bool
	CostCurrency string
	// Product is the product, plan, ticket category, survey, or failure reason.
	Product string
	// Code is the enum of the kind: disposition, order type, refund kind,
	// cancellation reason, channel, consent channel, clock mode.
	Code int32
	// Code2 is its second: direction, refund status, response.
	Code2 int32
	// Number is talk seconds, attempt, priority, score, or period days.
	Number int32
	// Number2 is wrap seconds.
	Number2 int32
	// Flag is retention (call), complaint (ticket), granted (consent).
	Flag bool
	// Until is the end of the paid period, the day a cancellation takes effect,
	// or the clock of ClockAdvanced and Reassess; Unix milliseconds, 0: absent.
	Until int64
	// Text holds the evidence of a consent or the dialer's own status.
	Text string

	// Profile fields; empty says nothing.
	Segment, Region, AgeBand string

	// Parameters, set for their kinds only.
	Model      *Model
	Thresholds *Thresholds
	UnitCosts  *UnitCosts
	Policy     *Policy
}

// Touch names what brought a fact about; empty where it doesn't apply.
type Touch struct {
	Campaign, Agent, Offer, LeadSource string
}
