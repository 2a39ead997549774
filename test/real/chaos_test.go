package real_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/test/servers"
)

// kills is how often an updater is killed under load.
const kills = 10

// TestChaosOneBroker kills updaters, the Redis primary and everything in Redis
// under load, on one broker and a Redis with a replica.
func TestChaosOneBroker(t *testing.T) {
	kafka := servers.StartKafka(t, 1)
	primary := servers.StartRedis(t)
	replica := primary.StartReplica(t)
	w := newWorld(t, kafka, []string{primary.Addr, replica.Addr}, 1, 4)
	team := startTeam(t, w)
	l := startLoad(t, w, 1)

	team.killInTurn(t, l)
	failover(t, w, l, primary, replica, team)
	moved(t, l)
	team.awaitCheckpoints(t)
	t.Log("deleting everything in Redis")
	replica.Flush(t)
	moved(t, l)
	w.awaitTakenIn(t)
	team.checkRebuilt(t)
	settle(t, w, l, team.members...)
}

// TestChaosClusters kills updaters, a broker of three, a master of a Redis
// Cluster and everything in it under load.
func TestChaosClusters(t *testing.T) {
	kafka := servers.StartKafka(t, 3)
	redis := servers.StartRedisCluster(t)
	w := newWorld(t, kafka, redis.Addrs(), 1, 6)
	team := startTeam(t, w)
	l := startLoad(t, w, 2)

	team.killInTurn(t, l)
	t.Log("killing a broker")
	kafka.Kill(t, 1)
	moved(t, l)
	w.awaitTakenIn(t)
	kafka.Restart(t, 1)
	moved(t, l)
	t.Log("killing a Redis master")
	dead := redis.Primaries(t)[0]
	redis.Failover(t, dead)
	moved(t, l)
	redis.Restart(t, dead) // its shard's openings wait for a replica
	w.awaitTakenIn(t)
	team.awaitCheckpoints(t)
	t.Log("deleting everything in Redis")
	redis.Flush(t)
	moved(t, l)
	w.awaitTakenIn(t)
	team.checkRebuilt(t)
	settle(t, w, l, team.members...)
}

// moved returns when some more events were published.
func moved(t testing.TB, l *load) {
	t.Helper()
	goal := l.count() + 1000
	eventually(t, "the load goes on", func() error {
		if n := l.count(); n < goal {
			return fmt.Errorf("%d of %d events", n, goal)
		}
		return nil
	})
}

// team is two updaters and the intakes.
type team struct {
	w       *world
	members []*program
	intakes []*program
	rng     *rand.Rand
}

func startTeam(t testing.TB, w *world) *team {
	t.Helper()
	return &team{
		w: w, members: []*program{w.start(t, updater), w.start(t, updater)}, intakes: []*program{w.start(t, ingester), w.start(t, billing)},
		rng: rand.New(rand.NewPCG(3, 3)),
	}
}

// killInTurn kills one updater after the other, at any moment, and starts
// another in its place; once both are dead for a while. Now and then it does so
// with an intake.
func (m *team) killInTurn(t testing.TB, l *load) {
	t.Helper()
	t.Logf("killing updaters %d times", kills)
	for n := range kills {
		// Any moment between an opening and a steady state is as good as another.
		time.Sleep(time.Duration(m.rng.IntN(2500)) * time.Millisecond)
		i := n % len(m.members)
		m.members[i].kill()
		if n == kills/2 {
			m.members[1-i].kill()
			m.members[1-i] = m.w.launch(t, updater)
		}
		m.members[i] = m.w.launch(t, updater)
		if n%4 == 1 {
			i := n / 4 % len(m.intakes)
			m.intakes[i].kill()
			m.intakes[i] = m.w.launch(t, m.intakes[i].name)
		}
	}
	moved(t, l)
	m.w.awaitTakenIn(t)
}

// awaitCheckpoints waits until every task has a checkpoint to be rebuilt from:
// without one it is rebuilt from the whole log, which is another way.
func (m *team) awaitCheckpoints(t testing.TB) {
	t.Helper()
	eventually(t, "every task has a checkpoint", func() error {
		for partition, task := range m.w.tasks(t) {
			if task.CheckpointOffset <= 0 {
				return fmt.Errorf("partition %d has none", partition)
			}
		}
		return nil
	})
}

// checkRebuilt sees that every task was rebuilt from cltv.state.v1, and tells what
// else the updaters that live have been through.
func (m *team) checkRebuilt(t testing.TB) {
	t.Helper()
	rebuilds := 0.0
	for _, p := range m.members {
		rebuilds += p.metric(t, "perennial_updater_rebuilds")
		t.Logf("an updater: %v openings, %v rewinds, %v times fenced, %v checkpoints, %v rebuilds", p.metric(t, "perennial_updater_openings"),
			p.metric(t, "perennial_updater_rewinds"), p.metric(t, "perennial_updater_fenced"), p.metric(t, "perennial_updater_checkpoints"), p.metric(t, "perennial_updater_rebuilds"))
	}
	if rebuilds < float64(m.w.partitions) {
		t.Errorf("%v rebuilds of %d tasks", rebuilds, m.w.partitions)
	}
}

// failover loses a Redis primary together with what its replica doesn't have
// yet. The replica follows only after the primary is gone, and it has no replica
// of its own at first: no task may open there before it has one.
func failover(t testing.TB, w *world, l *load, primary, replica *servers.Redis, m *team) {
	t.Helper()
	t.Log("killing the Redis primary")
	replica.Promote(t) // it hears nothing more
	kept := progress(t, replica)
	eventually(t, "the primary has commits that the replica lacks", func() error {
		if now := progress(t, primary); now < kept+500 {
			return fmt.Errorf("%d against %d", now, kept)
		}
		return nil
	})
	lost := progress(t, primary) - kept
	primary.Kill(t)
	eventually(t, "the updaters find that the replica is alone", func() error {
		for _, p := range m.members {
			if err := p.unready(); err == nil {
				return errors.New("an updater is ready")
			}
		}
		return nil
	})
	moved(t, l)
	if now := progress(t, replica); now != kept {
		t.Errorf("the new primary moved by %d records while it had no replica", now-kept)
	}
	replica.StartReplica(t)
	for _, p := range m.members {
		p.awaitReady(t)
	}
	w.awaitTakenIn(t)
	t.Logf("a failover that lost more than %d records of commits", lost)
}

// progress is how many records a Redis has taken in, over all tasks.
func progress(t testing.TB, r *servers.Redis) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, err := store.NewReader(ctx, store.Config{Addrs: []string{r.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	tasks, err := reader.Tasks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, task := range tasks {
		total += task.NextOffset
	}
	return total
}
