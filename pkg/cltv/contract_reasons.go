package cltv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// reasonsShown is how many features are named one by one; what the others add up to is one reason.
const reasonsShown = 6

// contractReasons takes the churn probability of the main contract apart:
//
//	tenure    how often it was renewed, against the average
//	features  each against its mean; those that count for least together as "others"
//	renewals  that more than one renewal is due within the churn horizon
//	average   an average customer at a renewal
//
// A contract that has ended, or will, has "ended" alone.
func (f *Folder) contractReasons(s *State, params *Params, score *Score) []Reason {
	m, o := f.mainOutlook(s, params, score)
	if o == nil {
		return nil
	}
	if o.stage != contractRuns {
		return []Reason{{"ended", o.endedText(score.AsOfDay), logOddsPPM(int(score.ChurnPPM))}}
	}
	total := int64(math.Round(min(max(o.odds, -maxLogOdds), maxLogOdds) * million))
	if o.due > 1 {
		total = logOddsPPM(int(score.ChurnPPM))
	}
	var r shares
	base := m.base[m.at(o.tenure)]
	if m.leaving == nil {
		average := m.base[0]
		r.begin("average", "an average customer at the first renewal", average)
		r.add("tenure", o.tenureText(), base-average)
	} else {
		r.hazard(m.leaving, base, o, "an average customer at a renewal")
	}
	return r.upTo(total, "renewals", o.renewalsText(&params.policy))
}

// InvoluntaryReasons takes apart the log-odds of the share of leavers who are dropped because payments fail, for the
// contract by which churn is judged, in the same way; nil where that isn't told apart, or no contract runs.
func InvoluntaryReasons(s *State, params *Params, score *Score) []Reason {
	if !score.byContracts {
		return nil
	}
	var f Folder
	m, o := f.mainOutlook(s, params.orDefaults(), score)
	if o == nil || m.involuntary == nil || o.stage != contractRuns {
		return nil
	}
	var r shares
	r.hazard(m.involuntary, m.base[m.at(o.tenure)], o, "an average customer who leaves")
	return r.upTo(r.told, "", "")
}

// mainOutlook judges the contracts again.
func (f *Folder) mainOutlook(s *State, params *Params, score *Score) (*contractModel, *outlook) {
	m := params.contractsFor(s.Segment())
	if m == nil {
		return nil, nil
	}
	f.judgeContracts(s, m, &params.policy, score.AsOfDay)
	if len(f.outlooks) == 0 {
		return nil, nil
	}
	return m, f.mainContract()
}

// maxLogOdds are those of a probability a millionth below 1.
var maxLogOdds = -btyd.LogOdds(1.0 / million)

// shares collects reasons whose sum, in millionths, is that of the shares so far, rounded once.
type shares struct {
	sum   float64
	told  int64
	start Reason
	list  []Reason
}

// next is by how many millionths a share moves the rounded sum.
func (r *shares) next(share float64) int64 {
	r.sum += share
	to := int64(math.Round(r.sum * million))
	moved := to - r.told
	r.told = to
	return moved
}

func (r *shares) begin(code, text string, share float64) { r.start = Reason{code, text, r.next(share)} }

func (r *shares) add(code, text string, share float64) {
	if moved := r.next(share); moved != 0 {
		r.list = append(r.list, Reason{code, text, moved})
	}
}

// hazard adds the contributions of a hazard.
func (r *shares) hazard(h *btyd.RenewalHazard, base float64, o *outlook, average string) {
	parts := h.Contributions(base, o.features[:], make([]float64, 0, 2+NumFeatures))
	r.begin("average", average, parts[0])
	r.add("tenure", o.tenureText(), parts[1])
	order := make([]Feature, 0, NumFeatures)
	for i := range NumFeatures {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b Feature) int { return cmp.Compare(math.Abs(parts[2+b]), math.Abs(parts[2+a])) })
	for _, i := range order[:reasonsShown] {
		r.add(i.String(), o.featureText(i), parts[2+i])
	}
	others := 0.0
	for _, i := range order[reasonsShown:] {
		others += parts[2+i]
	}
	r.add("others", "everything else that was looked at", others)
}

