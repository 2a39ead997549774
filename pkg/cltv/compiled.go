package cltv

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Params are the parameters of one tenant, ready for scoring. They are immutable, and safe for concurrent use. A nil
// *Params stands for no parameter at all: the default policy, and no model.
type Params struct {
	// models of purchases, and contracts those of renewals, by scope; the tenant's own has the empty scope.
	models     map[string]*scopedModel
	contracts  map[string]*contractModel
	thresholds *Thresholds
	unitCosts  *UnitCosts
	// published is the policy as it came, nil where none did; policy has its defaults filled in.
	published *Policy
	policy    Policy
	perMajor  float64
	// valuations by segment, ready for scoring.
	valuations map[string]*valuation
}

// defaults are the parameters where none came.
var defaults = newDefaults()

func newDefaults() *Params {
	p := &Params{}
	p.setPolicy(Policy{})
	return p
}

// orDefaults makes a nil *Params usable.
func (p *Params) orDefaults() *Params {
	if p == nil {
		return defaults
	}
	return p
}

// Policy returns the policy in force with its defaults filled in. Its slices must not be changed.
func (p *Params) Policy() Policy { return p.orDefaults().policy }

// PublishedPolicy returns the policy as published, nil where none was. It must not be changed.
func (p *Params) PublishedPolicy() *Policy { return p.orDefaults().published }

// Thresholds returns the thresholds in force, nil where none are. They must not be changed.
func (p *Params) Thresholds() *Thresholds { return p.orDefaults().thresholds }

// UnitCosts returns the unit costs in force, nil where none are. They must not be changed.
func (p *Params) UnitCosts() *UnitCosts { return p.orDefaults().unitCosts }

// Models returns the models in force, those of purchases before those of contracts, each in the order of their scopes.
// They must not be changed.
func (p *Params) Models() []*Model {
	p = p.orDefaults()
	list := make([]*Model, 0, len(p.models)+len(p.contracts))
	for _, scope := range slices.Sorted(maps.Keys(p.models)) {
		list = append(list, p.models[scope].model)
	}
	for _, scope := range slices.Sorted(maps.Keys(p.contracts)) {
		list = append(list, p.contracts[scope].model)
	}
	return list
}

// maxScopes bounds how many models of a kind a tenant can have in force.
const maxScopes = 256

// With takes in a parameter record: ModelPublished, ThresholdsSet, UnitCostsSet or PolicySet. The highest number counts,
// by scope and apart for purchases and contracts where it is of models; of equal numbers the one later in a fixed order of contents. It returns the new parameters and
// whether they differ; p stays as it was. Nothing of ev is kept. The error is a *Refusal: the record belongs into the
// dead-letter topic. tables may be nil.
func (p *Params) With(ev *Event, tables *Tables) (*Params, bool, error) {
	next := *p.orDefaults()
	var changed bool
	var refusal *Refusal
	switch ev.Kind {
	case KindModelPublished:
		changed, refusal = next.withModel(ev.Model)
	case KindThresholdsSet:
		changed, refusal = next.withThresholds(ev.Thresholds)
	case KindUnitCostsSet:
		changed, refusal = next.withUnitCosts(ev.UnitCosts)
	case KindPolicySet:
		changed, refusal = next.withPolicy(ev.Policy)
	default:
		refusal = &Refusal{CodeMisrouted, "fact", fmt.Sprintf("%s carries no parameter", kindText(ev.Kind))}
	}
	if refusal != nil {
		return p, false, refusal
	}
	if !changed {
		return p, false, nil
	}
	if ev.Kind == KindModelPublished || ev.Kind == KindPolicySet {
		if refusal := next.compile(tables); refusal != nil {
			return p, false, refusal
		}
	}
	return &next, true, nil
}

// newer says whether the second of two numbered contents counts, order being the order of their contents.
func newer(oldNumber, newNumber int64, order int) bool {
	return newNumber > oldNumber || newNumber == oldNumber && order < 0
}

var errNoParameters = Refusal{CodeMissing, "fact", "the record carries no parameters"}

