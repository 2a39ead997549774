package backtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
)

// Fitted is a model that was fitted to all of a history, to be published.
type Fitted struct {
	Purchases btyd.PurchaseModel
	// Spend is nil where how much customers pay isn't identified, for the reasons in SpendNotIdentified.
	Spend              *btyd.GammaGamma
	SpendNotIdentified []string
	// Cautions are what the history leaves open of either.
	Cautions []string
	// Until is the last day of the history.
	Until                int32
	Customers, Repeaters int64
}

// FitWhole fits the model of a name, such as a Choice has it, to all of a history.
// Where the history doesn't identify it, that is the error.
func (l *Ledger) FitWhole(name string, minorPerUnit float64) (*Fitted, error) {
	i := slices.IndexFunc(families, func(f family) bool { return f.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no model is called %q", name)
	}
	_, last, ok := l.Span()
	if !ok {
		return nil, errNoPurchase
	}
	customers, _ := l.Split(Window{Until: last})
	model, report, err := families[i].fit(baseOf(customers), last, fit.Options{})
	if err != nil {
		return nil, err
	}
	if reasons := blocked(report.Findings); len(reasons) > 0 {
		return nil, fmt.Errorf("%s on the whole history: %s", name, strings.Join(reasons, "; "))
	}
	f := &Fitted{Purchases: model, Until: last, Customers: report.Customers, Repeaters: report.Repeaters}
	spend, about := spendOf(customers, minorPerUnit)
	f.Cautions = append(cautions(report.Findings, nil), about.Cautions...)
	if f.SpendNotIdentified = about.NotIdentified; len(f.SpendNotIdentified) == 0 {
		f.Spend = &spend
	}
	return f, nil
}
