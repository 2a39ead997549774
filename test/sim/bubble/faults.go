package bubble

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// slow is a network in which things take their time, so that faults meet the
// services in the middle of something.
var slow = trouble{delay: 400, longest: 40 * time.Millisecond}

// troubled publishes everything, piece by piece, while things go wrong.
func (w *world) troubled(ctx context.Context) error {
	if w.faults > 0 {
		w.network.setTrouble(slow)
	}
	for !w.sources.done() {
		published := make(chan error, 1)
		piece := 1 + w.rng.IntN(15)
		go func() { published <- w.sources.publish(ctx, w, piece) }()
		for n := w.rng.IntN(10); n < w.faults; n += 10 {
			time.Sleep(time.Duration(w.rng.IntN(500)) * time.Millisecond)
			w.fault(ctx)
		}
		if err := <-published; err != nil {
			return err
		}
		time.Sleep(time.Duration(w.rng.IntN(7000)) * time.Millisecond)
		if err := w.revive(ctx); err != nil {
			return err
		}
	}
	return nil
}

// revive starts what is to run again, and finds what ended by itself.
func (w *world) revive(ctx context.Context) error {
	for _, p := range w.services {
		switch {
		case p.now != nil:
			select {
			case <-p.now.done:
				return fmt.Errorf("%s has ended by itself: %w", p.name, p.now.err)
			default:
			}
		case !time.Now().Before(p.startAt):
			if err := w.start(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// fault makes something go wrong.
func (w *world) fault(ctx context.Context) {
	p := w.services[w.rng.IntN(len(w.services))]
	if w.rng.IntN(2) == 0 {
		p = w.anUpdater()
	}
	seconds := func(n int) time.Duration { return time.Duration(w.rng.IntN(n*1000)) * time.Millisecond }
	switch w.rng.IntN(10) {
	case 0, 1:
		if p.now != nil {
			w.kill(p)
			p.startAt = time.Now().Add(seconds(20))
			w.journal.count("kills", 1)
		}
	case 2:
		if p.now != nil {
			if err := w.stop(p); err != nil { // it may well fail to hand over now
				w.journal.note("world", "stopped with %v", err)
			}
			p.startAt = time.Now().Add(seconds(20))
			w.journal.count("stops", 1)
		}
	case 3:
		if p.now != nil {
			d := seconds(25)
			w.journal.note(p.name, "FREEZES for %v", d)
			p.now.host.freeze(d)
			w.journal.count("freezes", 1)
		}
	case 4:
		t := slow
		if w.rng.IntN(3) > 0 {
			t = trouble{delay: w.rng.IntN(120), longest: 10*time.Millisecond + seconds(7), loseRequest: w.rng.IntN(15), loseAnswer: w.rng.IntN(25)}
		}
		w.journal.note("network", "TROUBLE %+v", t)
		w.network.setTrouble(t)
		w.journal.count("troubles", 1)
	case 5:
		w.redisFault(seconds(8))
	case 6:
		w.expel(ctx)
	default:
		w.kafkaFault()
	}
}

// redisFault restarts Redis, with or without its data, or breaks connections.
func (w *world) redisFault(down time.Duration) {
	switch w.rng.IntN(4) {
	case 0:
		n := w.network.cut(func(l *link) bool { return l.toRedis && w.rng.IntN(2) == 0 })
		w.journal.note("redis", "BREAKS %d connections", n)
		w.journal.count("broken redis connections", n)
	case 1:
		w.redisDies(down)
		w.journal.note("redis", "IS EMPTY")
		w.redis.FlushAll()
		w.journal.count("wipes", 1)
	default:
		w.redisDies(down)
		w.journal.count("redis restarts", 1)
	}
}

// redisDies breaks all connections; for a while none can be made.
func (w *world) redisDies(down time.Duration) {
	w.journal.note("redis", "IS DOWN for %v", down)
	w.network.setRedisDown(true)
	w.network.cut(func(l *link) bool { return l.toRedis })
	w.redis.Close() // returns when whatever it was doing is done
	time.AfterFunc(down, func() { w.network.setRedisDown(false) })
}

// kafkaFault moves leaders or coordinators, breaks connections, or has requests
// answered by errors, some of them after they were carried out.
func (w *world) kafkaFault() {
	switch w.rng.IntN(4) {
	case 0:
		w.journal.note("kafka", "ELECTS leaders")
		w.kafka.ShufflePartitionLeaders()
		w.journal.count("elections", 1)
	case 1:
		w.journal.note("kafka", "MOVES coordinators")
		w.kafka.RehashCoordinators()
		w.journal.count("moved coordinators", 1)
	case 2:
		n := w.network.cut(func(l *link) bool { return !l.toRedis && w.rng.IntN(2) == 0 })
		w.journal.note("kafka", "BREAKS %d connections", n)
		w.journal.count("broken kafka connections", n)
	default:
		f := answers[w.rng.IntN(len(answers))]
		f.Count = 1 + w.rng.IntN(6)
		w.journal.note("kafka", "ANSWERS %d times %s to %v", f.Count, f.Err.Message, f.Keys)
		w.kafka.Fault(f)
		w.journal.count("kafka errors", f.Count)
	}
}

// answers are errors that Kafka may answer.
var answers = []kfake.Fault{
	{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut}, // written nevertheless
	{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend},
	{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition},
	{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas},
	{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition},
	{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.LeaderNotAvailable},
	{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.CoordinatorLoadInProgress, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.NotCoordinator, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RequestTimedOut},
	{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress},
	{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.CoordinatorNotAvailable, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.RebalanceInProgress, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.CoordinatorLoadInProgress, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, TopLevel: true},
	{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition},
	{Keys: []kmsg.Key{kmsg.Metadata}, Err: kerr.LeaderNotAvailable},
}