func (p *Params) withModel(m *Model) (bool, *Refusal) {
	if m == nil {
		return false, &errNoParameters
	}
	if r := m.check(); r != nil {
		return false, r
	}
	if m.OfContracts() {
		old := p.contracts[m.Scope]
		if old != nil && !newer(old.model.Number, m.Number, compareModels(old.model, m)) {
			return false, nil
		}
		return put(&p.contracts, m.Scope, &contractModel{model: m.clone()})
	}
	old := p.models[m.Scope]
	if old != nil && !newer(old.model.Number, m.Number, compareModels(old.model, m)) {
		return false, nil
	}
	return put(&p.models, m.Scope, &scopedModel{model: m.clone()})
}

// put puts a model into a copy of a table.
func put[T any](table *map[string]T, scope string, model T) (bool, *Refusal) {
	if _, known := (*table)[scope]; !known && len(*table) >= maxScopes {
		return false, &Refusal{CodeOutOfRange, "scope", fmt.Sprintf("more than %d scopes", maxScopes)}
	}
	next := make(map[string]T, len(*table)+1)
	maps.Copy(next, *table)
	next[strings.Clone(scope)] = model
	*table = next
	return true, nil
}

func (p *Params) withThresholds(t *Thresholds) (bool, *Refusal) {
	if t == nil {
		return false, &errNoParameters
	}
	if r := t.check(); r != nil {
		return false, r
	}
	if old := p.thresholds; old != nil && !newer(old.Number, t.Number, slices.CompareFunc(old.Tiers, t.Tiers, compareTiers)) {
		return false, nil
	}
	kept := &Thresholds{Number: t.Number, Tiers: slices.Clone(t.Tiers)}
	for i := range kept.Tiers {
		kept.Tiers[i].Name = strings.Clone(kept.Tiers[i].Name)
	}
	p.thresholds = kept
	return true, nil
}

func (p *Params) withUnitCosts(u *UnitCosts) (bool, *Refusal) {
	if u == nil {
		return false, &errNoParameters
	}
	if r := u.check(); r != nil {
		return false, r
	}
	if old := p.unitCosts; old != nil && !newer(old.Number, u.Number, compareUnitCosts(old, u)) {
		return false, nil
	}
	p.unitCosts = &UnitCosts{
		Number: u.Number, DefaultMinor: u.DefaultMinor,
		ByCampaign: cloneTable(u.ByCampaign), ByLeadSource: cloneTable(u.ByLeadSource),
	}
	return true, nil
}

func (p *Params) withPolicy(policy *Policy) (bool, *Refusal) {
	if policy == nil {
		return false, &errNoParameters
	}
	if r := policy.check(); r != nil {
		return false, r
	}
	if old := p.published; old != nil && !newer(old.Number, policy.Number, comparePolicies(old, policy)) {
		return false, nil
	}
	kept := *policy
	kept.Currency, kept.TimeZone = strings.Clone(policy.Currency), strings.Clone(policy.TimeZone)
	kept.ZoneOffsets, kept.BandPPM = slices.Clone(policy.ZoneOffsets), slices.Clone(policy.BandPPM)
	kept.MarginByProduct = cloneTable(policy.MarginByProduct)
	kept.Valuations = slices.Clone(policy.Valuations)
	for i := range kept.Valuations {
		kept.Valuations[i] = policy.Valuations[i].clone()
	}
	p.published = &kept
	p.setPolicy(kept)
	return true, nil
}

// setPolicy puts a policy into force.
func (p *Params) setPolicy(published Policy) {
	p.policy = published.WithDefaults()
	p.perMajor = minorPerMajor(p.policy.Currency)
}

// compile prepares every model and every method for the horizon, the discount and the currency of the policy.
func (p *Params) compile(tables *Tables) *Refusal {
	models := make(map[string]*scopedModel, len(p.models))
	for scope, m := range p.models {
		compiled, r := compileModel(m.model, &p.policy, tables)
		if r != nil {
			return r
		}
		models[scope] = compiled
	}
	p.models = models
	contracts := make(map[string]*contractModel, len(p.contracts))
	for scope, m := range p.contracts {
		contracts[scope] = compileContracts(m.model)
	}
	p.contracts = contracts
	valuations, r := compileValuations(&p.policy, tables)
	p.valuations = valuations
	return r
}

