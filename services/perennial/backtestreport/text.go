package backtestreport

import (
	"fmt"
	"math"
	"strings"

	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// Print writes the report for a terminal.
func (d *Document) Print(out *screen.Screen) {
	out.Printf("%s\n", screen.Printable(d.Layout))
	c, h := d.Calibration, d.Horizon
	out.Printf("known     %s to %s: %s customers, %s of them bought again, %s repeat transactions\n", c.From, c.To,
		screen.Count(int64(c.Customers)), screen.Count(int64(c.Repeaters)), screen.Count(c.RepeatTransactions))
	out.Printf("predicted %s to %s (%d days): %s transactions came, %s\n", h.From, h.To, h.Days, screen.Count(h.Transactions), d.money(float64(h.Money)))
	if c.Later > 0 {
		out.Printf("%s customers came later and are left out\n", screen.Count(int64(c.Later)))
	}
	out.Printf("\nPurchases per customer in the horizon\n")
	out.Table(d.table(func(m *Method) *Judgement { return m.Purchases }, true))
	out.Printf("\nMoney per customer in the horizon%s\n", d.in())
	for _, reason := range d.Spend.NotIdentified {
		out.Printf("no model says how much: %s\n", reason)
	}
	out.Table(d.table(func(m *Method) *Judgement { return m.Money }, false))
	out.Printf("\nParameters, time in %ss, with 80 %% intervals\n", d.Unit)
	for i := range d.Models {
		m := &d.Models[i]
		for _, reason := range m.NotIdentified {
			out.Printf("%-12s %s\n", m.Name, reason)
		}
		if m.Fit != nil {
			out.Printf("%-12s %s\n", m.Name, m.Fit)
		}
		for _, caution := range m.Cautions {
			out.Printf("%-12s caution: %s\n", "", caution)
		}
	}
	if d.Spend.Fit != nil {
		out.Printf("%-12s %s; correlation of how often and how much %.2f\n", d.Spend.Name, d.Spend.Fit, float64(*d.Spend.Correlation))
	}
	for _, caution := range d.Spend.Cautions {
		out.Printf("%-12s caution: %s\n", "", caution)
	}
	if d.Spend.WithoutMoney > 0 {
		out.Printf("%s customers who bought again paid nothing then; spend is fitted without them\n", screen.Count(int64(d.Spend.WithoutMoney)))
	}
	if d.Answer.Model == "" {
		out.Printf("\nno answer: %s\n", d.Answer.Reason)
		return
	}
	out.Printf("\nanswer: %s, %s\n", d.Answer.Model, d.Answer.Reason)
}

// String is ln L and the parameters.
func (f *Fit) String() string {
	var b strings.Builder
	for _, p := range f.Parameters {
		fmt.Fprintf(&b, "%s %.4g (%.4g to %.4g)  ", p.Name, float64(p.Value), float64(p.Low), float64(p.High))
	}
	fmt.Fprintf(&b, "ln L %.4f", float64(f.LogLikelihood))
	return b.String()
}

// table has the methods as rows. With probabilities it also has how good those of
// any purchase are.
func (d *Document) table(of func(*Method) *Judgement, probabilities bool) screen.Table {
	t := screen.Table{Columns: []screen.Column{
		{Title: "method"}, {Title: "bias %", Right: true}, {Title: "MAE", Right: true}, {Title: "RMSE", Right: true, Drop: 3},
		{Title: "Spearman", Right: true}, {Title: "Gini", Right: true}, {Title: "decile MAPE %", Right: true, Drop: 4},
		{Title: "top 20 % hit", Right: true, Drop: 2}, {Title: "80 % interval held (has)", Right: true, Drop: 5},
	}}
	if probabilities {
		t.Columns = append(t.Columns, screen.Column{Title: "Brier", Right: true, Drop: 6}, screen.Column{Title: "cal. error", Right: true, Drop: 7})
	}
	for _, m := range d.Methods() {
		j := of(m)
		if j == nil {
			continue
		}
		interval := m.MoneyInterval
		if probabilities {
			interval = m.PurchaseInterval
		}
		row := []string{
			m.Name, cell(j.BiasPercent, 1), cell(j.MAE, 4), cell(j.RMSE, 4), cell(&j.Spearman, 4), cell(&j.Gini, 4), cell(j.DecileMAPE, 1),
			percent(&j.TopHitRate), held(interval),
		}
		if probabilities && m.Buys != nil {
			row = append(row, cell(&m.Buys.Brier, 4), cell(&m.Buys.CalibrationError, 4))
		} else if probabilities {
			row = append(row, none, none)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Methods are models and baselines.
func (d *Document) Methods() []*Method {
	var out []*Method
	for i := range d.Models {
		out = append(out, &d.Models[i])
	}
	for i := range d.Baselines {
		out = append(out, &d.Baselines[i])
	}
	return out
}

// none stands where a method says nothing.
const none = "–"

func cell(n *Number, decimals int) string {
	if n == nil || math.IsNaN(float64(*n)) {
		return none
	}
	return fmt.Sprintf("%.*f", decimals, float64(*n))
}

func percent(n *Number) string {
	if n == nil || math.IsNaN(float64(*n)) {
		return none
	}
	return fmt.Sprintf("%.1f %%", 100*float64(*n))
}

func held(i *Interval) string {
	if i == nil {
		return none
	}
	return fmt.Sprintf("%s (%s)", percent(&i.Covered), percent(&i.Expected))
}

// money writes an amount in units of money.
func (d *Document) money(v float64) string {
	minor := v * math.Pow10(d.decimals)
	if !(math.Abs(minor) < 1<<62) {
		return none
	}
	text := screen.Money(int64(math.Round(minor)), d.decimals)
	if d.Currency != "" {
		text += " " + d.Currency
	}
	return text
}

func (d *Document) in() string {
	if d.Currency == "" {
		return ""
	}
	return ", " + d.Currency
}
