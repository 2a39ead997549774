package wire

import "github.com/perennial-cltv/perennial/pkg/cltv"

// AppendUpdate appends the perennial.v1.CltvUpdate of a step that was applied:
// ev is the event that caused it, and names the customer. Nothing is allocated
// where b has room.
func AppendUpdate(b []byte, ev *cltv.Event, step *cltv.Step) []byte {
	s := &step.Score
	b = appendText(b, 1, ev.Tenant)
	b = appendText(b, 2, ev.Customer)
	b = appendInt(b, 3, s.Version)
	b = appendUnix(b, 4, s.AsOf)
	b = appendCause(b, 5, ev)
	b = appendText(b, 6, s.Currency)
	b = appendHistoric(b, 7, s)
	b = appendInt(b, 8, s.CACMinor)
	b = appendPrediction(b, 9, s)
	b = appendInt(b, 10, s.CLTVMinor)
	b = appendInt(b, 11, s.NetCLTVMinor)
	b = appendInt(b, 12, s.LTVToCACPPM)
	b = appendInt(b, 13, step.PreviousCLTVMinor)
	b = appendInt(b, 14, s.CLTVMinor-step.PreviousCLTVMinor)
	b = appendText(b, 15, s.TierName)
	b = appendTouch(b, 16, &s.Acquisition)
	b = appendChurnState(b, 17, s)
	b = appendConsent(b, 18, s.Consent)
	b = appendInt(b, 19, cltv.FoldVersion)
	b = appendNumbers(b, 20, s.Numbers)
	return appendBool(b, 21, ev.Backfill)
}

// AppendChurn appends the perennial.v1.ChurnRisk of a step that changed the
// band, with the reasons for the new one, and those for its involuntary share.
func AppendChurn(b []byte, ev *cltv.Event, step *cltv.Step, reasons, involuntary []cltv.Reason) []byte {
	s := &step.Score
	b = appendText(b, 1, ev.Tenant)
	b = appendText(b, 2, ev.Customer)
	b = appendInt(b, 3, s.Version)
	b = appendUnix(b, 4, s.AsOf)
	b = appendCause(b, 5, ev)
	b = appendText(b, 6, s.Currency)
	b = appendChurnState(b, 7, s)
	b = appendInt(b, 8, int64(step.PreviousBand))
	b = appendReasons(b, 9, reasons)
	b = appendInt(b, 10, s.ResidualMinor)
	b = appendInt(b, 11, s.CLTVMinor)
	b = appendText(b, 12, s.TierName)
	b = appendTouch(b, 13, &s.Acquisition)
	b = appendConsent(b, 14, s.Consent)
	b = appendInt(b, 15, cltv.FoldVersion)
	b = appendNumbers(b, 16, s.Numbers)
	b = appendBool(b, 17, ev.Backfill)
	return appendReasons(b, 18, involuntary)
}

func appendReasons(b []byte, field int, reasons []cltv.Reason) []byte {
	for i := range reasons {
		r := &reasons[i]
		var at int
		b, at = openMessage(b, field)
		b = appendText(b, 1, r.Code)
		b = appendText(b, 2, r.Text)
		b = appendInt(b, 3, r.LogOddsPPM)
		b = closeMessage(b, at)
	}
	return b
}

// appendUnix writes a Timestamp of whole seconds; 0 is an absent one.
func appendUnix(b []byte, field int, seconds int64) []byte {
	if seconds == 0 {
		return b
	}
	b, at := openMessage(b, field)
	b = appendInt(b, 1, seconds)
	return closeMessage(b, at)
}

func appendCause(b []byte, field int, ev *cltv.Event) []byte {
	b, at := openMessage(b, field)
	b = appendText(b, 1, factNames[ev.Kind])
	b = appendText(b, 2, ev.Source)
	b = appendText(b, 3, ev.SourceEventID)
	b = appendTime(b, 4, ev.OccurredAt)
	return closeMessage(b, at)
}

func appendHistoric(b []byte, field int, s *cltv.Score) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, s.GrossMinor)
	b = appendInt(b, 2, s.RefundedMinor)
	b = appendInt(b, 3, s.NetMinor)
	b = appendInt(b, 4, s.MarginMinor)
	b = appendInt(b, 5, s.ServiceCostMinor)
	b = appendInt(b, 6, int64(s.Transactions))
	if s.Transactions > 0 {
		b = appendTime(b, 7, s.FirstAt)
		b = appendTime(b, 8, s.LastAt)
	}
	b = appendInt(b, 9, s.FinancialYearMinor)
	return closeMessage(b, at)
}

func appendPrediction(b []byte, field int, s *cltv.Score) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, int64(s.Method))
	b = appendText(b, 2, s.ModelID)
	b = appendInt(b, 3, int64(s.Basis))
	b = appendInt(b, 4, int64(s.HorizonDays))
	b = appendInt(b, 5, s.ResidualMinor)
	b = appendInt(b, 6, s.ResidualLowMinor)
	b = appendInt(b, 7, s.ResidualHighMinor)
	b = appendInt(b, 8, int64(s.AlivePPM))
	b = appendInt(b, 9, s.ExpectedPPM)
	b = appendInt(b, 10, s.ExpectedSpendMinor)
	b = appendInt(b, 11, int64(s.RepeatTransactions))
	b = appendInt(b, 12, int64(s.LastAgeDays))
	b = appendInt(b, 13, int64(s.AgeDays))
	if s.Contracts.Method != cltv.MethodNone {
		b = appendContracts(b, 14, &s.Contracts)
	}
	return closeMessage(b, at)
}

func appendContracts(b []byte, field int, c *cltv.ContractScore) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, int64(c.Method))
	b = appendText(b, 2, c.ModelID)
	b = appendInt(b, 3, int64(c.Running))
	b = appendInt(b, 4, c.ResidualMinor)
	b = appendInt(b, 5, c.ExpectedPPM)
	b = appendText(b, 6, c.Plan)
	b = appendInt(b, 7, int64(c.Tenure))
	b = appendUnix(b, 8, c.RenewalAt)
	return closeMessage(b, at)
}

func appendChurnState(b []byte, field int, s *cltv.Score) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, int64(s.Band))
	b = appendInt(b, 2, int64(s.ChurnPPM))
	b = appendInt(b, 3, int64(s.ChurnHorizonDays))
	b = appendInt(b, 4, s.ValueAtRiskMinor)
	b = appendUnix(b, 5, s.BandChangesAt)
	b = appendInt(b, 6, int64(s.VoluntaryPPM))
	b = appendInt(b, 7, int64(s.InvoluntaryPPM))
	return closeMessage(b, at)
}

// appendConsent writes the flags even where none is set: an output always says
// them.
func appendConsent(b []byte, field int, c cltv.Consent) []byte {
	b, at := openMessage(b, field)
	b = appendBool(b, 1, c.DoNotCall)
	b = appendBool(b, 2, c.DoNotEmail)
	b = appendBool(b, 3, c.DoNotText)
	return closeMessage(b, at)
}

func appendNumbers(b []byte, field int, n cltv.Numbers) []byte {
	b, at := openMessage(b, field)
	b = appendInt(b, 1, n.Model)
	b = appendInt(b, 2, n.Thresholds)
	b = appendInt(b, 3, n.UnitCosts)
	b = appendInt(b, 4, n.Policy)
	b = appendInt(b, 5, n.Contracts)
	return closeMessage(b, at)
}