// modelFor chooses the model of a segment, else that of the tenant; nil where there is neither.
func (p *Params) modelFor(segment string) *scopedModel {
	if segment != "" && len(p.models) > 0 {
		if m := p.models[segment]; m != nil {
			return m
		}
	}
	return p.models[""]
}

// contractsFor chooses the model of contracts in the same way.
func (p *Params) contractsFor(segment string) *contractModel {
	if segment != "" && len(p.contracts) > 0 {
		if m := p.contracts[segment]; m != nil {
			return m
		}
	}
	return p.contracts[""]
}

// valuationFor chooses the method of valuing; nil: predictive.
func (p *Params) valuationFor(segment string) *valuation {
	if segment != "" && len(p.valuations) > 0 {
		if v := p.valuations[segment]; v != nil {
			return v
		}
	}
	return p.valuations[""]
}

// tierOf counts the thresholds that a value reaches and names the tier.
func (p *Params) tierOf(cltvMinor int64) (int32, string) {
	if p.thresholds == nil || len(p.thresholds.Tiers) == 0 {
		return 0, ""
	}
	tier, name := int32(0), LowestTier
	for _, t := range p.thresholds.Tiers {
		if cltvMinor < t.FromMinor {
			break
		}
		tier++
		name = t.Name
	}
	return tier, name
}

// LowestTier is the name of the tier below the first threshold.
const LowestTier = "base"

// unitCost is what it cost to win a customer through a touch.
func (p *Params) unitCost(t *Touch) int64 {
	u := p.unitCosts
	if u == nil {
		return 0
	}
	if cost, ok := u.ByCampaign[t.Campaign]; ok && t.Campaign != "" {
		return cost
	}
	if cost, ok := u.ByLeadSource[t.LeadSource]; ok && t.LeadSource != "" {
		return cost
	}
	return u.DefaultMinor
}

func (m *Model) check() *Refusal {
	if m.Number < 0 {
		return outOfRange("number", m.Number, 0, math.MaxInt64)
	}
	for _, f := range []struct{ field, text string }{{"model_id", m.ModelID}, {"scope", m.Scope}} {
		if r := checkText(f.field, f.text, 100); r != nil {
			return r
		}
	}
	if r := checkText("reason", m.Reason, 1000); r != nil {
		return r
	}
	if r := m.checkContracts(); r != nil || m.OfContracts() {
		return r
	}
	purchases, _, refusal := m.purchases()
	if refusal != nil {
		return refusal
	}
	if err := purchases.Validate(); err != nil {
		return modelRefusal(err)
	}
	if spend, given := m.spend(); given {
		if err := spend.Validate(); err != nil {
			return modelRefusal(err)
		}
	}
	return nil
}

func (t *Thresholds) check() *Refusal {
	if t.Number < 0 {
		return outOfRange("number", t.Number, 0, math.MaxInt64)
	}
	if len(t.Tiers) > 9 {
		return &Refusal{CodeOutOfRange, "tiers", fmt.Sprintf("%d tiers, at most 9", len(t.Tiers))}
	}
	for i, tier := range t.Tiers {
		if r := checkText("tiers.name", tier.Name, 100); r != nil {
			return r
		}
		if tier.FromMinor > maxTotalMinor || tier.FromMinor < -maxTotalMinor {
			return outOfRange("tiers.from_minor", tier.FromMinor, -maxTotalMinor, maxTotalMinor)
		}
		if i > 0 && tier.FromMinor <= t.Tiers[i-1].FromMinor {
			return &Refusal{CodeOutOfRange, "tiers.from_minor", fmt.Sprintf("%d doesn't rise", tier.FromMinor)}
		}
	}
	return nil
}

