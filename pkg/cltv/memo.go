package cltv

import "unsafe"

// memo is what a State remembers of its last score and of its stored form, so that a record which leaves sales and refunds
// alone needn't go through all of them again. It is nothing that the state holds: without it the same comes out.
type memo struct {
	// params are those of the last score, nil where nothing is remembered of it. They are immutable, so the same pointer
	// is the same policy and the same models.
	params  *Params
	asOfDay int32
	history history
	// foretold is what the model said as of asOfDay.
	foretold prediction
	form     salesForm
}

// salesForm is the part of the stored form that depends on the sales alone: their texts come first in its numbering.
type salesForm struct {
	valid                  bool
	first, rest, originals []byte
	// texts and touches are how many of each the sales use.
	texts, touches int
}

// prediction holds the fields of a Score that predict fills.
type prediction struct {
	method                                         Method
	basis                                          Basis
	modelID                                        string
	residualMinor, residualLowMinor, residualHigh  int64
	alivePPM                                       int32
	expectedPPM, expectedSpendMinor                int64
	repeatTransactions, lastAgeDays, ageDays       int32
	repeatMoneyMinor, valueAtRiskMinor, bandChange int64
	band                                           Band
	churnPPM                                       int32
}

func (p *prediction) from(s *Score) {
	*p = prediction{
		s.Method, s.Basis, s.ModelID, s.ResidualMinor, s.ResidualLowMinor, s.ResidualHighMinor, s.AlivePPM, s.ExpectedPPM,
		s.ExpectedSpendMinor, s.RepeatTransactions, s.LastAgeDays, s.AgeDays, s.RepeatMoneyMinor, s.ValueAtRiskMinor,
		s.BandChangesAt, s.Band, s.ChurnPPM,
	}
}

func (p *prediction) to(s *Score) {
	s.Method, s.Basis, s.ModelID = p.method, p.basis, p.modelID
	s.ResidualMinor, s.ResidualLowMinor, s.ResidualHighMinor = p.residualMinor, p.residualLowMinor, p.residualHigh
	s.AlivePPM, s.ExpectedPPM, s.ExpectedSpendMinor = p.alivePPM, p.expectedPPM, p.expectedSpendMinor
	s.RepeatTransactions, s.LastAgeDays, s.AgeDays = p.repeatTransactions, p.lastAgeDays, p.ageDays
	s.RepeatMoneyMinor, s.ValueAtRiskMinor, s.BandChangesAt = p.repeatMoneyMinor, p.valueAtRiskMinor, p.bandChange
	s.Band, s.ChurnPPM = p.band, p.churnPPM
}

// forget drops what is remembered and keeps its memory.
func (m *memo) forget() { m.params, m.form.valid = nil, false }

// leavesSalesAlone says whether a fact of a kind changes nothing that the memo rests on: neither sales nor refunds, nor
// the segment, by which the model is chosen.
func leavesSalesAlone(k Kind) bool {
	switch k {
	case KindCall, KindConsent, KindTicketOpened, KindTicketResolved, KindSurveyAnswer, KindChannelResponse,
		KindReferral, KindPaymentFailed:
		return true
	default:
		return false
	}
}

// Footprint is about how much memory the state takes, bytes.
func (s *State) Footprint() int {
	const stampSize = int(unsafe.Sizeof(stamp{}))
	n := int(unsafe.Sizeof(*s))
	n += cap(s.sales.items)*int(unsafe.Sizeof(sale{})) + cap(s.sales.stamps)*stampSize
	n += cap(s.calls.items)*int(unsafe.Sizeof(call{})) + cap(s.calls.stamps)*stampSize
	n += cap(s.refunds.items)*int(unsafe.Sizeof(refund{})) + cap(s.refunds.stamps)*stampSize
	n += cap(s.marks.items)*int(unsafe.Sizeof(mark{})) + cap(s.marks.stamps)*stampSize
	n += cap(s.contracts) * int(unsafe.Sizeof(contract{}))
	n += cap(s.table)*int(unsafe.Sizeof("")) + cap(s.arena) + cap(s.touches)*int(unsafe.Sizeof(touch{}))
	n += 2 * (cap(s.numbering.text) + cap(s.numbering.touch) + cap(s.numbering.textOrder) + cap(s.numbering.touchOrder))
	return n + cap(s.memo.form.first) + cap(s.memo.form.rest) + cap(s.memo.form.originals)
}

// Cluttered says that most texts or touches of the state are of facts that fell out, as of its last AppendTo: one that is
// decoded anew is smaller.
func (s *State) Cluttered() bool {
	return len(s.table) > 2*len(s.numbering.textOrder)+32 || len(s.touches) > 2*len(s.numbering.touchOrder)+32
}
