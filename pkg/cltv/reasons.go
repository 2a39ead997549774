package cltv

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Reason is one signed contribution to a churn probability.
type Reason struct {
	// Code is stable: "age", "frequency", "recency" and "start" of purchases; the name of a Feature, "tenure", "renewals",
	// "others", "average" and "ended" of contracts.
	Code string
	// Text is for people.
	Text string
	// LogOddsPPM is its share in the log-odds, in millionths; positive raises the risk.
	LogOddsPPM int64
}

// Reasons takes a churn probability apart: shares that add up to its log-odds, to the millionth, the weightiest first, and
// at the end where they start from. There are none where nothing is predicted. Probabilities of 0 and 1 count as a
// millionth from there.
//
// Of purchases, the log-odds are split along the way from a customer of the same model who bought for the first time today:
//
//	age        the same age with no purchase since the first
//	frequency  the same age and number of purchases, the last one today
//	recency    the last purchase when it was
//	start      that customer
//
// Of contracts see Folder.contractReasons.
func Reasons(s *State, params *Params, score *Score) []Reason {
	params = params.orDefaults()
	if score.Band == BandNone {
		return nil
	}
	if score.byContracts {
		var f Folder
		return f.contractReasons(s, params, score)
	}
	m := params.modelFor(s.Segment())
	if m == nil {
		return nil
	}
	x, tx, age := int(score.RepeatTransactions), int(score.LastAgeDays), int(score.AgeDays)
	start := logOddsPPM(m.ChurnMillionths(0, 0, 0))
	aged := logOddsPPM(m.ChurnMillionths(0, 0, age))
	bought, silent := aged, aged
	if x > 0 {
		bought = logOddsPPM(m.ChurnMillionths(x, age, age))
		silent = logOddsPPM(m.ChurnMillionths(x, tx, age))
	}
	reasons := make([]Reason, 0, 4)
	// A text is only made for what is said: a customer without a repeat purchase has its age alone.
	if share := aged - start; share != 0 {
		reasons = append(reasons, Reason{"age", ageText(age, x), share})
	}
	if share := bought - aged; share != 0 {
		reasons = append(reasons, Reason{"frequency", frequencyText(x, tx), share})
	}
	if share := silent - bought; share != 0 {
		reasons = append(reasons, Reason{"recency", recencyText(x, tx, age), share})
	}
	sortReasons(reasons)
	return append(reasons, Reason{"start", "a customer who bought for the first time today", start})
}

func sortReasons(reasons []Reason) {
	slices.SortStableFunc(reasons, func(a, b Reason) int { return cmp.Compare(magnitude(b.LogOddsPPM), magnitude(a.LogOddsPPM)) })
}

func magnitude(v int64) int64 { return max(v, -v) }

// logOddsPPM is the log-odds of a probability in millionths, in millionths.
func logOddsPPM(ppm int) int64 {
	p := float64(min(max(ppm, 1), million-1)) / million
	return int64(math.Round(float64(btyd.LogOdds(p) * million)))
}

func ageText(age, x int) string {
	if x == 0 {
		return "no second purchase in the " + days(age) + " since the first"
	}
	return "customer for " + days(age)
}

func frequencyText(x, tx int) string {
	if x == 1 {
		return "bought again once, " + days(tx) + " after the first purchase"
	}
	return "bought again on " + strconv.Itoa(x) + " days, on average every " + days((tx+x/2)/max(x, 1))
}

func recencyText(x, tx, age int) string {
	return "last bought " + days(age-tx) + " ago, used to buy every " + days((tx+x/2)/max(x, 1))
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}
