package evaluate

import "math"

// Probabilities is how good probabilities of an event are.
type Probabilities struct {
	// Rate is how often it happened, Mean the mean probability.
	Rate, Mean float64
	// Brier is the mean squared difference of probability and event (1 or 0).
	Brier float64
	// CalibrationError is the mean over ten groups, weighted by customers, of |mean probability − rate| (the expected
	// calibration error by groups of equal number).
	CalibrationError float64
	// AUC is the probability that one to whom it happened had the higher probability than one to whom it didn't, ties
	// counting half; NaN where it happened to all or to none.
	AUC float64
	// Groups are the ten groups of CalibrationError, highest probability first.
	Groups []Group
}

// ProbabilitiesOf judges probabilities of what happened to some and not to others.
func ProbabilitiesOf(p []float64, happened []bool) Probabilities {
	mustMatch(len(p), len(happened))
	events := make([]float64, len(p))
	var out Probabilities
	n := float64(len(p))
	positives := 0.0
	for i, h := range happened {
		if h {
			events[i] = 1
			positives++
		}
		out.Mean += p[i] / n
		out.Brier += (p[i] - events[i]) * (p[i] - events[i]) / n
	}
	out.Rate = positives / n
	out.Groups = Groups(p, events, 10)
	for _, g := range out.Groups {
		out.CalibrationError += math.Abs(g.Predicted-g.Actual) * float64(g.Customers) / n
	}
	out.AUC = auc(p, happened, positives)
	return out
}

// auc is the Mann–Whitney statistic, from ranks.
func auc(p []float64, happened []bool, positives float64) float64 {
	negatives := float64(len(p)) - positives
	if positives == 0 || negatives == 0 {
		return math.NaN()
	}
	sum := 0.0 // of ranks from the highest
	for i, r := range ranks(p) {
		if happened[i] {
			sum += r
		}
	}
	return 1 - (sum-positives*(positives+1)/2)/(positives*negatives)
}

// Coverage is the share of what happened that lies within its interval, ends
// included.
func Coverage(low, high, actual []float64) float64 {
	mustMatch(len(low), len(actual))
	mustMatch(len(high), len(actual))
	in := 0
	for i, a := range actual {
		if low[i] <= a && a <= high[i] {
			in++
		}
	}
	return float64(in) / float64(len(actual))
}
