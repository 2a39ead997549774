package stream_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
)

// owners watches who has which partition in which generation.
type owners struct {
	mu      sync.Mutex
	byGen   map[int32]map[int32]string // generation, partition: member
	now     map[string][]int32         // member: partitions
	changed chan struct{}
}

func newOwners() *owners {
	return &owners{byGen: make(map[int32]map[int32]string), now: make(map[string][]int32), changed: make(chan struct{})}
}

func (o *owners) enter(t *testing.T, name string, g *stream.Generation, topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byGen[g.ID] == nil {
		o.byGen[g.ID] = make(map[int32]string)
	}
	var mine []int32
	for _, a := range g.Partitions[topic] {
		if other := o.byGen[g.ID][a.Partition]; other != "" {
			t.Errorf("generation %d gave partition %d to %s and to %s", g.ID, a.Partition, other, name)
		}
		o.byGen[g.ID][a.Partition] = name
		mine = append(mine, a.Partition)
	}
	o.now[name] = mine
	o.tell()
}

func (o *owners) leave(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.now, name)
	o.tell()
}

func (o *owners) tell() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// await returns a copy of who has what as soon as good says so.
func (o *owners) await(t *testing.T, good func(map[string][]int32) bool) map[string][]int32 {
	t.Helper()
	ctx := limit(t)
	for {
		o.mu.Lock()
		now := make(map[string][]int32)
		for k, v := range o.now {
			now[k] = slices.Clone(v)
		}
		changed := o.changed
		o.mu.Unlock()
		if good(now) {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("gave up waiting; members have %v", now)
		}
	}
}

// member runs a member of the updaters' group until stop is called.
func member(t *testing.T, config stream.Config, o *owners, name string) (stop func()) {
	t.Helper()
	c := kafkatest.Client(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.RunGroup(ctx, config.Groups.Updater, []string{config.Topics.Events}, func(ctx context.Context, g *stream.Generation) error {
			o.enter(t, name, g, config.Topics.Events)
			<-ctx.Done()
			o.leave(name)
			return nil
		})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("member %s: %v", name, err)
				}
			case <-time.After(30 * time.Second):
				t.Errorf("member %s doesn't leave", name)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// even says whether n partitions are shared out among members evenly.
func even(n int, names ...string) func(map[string][]int32) bool {
	return func(now map[string][]int32) bool {
		if len(now) != len(names) {
			return false
		}
		var all []int32
		for _, name := range names {
			if len(now[name]) < n/len(names) || len(now[name]) > (n+len(names)-1)/len(names) {
				return false
			}
			all = append(all, now[name]...)
		}
		slices.Sort(all)
		return len(slices.Compact(all)) == n
	}
}

func TestGroupSharesOutAndMovesLittle(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		const partitions = 12
		config := kafkatest.Config(t, brokers)
		kafkatest.Topics(t, kafkatest.Client(t, config), partitions, 1)
		o := newOwners()
		member(t, config, o, "a")
		alone := o.await(t, even(partitions, "a"))
		stopB := member(t, config, o, "b")
		two := o.await(t, even(partitions, "a", "b"))
		for _, p := range two["a"] {
			if !slices.Contains(alone["a"], p) {
				t.Errorf("partition %d moved to a, which had all", p)
			}
		}
		member(t, config, o, "c")
		three := o.await(t, even(partitions, "a", "b", "c"))
		moved := 0
		for _, name := range []string{"a", "b"} {
			for _, p := range three[name] {
				if !slices.Contains(two[name], p) {
					moved++
				}
			}
		}
		if moved > 0 {
			t.Errorf("%d partitions moved between a and b when c came", moved)
		}
		began := time.Now()
		stopB()
		t.Logf("b left in %v", time.Since(began))
		last := o.await(t, even(partitions, "a", "c"))
		for _, name := range []string{"a", "c"} {
			for _, p := range three[name] {
				if !slices.Contains(last[name], p) {
					t.Errorf("partition %d moved from %s when b left", p, name)
				}
			}
		}
	})
}

