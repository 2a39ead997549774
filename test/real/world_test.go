package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/servers"
)

// world is the servers of one test and how to reach them.
type world struct {
	kafka      *servers.Kafka
	redis      []string // addresses
	replicas   int      // that each primary has
	partitions int32

	client *stream.Client
	env    []string
	// twins: Redis is the one in the process of perennial run.
	twins bool
}

// newWorld makes the topics on servers that run.
func newWorld(t testing.TB, kafka *servers.Kafka, redis []string, replicas int, partitions int32) *world {
	t.Helper()
	w := &world{kafka: kafka, redis: redis, replicas: replicas, partitions: partitions}
	w.env = []string{
		"PERENNIAL_KAFKA_BROKERS=" + strings.Join(kafka.Addrs, ","),
		"PERENNIAL_REDIS_ADDRS=" + strings.Join(redis, ","),
	}
	run(t, w.env, "topics", "create", "--partitions", fmt.Sprint(partitions))
	var err error
	if w.client, err = stream.New(stream.Defaults(kafka.Addrs...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// start starts a service and waits until it is ready.
func (w *world) start(t testing.TB, name string) *program {
	t.Helper()
	p := w.launch(t, name)
	p.awaitReady(t)
	return p
}

// launch starts a service.
func (w *world) launch(t testing.TB, name string, env ...string) *program {
	t.Helper()
	env = append(env, w.env...)
	if name == updater {
		env = append(env, fmt.Sprint("PERENNIAL_REDIS_REPLICAS=", w.replicas))
	} else {
		env = without(env, "PERENNIAL_REDIS_")
	}
	return launch(t, name, env...)
}

// without leaves out the variables that begin with prefix.
func without(env []string, prefix string) []string {
	var rest []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, prefix) {
			rest = append(rest, entry)
		}
	}
	return rest
}

// reader reads Redis without owning anything.
func (w *world) reader(t testing.TB) *store.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := store.NewReader(ctx, w.store())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (w *world) store() store.Config { return store.Config{Addrs: w.redis, Embedded: w.twins} }

// tasks are the tasks as Redis has them, by partition.
func (w *world) tasks(t testing.TB) []task.Stored {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := store.NewReader(ctx, w.store())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tasks, err := r.Tasks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// verified is what perennial verify found.
type verified struct {
	Customers   int64
	Differences int
}

// verify recounts the sums.
func (w *world) verify(t testing.TB) verified {
	t.Helper()
	var v verified
	if err := json.Unmarshal([]byte(run(t, w.env, "verify", "--json", "--within", "1m")), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// ends are the ends of the partitions of a topic at this moment.
func (w *world) ends(t testing.TB, topic string) []int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ends []int64
	eventually(t, "the ends of "+topic+" are known", func() error {
		marks, err := w.client.Watermarks(ctx, topic)
		ends = make([]int64, len(marks))
		for _, m := range marks {
			ends[m.Partition] = m.End
		}
		return err
	})
	return ends
}

// awaitForwarded waits until an intake's group has taken in its whole topic.
func (w *world) awaitForwarded(t testing.TB, group, topic string) {
	t.Helper()
	ends := w.ends(t, topic)
	eventually(t, group+" has forwarded "+topic, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		lags, err := w.client.Lag(ctx, group, topic)
		if err != nil {
			return err
		}
		for _, l := range lags {
			if l.Committed < ends[l.Partition] && ends[l.Partition] > 0 {
				return fmt.Errorf("partition %d is at %d of %d", l.Partition, l.Committed, ends[l.Partition])
			}
		}
		return nil
	})
}

// awaitTakenIn waits until Redis stands at the present end of customer.events.v1,
// or further.
func (w *world) awaitTakenIn(t testing.TB) {
	t.Helper()
	ends := w.ends(t, w.client.Config().Topics.Events)
	eventually(t, "all events are taken in", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r, err := store.NewReader(ctx, w.store())
		if err != nil {
			return err
		}
		defer r.Close()
		tasks, err := r.Tasks(ctx)
		if err != nil {
			return err
		}
		for p, task := range tasks {
			if task.NextOffset < ends[p] || task.Rebuilding {
				return fmt.Errorf("partition %d is at %d of %d, rebuilding %v", p, task.NextOffset, ends[p], task.Rebuilding)
			}
		}
		return nil
	})
}
