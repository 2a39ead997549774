package cltv

// State is all that is kept of one customer, or of one record of marketing spend: the facts of late one by one, totals of
// what fell out, and the figures of the last score. It is bounded by the policy's numbers of facts to keep.
//
// The zero State is that of a customer of whom nothing is known. A State is used by one goroutine. Texts that it hands
// out are valid until its next Decode or Reset.
type State struct {
	// version counts the records that changed the state; next is the offset after the last of them.
	version, next int64
	// asOf is the time of the score, Unix seconds.
	asOf int64

	texts
	sales   list[sale]
	calls   list[call]
	refunds list[refund]
	marks   list[mark]

	closedSales   closedSales
	closedCalls   closedCalls
	closedRefunds int64
	closedMarks   closedMarks
	// contracts keeps what the marks and sales that fell out said of subscriptions.
	contracts []contract

	profile [numProfileFields]profileField
	consent [numConsents]consent
	// earliest is the earliest converting touch that fell out.
	earliest converting

	spend spend

	scored scored

	numbering numbering // scratch of AppendTo
	memo      memo
}

// sale is a fact about money coming in, or the start of a contract.
type sale struct {
	kind Kind // KindOrder, KindPayment, KindSubscriptionStarted, KindSubscriptionRenewed
	// link is by what refunds and payments name it: its order, payment or invoice; 0 for a start without an invoice.
	link uint64
	// parent is the order that a payment pays, or the subscription of a start or renewal; 0: none.
	parent      uint64
	amountMinor int64
	// costMinor is the cost of goods plus one; 0: unknown.
	costPlusOne int64
	touch       touchRef
	product     textRef
	code        int32 // order type
	periodDays  int32
	until       int64 // end of the paid period, Unix milliseconds; 0: not said
	// settled says that the order which this payment pays fell out before it.
	settled bool
	// original is what was paid, where that was converted.
	original original
	// refundedMinor is what refunds that fell out took back, originalBack the part of original that those of its currency
	// named.
	refundedMinor, originalBack int64
}

// call is a finished call.
type call struct {
	order       uint64 // link of the order it led to; 0: none
	costPlusOne int64  // cost plus one; 0: unknown
	talkSeconds int32
	wrapSeconds int32
	disposition int32
	direction   int32
	retention   bool
	touch       touchRef
	// charged is its cost in the last score plus one; 0: it lay ahead of it.
	charged int64
}

// refund is money going out.
type refund struct {
	link        uint64 // what it takes back; 0: not said
	amountMinor int64
	original    original
	kind        int32
	status      int32
	// takenPlusOne is what it took back of sales that fell out, plus one; 0: none of them did. What it named beyond their
	// money never counts.
	takenPlusOne int64
}

// mark is any other fact with a time: ticket, answer, response, referral, failed payment, change of a contract.
type mark struct {
	kind        Kind
	ref         uint64 // ticket, subscription, invoice, referred customer, or what an answer is about
	parent      uint64 // subscription of a failed payment
	amountMinor int64  // what failed, or the new price
	touch       touchRef
	product     textRef // category, plan, survey, or reason of failure
	code        int32
	code2       int32
	number      int32
	flag        bool
	until       int64
}

// closedSales are totals of sales that fell out.
type closedSales struct {
	grossMinor int64
	// days counts those with a purchase that stood; first and last are the times of the earliest and latest of them,
	// Unix milliseconds.
	days            int64
	firstAt, lastAt int64
	// moneyMinor is what stood of their money, and firstDayMinor what of it was of the first day.
	moneyMinor, firstDayMinor int64
	// knownMinor is what of moneyMinor had a known cost of goods, or a margin of its product, and costMinor that cost.
	knownMinor, costMinor int64
	// bought is the part that isn't of contracts.
	bought bought
	// yearDay is the first local day of the financial year of the last sale, and yearMinor what stood of the sales of that year.
	yearDay, yearMinor int64
}

// bought are totals of sales that aren't of contracts: what a model of purchases counts.
type bought struct {
	days            int64
	firstAt, lastAt int64
	// moneyMinor is what stands of them, firstDayMinor the part of the first day.
	moneyMinor, firstDayMinor int64
}

// add counts a sale of which something stands; sameDay says that it is of the last one's day.
func (c *bought) add(at int64, sameDay bool, standsMinor int64) {
	if c.days == 0 {
		c.firstAt = at
	}
	if c.days == 0 || !sameDay {
		c.days++
	}
	if c.days == 1 {
		c.firstDayMinor += standsMinor
	}
	c.lastAt = at
	c.moneyMinor += standsMinor
}

// closedCalls are totals of calls that fell out.
type closedCalls struct {
	calls, conversions, talkSeconds int64
	// acquisitionMinor is the cost of those before the first purchase, serviceMinor that of the others.
	acquisitionMinor, serviceMinor int64
}

// closedMarks counts marks that fell out.
type closedMarks struct {
	tickets, complaints, resolved, failedPayments, answers, scoreSum, responses, referrals, changes, cancellations int64
}

// contract is what is known of a subscription from facts that fell out.
type contract struct {
	id uint64
	// startedAt, changedAt and cancelledAt are Unix milliseconds, 0: no such fact fell out.
	startedAt, changedAt, cancelledAt int64
	terms
	reason            int32
	endsAt, paidUntil int64
	// firstAt and paidAt are the earliest and latest start or renewal that fell out, lastUntil is the end of the period that the
	// latest said it paid, and lastMinor what the latest renewal brought.
	firstAt, paidAt, lastUntil, lastMinor int64
}

