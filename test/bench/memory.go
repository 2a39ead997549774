package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/store"
)

// RedisMemory is what the store takes, by what it is for.
type RedisMemory struct {
	// Customers have a state.
	Customers int64 `json:"customers"`
	// PerCustomer is the growth of used_memory since Redis was empty, by customers.
	PerCustomer float64 `json:"bytes_per_customer"`
	// StateBytes is the mean length of an encoded state, and KeyBytes that of its
	// key.
	StateBytes float64 `json:"mean_state_bytes"`
	KeyBytes   float64 `json:"mean_key_bytes"`
	// MEMORY USAGE of the hashes of states and of the lists of due customers, by
	// customers, and of everything else in total.
	StatesPerCustomer float64 `json:"states_bytes_per_customer"`
	DuePerCustomer    float64 `json:"due_bytes_per_customer"`
	OtherBytes        int64   `json:"other_bytes"`
}

// redisMemory asks Redis what it holds; empty is its used_memory before.
func (s *stack) redisMemory(empty int64) (m RedisMemory, err error) {
	used := s.redis.UsedMemory() - empty
	reader, err := store.NewReader(s.host.ctx, s.redis.Config())
	if err != nil {
		return m, err
	}
	defer reader.Close()
	states, keys := int64(0), int64(0)
	for p := range reader.Partitions() {
		_, _, err := reader.Scan(s.host.ctx, p, "", func(key string, value []byte) error {
			m.Customers, states, keys = m.Customers+1, states+int64(len(value)), keys+int64(len(key))
			return nil
		})
		if err != nil {
			return m, err
		}
	}
	if m.Customers == 0 {
		return m, fmt.Errorf("redis has no states")
	}
	per := func(bytes int64) float64 { return float64(bytes) / float64(m.Customers) }
	m.PerCustomer, m.StateBytes, m.KeyBytes = per(used), per(states), per(keys)
	usage, err := s.memoryByUse()
	if err != nil {
		return m, err
	}
	m.StatesPerCustomer, m.DuePerCustomer, m.OtherBytes = per(usage["c"]), per(usage["d"]), usage[""]
	return m, nil
}

// memoryByUse adds up MEMORY USAGE of all keys: "c" the states, "d" the lists of
// due customers, "" the rest. Large values are sampled.
func (s *stack) memoryByUse() (map[string]int64, error) {
	usage := map[string]int64{}
	for cursor := "0"; ; {
		answer, ok := s.redis.Do("scan", cursor, "count", "1000").([]any)
		if !ok || len(answer) != 2 {
			return nil, fmt.Errorf("SCAN answered %v", answer)
		}
		keys, _ := answer[1].([]any)
		for _, key := range keys {
			bytes, err := strconv.ParseInt(fmt.Sprint(s.redis.Do("memory", "usage", key, "samples", "2000")), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("MEMORY USAGE of %v: %w", key, err)
			}
			_, name, _ := strings.Cut(fmt.Sprint(key), "}:")
			use, _, _ := strings.Cut(name, ":")
			if use != "c" && use != "d" {
				use = ""
			}
			usage[use] += bytes
		}
		if cursor = fmt.Sprint(answer[0]); cursor == "0" {
			return usage, nil
		}
	}
}
