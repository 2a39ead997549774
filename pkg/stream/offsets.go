package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Watermark bounds what a partition has: offsets from Start to before End.
type Watermark struct {
	Partition  int32
	Start, End int64
}

// Lag is how far a group is behind on a partition.
type Lag struct {
	Watermark
	// Committed is the group's offset, -1 where it has none; then all that the
	// partition has is behind.
	Committed int64
	// Behind is how many offsets there are from Committed to End.
	Behind int64
}

// Watermarks returns the bounds of every partition of a topic, in their order.
func (c *Client) Watermarks(ctx context.Context, topic string) ([]Watermark, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	partitions := make([]int32, n)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	return c.watermarks(ctx, topic, partitions)
}

func (c *Client) watermarks(ctx context.Context, topic string, partitions []int32) ([]Watermark, error) {
	var marks []Watermark
	err := c.retry(ctx, c.config.RequestTimeout, func(ctx context.Context) error {
		starts, err := c.listOffsets(ctx, topic, partitions, kafka.FirstOffset)
		if err != nil {
			return err
		}
		ends, err := c.listOffsets(ctx, topic, partitions, kafka.LastOffset)
		if err != nil {
			return err
		}
		marks = make([]Watermark, 0, len(partitions))
		for _, p := range partitions {
			marks = append(marks, Watermark{Partition: p, Start: starts[p], End: ends[p]})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("watermarks of topic %s: %w", topic, err)
	}
	return marks, nil
}

// listOffsets asks each leader once for the offsets of its partitions. at is
// kafka.FirstOffset or kafka.LastOffset.
func (c *Client) listOffsets(ctx context.Context, topic string, partitions []int32, at int64) (map[int32]int64, error) {
	found, err := c.describe(ctx, []string{topic})
	if err != nil {
		return nil, err
	}
	state := found[topic]
	if state.err != nil {
		return nil, state.err
	}
	ask := make(map[int32][]listoffsets.RequestPartition)
	for _, p := range partitions {
		if p < 0 || int(p) >= len(state.leaders) {
			return nil, fmt.Errorf("partition %d: %w", p, kafka.UnknownTopicOrPartition)
		}
		leader := state.leaders[p]
		if leader < 0 {
			return nil, fmt.Errorf("partition %d: %w", p, kafka.LeaderNotAvailable)
		}
		ask[leader] = append(ask[leader], listoffsets.RequestPartition{Partition: p, CurrentLeaderEpoch: -1, Timestamp: at})
	}
	offsets := make(map[int32]int64, len(partitions))
	for leader, requests := range ask {
		message, err := c.direct(ctx, leader, &listoffsets.Request{
			ReplicaID: -1, Topics: []listoffsets.RequestTopic{{Topic: topic, Partitions: requests}},
		})
		if err != nil {
			return nil, err
		}
		for _, t := range message.(*listoffsets.Response).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return nil, fmt.Errorf("partition %d: %w", p.Partition, kafka.Error(p.ErrorCode))
				}
				offsets[p.Partition] = p.Offset
			}
		}
	}
	if len(offsets) != len(partitions) {
		return nil, fmt.Errorf("asked for %d partitions, told of %d: %w", len(partitions), len(offsets), kafka.Unknown)
	}
	return offsets, nil
}

// Lag says how far a group is behind on each partition of a topic.
func (c *Client) Lag(ctx context.Context, group, topic string) ([]Lag, error) {
	marks, err := c.Watermarks(ctx, topic)
	if err != nil {
		return nil, err
	}
	committed, err := c.committed(ctx, group, topic, len(marks))
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s on topic %s: %w", group, topic, err)
	}
	lags := make([]Lag, 0, len(marks))
	for _, m := range marks {
		l := Lag{Watermark: m, Committed: -1}
		if o, ok := committed[m.Partition]; ok {
			l.Committed = o
		}
		l.Behind = max(0, m.End-max(m.Start, l.Committed))
		lags = append(lags, l)
	}
	slices.SortFunc(lags, func(a, b Lag) int { return cmp.Compare(a.Partition, b.Partition) })
	return lags, nil
}

func (c *Client) committed(ctx context.Context, group, topic string, partitions int) (map[int32]int64, error) {
	ask := make([]int, partitions)
	for i := range ask {
		ask[i] = i
	}
	committed := make(map[int32]int64)
	err := c.retry(ctx, c.config.RequestTimeout, func(ctx context.Context) error {
		response, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: ask}})
		if err != nil {
			return err
		}
		if errors.Is(response.Error, kafka.GroupIdNotFound) {
			return nil // it never committed
		}
		if response.Error != nil {
			return response.Error
		}
		for _, p := range response.Topics[topic] {
			if p.Error != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, p.Error)
			}
			if p.CommittedOffset >= 0 {
				committed[int32(p.Partition)] = p.CommittedOffset
			}
		}
		return nil
	})
	return committed, err
}