// maxUnitCosts bounds a table of unit costs.
const maxUnitCosts = 10_000

func (u *UnitCosts) check() *Refusal {
	if u.Number < 0 {
		return outOfRange("number", u.Number, 0, math.MaxInt64)
	}
	if u.DefaultMinor < 0 || u.DefaultMinor > MaxAmountMinor {
		return outOfRange("default_minor", u.DefaultMinor, 0, MaxAmountMinor)
	}
	for _, f := range []struct {
		field string
		costs map[string]int64
	}{{"by_campaign", u.ByCampaign}, {"by_lead_source", u.ByLeadSource}} {
		if len(f.costs) > maxUnitCosts {
			return &Refusal{CodeOutOfRange, f.field, fmt.Sprintf("%d entries, at most %d", len(f.costs), maxUnitCosts)}
		}
		for _, id := range slices.Sorted(maps.Keys(f.costs)) {
			if r := checkText(f.field, id, 100); r != nil {
				return r
			}
			if cost := f.costs[id]; cost < 0 || cost > MaxAmountMinor {
				return outOfRange(f.field, cost, 0, MaxAmountMinor)
			}
		}
	}
	return nil
}

// cloneTable copies a table whose keys a decoder may reuse.
func cloneTable[T any](table map[string]T) map[string]T {
	kept := make(map[string]T, len(table))
	for id, value := range table {
		kept[strings.Clone(id)] = value
	}
	return kept
}

// compareModels is the fixed order in which one of two models of the same number counts.
func compareModels(a, b *Model) int {
	return cmp.Or(
		cmp.Compare(a.TrainedTo, b.TrainedTo),
		strings.Compare(a.ModelID, b.ModelID),
		slices.Compare(a.process(), b.process()),
		cmp.Compare(a.P, b.P), cmp.Compare(a.Q, b.Q), cmp.Compare(a.Gamma, b.Gamma),
		cmp.Compare(a.Customers, b.Customers), cmp.Compare(a.Repeaters, b.Repeaters),
		strings.Compare(a.Reason, b.Reason),
		compareHazards(a.Leaving, b.Leaving), compareHazards(a.Involuntary, b.Involuntary),
		slices.Compare(a.ReturnPPM, b.ReturnPPM),
	)
}

// process lists the parameters of all processes.
func (m *Model) process() []float64 {
	b, g, p, s, w := &m.BGNBD, &m.MBGNBD, &m.ParetoNBD, &m.SBG, &m.BdW
	return []float64{b.R, b.Alpha, b.A, b.B, g.R, g.Alpha, g.A, g.B, p.R, p.Alpha, p.S, p.Beta,
		s.Alpha, s.Beta, w.Alpha, w.Beta, w.C}
}

// clone copies what a decoder may reuse.
func (m *Model) clone() *Model {
	kept := *m
	kept.ModelID, kept.Scope, kept.Reason = strings.Clone(m.ModelID), strings.Clone(m.Scope), strings.Clone(m.Reason)
	kept.ReturnPPM = slices.Clone(m.ReturnPPM)
	kept.Leaving, kept.Involuntary = m.Leaving.clone(), m.Involuntary.clone()
	return &kept
}

func compareTiers(a, b Tier) int {
	return cmp.Or(cmp.Compare(a.FromMinor, b.FromMinor), strings.Compare(a.Name, b.Name))
}

func compareUnitCosts(a, b *UnitCosts) int {
	return cmp.Or(
		cmp.Compare(a.DefaultMinor, b.DefaultMinor),
		compareTables(a.ByCampaign, b.ByCampaign),
		compareTables(a.ByLeadSource, b.ByLeadSource),
	)
}

// compareTables orders two tables by their entries in the order of ids.
func compareTables[T cmp.Ordered](a, b map[string]T) int {
	idsA, idsB := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))
	if c := slices.Compare(idsA, idsB); c != 0 {
		return c
	}
	for _, id := range idsA {
		if c := cmp.Compare(a[id], b[id]); c != 0 {
			return c
		}
	}
	return 0
}
