package bubble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/sim"
)

// TestEachDifferenceIsNoticed runs scenarios and falsifies what they leave
// behind, one thing at a time. What a scenario leaves depends on which goroutine
// ran first: whatever one had nothing of is tried in the next.
func TestEachDifferenceIsNoticed(t *testing.T) {
	t.Parallel()
	const first, scenarios = 3, 8
	tried := map[string]bool{}
	for seed := uint64(first); seed < first+scenarios && len(tried) < len(falsifications); seed++ {
		synctest.Test(t, func(t *testing.T) {
			j := newJournal()
			err := run(context.Background(), seed, j, func(r *sim.Remains) (map[string]int, error) {
				if counts, err := sim.Compare(r); err != nil {
					return counts, err
				}
				var missed []error
				for name, falsify := range falsifications {
					for p := range r.Tasks {
						c := copied(r)
						if !falsify(c, p) {
							continue
						}
						tried[name] = true
						if _, err := sim.Compare(c); err == nil {
							missed = append(missed, fmt.Errorf("partition %d: nobody noticed: %s", p, name))
						}
					}
				}
				return nil, errors.Join(missed...)
			})
			if err != nil {
				t.Errorf("scenario %d: %v\n%s", seed, err, j.text(50))
			}
		})
	}
	for name := range falsifications {
		if !tried[name] {
			t.Errorf("no scenario from %d to %d left anything behind for: %s", first, first+scenarios-1, name)
		}
	}
}

// falsifications change one thing of a partition; false where there is none.
var falsifications = map[string]func(r *sim.Remains, p int) bool{
	"an update with another content": func(r *sim.Remains, p int) bool {
		log := r.Logs[task.Updates][p]
		if len(log) == 0 {
			return false
		}
		value := slices.Clone(log[0].Value)
		value[len(value)-1] ^= 1
		log[0].Value = value
		return true
	},
	"an earlier version after the last": again(task.Updates),
	"an update that is missing":         without(task.Updates),
	"a churn record that is missing":    without(task.Churn),
	"a dead letter that is missing":     without(task.DeadLetters),
	"an input that nobody took in":      func(r *sim.Remains, p int) bool { return without(task.Input)(r, p) },
	"a state that is missing":           drop(func(t *sim.TaskRemains) *[]task.StateWrite { return &t.States }),
	"a sum that is missing":             drop(func(t *sim.TaskRemains) *[]task.SumWrite { return &t.Contents.Sums }),
	"a due customer who is forgotten":   forget,
	"a state that is another customer's": func(r *sim.Remains, p int) bool {
		states := r.Tasks[p].States
		for i := 1; i < len(states); i++ {
			if !bytes.Equal(states[0].Value, states[i].Value) {
				states[0].Value = states[i].Value
				return true
			}
		}
		return false
	},
	"a clock that stands still": func(r *sim.Remains, p int) bool {
		for tenant := range r.Tasks[p].Stored.Clocks {
			r.Tasks[p].Stored.Clocks = map[string]int64{tenant: 1}
			return true
		}
		return false
	},
	"parameters that are lost": func(r *sim.Remains, p int) bool {
		had := len(r.Tasks[p].Contents.Parameters) > 0
		r.Tasks[p].Contents.Parameters = nil
		return had
	},
	"an offset that is behind": func(r *sim.Remains, p int) bool {
		r.Tasks[p].Stored.NextOffset--
		return true
	},
}

// without drops the last record of a topic, and what else says the same: an
// output may be there twice, after a crash.
func without(topic task.Topic) func(r *sim.Remains, p int) bool {
	return func(r *sim.Remains, p int) bool {
		log := &r.Logs[topic][p]
		if len(*log) == 0 {
			return false
		}
		last := (*log)[len(*log)-1]
		*log = slices.DeleteFunc(*log, func(other task.Record) bool {
			return other.Offset == last.Offset || topic != task.Input && sameOutput(&other, &last)
		})
		return true
	}
}

// sameOutput tells whether two records of an output are the same one, written
// twice: one version of a customer, or the letter of one input.
func sameOutput(a, b *task.Record) bool {
	for _, id := range []string{"ce_id", "__connect.errors.offset"} {
		if sim.Header(a, id) != sim.Header(b, id) {
			return false
		}
	}
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

// again writes a customer's first update after its last, which is another one.
func again(topic task.Topic) func(r *sim.Remains, p int) bool {
	return func(r *sim.Remains, p int) bool {
		log := &r.Logs[topic][p]
		for i := range *log {
			late := (*log)[i]
			last := late
			for _, other := range (*log)[i+1:] {
				if bytes.Equal(other.Key, late.Key) {
					last = other
				}
			}
			if !sameOutput(&late, &last) {
				late.Offset = (*log)[len(*log)-1].Offset + 1
				*log = append(*log, late)
				return true
			}
		}
		return false
	}
}

// drop drops the first of several.
func drop[T any](of func(*sim.TaskRemains) *[]T) func(r *sim.Remains, p int) bool {
	return func(r *sim.Remains, p int) bool {
		list := of(&r.Tasks[p])
		if len(*list) == 0 {
			return false
		}
		*list = (*list)[1:]
		return true
	}
}

// forget takes a customer out of the bucket that the state names. Other buckets
// may have the customer from before, which says nothing.
func forget(r *sim.Remains, p int) bool {
	t := &r.Tasks[p]
	for _, write := range t.States {
		var state cltv.State
		if err := state.Decode(write.Value); err != nil {
			panic(fmt.Sprintf("the state of %s: %v", write.Key, err))
		}
		tenant, customer, _ := strings.Cut(write.Key, "/")
		for i := range t.Due {
			b := &t.Due[i]
			if b.Tenant != tenant || b.Day != state.IndexedDay() || t.Stored.Clocks[tenant] == 0 || state.DueDay() == 0 {
				continue
			}
			if others := slices.DeleteFunc(slices.Clone(b.Customers), func(c string) bool { return c == customer }); len(others) < len(b.Customers) {
				b.Customers = others
				return true
			}
		}
	}
	return false
}

// copied copies what falsifications change.
func copied(r *sim.Remains) *sim.Remains {
	c := &sim.Remains{Tasks: slices.Clone(r.Tasks)}
	for topic, logs := range r.Logs {
		for _, log := range logs {
			c.Logs[topic] = append(c.Logs[topic], slices.Clone(log))
		}
	}
	for p := range c.Tasks {
		c.Tasks[p].States = slices.Clone(c.Tasks[p].States)
		c.Tasks[p].Due = slices.Clone(c.Tasks[p].Due)
	}
	return c
}
