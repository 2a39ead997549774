package backtest

import (
	"slices"

	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
)

// What a population needs to be shrunk to its parent. With less the parent's model
// is as good as its own.
const (
	LeastShrunkCustomers = 100
	LeastShrunkRepeaters = 20
)

// ShrinkSigma is how far a part is let from its parent: the standard deviation of
// the prior on the logarithms of the parameters. Four of five parts then lie within
// a factor of 1.9.
const ShrinkSigma = .5

// Parent is the model of the whole of which a population is a part. A part too
// small to be fitted on its own is fitted with the parent's parameters as the
// centre of the prior, so that it leaves them only as far as its own history
// asks for. Nil: there is none.
type Parent struct {
	Purchases btyd.PurchaseModel
	// Spend is nil where the parent foretells none.
	Spend *btyd.GammaGamma
}

// ParentUntil fits the family of a model to what was known of all customers at the
// end of a day, as a parent of parts of them.
func (l *Ledger) ParentUntil(like btyd.PurchaseModel, until int32, minorPerUnit float64) (*Parent, error) {
	one := (&Parent{Purchases: like}).families()
	fitted, err := l.fitUntil(&one[0], until, minorPerUnit, nil)
	if err != nil {
		return nil, err
	}
	return &Parent{Purchases: fitted.Purchases, Spend: fitted.Spend}, nil
}

// applies says whether a population is to be shrunk: it is too small for a fit of
// its own, and not for this.
func (p *Parent) applies(customers []Customer) bool {
	if p == nil {
		return false
	}
	repeaters := 0
	for i := range customers {
		if customers[i].History.X > 0 {
			repeaters++
		}
	}
	return (len(customers) < fit.LeastCustomers || repeaters < fit.LeastRepeaters) &&
		len(customers) >= LeastShrunkCustomers && repeaters >= LeastShrunkRepeaters
}

// families are those that may be fitted: all, or the parent's.
func (p *Parent) families() []family {
	if p == nil {
		return families
	}
	return slices.DeleteFunc(slices.Clone(families), func(f family) bool { return !f.has(p.Purchases) })
}

// options centre the prior on the parent.
func (p *Parent) options() fit.Options {
	if p == nil {
		return fit.Options{}
	}
	var centre []float64
	switch m := p.Purchases.(type) {
	case btyd.BGNBD:
		centre = []float64{m.R, m.Alpha, m.A, m.B}
	case btyd.MBGNBD:
		centre = []float64{m.R, m.Alpha, m.A, m.B}
	case btyd.ParetoNBD:
		centre = []float64{m.R, m.Alpha, m.S, m.Beta}
	}
	return fit.Options{Prior: &fit.Prior{Centre: centre, Sigma: ShrinkSigma}}
}

// blocked are the reasons not to use a fit. With a parent size is none, nor that
// dropout isn't seen: the parent's is taken.
func (p *Parent) blocked(findings []fit.Finding) []string {
	if p == nil {
		return blocked(findings)
	}
	return blocked(slices.DeleteFunc(slices.Clone(findings), func(f fit.Finding) bool {
		return f.Kind == fit.FewCustomers || f.Kind == fit.FewRepeaters || f.Kind == fit.NoDropout
	}))
}

// spendOf fits the spend of the repeaters.
func (p *Parent) spendOf(customers []Customer, minorPerUnit float64) (btyd.GammaGamma, Spend) {
	if p == nil || p.Spend == nil {
		return spendOf(customers, minorPerUnit, fit.Options{}, fit.LeastRepeaters)
	}
	prior := &fit.Prior{Centre: []float64{p.Spend.P, p.Spend.Q, p.Spend.Gamma}, Sigma: ShrinkSigma}
	return spendOf(customers, minorPerUnit, fit.Options{Prior: prior}, LeastShrunkRepeaters)
}
