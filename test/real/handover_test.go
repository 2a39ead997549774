package real_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/servers"
)

// sessionTimeout is after how long Kafka's group gives up a silent member.
const sessionTimeout = 6 * time.Second

// TestHandover lets two updaters join, leave, die and freeze under load, says how
// long that silenced a partition, and checks that nothing came of it.
func TestHandover(t *testing.T) {
	w := newWorld(t, servers.AnyKafka(t), []string{servers.AnyRedis(t).Addr}, 0, 4)
	w.start(t, ingester)
	w.start(t, billing)
	first, second := w.start(t, updater), w.start(t, updater)
	l := startLoad(t, w, 3)
	moved(t, l)

	var moments []moment
	happens := func(what, goal string, do func()) {
		m := moment{what: what, goal: goal, at: time.Now()}
		do()
		moved(t, l) // and what was published since then is taken in
		w.awaitTakenIn(t)
		m.until = time.Now()
		moments = append(moments, m)
	}
	happens("one of two updaters is stopped", "≤ 1 s", func() { second.stop(t) })
	happens("a second updater joins", "", func() { second = w.start(t, updater) })
	happens("one of two updaters is killed", "≤ 8 s", first.kill)
	happens("the only updater is killed and started again", "≤ 8 s", func() {
		second.kill()
		second = w.start(t, updater)
	})
	happens("the only updater is stopped and started again", "", func() {
		second.stop(t)
		second = w.start(t, updater)
	})
	first = w.start(t, updater)
	happens("one of two updaters is frozen, replaced, and thawed", "", func() {
		first.freeze(t)
		time.Sleep(sessionTimeout + 2*time.Second) // the group must have given it up
		moved(t, l)
		first.thaw(t)
	})
	first.awaitReady(t)
	settle(t, w, l, first, second)
	report(t, w, moments)
}

// moment is a stretch of time around something that happened to an updater.
type moment struct {
	what, goal string
	at, until  time.Time
}

// report says for each moment how long no output of a partition was written, at
// most. It says it and asserts nothing: it depends on the machine.
func report(t testing.TB, w *world, moments []moment) {
	t.Helper()
	written := make([][]time.Time, w.partitions)
	readAll(t, w.client, w.client.Config().Topics.Updates, func(p int32, r *task.Record) error {
		written[p] = append(written[p], time.UnixMilli(r.Timestamp))
		return nil
	})
	for _, m := range moments {
		worst := time.Duration(0)
		for _, times := range written {
			worst = max(worst, silence(times, m.at, m.until))
		}
		goal := ""
		if m.goal != "" {
			goal = fmt.Sprintf(" (goal %s)", m.goal)
		}
		t.Logf("%s: a partition was silent for %v at most%s", m.what, worst.Round(10*time.Millisecond), goal)
	}
}

// silence is the longest stretch without an output that overlaps the time from
// at to until.
func silence(written []time.Time, at, until time.Time) time.Duration {
	slices.SortFunc(written, time.Time.Compare)
	longest, last := time.Duration(0), at
	for _, now := range written {
		if now.After(until) {
			break
		}
		if now.After(at) {
			longest = max(longest, now.Sub(last))
			last = now
		}
	}
	return max(longest, until.Sub(last))
}
