package btyd

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"
)

// anyHazard draws a hazard with a base and features, without a function of the math package.
func anyHazard(r *rand.Rand) (m RenewalHazard, base float64, features []float64) {
	draw := func(thousandths int) float64 { return float64(r.IntN(2*thousandths+1)-thousandths) / 1000 }
	m = RenewalHazard{Intercept: draw(6000), Tenure: draw(1000) + 1, MeanBase: draw(4000)}
	for range r.IntN(17) {
		m.Weights, m.Means = append(m.Weights, draw(2000)), append(m.Means, draw(90_000))
		features = append(features, draw(90_000)/7)
	}
	return m, draw(9000), features
}

func TestRenewalHazard(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 6))
	for range 5000 {
		m, base, features := anyHazard(r)
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		want := m.LogOdds(base, features)
		parts := m.Contributions(base, features, []float64{99})
		if len(parts) != 3+len(features) || parts[0] != 99 {
			t.Fatalf("%d parts of %d features, first %v", len(parts), len(features), parts[0])
		}
		sum, backwards := 0.0, 0.0
		for i := range parts[1:] {
			sum += parts[1+i]
			backwards += parts[len(parts)-1-i]
		}
		if math.Float64bits(sum) != math.Float64bits(want) {
			t.Errorf("%+v: parts sum to %v, log-odds are %v", m, sum, want)
		}
		within(t, "parts in another order", backwards, want, 1e-9)
	}
	// With nothing of his own known, a customer is as the population.
	base := LogOdds(1 - SBG{.7, 1.2}.Renewal(3))
	within(t, "base alone", Probability(RenewalHazard{Tenure: 1}.LogOdds(base, nil)), 1-SBG{.7, 1.2}.Renewal(3), 1e-15)
	if n := testing.AllocsPerRun(10, func() { _ = (RenewalHazard{Tenure: 1}).LogOdds(base, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestProbability(t *testing.T) {
	for v := -40.0; v <= 40; v += .25 {
		within(t, fmt.Sprint(v), Probability(v)/(1/(1+math.Exp(-v))), 1, 1e-14)
		within(t, "of both", Probability(v)+Probability(-v), 1, 1e-15)
		if v < 15 {
			within(t, "and back", LogOdds(Probability(v)), v, 1e-8)
		}
	}
	if Probability(math.Inf(1)) != 1 || Probability(math.Inf(-1)) != 0 || !math.IsNaN(Probability(math.NaN())) {
		t.Error("at the ends")
	}
}

func TestValidateRenewalHazard(t *testing.T) {
	for field, m := range map[string]RenewalHazard{
		"Intercept":  {Intercept: 51},
		"Tenure":     {Tenure: -.1},
		"MeanBase":   {MeanBase: math.Inf(-1)},
		"Weights[1]": {Weights: []float64{0, math.NaN()}, Means: make([]float64, 2)},
		"Means[0]":   {Weights: []float64{50}, Means: []float64{math.Inf(1)}},
		"Means":      {Weights: []float64{1}},
		"Weights":    {Weights: make([]float64, 65), Means: make([]float64, 65)},
	} {
		var wrong *ParameterError
		if err := m.Validate(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := (RenewalHazard{-50, 5, -3, []float64{50, -50}, []float64{1e12, 0}}).Validate(); err != nil {
		t.Error(err)
	}
}

const goldenHazard = "21f53d054a12a8dd"

// TestGoldenHazard: log-odds and probabilities are the same to the last bit everywhere.
func TestGoldenHazard(t *testing.T) {
	bits := fnv.New64a()
	r := rand.New(rand.NewPCG(6, 3))
	for range 5000 {
		m, base, features := anyHazard(r)
		v := m.LogOdds(base, features)
		fmt.Fprintln(bits, math.Float64bits(v), math.Float64bits(Probability(v)), math.Float64bits(Probability(v/100)))
	}
	if got := fmt.Sprintf("%016x", bits.Sum64()); got != goldenHazard {
		t.Errorf("renewal hazards hash to %s, were %s", got, goldenHazard)
	}
}
