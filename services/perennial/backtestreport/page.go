package backtestreport

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"count":   screen.Count,
	"cell":    cell,
	"percent": percent,
	"held":    held,
	"value":   func(n Number) string { return fmt.Sprintf("%.4g", float64(n)) },
	"ref":     func(n Number) *Number { return &n },
	"int64":   func(n int) int64 { return int64(n) },
}).Parse(pageText))

// view is the document with what the page draws of it.
type view struct {
	*Document
	Best      *Method
	Came      string // money in the horizon
	Predicted string // money that the answer predicted

	TrackingPlot, CalibrationPlot, DecilePlot, MoneyPlot, NumberPlot template.HTML
}

// WritePage writes the report as a page that needs nothing else: no script, no
// font, no other file.
func (d *Document) WritePage(w io.Writer) error {
	v := view{Document: d, Best: d.Chosen(), Came: d.money(float64(d.Horizon.Money))}
	if best := v.Best; best != nil {
		v.TrackingPlot, v.CalibrationPlot = d.trackingPlot(), calibrationPlot(best.Buys)
		v.DecilePlot = deciles("Purchases per customer by tenths of the prediction", best.Purchases)
		if best.Money != nil {
			v.MoneyPlot = deciles("Money per customer by tenths of the prediction", best.Money)
			v.Predicted = d.money(float64(*best.Money.Predicted))
		}
		names := make([]string, len(d.Distribution))
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		names[len(names)-1] += "+"
		v.NumberPlot = barsPlot("Customers by number of purchases", "purchases in the horizon; customers on a scale of square roots",
			names, roots(best.Distribution), roots(d.Distribution), func(root float64) string { return short(math.Round(root * root)) })
	}
	return page.Execute(w, v)
}

func deciles(label string, j *Judgement) template.HTML {
	var names []string
	var predicted, actual []float64
	for i, g := range j.Deciles {
		names = append(names, fmt.Sprint(i+1))
		predicted, actual = append(predicted, float64(g.Predicted)), append(actual, float64(g.Actual))
	}
	return barsPlot(label, "tenths of customers, highest prediction first", names, predicted, actual, short)
}

// roots draws counts that differ by powers of ten so that all can be seen.
func roots(in []Number) []float64 {
	out := floats(in)
	for i, v := range out {
		out[i] = math.Sqrt(v)
	}
	return out
}
