package evaluate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/evaluate"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestErrors(t *testing.T) {
	e := evaluate.ErrorsOf([]float64{1, 2, 3, 0}, []float64{2, 2, 0, 0})
	near(t, "predicted", e.Predicted, 6)
	near(t, "actual", e.Actual, 4)
	near(t, "bias", e.BiasPercent, 50)
	near(t, "MAE", e.MAE, 1)
	near(t, "RMSE", e.RMSE, math.Sqrt(2.5))
	near(t, "correlation", e.Correlation, 0) // deviations −.5 .5 1.5 −1.5 and 1 1 −1 −1: products sum to 0
	near(t, "bias from nothing", evaluate.ErrorsOf([]float64{1}, []float64{0}).BiasPercent, math.NaN())
	near(t, "correlation with a constant", evaluate.ErrorsOf([]float64{1, 1}, []float64{0, 1}).Correlation, math.NaN())
}

func TestOrder(t *testing.T) {
	actual := []float64{5, 0, 1, 3, 0, 0, 0, 0, 0, 1}
	o := evaluate.OrderOf(actual, actual)
	near(t, "Spearman of the truth", o.Spearman, 1)
	near(t, "Gini of the truth", o.Gini, 1)
	near(t, "hits of the truth", o.TopHitRate, 1)
	inverse := make([]float64, len(actual))
	for i, a := range actual {
		inverse[i] = -a
	}
	o = evaluate.OrderOf(inverse, actual)
	near(t, "Spearman of the inverse", o.Spearman, -1)
	near(t, "Gini of the inverse", o.Gini, -1)
	near(t, "hits of the inverse", o.TopHitRate, 0)
	o = evaluate.OrderOf(make([]float64, len(actual)), actual)
	near(t, "Spearman of a constant", o.Spearman, math.NaN())
	near(t, "Gini of a constant", o.Gini, 0)
	near(t, "hits of a constant: 2 of 10 by lot", o.TopHitRate, .2)
	few, perfect := make([]float64, 1000), make([]float64, 1000)
	for i := range few {
		perfect[i] = float64(1000 - i)
		if i < 100 {
			few[i] = 1
		}
	}
	near(t, "hits of a perfect order where few bought", evaluate.OrderOf(perfect, few).TopHitRate, 1)
	near(t, "hits of a constant where few bought", evaluate.OrderOf(make([]float64, 1000), few).TopHitRate, .2)
	near(t, "hits where nobody bought", evaluate.OrderOf(perfect, make([]float64, 1000)).TopHitRate, math.NaN())
	// Ranks 1 2.5 2.5 4 against 4 3 2 1, by hand: −3·√2/… = −.9486832980505138.
	near(t, "Spearman with a tie", evaluate.OrderOf([]float64{4, 2, 2, 1}, []float64{1, 2, 3, 4}).Spearman, -.9486832980505138)
}

func TestProbabilities(t *testing.T) {
	p := evaluate.ProbabilitiesOf([]float64{.9, .6, .6, .1}, []bool{true, true, false, false})
	near(t, "rate", p.Rate, .5)
	near(t, "mean", p.Mean, .55)
	near(t, "Brier", p.Brier, (.01+.16+.36+.01)/4)
	near(t, "AUC", p.AUC, 3.5/4)
	near(t, "calibration error", p.CalibrationError, (.1+.1+.1+.1)/4) // the tie at .6 happened to half
	near(t, "AUC where it happened to all", evaluate.ProbabilitiesOf([]float64{.5}, []bool{true}).AUC, math.NaN())
	near(t, "coverage", evaluate.Coverage([]float64{0, 1, 2}, []float64{1, 1, 3}, []float64{1, 2, 2}), 2./3)
}

// TestCalibrated: probabilities that are true are found to be, and true means have
// no bias in any group.
func TestCalibrated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	p, happened := make([]float64, n), make([]bool, n)
	events := make([]float64, n)
	for i := range p {
		p[i] = rng.Float64()
		if happened[i] = rng.Float64() < p[i]; happened[i] {
			events[i] = 1
		}
	}
	if got := evaluate.ProbabilitiesOf(p, happened); got.CalibrationError > .005 || math.Abs(got.Brier-1./6) > .002 || math.Abs(got.AUC-5./6) > .003 {
		t.Errorf("true probabilities, evenly spread: %+v", got)
	}
	if got := evaluate.MAPE(evaluate.Groups(p, events, 10)); got > 2 {
		t.Errorf("decile MAPE of the truth is %v %%", got)
	}
	groups := evaluate.Groups(p, events, 10)
	if len(groups) != 10 || groups[0].Customers != n/10 || groups[0].Predicted < groups[9].Predicted {
		t.Errorf("groups %+v", groups)
	}
}

// TestOrderDoesNotDependOnPlaces: any other order of the customers says the same,
// ties included.
func TestOrderDoesNotDependOnPlaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		n := 1 + rng.IntN(60)
		scores, actual := make([]float64, n), make([]float64, n)
		for i := range scores {
			scores[i], actual[i] = float64(rng.IntN(5)), float64(rng.IntN(3))
		}
		before := evaluate.OrderOf(scores, actual)
		mape := evaluate.MAPE(evaluate.Groups(scores, actual, 10))
		rng.Shuffle(n, func(i, j int) {
			scores[i], scores[j] = scores[j], scores[i]
			actual[i], actual[j] = actual[j], actual[i]
		})
		after := evaluate.OrderOf(scores, actual)
		near(t, "Spearman", after.Spearman, before.Spearman)
		near(t, "Gini", after.Gini, before.Gini)
		near(t, "hits", after.TopHitRate, before.TopHitRate)
		if again := evaluate.MAPE(evaluate.Groups(scores, actual, 10)); math.Abs(again-mape) > 1e-9 {
			t.Errorf("decile MAPE %v, then %v", mape, again)
		}
	}
}

func TestNobody(t *testing.T) {
	o := evaluate.OrderOf(nil, nil)
	near(t, "Spearman of nobody", o.Spearman, math.NaN())
	near(t, "MAE of nobody", evaluate.ErrorsOf(nil, nil).MAE, math.NaN())
	near(t, "decile MAPE of nobody", evaluate.MAPE(evaluate.Groups(nil, nil, 10)), math.NaN())
	defer func() {
		if recover() == nil {
			t.Error("slices of different length are compared")
		}
	}()
	evaluate.ErrorsOf([]float64{1}, nil)
}
