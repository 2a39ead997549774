package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// mutation is the product with one of its promises broken.
type mutation struct {
	name string
	// cover is switched off with and without the mutation.
	cover, off Options
	// directed schedules what is too rare for a random seed; nil: seeds do.
	directed func(o Options) error
}

// with switches off what the mutation does, besides its cover.
func (m *mutation) with() Options {
	return Options{Off: m.cover.Off | m.off.Off, storeOff: m.cover.storeOff | m.off.storeOff, Fold: m.off.Fold, foldEverywhere: m.off.foldEverywhere}
}

// foldFunc stands in for the fold.
type foldFunc = func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step

func honestFold(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
	return f.Fold(s, ev, at)
}

// folds are broken folds. wrong tells that the arithmetic is, and not its place
// in the protocol: the batch program must find that without the serial fold.
var folds = []struct {
	name  string
	wrong bool
	fold  foldFunc
}{
	{"recognise duplicates", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		e := *ev
		e.SourceEventID += fmt.Sprint("@", at.Offset)
		if e.Kind == cltv.KindOrder || e.Kind == cltv.KindPayment || e.Kind == cltv.KindRefund {
			e.Ref += fmt.Sprint("@", at.Offset)
		}
		return honestFold(f, s, &e, at)
	}},
	{"net refunds", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		e := *ev
		if e.Kind == cltv.KindRefund {
			e.Parent = ""
		}
		return honestFold(f, s, &e, at)
	}},
	{"the higher revision counts", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		e := *ev
		e.Revision = -e.Revision + 5
		return honestFold(f, s, &e, at)
	}},
	{"renewals are no purchases", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		e := *ev
		if e.Kind == cltv.KindSubscriptionStarted || e.Kind == cltv.KindSubscriptionRenewed {
			e.Ref = ""
		}
		return honestFold(f, s, &e, at)
	}},
	{"a cancelled contract runs until its end", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		e := *ev
		if e.Kind == cltv.KindSubscriptionCancelled {
			e.Until = 0
		}
		return honestFold(f, s, &e, at)
	}},
	{"as-of follows the clock", true, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		at.Clock = 0
		return honestFold(f, s, ev, at)
	}},
	{"whoever was looked at gets a new entry in the due index", false, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		before := s.IndexedDay()
		step := honestFold(f, s, ev, at)
		if before != 0 {
			step.EnqueueDay = 0
		}
		return step
	}},
	{"skip what the state took in", false, func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step {
		at.Offset += s.NextOffset() + 1
		return honestFold(f, s, ev, at)
	}},
}

// mutations lists every promise that can be broken.
func mutations() []mutation {
	var list []mutation
	for _, r := range task.AllRules {
		list = append(list, mutation{r.Name, covers[r.Rule], Options{Off: r.Rule}, directed[r.Rule]})
	}
	for _, f := range folds {
		list = append(list, mutation{"fold: " + f.name, Options{}, Options{Fold: f.fold}, nil})
		if f.wrong {
			list = append(list, mutation{"by the batch program alone: " + f.name, Options{}, Options{Fold: f.fold, foldEverywhere: true}, nil})
		}
	}
	for _, s := range storeMutations {
		list = append(list, mutation{"store: " + s.name, s.cover, Options{storeOff: s.off}, s.directed})
	}
	return list
}

// mutationSeeds bounds the search for a seed that notices.
const mutationSeeds = 4000

// TestMutations breaks each promise and demands that the simulation notices.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks every rule in turn; minutes under the race detector")
	}
	only := os.Getenv("PERENNIAL_TEST_MUTATION")
	for _, m := range mutations() {
		if only != "" && !strings.Contains(m.name, only) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if m.directed != nil {
				if err := m.directed(m.cover); err != nil {
					t.Fatalf("the schedule fails with the rule in force: %v", err)
				}
				err := m.directed(m.with())
				if err == nil {
					t.Fatal("survives its schedule")
				}
				t.Logf("caught by its schedule: %v", err)
				return
			}
			for seed := range uint64(mutationSeeds) {
				_, err := Run(seed+1, m.with())
				if err == nil || strings.Contains(err.Error(), "panic") {
					continue // the broken code itself broke down: no credit
				}
				if _, honest := Run(seed+1, m.cover); honest != nil {
					continue // its cover alone is caught here
				}
				t.Logf("caught by seed %d: %v", seed+1, err)
				return
			}
			t.Fatalf("survives %d seeds", mutationSeeds)
		})
	}
}
