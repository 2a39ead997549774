package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// leaveWithin bounds how long a member that stops waits for the group to hear it.
const leaveWithin = time.Second

// ErrGenerationEnded is the cause of a generation's context when the group
// shares out its partitions anew.
var ErrGenerationEnded = errors.New("the group's generation has ended")

// Assignment is one partition given to this member.
type Assignment struct {
	Partition int32
	// Committed is the group's offset, -1 where there is none yet.
	Committed int64
}

// Generation is one sharing-out of partitions, as this member sees it.
type Generation struct {
	ID     int32
	Group  string
	Member string
	// Partitions by topic, in their order. A member may have been given none.
	Partitions map[string][]Assignment

	commit func(map[string]map[int]int64) error
	meters *meters

	mu        sync.Mutex
	committed map[topicPartition]int64
}

// Commit stores offsets (topic, partition, the offset to go on at) with the
// group. An offset at or below what this generation committed or found is left
// out, so that the group's offset never moves backwards; partitions of others
// are refused. It may be called until the function given to RunGroup returns,
// also after its context has ended.
func (g *Generation) Commit(offsets map[string]map[int32]int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	forward := make(map[string]map[int]int64)
	for topic, partitions := range offsets {
		for partition, offset := range partitions {
			before, mine := g.committed[topicPartition{topic, partition}]
			if !mine {
				return fmt.Errorf("commit of group %s: topic %s partition %d belongs to another member", g.Group, topic, partition)
			}
			if offset <= before {
				continue
			}
			if forward[topic] == nil {
				forward[topic] = make(map[int]int64)
			}
			forward[topic][int(partition)] = offset
		}
	}
	if len(forward) == 0 {
		return nil
	}
	if err := g.commit(forward); err != nil {
		g.meters.commitErrors.Add(context.Background(), 1, ofGroup(g.Group))
		return fmt.Errorf("commit of group %s, generation %d: %w", g.Group, g.ID, err)
	}
	for topic, partitions := range forward {
		for partition, offset := range partitions {
			g.committed[topicPartition{topic, int32(partition)}] = offset
		}
	}
	return nil
}

// lower allows the next commit of a partition to be anything from offset on:
// the log itself was replaced by one that is shorter.
func (g *Generation) lower(topic string, partition int32, offset int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.committed[topicPartition{topic, partition}] = offset - 1
}

// RunGroup is a member of a consumer group until ctx ends. In each generation
// it calls work, whose context ends when the generation does or when ctx does;
// work then finishes what it has begun, commits, and returns soon: until it has
// returned, or RebalanceTimeout has passed, the other members wait. A work that
// returns nil earlier gives its partitions back and the group shares out anew;
// one that returns an error ends the membership and is RunGroup's result. When
// ctx ends, RunGroup leaves the group and returns nil.
//
// RunGroup waits for the topics to exist.
func (c *Client) RunGroup(ctx context.Context, group string, topics []string, work func(context.Context, *Generation) error) error {
	if err := c.awaitTopics(ctx, topics); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		return fmt.Errorf("group %s: %w", group, err)
	}
	sticky := new(balancer)
	members, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: c.config.Brokers, Dialer: c.dialer, Topics: topics,
		GroupBalancers:        []kafka.GroupBalancer{sticky},
		HeartbeatInterval:     c.config.HeartbeatInterval,
		SessionTimeout:        c.config.SessionTimeout,
		RebalanceTimeout:      c.config.RebalanceTimeout,
		JoinGroupBackoff:      500 * time.Millisecond,
		WatchPartitionChanges: true,
		Timeout:               c.config.RequestTimeout,
		StartOffset:           kafka.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	m := &membership{client: c, group: group, members: members, sticky: sticky, work: work}
	return m.run(ctx)
}

// membership is one RunGroup.
type membership struct {
	client  *Client
	group   string
	members *kafka.ConsumerGroup
	sticky  *balancer
	work    func(context.Context, *Generation) error
	working sync.WaitGroup
}

