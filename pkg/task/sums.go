package task

import (
	"fmt"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// sum is one vector of partial sums: of the contributions of all states of the
// task that belong to an id of a dimension.
type sum struct {
	tenant    *tenant
	dimension cltv.Dimension
	id        string
	total     cltv.Sums
	// start is the total before the batch that touched it.
	start   cltv.Sums
	touched bool
}

// sumOf finds or begins a sum. The id may alias a state.
func (t *tenant) sumOf(d cltv.Dimension, id string) *sum {
	if s := t.latest[d]; s != nil && s.id == id {
		return s
	}
	if s := t.sums[d][id]; s != nil {
		t.latest[d] = s
		return s
	}
	if t.sums[d] == nil {
		t.sums[d] = make(map[string]*sum)
	}
	s := &sum{tenant: t, dimension: d, id: strings.Clone(id)}
	t.sums[d][s.id] = s
	return s
}

// account changes the tenant's sums by the difference of two contributions of one
// state.
func (m *Machine) account(t *tenant, before, after *cltv.Contribution) {
	if !m.holds(RuleSumsByDifference) {
		before = &cltv.Contribution{}
	}
	m.accounting = t
	cltv.Difference(before, after, m.addToSum)
}

// addTo adds to one sum of the tenant that is being accounted.
func (m *Machine) addTo(d cltv.Dimension, id string, v *cltv.Sums) {
	s := m.accounting.sumOf(d, id)
	if !s.touched {
		s.touched, s.start = true, s.total
		m.touched = append(m.touched, s)
	}
	for i, n := range v {
		s.total[i] += n
	}
}

// composeSums appends the sums that changed, as absolute values, to a commit.
// The error names a sum that left its bounds.
func (m *Machine) composeSums(c *Commit) (err error) {
	for _, s := range m.touched {
		s.touched = false
		if s.total == s.start {
			continue
		}
		for f, v := range s.total {
			if (v > cltv.SumLimit || v < -cltv.SumLimit) && err == nil && m.holds(RuleCheckOverflow) {
				err = fmt.Errorf("sum %d of tenant %s, %s %q would be %d, beyond ±2^62", f, s.tenant.name, s.dimension, s.id, v)
			}
		}
		start := len(m.batch.arena)
		m.batch.arena = s.total.AppendTo(m.batch.arena)
		c.Sums = append(c.Sums, SumWrite{
			Tenant: s.tenant.name, Dimension: s.dimension.String(), ID: s.id, Value: m.batch.arena[start:len(m.batch.arena):len(m.batch.arena)],
		})
	}
	m.touched = m.touched[:0]
	return err
}
