package evaluate

import (
	"math"
	"slices"
)

// Errors is how far predictions are from what happened.
type Errors struct {
	// Predicted and Actual are the sums over customers.
	Predicted, Actual float64
	// BiasPercent is by how much Predicted is above Actual, percent of Actual; NaN where nothing happened.
	BiasPercent float64
	// MAE is the mean absolute error, RMSE the root of the mean squared error; in the unit of the predictions.
	MAE, RMSE float64
	// Correlation is Pearson's.
	Correlation float64
}

// ErrorsOf compares predictions with what happened.
func ErrorsOf(predicted, actual []float64) Errors {
	mustMatch(len(predicted), len(actual))
	var e Errors
	absolute, squared := 0.0, 0.0
	for i, p := range predicted {
		e.Predicted += p
		e.Actual += actual[i]
		absolute += math.Abs(p - actual[i])
		squared += (p - actual[i]) * (p - actual[i])
	}
	n := float64(len(predicted))
	e.BiasPercent, e.MAE, e.RMSE = math.NaN(), absolute/n, math.Sqrt(squared/n)
	if e.Actual != 0 {
		e.BiasPercent = 100 * (e.Predicted - e.Actual) / e.Actual
	}
	e.Correlation = correlation(predicted, actual)
	return e
}

// correlation is Pearson's; NaN where one of the two doesn't vary.
func correlation(a, b []float64) float64 {
	if len(a) == 0 || slices.Min(a) == slices.Max(a) || slices.Min(b) == slices.Max(b) {
		return math.NaN()
	}
	n := float64(len(a))
	meanA, meanB := 0.0, 0.0
	for i := range a {
		meanA += a[i] / n
		meanB += b[i] / n
	}
	varA, varB, both := 0.0, 0.0, 0.0
	for i := range a {
		varA += (a[i] - meanA) * (a[i] - meanA)
		varB += (b[i] - meanB) * (b[i] - meanB)
		both += (a[i] - meanA) * (b[i] - meanB)
	}
	return both / math.Sqrt(varA*varB)
}

// mustMatch ends a caller's mistake at once.
func mustMatch(a, b int) {
	if a != b {
		panic("evaluate: predictions and what happened differ in number")
	}
}
