package fit

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

func BenchmarkCDNOW(b *testing.B) {
	base, spends := cdnow(b)
	for name, fit := range map[string]func() error{
		"BG":          func() error { _, err := BGNBD(base, cdnowEnd, Options{}); return err },
		"MBG":         func() error { _, err := MBGNBD(base, cdnowEnd, Options{}); return err },
		"Pareto":      func() error { _, err := ParetoNBD(base, cdnowEnd, Options{}); return err },
		"Gamma–Gamma": func() error { _, err := GammaGamma(spends, 100, Options{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := fit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// million is customers who arrive over a year and are seen for two.
var million = sync.OnceValue(func() Base {
	r := rand.New(rand.NewPCG(1, 6))
	return simulated(r, btyd.BGNBD{R: .242594, Alpha: 4.4136, A: .792922, B: 2.425906}, 1_000_000, 365, 730)
})

func BenchmarkMillion(b *testing.B) {
	base := million()
	spends := Spends{}
	r := rand.New(rand.NewPCG(6, 1))
	for h, n := range base {
		for range n {
			if h.X > 0 {
				spends.Add(Spend{h.X, 1 + int64(100*draw(r, 6.25*float64(h.X))*15.4/draw(r, 3.74))}, 1)
			}
		}
	}
	for name, fit := range map[string]func() (Report, error){
		"BG":          func() (Report, error) { f, err := BGNBD(base, 730, Options{}); return f.Report, err },
		"MBG":         func() (Report, error) { f, err := MBGNBD(base, 730, Options{}); return f.Report, err },
		"Pareto":      func() (Report, error) { f, err := ParetoNBD(base, 730, Options{}); return f.Report, err },
		"Gamma–Gamma": func() (Report, error) { f, err := GammaGamma(spends, 100, Options{}); return f.Report, err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				report, err := fit()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(report.Evaluations), "evaluations/op")
				b.ReportMetric(float64(report.Customers), "customers")
			}
		})
	}
}

// BenchmarkMillionRenewals is a million rows of 16 features.
func BenchmarkMillionRenewals(b *testing.B) {
	r := rand.New(rand.NewPCG(16, 6))
	m := btyd.RenewalHazard{Intercept: -3, Tenure: 1, MeanBase: -3, Weights: make([]float64, 16), Means: make([]float64, 16)}
	for j := range m.Weights {
		m.Weights[j] = .3 * r.NormFloat64() / float64(1+j%3)
	}
	rows := logisticRows(r, m, 1_000_000)
	older, newer := rows[:750_000], rows[750_000:]
	for name, fit := range map[string]func() (evaluations int, err error){
		"L2 given":  func() (int, error) { f, err := RenewalHazard(rows, HazardOptions{L2: 10}); return f.Evaluations, err },
		"L2 chosen": func() (int, error) { f, err := RenewalHazard(rows, HazardOptions{}); return f.Evaluations, err },
		"calibrate": func() (int, error) { _, _, err := Calibrate(m, rows); return 0, err },
		"leaks":     func() (int, error) { _, err := Leaks(older, newer, HazardOptions{}); return 0, err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				evaluations, err := fit()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(evaluations), "evaluations/op")
			}
		})
	}
}
