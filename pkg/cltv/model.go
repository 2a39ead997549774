package cltv

import (
	"errors"
	"fmt"
	"sync"

	"github.com/perennial-cltv/perennial/pkg/btyd"
)

// Tables holds what is expensive to prepare from model parameters, so that the tasks of a process prepare it once. It is
// safe for concurrent use; a nil *Tables prepares anew each time.
type Tables struct {
	// Formulas compiles the formula of a custom method; its error points at the place. nil: such a policy is refused.
	Formulas func(text string) (Formula, error)

	mu    sync.Mutex
	known map[tableKey]*prepared
}

// tableKey is all that a prepared model depends on.
type tableKey struct {
	model btyd.PurchaseModel
	spend btyd.GammaGamma
	terms btyd.Terms
	bands [len(defaultBandPPM)]int32
}

// prepared is a model made ready.
type prepared struct {
	*btyd.Table
	crossings crossings
}

func prepare(key tableKey) (*prepared, error) {
	table, err := btyd.NewTable(key.model, key.spend, key.terms)
	if err != nil {
		return nil, err
	}
	p := &prepared{Table: table}
	for i, ppm := range key.bands {
		p.crossings.lines[i] = int(ppm)
	}
	return p, nil
}

// maxTables bounds the cache; a table takes about half a megabyte. Past it everything is forgotten: tables in use live on
// in the Params that hold them.
const maxTables = 64

// get returns the table for a key, preparing it where it isn't known. Others wait meanwhile: they mostly want the same.
func (c *Tables) get(key tableKey) (*prepared, error) {
	if c == nil {
		return prepare(key)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[key]; known != nil {
		return known, nil
	}
	fresh, err := prepare(key)
	if err != nil {
		return nil, err
	}
	if c.known == nil || len(c.known) >= maxTables {
		c.known = make(map[tableKey]*prepared)
	}
	c.known[key] = fresh
	return fresh, nil
}

// scopedModel is a model ready for scoring.
type scopedModel struct {
	model  *Model
	method Method
	*prepared
	// hasSpend says that the model foretells spend; without it a customer's own mean is taken.
	hasSpend bool
}

// steadySpend stands in for a spend model that isn't given: every purchase is of one unit (pγ = q−1) and hardly varies,
// so that a table made with it speaks of numbers of purchases.
var steadySpend = btyd.GammaGamma{P: 1e4, Q: 1e4, Gamma: .9999}

// purchases is the model of when customers buy, and the method that it makes.
func (m *Model) purchases() (btyd.PurchaseModel, Method, *Refusal) {
	var model btyd.PurchaseModel
	method, given := MethodNone, 0
	if m.BGNBD != (btyd.BGNBD{}) {
		model, method, given = m.BGNBD, MethodBGNBDGammaGamma, given+1
	}
	if m.MBGNBD != (btyd.MBGNBD{}) {
		model, method, given = m.MBGNBD, MethodMBGNBDGammaGamma, given+1
	}
	if m.ParetoNBD != (btyd.ParetoNBD{}) {
		model, method, given = m.ParetoNBD, MethodParetoNBDGammaGamma, given+1
	}
	switch given {
	case 0:
		return nil, MethodNone, &Refusal{CodeMissing, "bg_nbd", "no process: one of bg_nbd, mbg_nbd, pareto_nbd, s_bg and bd_w must be given"}
	case 1:
		return model, method, nil
	}
	return nil, MethodNone, &Refusal{CodeOutOfRange, "bg_nbd", "only one of bg_nbd, mbg_nbd, pareto_nbd, s_bg and bd_w may be given"}
}

// spend is the model of how much they spend; false where none is given.
func (m *Model) spend() (btyd.GammaGamma, bool) {
	spend := btyd.GammaGamma{P: m.P, Q: m.Q, Gamma: m.Gamma}
	return spend, spend != btyd.GammaGamma{}
}

func compileModel(m *Model, p *Policy, tables *Tables) (*scopedModel, *Refusal) {
	purchases, method, refusal := m.purchases()
	if refusal != nil {
		return nil, refusal
	}
	key := tableKey{
		model: purchases,
		terms: btyd.Terms{
			HorizonDays:     int(p.HorizonDays),
			ChurnDays:       int(p.ChurnHorizonDays),
			DiscountPerWeek: btyd.WeeklyDiscount(float64(p.DiscountPPM) / million),
		},
	}
	copy(key.bands[:], p.BandPPM)
	spend, hasSpend := m.spend()
	if key.spend = spend; !hasSpend {
		key.spend = steadySpend
	}
	ready, err := tables.get(key)
	if err != nil {
		return nil, modelRefusal(err)
	}
	return &scopedModel{model: m, method: method, prepared: ready, hasSpend: hasSpend}, nil
}

func modelRefusal(err error) *Refusal {
	if e, ok := errors.AsType[*btyd.ParameterError](err); ok {
		return &Refusal{CodeOutOfRange, e.Model + "." + e.Field, fmt.Sprintf("%v, want %s", e.Value, e.Want)}
	}
	return &Refusal{CodeOutOfRange, "model", err.Error()}
}
