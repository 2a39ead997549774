package updater

import (
	"maps"
	"slices"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
)

// TestMachinesFollowPartitions: a partition that stays keeps its machine, and so
// its cache; one that goes leaves nothing behind.
func TestMachinesFollowPartitions(t *testing.T) {
	m := &member{settings: Settings{CacheBytes: 12 * ops.MiB}, partitions: 8, tables: new(cltv.Tables)}
	given := func(partitions ...int32) []int32 {
		var assigned []stream.Assignment
		for _, p := range partitions {
			assigned = append(assigned, stream.Assignment{Partition: p})
		}
		m.share(assigned)
		return slices.Sorted(maps.Keys(m.machines))
	}
	if got := given(0, 1, 2); !slices.Equal(got, []int32{0, 1, 2}) {
		t.Fatalf("machines of %v", got)
	}
	first, second := m.machines[1], m.machines[2]
	if got := given(1, 5); !slices.Equal(got, []int32{1, 5}) {
		t.Errorf("machines of %v", got)
	}
	if m.machines[1] != first {
		t.Error("a partition that stayed lost its machine")
	}
	if got := given(); len(got) != 0 {
		t.Errorf("machines of %v without partitions", got)
	}
	if given(2); m.machines[2] == second {
		t.Error("the machine of a partition that others had was kept")
	}
}
