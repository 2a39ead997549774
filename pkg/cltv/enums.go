package cltv

// Disposition is how a call ended: the numbers of perennial.v1.Disposition. Only those on which the arithmetic depends
// are named.
type Disposition = int32

// The dispositions that mean something to the fold.
const (
	DispositionSale      Disposition = 1
	DispositionDoNotCall Disposition = 4
	dispositionLast      Disposition = 14
)

// RefundStatus is how far a refund has come: the numbers of perennial.v1.RefundStatus. For equal revisions the higher
// number wins.
type RefundStatus = int32

// The statuses in which the money is not gone.
const (
	RefundFailed     RefundStatus = 3
	RefundDisputeWon RefundStatus = 5
	refundStatusLast RefundStatus = 5
)

// The greatest number of each other enum of the schema; see validate.go.
const (
	directionLast          = 2
	orderTypeLast          = 5
	refundKindLast         = 2
	cancellationReasonLast = 3
	channelLast            = 4
	responseLast           = 5
	consentChannelLast     = 3
)

// Channels and responses that withdraw consent.
const (
	channelEmail         = 1
	channelSMS           = 4
	responseUnsubscribed = 4
	responseBounced      = 5
)

// What else a signal of leaving or staying is made of.
const (
	dispositionNotInterested Disposition = 2
	dispositionNoAnswer      Disposition = 5
	dispositionBusy          Disposition = 6
	dispositionMachine       Disposition = 7
	dispositionService       Disposition = 10
	dispositionComplaint     Disposition = 11
	dispositionRetained      Disposition = 12
	orderTypeUpsell                      = 3
)

// Why a contract ended.
const (
	cancelledForPayment    = 2
	cancelledByTheMerchant = 3
)

// Basis says how much the data carry a prediction: the numbers of perennial.v1.Basis.
type Basis int32

// The bases.
const (
	BasisIndividual       Basis = 1
	BasisSegment          Basis = 2
	BasisPopulation       Basis = 3
	BasisInsufficientData Basis = 4
	BasisRule             Basis = 5
)

// Method is how the residual value was found: the numbers of perennial.v1.Method.
type Method int32

// The methods.
const (
	MethodNone                Method = 0
	MethodBGNBDGammaGamma     Method = 1
	MethodMBGNBDGammaGamma    Method = 2
	MethodParetoNBDGammaGamma Method = 3
	MethodSBG                 Method = 4
	MethodBdW                 Method = 5
	MethodSimple              Method = 6
	MethodHistorical          Method = 7
	MethodDynamic             Method = 8
	MethodCustom              Method = 9
)

// Band is how likely the customer is gone: the numbers of perennial.v1.Band.
type Band int32

// The bands, from no prediction to lost.
const (
	BandNone Band = iota
	BandLow
	BandWatch
	BandHigh
	BandCritical
	BandLost
	numBands
)

var bandNames = [numBands]string{"", "low", "watch", "high", "critical", "lost"}

// String returns the band's name, empty for BandNone.
func (b Band) String() string {
	if b < 0 || b >= numBands {
		return ""
	}
	return bandNames[b]
}

var kindNames = [...]string{
	KindCall:                  "call_outcome",
	KindOrder:                 "order",
	KindPayment:               "payment",
	KindRefund:                "refund",
	KindPaymentFailed:         "payment_failed",
	KindSubscriptionStarted:   "subscription_started",
	KindSubscriptionRenewed:   "subscription_renewed",
	KindSubscriptionChanged:   "subscription_changed",
	KindSubscriptionCancelled: "subscription_cancelled",
	KindTicketOpened:          "ticket_opened",
	KindTicketResolved:        "ticket_resolved",
	KindSurveyAnswer:          "survey_answer",
	KindChannelResponse:       "channel_response",
	KindReferral:              "referral",
	KindMarketingSpend:        "marketing_spend",
	KindProfile:               "profile",
	KindConsent:               "consent",
	KindIdentityLink:          "identity_link",
	KindClockAdvanced:         "clock_advanced",
	KindReassess:              "reassess",
	KindModelPublished:        "model_published",
	KindThresholdsSet:         "thresholds_set",
	KindUnitCostsSet:          "unit_costs_set",
	KindPolicySet:             "policy_set",
	KindAbsorbed:              "absorbed",
	KindErase:                 "erase",
}

// String returns the kind's name in the schema, empty for an unknown one.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}