// upTo adds what is missing to a total, and answers the reasons in their order.
func (r *shares) upTo(total int64, code, text string) []Reason {
	if missing := total - r.told; missing != 0 {
		r.list = append(r.list, Reason{code, text, missing})
	}
	sortReasons(r.list)
	return append(r.list, r.start)
}

func (o *outlook) tenureText() string {
	if o.tenure == 1 {
		return "never renewed yet"
	}
	return "renewed " + timesText(int(o.tenure)-1)
}

func (o *outlook) renewalsText(p *Policy) string {
	if o.due == 1 {
		return "the least and the greatest probability that is told"
	}
	return fmt.Sprintf("%d renewals are due within %s", o.due, days(int(p.ChurnHorizonDays)))
}

func (o *outlook) endedText(today int32) string {
	how := "was cancelled"
	switch {
	case !o.facts.cancelled():
		how = "wasn't renewed"
	case o.facts.reason == cancelledForPayment:
		how = "was cancelled because payments failed"
	}
	if o.stage == contractEnding {
		return "the contract " + how + ", and ends in " + days(int(o.dueDay-today))
	}
	return "the contract " + how + ", and ended " + days(int(today-o.dueDay)) + " ago"
}

// featureText says a feature in words.
func (o *outlook) featureText(f Feature) string {
	v := o.features[f]
	n := int(v)
	switch f {
	case FeatureFailedPayments:
		return counted(n, "payment", "failed since the last one that came in")
	case FeaturePastFailures:
		return counted(n, "payment", "failed in the year before the last one that came in")
	case FeatureOverdueDays:
		if n == 0 {
			return "the renewal isn't overdue"
		}
		return "the renewal is overdue for " + days(n)
	case FeatureOpenTickets:
		return counted(n, "open ticket", "")
	case FeatureResolutionDays:
		return "tickets took " + strconv.FormatFloat(v, 'f', 1, 64) + " days to resolve"
	case FeatureComplaints:
		return counted(n, "complaint", "in 90 days")
	case FeatureScore:
		if n == 0 {
			return "no answer to “would you recommend us?” in a year, or a 7"
		}
		return fmt.Sprintf("would recommend us: %d of 10", n+7)
	case FeatureScoreTrend:
		if n == 0 {
			return "the answer to “would you recommend us?” hasn't changed"
		}
		return fmt.Sprintf("the answer to “would you recommend us?” changed by %+d", n)
	case FeatureRefusals:
		return counted(n, "call", "without interest in 90 days")
	case FeatureUnansweredRetention:
		return counted(n, "retention call", "that reached nobody in 90 days")
	case FeatureRetained:
		return "wanted to leave and stayed " + timesText(n) + " in 180 days"
	case FeatureServiceCalls:
		return counted(n, "service call", "in 90 days")
	case FeatureSilentMonths:
		return "last contact " + days(int(math.Round(float64(v*30)))) + " ago"
	case FeatureUpgrades:
		return counted(n, "change", "to a higher plan in a year")
	case FeatureOtherChanges:
		return counted(n, "other change", "of plan in a year")
	case FeatureResponses:
		return counted(n, "response", "on other channels in 90 days")
	case FeatureUnsubscribed:
		return counted(n, "channel", "left in a year")
	case NumFeatures:
	}
	return ""
}

// counted says how many of a thing there were.
func counted(n int, thing, what string) string {
	text := strconv.Itoa(n) + " " + thing
	if n == 0 {
		text = "no " + thing
	}
	if n > 1 {
		text += "s"
	}
	if what != "" {
		text += " " + what
	}
	return text
}

func timesText(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
