package bubble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/test/sim"
)

// updaters is the greatest number of members.
const updaters = 3

// world is everything in the bubble.
type world struct {
	rng      *rand.Rand
	journal  *journal
	network  *network
	kafka    *kfake.Cluster
	redis    *miniredis.Miniredis
	services []*program

	partitions int
	records    int
	// faults is how many there are for each ten pieces of input.
	faults int

	client   *stream.Client // of the sources, and of whoever looks
	producer *stream.Producer
	sources  *sources
	logs     [task.NumTopics][][]task.Record
	check    check
}

// check judges what is left behind.
type check func(*sim.Remains) (counts map[string]int, err error)

// run is one scenario. It must be called in a bubble, and leaves nothing running.
func run(ctx context.Context, seed uint64, j *journal, judge check) (err error) {
	time.Sleep(time.Until(sim.Start()))
	j.began = time.Now()
	w := &world{rng: rand.New(rand.NewPCG(seed, 2)), journal: j, redis: miniredis.NewMiniRedis(), check: judge}
	w.partitions = 1 + w.rng.IntN(3)
	w.records = 60 + w.rng.IntN(120)
	w.faults = []int{0, 4, 8, 12, 20}[w.rng.IntN(5)]
	w.network = newNetwork(seed, w.redis)
	w.kafka, err = kfake.NewCluster(kfake.Ports([]int{9092, 9093, 9094}[:1+w.rng.IntN(3)]...), kfake.ListenFn(w.network.virtual.Listen))
	if err != nil {
		return err
	}
	defer w.kafka.Close()
	defer w.redis.Close()
	w.services = w.programs(w.kafka.ListenAddrs())
	if err := w.open(); err != nil {
		return err
	}
	j.note("world", "%d partitions, %d records, %d faults for each ten pieces", w.partitions, w.records, w.faults)
	err = w.live(ctx, seed)
	// Whatever happened: nothing may be left running.
	for _, p := range w.services {
		if p.now != nil {
			err = errors.Join(err, w.stop(p))
		}
	}
	return errors.Join(err, w.close(ctx))
}

// open makes the client of the sources.
func (w *world) open() (err error) {
	config := stream.Defaults(w.kafka.ListenAddrs()...)
	config.ClientID = "sources"
	config.Dial = w.network.host("sources").dial
	if w.client, err = stream.New(config); err != nil {
		return err
	}
	w.producer = w.client.NewProducer()
	return nil
}

func (w *world) close(ctx context.Context) error {
	return errors.Join(w.producer.Close(ctx), w.client.Close())
}

// sleep lets days pass. Nobody is connected meanwhile: a client asks for news
// every second.
func (w *world) sleep(ctx context.Context, d time.Duration) error {
	if err := w.close(ctx); err != nil {
		return err
	}
	time.Sleep(d)
	return w.open()
}

// live is the scenario: a troubled time, a quiet one, days of silence, and the
// loss of Redis.
func (w *world) live(ctx context.Context, seed uint64) error {
	if err := w.client.CreateTopics(ctx, int32(w.partitions), 1); err != nil {
		return err
	}
	w.sources = newSources(seed, w.records, w.partitions)
	for i, p := range w.services {
		if i == len(w.services)-1 && w.rng.IntN(2) == 0 {
			p.startAt = time.Now().Add(time.Minute)
			continue // joins later
		}
		if err := w.start(ctx, p); err != nil {
			return err
		}
	}
	if err := w.troubled(ctx); err != nil {
		return err
	}
	w.journal.note("world", "--- no more faults")
	w.calm()
	if err := w.settle(ctx, w.services...); err != nil {
		return fmt.Errorf("after the faults: %w", err)
	}
	if err := w.checkForwarded(ctx); err != nil {
		return err
	}
	w.journal.note("world", "--- everybody is away for days")
	if err := w.sleep(ctx, 8*24*time.Hour+time.Duration(w.rng.IntN(3600))*time.Second); err != nil {
		return err
	}
	if err := w.settle(ctx, w.anUpdater()); err != nil {
		return fmt.Errorf("after the silence: %w", err)
	}
	if err := w.minutes(ctx); err != nil {
		return fmt.Errorf("after minutes: %w", err)
	}
	if err := w.compare(ctx); err != nil {
		return fmt.Errorf("after the silence: %w", err)
	}
	w.journal.note("world", "--- Redis is wiped")
	w.redis.FlushAll()
	if err := w.settle(ctx, w.anUpdater(), w.anUpdater()); err != nil {
		return fmt.Errorf("after the rebuild: %w", err)
	}
	if err := w.compare(ctx); err != nil {
		return fmt.Errorf("after the rebuild: %w", err)
	}
	return nil
}

