package backtestreport

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// A plot is drawn in units of its own, which the page scales to its width.
const (
	plotWidth, plotHeight   = 560, 300
	marginLeft, marginRight = 56, 12
	marginTop, marginBottom = 10, 34
	innerWidth              = plotWidth - marginLeft - marginRight
	innerHeight             = plotHeight - marginTop - marginBottom
	ticks                   = 5
	gapOfBars, widthOfBars  = .14, .36
)

// plot gathers the elements of an SVG.
type plot struct {
	strings.Builder
	maxX, maxY float64
}

// newPlot draws the frame. tick writes the value of a height.
func newPlot(label string, maxX, maxY float64, tick func(float64) string) *plot {
	if !(maxX > 0) {
		maxX = 1
	}
	if !(maxY > 0) {
		maxY = 1
	}
	p := &plot{maxX: maxX, maxY: nice(maxY)}
	fmt.Fprintf(p, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(label))
	for i := range ticks + 1 {
		v := p.maxY * float64(i) / ticks
		fmt.Fprintf(p, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`,
			marginLeft, plotWidth-marginRight, p.y(v), p.y(v), marginLeft-6, p.y(v)+4, tick(v))
	}
	return p
}

func (p *plot) x(v float64) float64 { return marginLeft + v/p.maxX*innerWidth }
func (p *plot) y(v float64) float64 { return marginTop + innerHeight - v/p.maxY*innerHeight }

// below writes under the axis; what is between others gives way on a narrow
// screen.
func (p *plot) below(x float64, text string, between bool) {
	class := "tick"
	if between {
		class = "tick between"
	}
	fmt.Fprintf(p, `<text class="%s" x="%.1f" y="%d" text-anchor="middle">%s</text>`, class, x, plotHeight-marginBottom+18, template.HTMLEscapeString(text))
}

// axis says what is along the axis.
func (p *plot) axis(text string) {
	fmt.Fprintf(p, `<text class="axis" x="%d" y="%d" text-anchor="middle">%s</text>`, marginLeft+innerWidth/2, plotHeight-5, template.HTMLEscapeString(text))
}

func (p *plot) line(class string, xs, ys []float64) {
	fmt.Fprintf(p, `<polyline class="%s" points="`, class)
	for i := range xs {
		fmt.Fprintf(p, "%.1f,%.1f ", p.x(xs[i]), p.y(ys[i]))
	}
	p.WriteString(`"/>`)
}

func (p *plot) end() template.HTML {
	p.WriteString("</svg>")
	return template.HTML(p.String()) //nolint:gosec // all text in it is escaped where it is written
}

// nice is a round number that is not below v.
func nice(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if v <= m*unit*(1+1e-12) {
			return m * unit
		}
	}
	return 10 * unit
}

// short writes a tick.
func short(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.3gk", v/1000)
	case v >= 10 || v == math.Trunc(v):
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// trackingPlot has the accumulated repeat transactions: what came, and what each
// model expected.
func (d *Document) trackingPlot() template.HTML {
	xs := make([]float64, len(d.steps))
	highest := 0.0
	for i, step := range d.steps {
		xs[i] = float64(step-d.steps[0]) / 7
		highest = max(highest, float64(d.ActualRepeats[i]))
	}
	for i := range d.Models {
		if t := d.Models[i].Tracking; t != nil {
			highest = max(highest, float64(t.Expected[len(t.Expected)-1]))
		}
	}
	p := newPlot("Repeat transactions, accumulated by week", xs[len(xs)-1], highest, short)
	cut := float64(d.until-d.steps[0]) / 7
	fmt.Fprintf(p, `<rect class="future" x="%.1f" y="%d" width="%.1f" height="%d"/>`, p.x(cut), marginTop, p.x(p.maxX)-p.x(cut), innerHeight)
	for i := range d.Models {
		if t := d.Models[i].Tracking; t != nil {
			p.line(fmt.Sprintf("model m%d", i), xs, floats(t.Expected))
		}
	}
	p.line("actual", xs, floats(d.ActualRepeats))
	for i := range 5 {
		at := i * (len(xs) - 1) / 4
		p.below(min(p.x(xs[at]), plotWidth-marginRight-36), d.WeekEnds[at], i%2 == 1)
	}
	p.axis("week; the part that was predicted is shaded")
	return p.end()
}

// calibrationPlot has the share that bought over the probability, by tenths.
func calibrationPlot(b *Probabilities) template.HTML {
	highest := 0.0
	for _, g := range b.Groups {
		highest = max(highest, float64(g.Predicted), float64(g.Actual))
	}
	p := newPlot("Share of customers who bought, over the probability that was given", highest, highest, short)
	p.maxX = p.maxY
	p.line("ideal", []float64{0, p.maxX}, []float64{0, p.maxY})
	for _, g := range b.Groups {
		fmt.Fprintf(p, `<circle class="dot" cx="%.1f" cy="%.1f" r="5"><title>given %.3f, came %.3f, %d customers</title></circle>`,
			p.x(float64(g.Predicted)), p.y(float64(g.Actual)), float64(g.Predicted), float64(g.Actual), g.Customers)
	}
	for i := range ticks + 1 {
		p.below(p.x(p.maxX*float64(i)/ticks), short(p.maxX*float64(i)/ticks), false)
	}
	p.axis("probability of any purchase, by tenths of customers")
	return p.end()
}

// barsPlot sets predictions beside what came.
func barsPlot(label, axis string, names []string, predicted, actual []float64, tick func(float64) string) template.HTML {
	highest := 0.0
	for i := range predicted {
		highest = max(highest, predicted[i], actual[i])
	}
	p := newPlot(label, float64(len(predicted)), highest, tick)
	for i := range predicted {
		for _, bar := range []struct {
			class string
			at, v float64
		}{{"bar predicted", gapOfBars, predicted[i]}, {"bar came", gapOfBars + widthOfBars, actual[i]}} {
			fmt.Fprintf(p, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %s</title></rect>`,
				bar.class, p.x(float64(i)+bar.at), p.y(bar.v), widthOfBars/p.maxX*innerWidth, p.y(0)-p.y(bar.v), names[i], tick(bar.v))
		}
		p.below(p.x(float64(i)+.5), names[i], false)
	}
	p.axis(axis)
	return p.end()
}

func floats(in []Number) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}
