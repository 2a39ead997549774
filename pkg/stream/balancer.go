package stream

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"
)

// balancer shares out partitions evenly and leaves as many as it can where they
// are, so that a member that comes or goes moves few tasks. Each member tells
// the group what it held in which generation.
type balancer struct {
	mu         sync.Mutex
	generation int32
	held       map[string][]int32
}

var _ kafka.GroupBalancer = (*balancer)(nil)

// remember is called with what this member was given.
func (b *balancer) remember(generation int32, held map[string][]int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generation, b.held = generation, held
}

// ProtocolName is kafka.GroupBalancer.
func (b *balancer) ProtocolName() string { return "perennial-sticky-1" }

// UserData is kafka.GroupBalancer: what this member held last.
func (b *balancer) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return encodeHeld(b.generation, b.held), nil
}

// AssignGroups is kafka.GroupBalancer. Only the group's leader is asked. The
// answer depends on its arguments alone. The numbers of partitions that two
// members have differ by at most one where all want the same topics.
func (b *balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b kafka.GroupMember) int { return strings.Compare(a.ID, b.ID) })
	all := make([]topicPartition, 0, len(partitions))
	for _, p := range partitions {
		all = append(all, topicPartition{p.Topic, int32(p.ID)})
	}
	slices.SortFunc(all, byTopicPartition)
	all = slices.Compact(all)

	kept := keep(members, claims(members, all), len(all))
	given := make(map[topicPartition]bool)
	for _, k := range kept {
		for _, tp := range k {
			given[tp] = true
		}
	}
	for _, tp := range all {
		if given[tp] {
			continue
		}
		best := -1
		for i := range members {
			if slices.Contains(members[i].Topics, tp.topic) && (best < 0 || len(kept[i]) < len(kept[best])) {
				best = i
			}
		}
		if best >= 0 {
			kept[best] = append(kept[best], tp)
		}
	}

	out := make(kafka.GroupMemberAssignments, len(members))
	for i, m := range members {
		slices.SortFunc(kept[i], byTopicPartition)
		out[m.ID] = make(map[string][]int)
		for _, tp := range kept[i] {
			out[m.ID][tp.topic] = append(out[m.ID][tp.topic], int(tp.partition))
		}
	}
	return out
}

// claims returns, by member, the partitions that it held last and still wants.
// Of two members that name the same one, the later generation is right.
func claims(members []kafka.GroupMember, all []topicPartition) [][]topicPartition {
	type claim struct {
		member     int
		generation int32
	}
	holder := make(map[topicPartition]claim)
	for i, m := range members {
		generation, held, ok := parseHeld(m.UserData)
		if !ok {
			continue
		}
		for topic, partitions := range held {
			if !slices.Contains(m.Topics, topic) {
				continue
			}
			for _, p := range partitions {
				tp := topicPartition{topic, p}
				if other, taken := holder[tp]; !taken || generation > other.generation {
					holder[tp] = claim{i, generation}
				}
			}
		}
	}
	out := make([][]topicPartition, len(members))
	for _, tp := range all {
		if c, ok := holder[tp]; ok {
			out[c.member] = append(out[c.member], tp)
		}
	}
	return out
}

// keep cuts the claims to fair shares: those with the most claims get the
// shares that are greater by one.
func keep(members []kafka.GroupMember, claimed [][]topicPartition, partitions int) [][]topicPartition {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(claimed[b]), len(claimed[a])) })
	out := make([][]topicPartition, len(members))
	for rank, i := range order {
		share := partitions / len(members)
		if rank < partitions%len(members) {
			share++
		}
		out[i] = slices.Clone(claimed[i][:min(share, len(claimed[i]))])
	}
	return out
}

func byTopicPartition(a, b topicPartition) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// encodeHeld writes: version 1; generation; number of topics; for each its
// length, name, number of partitions, partitions. Numbers are varints.
func encodeHeld(generation int32, held map[string][]int32) []byte {
	b := []byte{1}
	b = binary.AppendVarint(b, int64(generation))
	b = binary.AppendUvarint(b, uint64(len(held)))
	for _, topic := range slices.Sorted(maps.Keys(held)) {
		b = binary.AppendUvarint(b, uint64(len(topic)))
		b = append(b, topic...)
		b = binary.AppendUvarint(b, uint64(len(held[topic])))
		for _, p := range held[topic] {
			b = binary.AppendUvarint(b, uint64(p))
		}
	}
	return b
}

func parseHeld(b []byte) (generation int32, held map[string][]int32, ok bool) {
	if len(b) == 0 || b[0] != 1 {
		return 0, nil, false
	}
	b = b[1:]
	g, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	b = b[n:]
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	ok = true
	held = make(map[string][]int32)
	for topics := number(); topics > 0 && ok; topics-- {
		length := number()
		if length > uint64(len(b)) {
			return 0, nil, false
		}
		topic := string(b[:length])
		b = b[length:]
		for partitions := number(); partitions > 0 && ok; partitions-- {
			if p := number(); ok {
				held[topic] = append(held[topic], int32(p))
			}
		}
	}
	return int32(g), held, ok
}
