package intake

import (
	"slices"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// KindSet is a set of kinds, as bits by their numbers, which are below 128.
type KindSet [2]uint64

// Kinds makes a set.
func Kinds(kinds ...cltv.Kind) (s KindSet) {
	for _, k := range kinds {
		s[k/64] |= 1 << (k % 64)
	}
	return s
}

// Has says whether k is in the set.
func (s KindSet) Has(k cltv.Kind) bool { return k < 128 && s[k/64]&(1<<(k%64)) != 0 }

// String lists the names, for people.
func (s KindSet) String() string {
	var names []string
	for k := range cltv.Kind(128) {
		if s.Has(k) {
			names = append(names, k.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

var (
	// ExternalKinds are all that may come from outside.
	ExternalKinds = Kinds(cltv.KindCall, cltv.KindOrder, cltv.KindPayment, cltv.KindRefund, cltv.KindPaymentFailed,
		cltv.KindSubscriptionStarted, cltv.KindSubscriptionRenewed, cltv.KindSubscriptionChanged, cltv.KindSubscriptionCancelled,
		cltv.KindTicketOpened, cltv.KindTicketResolved, cltv.KindSurveyAnswer, cltv.KindChannelResponse, cltv.KindReferral,
		cltv.KindMarketingSpend, cltv.KindProfile, cltv.KindConsent, cltv.KindIdentityLink)
	// DialerKinds are what a dialer reports: calls, what was agreed about
	// contacts in them, and that two keys are one person. No money: a dialer's
	// credential can't change what a customer is worth but by the cost of calls.
	DialerKinds = Kinds(cltv.KindCall, cltv.KindConsent, cltv.KindChannelResponse, cltv.KindIdentityLink)
	// BillingKinds are what every other system reports: all but calls.
	BillingKinds = ExternalKinds.without(cltv.KindCall)
)

func (s KindSet) without(k cltv.Kind) KindSet {
	s[k/64] &^= 1 << (k % 64)
	return s
}
