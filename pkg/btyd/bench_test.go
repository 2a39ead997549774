package btyd

import (
	"fmt"
	"testing"
)

// benchmarkModels are fitted to CDNOW.
var benchmarkModels = []PurchaseModel{
	BGNBD{.242594, 4.4136, .792922, 2.425906}, MBGNBD{.524843, 6.18309, .891359, 1.614001}, ParetoNBD{.553277, 10.57768, .606240, 11.66874},
}

func benchmarkTable(b *testing.B, model PurchaseModel) *Table {
	b.Helper()
	table, err := NewTable(model, GammaGamma{6.24935, 3.74426, 15.44431}, Terms{365, 90, WeeklyDiscount(.1)})
	if err != nil {
		b.Fatal(err)
	}
	return table
}

// eachModel runs a benchmark for each, with a table where it wants one.
func eachModel(b *testing.B, one func(b *testing.B, model PurchaseModel)) {
	b.Helper()
	for _, model := range benchmarkModels {
		b.Run(fmt.Sprintf("%T", model), func(b *testing.B) { one(b, model) })
	}
}

func BenchmarkNewTable(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		for b.Loop() {
			benchmarkTable(b, model)
		}
	})
}

func BenchmarkPAlive(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		table := benchmarkTable(b, model)
		i := 0
		for b.Loop() {
			i++
			table.PAlive(i%64, 100+i%50, 200+i%500)
		}
	})
}

// BenchmarkPAliveDirect is without a table.
func BenchmarkPAliveDirect(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		i := 0
		for b.Loop() {
			i++
			model.PAlive(i%64, float64(100+i%50)/7, float64(200+i%500)/7)
		}
	})
}

// BenchmarkScore scores customers within the table, BenchmarkScoreBeyond those it must compute.
func BenchmarkScore(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		table := benchmarkTable(b, model)
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			table.Score(i%64, 100+i%50, 200+i%500, 30)
		}
	})
}

func BenchmarkScoreBeyond(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		table := benchmarkTable(b, model)
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			table.Score(65+i%200, 190+i%10, 200+i%500, 30)
		}
	})
}

func BenchmarkNextCrossing(b *testing.B) {
	eachModel(b, func(b *testing.B, model PurchaseModel) {
		table := benchmarkTable(b, model)
		thresholds := []int{250_000, 500_000, 750_000}
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			table.NextCrossing(i%20, 100+i%50, 160+i%100, 3650, thresholds)
		}
	})
}
