package backtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/btyd"
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
	return l.fitUntil(&families[i], last, minorPerUnit, nil)
}

// fitUntil fits a family to what is known at the end of a day.
func (l *Ledger) fitUntil(f *family, until int32, minorPerUnit float64, parent *Parent) (*Fitted, error) {
	customers, _ := l.Split(Window{Until: until})
	model, report, err := f.fit(baseOf(customers), until, parent.options())
	if err != nil {
		return nil, err
	}
	if reasons := parent.blocked(report.Findings); len(reasons) > 0 {
		return nil, fmt.Errorf("%s on the whole history: %s", f.name, strings.Join(reasons, "; "))
	}
	fitted := &Fitted{Purchases: model, Until: until, Customers: report.Customers, Repeaters: report.Repeaters}
	spend, about := parent.spendOf(customers, minorPerUnit)
	fitted.Cautions = append(cautions(report.Findings, nil), about.Cautions...)
	if fitted.SpendNotIdentified = about.NotIdentified; len(fitted.SpendNotIdentified) == 0 {
		fitted.Spend = &spend
	}
	return fitted, nil
}
