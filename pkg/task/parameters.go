package task

import (
	"fmt"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// tenant is what a task knows of a tenant besides its customers: a function of
// the input before the position, as everything else.
type tenant struct {
	name string
	// clock is the greatest ClockAdvanced so far, Unix seconds.
	clock int64
	// params are in force; nil: defaults.
	params *cltv.Params
	sums   [cltv.NumDimensions]map[string]*sum
	// latest is the sum that was asked for last: in most dimensions customers have
	// few ids.
	latest [cltv.NumDimensions]*sum
}

// tenantOf finds or begins a tenant. The name may alias a record.
func (m *Machine) tenantOf(name string) *tenant {
	if m.lastTenant != nil && m.lastTenant.name == name {
		return m.lastTenant
	}
	t := m.tenants[name]
	if t == nil {
		t = &tenant{name: strings.Clone(name)}
		m.tenants[t.name] = t
	}
	m.lastTenant = t
	return t
}

// advanceClock takes in a ClockAdvanced. The greatest counts, so that repeated
// and belated ones change nothing.
func (m *Machine) advanceClock(r *Record, ev *cltv.Event) {
	if refusal := cltv.CheckClock(ev); refusal != nil {
		m.deadLetter(r, refusal.Code, refusal.Error())
		return
	}
	t := m.tenantOf(ev.Tenant)
	to := ev.Until / 1000
	if to <= t.clock && m.holds(RuleClockGreatest) {
		m.batch.report.Unchanged++
		return
	}
	t.clock = to
	m.batch.clocks[t.name] = t
	m.batch.report.Applied++
}

// takeParameters takes in a parameter record.
func (m *Machine) takeParameters(r *Record, ev *cltv.Event) {
	t := m.tenantOf(ev.Tenant)
	changed, err := t.take(ev, m.config.Tables)
	switch {
	case err != nil:
		m.deadLetter(r, "parameters", err.Error())
	case changed:
		m.batch.params[t.name] = t
		m.batch.report.Applied++
	default:
		m.batch.report.Unchanged++
	}
}

// take brings a parameter record into force if its number is the highest.
func (t *tenant) take(ev *cltv.Event, tables *cltv.Tables) (changed bool, err error) {
	p, changed, err := t.params.With(ev, tables)
	if err == nil && changed {
		t.params = p
	}
	return changed, err
}

// parameters is what is stored of the tenant; the clock is kept elsewhere.
func (t *tenant) parameters() wire.TenantParameters {
	return wire.TenantParameters{
		Tenant:     t.name,
		Models:     t.params.Models(),
		Thresholds: t.params.Thresholds(),
		UnitCosts:  t.params.UnitCosts(),
		Policy:     t.params.PublishedPolicy(),
	}
}

// parameterRecords gives parameters as the events that bring them into force.
// The policy comes first, because models are tabulated for its horizon.
func parameterRecords(p *wire.TenantParameters, each func(ev *cltv.Event)) {
	event := cltv.Event{Tenant: p.Tenant, Source: sourceName}
	if p.Policy != nil {
		ev := event
		ev.Kind, ev.Policy = cltv.KindPolicySet, p.Policy
		each(&ev)
	}
	for _, model := range p.Models {
		ev := event
		ev.Kind, ev.Model = cltv.KindModelPublished, model
		each(&ev)
	}
	if p.Thresholds != nil {
		ev := event
		ev.Kind, ev.Thresholds = cltv.KindThresholdsSet, p.Thresholds
		each(&ev)
	}
	if p.UnitCosts != nil {
		ev := event
		ev.Kind, ev.UnitCosts = cltv.KindUnitCostsSet, p.UnitCosts
		each(&ev)
	}
}

// restore brings stored parameters into force.
func (t *tenant) restore(p *wire.TenantParameters, tables *cltv.Tables) (err error) {
	parameterRecords(p, func(ev *cltv.Event) {
		if _, e := t.take(ev, tables); e != nil && err == nil {
			err = fmt.Errorf("parameters of tenant %s: %w", t.name, e)
		}
	})
	return err
}

// live tells whether the tenant's clock follows the minute.
func (t *tenant) live() bool { return t.params.Policy().ClockMode != cltv.ClockPlayback }

// clocksOf takes the clocks that OPEN found.
func (m *Machine) clocksOf(clocks map[string]int64) {
	for name, unix := range clocks {
		m.tenantOf(name).clock = unix
	}
}

// dimensions are those of the sums by name.
var dimensions = func() map[string]cltv.Dimension {
	byName := make(map[string]cltv.Dimension, cltv.NumDimensions)
	for d := range cltv.NumDimensions {
		byName[d.String()] = d
	}
	return byName
}()

// contentsOf takes what Redis holds of the task beside the states.
func (m *Machine) contentsOf(c *Contents) error {
	for name, encoded := range c.Parameters {
		var p wire.TenantParameters
		if err := wire.DecodeTenantParameters(encoded, &p); err != nil {
			return fmt.Errorf("parameters of tenant %s: %w", name, err)
		}
		if err := m.tenantOf(name).restore(&p, m.config.Tables); err != nil {
			return err
		}
	}
	for i := range c.Sums {
		w := &c.Sums[i]
		dimension, ok := dimensions[w.Dimension]
		if !ok {
			return fmt.Errorf("sums of tenant %s: unknown dimension %q", w.Tenant, w.Dimension)
		}
		s := m.tenantOf(w.Tenant).sumOf(dimension, w.ID)
		if err := s.total.Decode(w.Value); err != nil {
			return fmt.Errorf("sums of tenant %s, %s %q: %w", w.Tenant, w.Dimension, w.ID, err)
		}
	}
	for _, b := range c.Due {
		m.buckets[b] = struct{}{}
	}
	return nil
}

// splitKey parts the key of a state.
func splitKey(key string) (tenant, customer string, ok bool) {
	tenant, customer, ok = strings.Cut(key, "/")
	return tenant, customer, ok && tenant != "" && customer != ""
}