// minutes pass while members are there and nothing is published: clocks move,
// customers become due, checkpoints are written, and members come and go.
func (w *world) minutes(ctx context.Context) error {
	stays := w.services[len(w.services)-1]
	if err := w.start(ctx, stays); err != nil {
		return err
	}
	for i := range 2 + w.rng.IntN(2) {
		time.Sleep(time.Duration(20+w.rng.IntN(60)) * time.Second)
		other := w.services[len(w.services)-2]
		switch {
		case other.now == nil:
			if err := w.start(ctx, other); err != nil {
				return err
			}
		case i%2 == 0:
			w.kill(other)
		default:
			if err := w.stop(other); err != nil {
				return err
			}
		}
	}
	return w.settle(ctx, stays)
}

// anUpdater picks one.
func (w *world) anUpdater() *program { return w.services[len(w.services)-1-w.rng.IntN(updaters)] }

// patience is how long everything may take to settle once there are no faults.
const patience = 10 * time.Minute

// settle has exactly these programs run until nothing is left to do, and then
// stops them. What they are asked to stop in the middle of may leave an offset
// behind: then they run again.
func (w *world) settle(ctx context.Context, wanted ...*program) error {
	for _, p := range wanted {
		if p.now == nil {
			if err := w.start(ctx, p); err != nil {
				return err
			}
		}
	}
	for attempt := 0; ; attempt++ {
		if err := w.awaitQuiet(ctx); err != nil {
			return err
		}
		for _, p := range w.services {
			if p.now != nil {
				if err := w.stop(p); err != nil {
					return err
				}
			}
		}
		busy := w.busy(ctx)
		if busy == nil {
			break
		}
		if attempt == 5 {
			return fmt.Errorf("stopped in the middle of something again and again: %w", busy)
		}
		w.journal.note("world", "stopped in the middle: %v", busy)
		for _, p := range wanted {
			if p.now == nil {
				if err := w.start(ctx, p); err != nil {
					return err
				}
			}
		}
	}
	return w.collect(ctx)
}

// awaitQuiet returns when nothing has been left to do for some seconds.
func (w *world) awaitQuiet(ctx context.Context) error {
	end := time.Now().Add(patience)
	var quietSince time.Time
	var group stuck
	for {
		time.Sleep(500 * time.Millisecond)
		for _, p := range w.services {
			if p.now == nil {
				continue
			}
			select {
			case <-p.now.done:
				return fmt.Errorf("%s has ended by itself: %w", p.name, p.now.err)
			default:
			}
		}
		err := w.busy(ctx)
		if err != nil && group.look(ctx, w) {
			if err := w.restart(ctx); err != nil {
				return err
			}
		}
		switch {
		case err != nil && time.Now().After(end):
			return fmt.Errorf("not quiet after %v: %w", patience, err)
		case err != nil:
			quietSince = time.Time{}
		case quietSince.IsZero():
			quietSince = time.Now()
		case time.Since(quietSince) > 4*time.Second:
			return nil
		}
	}
}

// busy says what is still to be done; nil: nothing.
func (w *world) busy(ctx context.Context) error {
	config := w.client.Config()
	for group, topic := range map[string]string{config.Groups.Ingester: config.Topics.Calls, config.Groups.Billing: config.Topics.Billing} {
		lags, err := w.client.Lag(ctx, group, topic)
		if err != nil {
			return err
		}
		for _, l := range lags {
			if l.Behind > 0 {
				return fmt.Errorf("%d records of %s/%d aren't forwarded", l.Behind, topic, l.Partition)
			}
		}
	}
	marks, err := w.client.Watermarks(ctx, config.Topics.Events)
	if err != nil {
		return err
	}
	reader, err := store.NewReader(ctx, w.storeConfig())
	if err != nil {
		return err
	}
	defer reader.Close()
	tasks, err := reader.Tasks(ctx)
	if err != nil {
		return err
	}
	for p := range tasks {
		if tasks[p].NextOffset != marks[p].End || tasks[p].Rebuilding {
			return fmt.Errorf("task %d is at %d of %d, rebuilding: %v", p, tasks[p].NextOffset, marks[p].End, tasks[p].Rebuilding)
		}
		contents, err := reader.Contents(ctx, int32(p))
		if err != nil {
			return err
		}
		for _, b := range contents.Due {
			if int64(b.Day) <= tasks[p].Clocks[b.Tenant]/(24*3600) {
				return fmt.Errorf("task %d has customers of %s to look after, due on day %d", p, b.Tenant, b.Day)
			}
		}
	}
	return nil
}

func (w *world) storeConfig() store.Config {
	return store.Config{Addrs: []string{redisAddress}, Embedded: true, Dialer: w.network.host("observer").dial}
}

// calm ends all faults and everything that they hold up.
func (w *world) calm() {
	w.network.setTrouble(trouble{})
	w.network.setRedisDown(false)
	time.Sleep(30 * time.Second) // whoever is frozen thaws, whatever is under way arrives
}