// TestGroupReplacesDeadMember cuts a member's network, which is what the group
// sees of one that was killed.
func TestGroupReplacesDeadMember(t *testing.T) {
	test := func(t *testing.T, brokers []string, session time.Duration) {
		const partitions = 4
		config := kafkatest.Config(t, brokers)
		config.SessionTimeout, config.RebalanceTimeout, config.RequestTimeout = session, session, time.Second
		kafkatest.Topics(t, kafkatest.Client(t, config), partitions, 1)
		o := newOwners()
		var wire cutter
		doomed := config
		doomed.Dial = wire.dial
		stopDoomed := member(t, doomed, o, "doomed")
		member(t, config, o, "heir")
		o.await(t, even(partitions, "doomed", "heir"))
		began := time.Now()
		wire.cut()
		o.await(t, even(partitions, "heir")) // and the dead one knows that it has nothing
		t.Logf("replaced after %v, with a session of %v", time.Since(began), session)
		stopDoomed()
	}
	t.Run("fake", func(t *testing.T) {
		test(t, kafkatest.Fake(t, kfake.GroupMinSessionTimeout(time.Millisecond)).ListenAddrs(), 600*time.Millisecond)
	})
	t.Run("real", func(t *testing.T) { test(t, kafkatest.Brokers(t), 6*time.Second) })
}

// cutter opens connections until it is told to cut them all.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, errors.New("the network is cut")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	for _, conn := range c.conns {
		conn.Close()
	}
}

func TestGroupCommits(t *testing.T) {
	onBoth(t, func(t *testing.T, brokers []string, _ bool) {
		config := kafkatest.Config(t, brokers)
		c := kafkatest.Client(t, config)
		kafkatest.Topics(t, c, 2, 1)
		topic, group := config.Topics.Events, config.Groups.Updater
		for p := range int32(2) {
			wantKind(t, c.Append(limit(t), p, 1, outs("r", 0, 10)), 0)
		}
		lag, err := c.Lag(limit(t), group, topic)
		if err != nil || len(lag) != 2 || lag[1] != (stream.Lag{Watermark: stream.Watermark{Partition: 1, End: 10}, Committed: -1, Behind: 10}) {
			t.Errorf("before any commit: %+v, %v", lag, err)
		}
		run := func(work func(g *stream.Generation) error) {
			t.Helper()
			ctx, cancel := context.WithCancel(limit(t))
			err := c.RunGroup(ctx, group, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
				defer cancel()
				if err := work(g); err != nil {
					return err
				}
				cancel()
				<-ctx.Done()
				return g.Commit(map[string]map[int32]int64{topic: {1: 9}}) // while draining
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		run(func(g *stream.Generation) error {
			if a := g.Partitions[topic]; len(a) != 2 || a[0].Committed != -1 || a[1].Committed != -1 {
				t.Errorf("assignments %v", a)
			}
			if err := g.Commit(map[string]map[int32]int64{topic: {7: 1}}); err == nil {
				t.Error("committed a partition that isn't ours")
			}
			return errors.Join(g.Commit(map[string]map[int32]int64{topic: {0: 5, 1: 8}}), g.Commit(map[string]map[int32]int64{topic: {0: 3}}))
		})
		run(func(g *stream.Generation) error {
			if a := g.Partitions[topic]; len(a) != 2 || a[0].Committed != 5 || a[1].Committed != 9 {
				t.Errorf("assignments %v, want 5 and 9", a)
			}
			return g.Commit(map[string]map[int32]int64{topic: {0: 4}})
		})
		lag, err = c.Lag(limit(t), group, topic)
		if err != nil {
			t.Fatal(err)
		}
		if len(lag) != 2 || lag[0].Committed != 5 || lag[0].Behind != 5 || lag[1].Committed != 9 || lag[1].Behind != 1 {
			t.Errorf("lag %+v", lag)
		}
	})
}

func TestGroupEndsWithItsWork(t *testing.T) {
	config := kafkatest.Config(t, kafkatest.Fake(t).ListenAddrs())
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	broken := errors.New("broken")
	err := c.RunGroup(limit(t), "g", []string{config.Topics.Events}, func(context.Context, *stream.Generation) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	// A work that gives its partitions back gets them again.
	ctx, cancel := context.WithCancel(limit(t))
	times := 0
	err = c.RunGroup(ctx, "g", []string{config.Topics.Events}, func(context.Context, *stream.Generation) error {
		if times++; times == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || times != 3 {
		t.Errorf("%d times, error %v", times, err)
	}
}
