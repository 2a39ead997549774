package bubble

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// askGroup asks about the updaters' group as an operator's tool does, and has do
// speak to its coordinator.
func (w *world) askGroup(ctx context.Context, do func(context.Context, *kafka.Client, *kafka.DescribeGroupsResponseGroup) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	transport := &kafka.Transport{Dial: w.network.host("operator").dial, Context: ctx}
	defer transport.CloseIdleConnections()
	config := w.client.Config()
	client := &kafka.Client{Addr: kafka.TCP(config.Brokers...), Transport: transport}
	described, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{config.Groups.Updater}})
	if err != nil {
		return err
	}
	if len(described.Groups) == 0 {
		return errors.New("there is no group")
	}
	return do(ctx, client, &described.Groups[0])
}

// expel takes a member out of the group. The others get its partitions at once,
// while it goes on until its next heartbeat.
func (w *world) expel(ctx context.Context) {
	choice := w.rng.Int()
	err := w.askGroup(ctx, func(ctx context.Context, client *kafka.Client, group *kafka.DescribeGroupsResponseGroup) error {
		if len(group.Members) == 0 {
			return errors.New("the group is empty")
		}
		victim := group.Members[choice%len(group.Members)].MemberID
		w.journal.note("operator", "EXPELS %s", victim)
		w.journal.count("expelled", 1)
		_, err := client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{GroupID: group.GroupID, Members: []kafka.LeaveGroupRequestMember{{ID: victim}}})
		return err
	})
	if err != nil {
		w.journal.note("operator", "couldn't expel: %v", err)
	}
}

// stuckAfter is ten times as long as a broker may wait for members to join.
const stuckAfter = time.Minute

// stuck finds a group that the broker doesn't help. kfake begins to wait anew
// whenever somebody joins, where Kafka does not: members whose joining fails for
// long enough to try again can so keep it waiting for ever. And it begins to count
// the session of a member that joined with the answer, where Kafka counts without:
// a member whose connection was gone by then stays for ever, with its partitions.
type stuck struct {
	since time.Time
	state string
}

// look says whether the group has been stuck for too long. A group that stands
// still for another reason, stable among its members or empty, is the members' fault.
func (s *stuck) look(ctx context.Context, w *world) bool {
	state, helpless := "", true
	err := w.askGroup(ctx, func(_ context.Context, _ *kafka.Client, group *kafka.DescribeGroupsResponseGroup) error {
		state = fmt.Sprintf("%s, %d members", group.GroupState, len(group.Members))
		helpless = strings.HasSuffix(group.GroupState, "Rebalance") || len(group.Members) > len(w.runningUpdaters())
		return nil
	})
	if err != nil {
		state = err.Error()
	}
	if state != s.state {
		s.state = state
		w.journal.note("operator", "the updaters' group is %s", state)
	}
	switch {
	case !helpless:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = time.Now()
	case time.Since(s.since) > stuckAfter:
		s.since = time.Time{}
		return true
	}
	return false
}

// runningUpdaters are the updaters that run.
func (w *world) runningUpdaters() (running []*program) {
	for _, p := range w.services[len(w.services)-updaters:] {
		if p.now != nil {
			running = append(running, p)
		}
	}
	return running
}

// restart has the updaters leave, so that the broker ends its waiting.
func (w *world) restart(ctx context.Context) error {
	w.journal.note("operator", "RESTARTS the updaters: the broker doesn't end a rebalance, or keeps a member that is gone")
	w.journal.count("stuck groups of kfake", 1)
	running := w.runningUpdaters()
	for _, p := range running {
		if err := w.stop(p); err != nil {
			return err
		}
	}
	time.Sleep(20 * time.Second)
	for _, p := range running {
		if err := w.start(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
