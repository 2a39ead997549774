package cltv

import "slices"

// What calls, tickets, answers and payments reveal of the next renewal of a contract, as numbers: the features of a
// RenewalHazard. Each is bounded, and as of a local day: nothing later counts.

// Feature is the position of a feature.
type Feature uint8

// The features. Counts of the last 90 days are of the 90 local days before the day that is asked for, and that day.
const (
	// FeatureFailedPayments counts payments of the contract that failed since the last one that came in.
	FeatureFailedPayments Feature = iota
	// FeaturePastFailures counts those of the year before it.
	FeaturePastFailures
	// FeatureOverdueDays is how long the renewal is overdue.
	FeatureOverdueDays
	// FeatureOpenTickets counts tickets that aren't resolved.
	FeatureOpenTickets
	// FeatureResolutionDays is the mean time to resolve of the tickets that were resolved in the last 180 days.
	FeatureResolutionDays
	// FeatureComplaints counts complaints by ticket and on calls in the last 90 days.
	FeatureComplaints
	// FeatureScore is the latest answer to "would you recommend us?" of the last year, less 7; 0 without one.
	FeatureScore
	// FeatureScoreTrend is how much that is above the answer before it, of the two years before; 0 without one.
	FeatureScoreTrend
	// FeatureRefusals counts calls on which the customer wasn't interested, or wanted no more calls, in the last 90 days.
	FeatureRefusals
	// FeatureUnansweredRetention counts retention calls that reached nobody in the last 90 days.
	FeatureUnansweredRetention
	// FeatureRetained counts calls on which the customer wanted to leave and stayed, in the last 180 days.
	FeatureRetained
	// FeatureServiceCalls counts calls for service in the last 90 days.
	FeatureServiceCalls
	// FeatureSilentMonths is how long ago the last contact was, in 30 days: a talk, a response, a ticket, an answer, a change
	// of plan, a referral, or the beginning of the contract.
	FeatureSilentMonths
	// FeatureUpgrades counts changes of the contract to a higher plan in the last year, FeatureOtherChanges its other ones.
	FeatureUpgrades
	FeatureOtherChanges
	// FeatureResponses counts what the customer did on other channels in the last 90 days.
	FeatureResponses
	// FeatureUnsubscribed counts channels that the customer left in the last year.
	FeatureUnsubscribed
	// NumFeatures is how many there are.
	NumFeatures
)

// Features are their values, in their order.
type Features [NumFeatures]float64

var featureNames = [NumFeatures]string{
	"failed_payments", "past_failures", "overdue_days", "open_tickets", "resolution_days", "complaints", "score",
	"score_trend", "refusals", "unanswered_retention", "retained", "service_calls", "silent_months", "upgrades",
	"other_changes", "responses", "unsubscribed",
}

// featureMost is the greatest value of each.
var featureMost = Features{5, 5, 30, 5, 30, 5, 3, 10, 5, 5, 3, 5, 12, 3, 3, 10, 3}

// String returns the name, as in perennial.v1.HazardWeight.
func (f Feature) String() string {
	if f < NumFeatures {
		return featureNames[f]
	}
	return ""
}

// featureOf finds a feature by its name.
func featureOf(name string) (Feature, bool) {
	for f, known := range featureNames {
		if known == name {
			return Feature(f), true
		}
	}
	return 0, false
}

// signal is one fact that counts.
type signal struct {
	day int32
	// value is the score of an answer, and the day on which a ticket was resolved.
	value int32
	what  signalKind
	// contact says that the customer was there.
	contact bool
	link    uint64
}

type signalKind uint8

const (
	signalOther signalKind = iota
	signalFailure
	signalOpened
	signalResolved
	signalComplaint
	signalScore
	signalRefusal
	signalUnanswered
	signalRetained
	signalService
	signalUpgrade
	signalChange
	signalResponse
	signalUnsubscribed
)

// signals appends what counts among the facts up to a local day. waits is the first day on which a fact that is dated
// ahead comes in.
func (s *State) signals(to []signal, p *Policy, upTo int32) (found []signal, waits int32) {
	waits = everyDay
	take := func(at int64, g signal) {
		if g.day = p.localDay(at); g.day > upTo {
			waits = min(waits, g.day)
			return
		}
		to = append(to, g)
	}
	for i := range s.calls.items {
		take(s.calls.stamps[i].at, s.calls.items[i].signal())
	}
	for i := range s.marks.items {
		v, at := &s.marks.items[i], s.marks.stamps[i].at
		switch g := v.signal(); {
		case g.what == signalOther && !g.contact:
		default:
			take(at, g)
			if g.what == signalOpened && v.flag {
				take(at, signal{what: signalComplaint})
			}
		}
	}
	for i := range to {
		if g := &to[i]; g.what == signalOpened {
			g.value = resolvedOn(to, g.link)
		}
	}
	return to, waits
}

func (v *call) signal() signal {
	g := signal{contact: v.talkSeconds > 0}
	switch v.disposition {
	case dispositionNotInterested, DispositionDoNotCall:
		g.what = signalRefusal
	case dispositionNoAnswer, dispositionBusy, dispositionMachine:
		g.contact = false
		if v.retention {
			g.what = signalUnanswered
		}
	case dispositionService:
		g.what = signalService
	case dispositionComplaint:
		g.what = signalComplaint
	case dispositionRetained:
		g.what = signalRetained
	}
	return g
}

