package fit

import (
	"fmt"
	"math"
)

// Options are how to fit. The zero value is maximum likelihood.
type Options struct {
	// Prior, if any, makes it a maximum a posteriori.
	Prior *Prior
}

// Prior is independent normal distributions on the logarithms of the parameters (on the coefficients of covariates
// themselves).
type Prior struct {
	// Centre is the parameters' medians in the order of the model's fields, as of a parent population. Nil is 1 for
	// what has no unit (2 for Q) and the mean age or mean spend for what has; 0 for coefficients.
	Centre []float64
	// Sigma is the standard deviation on the logarithmic scale; 0 is DefaultSigma.
	Sigma float64
}

// DefaultSigma lets a parameter be anything within a factor of seven at 80 %: next to nothing to a large base, a hold to a
// small one.
const DefaultSigma = 1.5

// Fit is a fitted model and how far to trust it.
type Fit[M any] struct {
	Model M
	Report
}

// Report is what a fit says beside the model.
type Report struct {
	// LogLikelihood is ln L at the parameters, without the prior.
	LogLikelihood float64
	// Parameters are in the order of the model's fields; coefficients follow.
	Parameters []Parameter
	// Customers and Repeaters are how many were in the data; for contracts, who started and who left; for chances,
	// customers and those who took one at least.
	Customers, Repeaters int64
	// DropoutEvidence is twice the gain in ln L over the same model in which nobody ever leaves. Purchase models only.
	DropoutEvidence float64
	// SpendCorrelation is the correlation of x and mean spend over repeaters, which Gamma–Gamma supposes to be 0. Gamma–Gamma only.
	SpendCorrelation float64
	// Findings are what the data doesn't tell; none is best.
	Findings []Finding
	// Evaluations is how often the likelihood was summed.
	Evaluations int
}

// Parameter is one fitted number.
type Parameter struct {
	Name  string // as in the model's struct; coefficients "Purchase[0]", "Dropout[0]"
	Value float64
	// StandardError is that of ln Value, +Inf where the likelihood is flat. For coefficients it is that of Value.
	StandardError float64

	linear bool // a coefficient
}

// Interval holds the true value with the probability level (0 to 1), as far as ln L is quadratic.
func (p Parameter) Interval(level float64) (low, high float64) {
	width := math.Sqrt2 * math.Erfinv(level) * p.StandardError
	if p.linear {
		return p.Value - width, p.Value + width
	}
	return p.Value * math.Exp(-width), p.Value * math.Exp(width)
}

// Find returns the first finding of a kind.
func (r *Report) Find(kind Kind) (Finding, bool) {
	for _, f := range r.Findings {
		if f.Kind == kind {
			return f, true
		}
	}
	return Finding{}, false
}

// Kind is what is wrong with a fit.
type Kind string

// The kinds of findings.
const (
	// The population shouldn't be fitted on its own; shrink it to its parent.
	FewCustomers Kind = "few_customers"
	FewRepeaters Kind = "few_repeaters"
	ShortHistory Kind = "short_history"
	// That customers leave can't be told from this history. Claim no churn signal.
	NoDropout Kind = "no_dropout"
	// The fitted spend has no finite mean in the population (q ≤ 1).
	NoMeanSpend Kind = "no_mean_spend"
	// The likelihood still rises where the model's range ends.
	AtBound Kind = "at_bound"
	// The parameter could be ten times as large or small (standard error above 2.3 on the logarithm).
	Flat Kind = "flat"
	// The search ended elsewhere than at a maximum.
	NotConverged Kind = "not_converged"
	// A hazard told those who left from those who stayed without an error, in the rows it was fitted to; its weights are as
	// large as L2 lets them be. Most often a feature tells of the future ([Leaks]).
	Separated Kind = "separated"
)

// What a population needs to be fitted on its own.
const (
	LeastCustomers = 500
	LeastRepeaters = 100
	LeastDays      = 180
)

// leastDropoutEvidence is the 5 % point of the likelihood ratio for a parameter at the edge of its range, half χ²₁ (Self
// and Liang 1987).
const leastDropoutEvidence = 2.706

// Finding is one thing that the data doesn't tell.
type Finding struct {
	Kind      Kind
	Parameter string  // where it is about one
	Value     float64 // the parameter, the count, the days, the evidence
}

// String is for logs: "few_repeaters 12", "at_bound B 1000".
func (f Finding) String() string {
	if f.Parameter == "" {
		return fmt.Sprintf("%s %.6g", f.Kind, f.Value)
	}
	return fmt.Sprintf("%s %s %.6g", f.Kind, f.Parameter, f.Value)
}

func (r *Report) find(kind Kind, parameter string, value float64) {
	r.Findings = append(r.Findings, Finding{kind, parameter, value})
}

// values are the parameters alone.
func (r *Report) values() []float64 {
	values := make([]float64, len(r.Parameters))
	for i, p := range r.Parameters {
		values[i] = p.Value
	}
	return values
}

// size notes how much data there was, and whether it is too little. days < 0 doesn't count.
func (r *Report) size(customers, repeaters float64, days int) {
	r.Customers, r.Repeaters = int64(customers), int64(repeaters)
	if customers < LeastCustomers {
		r.find(FewCustomers, "", customers)
	}
	if repeaters < LeastRepeaters {
		r.find(FewRepeaters, "", repeaters)
	}
	if days >= 0 && days < LeastDays {
		r.find(ShortHistory, "", float64(days))
	}
}