// terms are those of a contract, each of the latest start or change that says it.
type terms struct {
	plan       textRef
	priceMinor int64
	periodDays int32
	// planSaid, priceSaid and periodSaid are when: see said.
	planSaid, priceSaid, periodSaid int64
}

// said orders what starts and changes say: by time, changes after starts. 0 is nobody.
func said(at int64, change bool) int64 {
	if change {
		return 2*at + 1
	}
	return 2 * at
}

// say takes in terms; empty and 0 say nothing.
func (t *terms) say(when int64, plan textRef, priceMinor int64, periodDays int32) {
	if plan != 0 && when >= t.planSaid {
		t.plan, t.planSaid = plan, when
	}
	if priceMinor > 0 && when >= t.priceSaid {
		t.priceMinor, t.priceSaid = priceMinor, when
	}
	if periodDays > 0 && when >= t.periodSaid {
		t.periodDays, t.periodSaid = periodDays, when
	}
}

// The fields of a profile.
const (
	profileSegment = iota
	profileRegion
	profileAgeBand
	numProfileFields
)

// profileField is the latest that was said of one field.
type profileField struct {
	at, rev int64
	value   textRef
}

// What a consent can be about.
const (
	consentCall = iota
	consentEmail
	consentText
	numConsents
)

// consent is the time after the latest denial, and after the latest grant with evidence: Unix milliseconds plus one, so
// that 0 is none.
type consent struct {
	denied, granted int64
}

// withheld says whether the customer must not be asked.
func (c consent) withheld() bool { return c.denied > 0 && c.denied >= c.granted }

// converting is a touch that led to a purchase.
type converting struct {
	at    int64
	id    uint64 // 0: none
	touch touchRef
}

// spend is one record of marketing spend.
type spend struct {
	id          uint64 // 0: the state is a customer's
	at, rev     int64
	amountMinor int64
	touch       touchRef
}

// scored holds what the last score found, as far as sums and the due index need it.
type scored struct {
	transactions int32
	firstDay     int32
	grossMinor   int64
	refundMinor  int64
	marginMinor  int64
	serviceMinor int64
	cacMinor     int64
	residual     int64
	atRisk       int64
	churnPPM     int32
	band         Band
	tier         int32 // tier plus one; 0: no thresholds
	acquisition  touchRef
	// due is the UTC day on which the score must be looked at again; 0: never. indexed is the bucket of the due index in
	// which the customer was last entered; 0: none.
	due, indexed int32
	numbers      Numbers
}

// cltvMinor is margin so far less service cost, plus the residual.
func (s *scored) cltvMinor() int64 { return s.marginMinor - s.serviceMinor + s.residual }

// Reset makes s the state of an unknown customer, keeping its memory.
func (s *State) Reset() {
	s.version, s.next, s.asOf = 0, 0, 0
	s.texts.reset()
	s.sales.reset()
	s.calls.reset()
	s.refunds.reset()
	s.marks.reset()
	s.closedSales, s.closedCalls, s.closedRefunds, s.closedMarks = closedSales{}, closedCalls{}, 0, closedMarks{}
	s.contracts = s.contracts[:0]
	s.profile = [numProfileFields]profileField{}
	s.consent = [numConsents]consent{}
	s.earliest, s.spend, s.scored = converting{}, spend{}, scored{}
	s.memo.forget()
}

// Version counts the records that changed the state; 0: none did.
func (s *State) Version() int64 { return s.version }

// NextOffset is the offset after the last record that changed the state; 0: none did.
func (s *State) NextOffset() int64 { return s.next }

// AsOf is the time of the last score, Unix seconds.
func (s *State) AsOf() int64 { return s.asOf }

// IsSpend says whether this is the state of a record of marketing spend and not of a customer.
func (s *State) IsSpend() bool { return s.spend.id != 0 }

// DueDay is the UTC day, counted from 1970-01-01, on which the score must be looked at again; 0: never.
func (s *State) DueDay() int32 { return s.scored.due }

// IndexedDay is the bucket of the due index in which the customer was last entered; 0: none.
func (s *State) IndexedDay() int32 { return s.scored.indexed }

// CLTVMinor is the CLTV of the last score.
func (s *State) CLTVMinor() int64 { return s.scored.cltvMinor() }

// Band is the churn band of the last score.
func (s *State) Band() Band { return s.scored.band }

// ScoredWith names the parameters of the last score.
func (s *State) ScoredWith() Numbers { return s.scored.numbers }

// Consent says what the customer must not be asked on.
func (s *State) Consent() Consent {
	return Consent{
		DoNotCall:  s.consent[consentCall].withheld(),
		DoNotEmail: s.consent[consentEmail].withheld(),
		DoNotText:  s.consent[consentText].withheld(),
	}
}

// Segment is the profile's segment, empty where unknown.
func (s *State) Segment() string { return s.text(s.profile[profileSegment].value) }

// Region is the profile's region.
func (s *State) Region() string { return s.text(s.profile[profileRegion].value) }

// AgeBand is the profile's age band.
func (s *State) AgeBand() string { return s.text(s.profile[profileAgeBand].value) }