func (v *mark) signal() signal {
	switch v.kind {
	case KindPaymentFailed:
		return signal{what: signalFailure, link: v.parent}
	case KindTicketOpened:
		return signal{what: signalOpened, link: v.ref, contact: true}
	case KindTicketResolved:
		return signal{what: signalResolved, link: v.ref}
	case KindSurveyAnswer:
		return signal{what: signalScore, value: v.number, contact: true}
	case KindSubscriptionChanged:
		if v.code == orderTypeUpsell {
			return signal{what: signalUpgrade, link: v.ref, contact: true}
		}
		return signal{what: signalChange, link: v.ref, contact: true}
	case KindChannelResponse:
		switch v.code2 {
		case responseUnsubscribed:
			return signal{what: signalUnsubscribed, value: v.code, contact: true}
		case responseBounced:
			return signal{}
		}
		return signal{what: signalResponse, contact: true}
	case KindReferral:
		return signal{contact: true}
	default:
		return signal{}
	}
}

// features fills in what the signals say of a contract as of a local day. Signals are in the order of time within calls
// and within marks.
func (c *contractFacts) features(p *Policy, signals []signal, day int32, to *Features) {
	*to = Features{}
	lastContact, paid := c.beganDay(p), p.localDay(c.paidAt)
	resolved, resolution := 0, int32(0)
	score, scoredOn, before, beforeOn := int32(-1), int32(0), int32(-1), int32(0)
	left := uint32(0) // channels, by their numbers
	for i := range signals {
		g := &signals[i]
		ago := day - g.day
		if ago < 0 {
			continue
		}
		if g.contact {
			lastContact = max(lastContact, g.day)
		}
		switch g.what {
		case signalFailure:
			switch {
			case g.link != 0 && g.link != c.link:
			case g.day > paid:
				to[FeatureFailedPayments]++
			case paid-g.day <= yearOfFacts:
				to[FeaturePastFailures]++
			}
		case signalOpened:
			if g.value > day {
				to[FeatureOpenTickets]++
			} else if day-g.value <= halfYear {
				resolved, resolution = resolved+1, resolution+max(0, g.value-g.day)
			}
		case signalComplaint:
			to.count(FeatureComplaints, ago <= recentDays)
		case signalScore:
			before, beforeOn, score, scoredOn = score, scoredOn, g.value, g.day
		case signalRefusal:
			to.count(FeatureRefusals, ago <= recentDays)
		case signalUnanswered:
			to.count(FeatureUnansweredRetention, ago <= recentDays)
		case signalRetained:
			to.count(FeatureRetained, ago <= halfYear)
		case signalService:
			to.count(FeatureServiceCalls, ago <= recentDays)
		case signalUpgrade:
			to.count(FeatureUpgrades, g.link == c.link && ago <= yearOfFacts)
		case signalChange:
			to.count(FeatureOtherChanges, g.link == c.link && ago <= yearOfFacts)
		case signalResponse:
			to.count(FeatureResponses, ago <= recentDays)
		case signalUnsubscribed:
			channel := uint32(1) << (uint32(g.value) % 32)
			to.count(FeatureUnsubscribed, ago <= yearOfFacts && left&channel == 0)
			if ago <= yearOfFacts {
				left |= channel
			}
		case signalResolved, signalOther:
		}
	}
	to[FeatureOverdueDays] = float64(max(0, day-c.dueDay(p)))
	to[FeatureSilentMonths] = float64(max(0, day-lastContact)) / 30
	if resolved > 0 {
		to[FeatureResolutionDays] = float64(resolution) / float64(resolved)
	}
	if score >= 0 && day-scoredOn <= yearOfFacts {
		to[FeatureScore] = float64(score - 7)
		if before >= 0 && scoredOn-beforeOn <= 730 {
			to[FeatureScoreTrend] = float64(score - before)
		}
	}
	for f, most := range featureMost {
		to[f] = min(to[f], most)
	}
}

// How many days what happened once counts: that day, and so many after it.
const (
	recentDays  = 90
	halfYear    = 180
	yearOfFacts = 365
)

// edges appends the local days after today, up to a last one, from which what is known of a renewal changes otherwise than by
// the days passing: something no longer counts, the renewal falls due, another one comes within the churn horizon, a feature
// that grows reaches its most. The first is tomorrow; they are in their order.
func (c *contractFacts) edges(p *Policy, signals []signal, today, last int32, to []int32) []int32 {
	add := func(day int32) {
		if day > today && day <= last {
			to = append(to, day)
		}
	}
	add(today + 1)
	due, lastContact := c.dueDay(p), c.beganDay(p)
	for i := range signals {
		g := &signals[i]
		if g.contact {
			lastContact = max(lastContact, g.day)
		}
		switch g.what {
		case signalComplaint, signalRefusal, signalUnanswered, signalService, signalResponse:
			add(g.day + recentDays + 1)
		case signalRetained:
			add(g.day + halfYear + 1)
		case signalOpened:
			if g.value != everyDay {
				add(g.value + halfYear + 1)
			}
		case signalScore, signalUpgrade, signalChange, signalUnsubscribed:
			add(g.day + yearOfFacts + 1)
		case signalFailure, signalResolved, signalOther:
		}
	}
	add(lastContact)
	add(lastContact + int32(30*featureMost[FeatureSilentMonths]))
	for ahead := c.period(); ahead <= p.ChurnHorizonDays; ahead += c.period() {
		add(due + ahead - p.ChurnHorizonDays)
	}
	add(due)
	add(due + int32(featureMost[FeatureOverdueDays]))
	slices.Sort(to)
	return slices.Compact(to)
}

func (z *Features) count(f Feature, counts bool) {
	if counts {
		z[f]++
	}
}

// resolvedOn is the day on which a ticket was resolved, everyDay where it wasn't.
func resolvedOn(signals []signal, ticket uint64) int32 {
	for i := range signals {
		if g := &signals[i]; g.what == signalResolved && g.link == ticket {
			return g.day
		}
	}
	return everyDay
}