func (m *membership) run(parent context.Context) error {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	// Close must have begun before work returns, else the member would join the
	// next generation before it leaves.
	left := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(left)
		m.members.Close() //nolint:errcheck // it returns nil always
	})
	for ctx.Err() == nil {
		generation, err := m.members.Next(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			m.start(ctx, stop, generation)
		case meaningOf(err) == meansStop:
			stop(fmt.Errorf("group %s: %w", m.group, err))
		default:
			m.client.log.WarnContext(ctx, "joining the group failed, trying again", "group", m.group, "error", err)
		}
	}
	m.working.Wait()
	timer := time.NewTimer(leaveWithin)
	defer timer.Stop()
	select {
	case <-left:
	case <-timer.C: // the session's time-out does it
	}
	m.client.meters.assigned.Record(context.Background(), 0, ofGroup(m.group))
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// start runs work for one generation, in the background. stop ends the
// membership with an error.
func (m *membership) start(ctx context.Context, stop context.CancelCauseFunc, generation *kafka.Generation) {
	g := m.adopt(ctx, generation)
	m.working.Add(1)
	generation.Start(func(ended context.Context) {
		defer m.working.Done()
		working, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(ended, func() { cancel(ErrGenerationEnded) })()
		err := m.work(working, g)
		switch {
		case err == nil:
		case working.Err() == nil:
			stop(fmt.Errorf("group %s, generation %d: %w", m.group, g.ID, err))
		default: // whoever has the partitions next goes on from what was committed
			m.client.log.InfoContext(ctx, "a generation ended in the middle of something", "group", m.group, "generation", g.ID, "error", err)
		}
		if ctx.Err() != nil {
			<-ended.Done() // Close is under way; to return before would be to join again
		}
	})
}

// adopt makes our view of a generation.
func (m *membership) adopt(ctx context.Context, generation *kafka.Generation) *Generation {
	g := &Generation{
		ID: generation.ID, Group: m.group, Member: generation.MemberID,
		Partitions: make(map[string][]Assignment),
		commit:     generation.CommitOffsets, meters: m.client.meters,
		committed: make(map[topicPartition]int64),
	}
	held := make(map[string][]int32)
	count := 0
	for topic, given := range generation.Assignments {
		for _, a := range given {
			committed := max(a.Offset, -1)
			g.Partitions[topic] = append(g.Partitions[topic], Assignment{Partition: int32(a.ID), Committed: committed})
			g.committed[topicPartition{topic, int32(a.ID)}] = committed
			held[topic] = append(held[topic], int32(a.ID))
			count++
		}
		slices.SortFunc(g.Partitions[topic], func(a, b Assignment) int { return int(a.Partition - b.Partition) })
	}
	m.sticky.remember(g.ID, held)
	m.client.meters.generations.Add(ctx, 1, ofGroup(m.group))
	m.client.meters.assigned.Record(ctx, int64(count), ofGroup(m.group))
	m.client.log.InfoContext(ctx, "the group shared out its partitions", "group", m.group, "generation", g.ID,
		"partitions", count, "topics", slices.Sorted(maps.Keys(held)))
	return g
}

// awaitTopics returns once all topics exist. Asking the group before would have
// brokers create them, with a number of partitions of their own.
func (c *Client) awaitTopics(ctx context.Context, topics []string) error {
	said := false
	for {
		found, err := c.describe(ctx, topics)
		if err == nil {
			missing := 0
			for _, t := range topics {
				if found[t].err != nil {
					missing++
					err = fmt.Errorf("topic %s: %w", t, found[t].err)
				}
			}
			if missing == 0 {
				return nil
			}
		}
		if meaningOf(err) == meansStop || ctx.Err() != nil {
			return err
		}
		if !said {
			said = true
			c.log.WarnContext(ctx, "waiting for topics", "topics", topics, "error", err)
		}
		select {
		case <-time.After(c.config.MetadataTTL):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
