package stream

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// model is a group whose members come and go.
type model struct {
	members    map[string]map[string][]int32 // what each held last
	generation int32
}

func (m *model) share(topics []string, partitions []kafka.Partition) map[string]map[string][]int {
	m.generation++
	var members []kafka.GroupMember
	for id, held := range m.members {
		members = append(members, kafka.GroupMember{ID: id, Topics: topics, UserData: encodeHeld(m.generation-1, held)})
	}
	given := new(balancer).AssignGroups(members, partitions)
	for id := range m.members {
		m.members[id] = make(map[string][]int32)
		for topic, ps := range given[id] {
			for _, p := range ps {
				m.members[id][topic] = append(m.members[id][topic], int32(p))
			}
		}
	}
	return given
}

// TestBalancerProperties: each partition has one owner, the shares are even,
// and no more partitions move than must: a member that stays loses partitions
// only to reach its share.
func TestBalancerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var partitions []kafka.Partition
		topics := []string{"a", "b"}[:rapid.IntRange(1, 2).Draw(t, "topics")]
		for _, topic := range topics {
			for p := range rapid.IntRange(1, 40).Draw(t, "partitions") {
				partitions = append(partitions, kafka.Partition{Topic: topic, ID: p})
			}
		}
		m := &model{members: make(map[string]map[string][]int32)}
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			id := fmt.Sprintf("m%d", rapid.IntRange(0, 5).Draw(t, "who"))
			if _, there := m.members[id]; there && len(m.members) > 1 {
				delete(m.members, id)
			} else {
				m.members[id] = nil
			}
			before := make(map[string]map[string][]int32)
			for id, held := range m.members {
				before[id] = held
			}
			given := m.share(topics, partitions)
			owner := make(map[topicPartition]string)
			for id, byTopic := range given {
				n := 0
				for topic, ps := range byTopic {
					for _, p := range ps {
						tp := topicPartition{topic, int32(p)}
						if other, taken := owner[tp]; taken {
							t.Fatalf("step %d: %v belongs to %s and %s", step, tp, other, id)
						}
						owner[tp] = id
						n++
					}
				}
				if low := len(partitions) / len(m.members); n < low || n > low+1 {
					t.Fatalf("step %d: %s has %d of %d partitions among %d", step, id, n, len(partitions), len(m.members))
				}
			}
			if len(owner) != len(partitions) {
				t.Fatalf("step %d: %d of %d partitions have an owner", step, len(owner), len(partitions))
			}
			for id, held := range before {
				had, kept, has := 0, 0, 0
				for topic, ps := range held {
					for _, p := range ps {
						had++
						if owner[topicPartition{topic, p}] == id {
							kept++
						}
					}
				}
				for _, ps := range given[id] {
					has += len(ps)
				}
				if kept < min(had, has) {
					t.Fatalf("step %d: %s had %d, has %d, but kept only %d", step, id, had, has, kept)
				}
			}
		}
	})
}

// TestBalancerBelievesTheLaterGeneration: a member that slept through a
// rebalance still claims what others have by now.
func TestBalancerBelievesTheLaterGeneration(t *testing.T) {
	partitions := []kafka.Partition{{Topic: "a", ID: 0}, {Topic: "a", ID: 1}, {Topic: "a", ID: 2}, {Topic: "a", ID: 3}}
	given := new(balancer).AssignGroups([]kafka.GroupMember{
		{ID: "x", Topics: []string{"a"}, UserData: encodeHeld(4, map[string][]int32{"a": {0, 1, 2, 3}})},
		{ID: "y", Topics: []string{"a"}, UserData: encodeHeld(7, map[string][]int32{"a": {0, 3}})},
		{ID: "z", Topics: []string{"b"}, UserData: []byte("nonsense")},
	}, partitions)
	if want := []int{0, 3}; !reflect.DeepEqual(given["y"]["a"], want) {
		t.Errorf("y has %v, want %v", given["y"]["a"], want)
	}
	if len(given["z"]["a"]) != 0 {
		t.Errorf("z has %v of a topic that it doesn't want", given["z"])
	}
}

func FuzzParseHeld(f *testing.F) {
	f.Add(encodeHeld(3, map[string][]int32{"a": {1, 2}, "b": nil}))
	f.Fuzz(func(t *testing.T, b []byte) {
		generation, held, ok := parseHeld(b)
		if !ok {
			return
		}
		again, same, ok := parseHeld(encodeHeld(generation, held))
		if !ok || again != generation || len(same) > len(held) {
			t.Fatalf("%v is read back as %v", held, same)
		}
	})
}
