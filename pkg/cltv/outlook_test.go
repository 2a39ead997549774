package cltv

import (
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// loyal renews 19 of 20 times, fickle one of 20.
var (
	loyal  = Model{Number: 1, SBG: btyd.SBG{Alpha: 1, Beta: 19}}
	fickle = Model{Number: 1, SBG: btyd.SBG{Alpha: 19, Beta: 1}}
)

// TestQuantilesBeyondTheMean: of one renewal that is almost sure 10 % are its whole value, above the mean; of one that
// hardly comes 90 % are nothing. An ended contract beside it changes neither.
func TestQuantilesBeyondTheMean(t *testing.T) {
	ended := fact(KindSubscriptionCancelled, 1, func(e *Event) { e.Ref = "old" })
	for _, events := range [][]Event{monthly("sub"), append(append(monthly("old"), ended), monthly("sub")...)} {
		_, sure := judged(t, with(t, nil, modelEvent(loyal), policyEvent(Policy{Number: 1, HorizonDays: 31, DiscountPPM: -1})), 10, events...)
		if sure.ResidualMinor != 950 || sure.ResidualLowMinor != 1000 || sure.ResidualHighMinor != 1000 {
			t.Errorf("almost sure: %d (%d to %d)", sure.ResidualMinor, sure.ResidualLowMinor, sure.ResidualHighMinor)
		}
		_, rare := judged(t, with(t, nil, modelEvent(fickle), policyEvent(Policy{Number: 1, HorizonDays: 31, DiscountPPM: -1})), 10, events...)
		if rare.ResidualMinor != 50 || rare.ResidualLowMinor != 0 || rare.ResidualHighMinor != 0 {
			t.Errorf("hardly: %d (%d to %d)", rare.ResidualMinor, rare.ResidualLowMinor, rare.ResidualHighMinor)
		}
	}
}

// TestNoPartOfContractsThatEnded: what is over isn't a part of what is to come.
func TestNoPartOfContractsThatEnded(t *testing.T) {
	cancelled := fact(KindSubscriptionCancelled, 1, func(e *Event) { e.Ref = "sub" })
	_, score := judged(t, with(t, nil, modelEvent(byTenure)), 10, append(monthly("sub"), cancelled)...)
	if score.Contracts != (ContractScore{}) || score.ChurnPPM != 700_000 || score.Method != MethodSBG {
		t.Errorf("%+v", score)
	}
}

// TestBasisByContractsAlone: purchases that don't count for the value don't count for its basis.
func TestBasisByContractsAlone(t *testing.T) {
	params := with(t, nil, modelEvent(cdnow), modelEvent(byTenure), policyEvent(Policy{Number: 1, Valuations: []Valuation{{Method: ValueContractual}}}))
	events := append(monthly("sub"), order(1, 500), order(5, 500))
	if _, score := judged(t, params, 10, events...); score.Basis != BasisPopulation || score.Method != MethodSBG || score.RepeatTransactions != 1 {
		t.Errorf("%+v", score)
	}
}

// TestDueOnALocalDay: a period is counted in days of the calendar, also where one of them has 25 hours.
func TestDueOnALocalDay(t *testing.T) {
	params := with(t, nil, modelEvent(byTenure), policyEvent(Policy{Number: 1, ZoneOffsets: []ZoneOffset{{OffsetSeconds: 3600},
		{FromUnix: testStart/1000 + 20*daySeconds, OffsetSeconds: 0}}}))
	// At 0:30 on the local day 5.
	started := monthly("sub")[0]
	started.OccurredAt, started.Until = testStart+5*testDay-1800*1000, 0
	_, score := judged(t, params, 10, started)
	if want := testStart/1000 + 35*daySeconds; score.Contracts.RenewalAt != want {
		t.Errorf("due at %d, want %d", score.Contracts.RenewalAt, want)
	}
}

// TestChannelsAreLeftOnce: who unsubscribes from a channel twice has left one.
func TestChannelsAreLeftOnce(t *testing.T) {
	leaves := func(day int, channel int32) Event {
		return fact(KindChannelResponse, day, func(e *Event) { e.Code, e.Code2 = channel, responseUnsubscribed })
	}
	params := with(t, nil, modelEvent(byTenure))
	s, _ := judged(t, params, 10, append(monthly("sub"), leaves(1, channelEmail), leaves(2, channelEmail), leaves(3, channelSMS))...)
	var f Folder
	f.judgeContracts(s, params.contractsFor(""), &params.policy, params.policy.localDay(testStart+10*testDay))
	if got := f.outlooks[0].features[FeatureUnsubscribed]; got != 2 {
		t.Errorf("%v channels, want 2", got)
	}
}

// TestBandAfterTheEnd: the band that comes when fewer come back is foretold, also while the contract still runs.
func TestBandAfterTheEnd(t *testing.T) {
	m := byTenure
	m.ReturnPPM = []int32{50_000, 400_000, 400_000}
	cancelled := fact(KindSubscriptionCancelled, 1, func(e *Event) { e.Ref, e.Until = "sub", testStart+20*testDay })
	_, score := judged(t, with(t, nil, modelEvent(m)), 10, append(monthly("sub"), cancelled)...)
	if want := testStart/1000 + 110*daySeconds; score.Band != BandLost || score.BandChangesAt != want {
		t.Errorf("%v changes at %d, want %d", score.Band, score.BandChangesAt, want)
	}
}
