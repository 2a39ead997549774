package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
)

// Drain is what it took the updater to work off a preloaded log. Figures marked
// steady are of the records after the warm-up.
type Drain struct {
	Customers int     `json:"customers"`
	Zipf      float64 `json:"zipf_exponent"`
	Events    int64   `json:"events"`
	// WarmUp records were taken in before the measured ones.
	WarmUp        int64          `json:"warm_up_events"`
	Kinds         map[string]int `json:"events_by_kind"`
	BytesPerEvent float64        `json:"bytes_per_event"`
	Steady        Usage          `json:"steady"`
	// Per million events in, steady: what was written to each output.
	Updates float64 `json:"updates_per_million"`
	Churn   float64 `json:"churn_records_per_million"`
	States  float64 `json:"state_records_per_million"`
	// Resident memory of the updater at the end and at most, bytes.
	Resident     int64       `json:"updater_resident_bytes"`
	ResidentMost int64       `json:"updater_resident_most_bytes"`
	CacheBytes   string      `json:"updater_cache_bytes"`
	Redis        RedisMemory `json:"redis_memory"`
	// Seconds of wall time, steady; of little meaning on a machine that others
	// use, too.
	Seconds float64 `json:"wall_seconds"`
}

// Usage is CPU-seconds per million events.
type Usage struct {
	Updater float64 `json:"updater"`
	Redis   float64 `json:"redis"`
	Broker  float64 `json:"broker"`
	// Compiling is what of Broker went into compiling its own code.
	Compiling float64 `json:"broker_compiling"`
	Total     float64 `json:"total"`
}

// reading is what has been used and done at one moment.
type reading struct {
	at                     time.Time
	records                int64
	updater, redis, broker time.Duration
	compiling              time.Duration // within broker
	updates, churn, states int64
}

// drainSize says how large a drain is.
type drainSize struct {
	customers, events int
	skew              float64
}

// drain preloads events, starts the updater, and measures from the moment when
// the share o.warmUp of the records is taken in to the moment when all are.
func (s *stack) drain(o *options, size drainSize) (*Drain, *workload, error) {
	ctx := s.host.ctx
	empty := s.redis.UsedMemory()
	w := newWorkload(o.seed, size.customers, size.events, size.skew, o.span, time.Now())
	producer := s.client.NewProducer()
	defer closeProducer(producer)
	if err := publish(ctx, s.client, producer, w.begin); err != nil {
		return nil, nil, err
	}
	bytes, err := preload(ctx, s.client, producer, w, size.events)
	if err != nil {
		return nil, nil, err
	}
	total, err := ends(ctx, s.client, s.client.Config().Topics.Events)
	if err != nil {
		return nil, nil, err
	}
	if err := s.startUpdater(); err != nil {
		return nil, nil, err
	}
	first, last, err := s.measure(o, total)
	if err != nil {
		return nil, nil, err
	}
	d := &Drain{
		Customers: size.customers, Zipf: size.skew, Events: total, WarmUp: first.records, Kinds: kindCounts(w.kinds),
		BytesPerEvent: float64(bytes) / float64(size.events), Steady: usage(first, last), CacheBytes: s.cache,
		Updates: perMillion(last.updates-first.updates, first, last), Churn: perMillion(last.churn-first.churn, first, last),
		States: perMillion(last.states-first.states, first, last), Seconds: last.at.Sub(first.at).Seconds(),
	}
	if d.CacheBytes == "" {
		d.CacheBytes = "default"
	}
	if d.Resident, d.ResidentMost, err = residentOf(s.updater.Process.Pid); err != nil {
		return nil, nil, err
	}
	if d.Redis, err = s.redisMemory(empty); err != nil {
		return nil, nil, err
	}
	return d, w, s.noneRefused()
}

// closeProducer waits for nothing: what was sent was acknowledged.
func closeProducer(p *stream.Producer) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.Close(ctx)
}

func kindCounts(kinds map[cltv.Kind]int) map[string]int {
	counts := map[string]int{}
	for kind, n := range kinds {
		counts[kind.String()] = n
	}
	return counts
}

// measure reads what is used at the end of the warm-up and at the end.
func (s *stack) measure(o *options, total int64) (first, last reading, err error) {
	reader, err := store.NewReader(s.host.ctx, s.redis.Config())
	if err != nil {
		return first, last, err
	}
	defer reader.Close()
	warm, began, profiles := int64(float64(total)*o.warmUp), false, sync.WaitGroup{}
	defer profiles.Wait()
	for deadline := time.Now().Add(o.within); ; {
		records, err := takenIn(s.host.ctx, reader)
		if err != nil {
			return first, last, err
		}
		if !began && records >= warm {
			began = true
			if first, err = s.read(records); err != nil {
				return first, last, err
			}
			if o.profiles != "" {
				profiles.Go(func() { s.profile(o, "cpu") })
			}
		}
		if records >= total {
			last, err = s.read(records)
			return first, last, err
		}
		if time.Now().After(deadline) {
			return first, last, fmt.Errorf("%d of %d records are taken in after %v", records, total, o.within)
		}
		select {
		case <-s.exited:
			return first, last, s.ended()
		case <-s.host.ctx.Done():
			return first, last, s.host.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// takenIn is how many records the tasks have committed.
func takenIn(ctx context.Context, reader *store.Reader) (int64, error) {
	tasks, err := reader.Tasks(ctx)
	records := int64(0)
	for _, task := range tasks {
		records += task.NextOffset
	}
	return records, err
}

// read takes a reading.
func (s *stack) read(records int64) (r reading, err error) {
	r = reading{at: time.Now(), records: records, redis: s.redis.CPU()}
	if r.updater, err = cpuOf(s.updater.Process.Pid); err != nil {
		return r, err
	}
	if r.broker, err = cpuOf(s.kafka.PID(s.host, 0)); err != nil {
		return r, err
	}
	if r.compiling, err = compilingOf(s.kafka.PID(s.host, 0)); err != nil {
		return r, err
	}
	topics := s.client.Config().Topics
	for topic, to := range map[string]*int64{topics.Updates: &r.updates, topics.Churn: &r.churn, topics.State: &r.states} {
		if *to, err = ends(s.host.ctx, s.client, topic); err != nil {
			return r, err
		}
	}
	return r, nil
}

func usage(first, last reading) Usage {
	per := func(used time.Duration) float64 { return used.Seconds() / float64(last.records-first.records) * 1e6 }
	u := Usage{
		Updater: per(last.updater - first.updater), Redis: per(last.redis - first.redis),
		Broker: per(last.broker - first.broker), Compiling: per(last.compiling - first.compiling),
	}
	u.Total = u.Updater + u.Redis + u.Broker
	return u
}

func perMillion(n int64, first, last reading) float64 {
	return float64(n) / float64(last.records-first.records) * 1e6
}

// noneRefused makes sure that what was measured is the work on events and not
// the refusal of events.
func (s *stack) noneRefused() error {
	topic := stream.DeadLetterTopic(s.client.Config().Topics.Events)
	if n, err := ends(s.host.ctx, s.client, topic); err != nil || n != 0 {
		return fmt.Errorf("%d records are in %s, and none should be: %w", n, topic, err)
	}
	return nil
}

// profile saves a profile of the updater over some seconds. It serves to explain
// figures; where it can't be had, that is said and nothing else.
func (s *stack) profile(o *options, name string) {
	file := filepath.Join(o.profiles, fmt.Sprintf("%s-%d.pprof", name, time.Now().Unix()))
	err := s.get(fmt.Sprintf("/debug/pprof/profile?seconds=%d", o.profileSeconds), func(r *http.Response) error {
		out, err := os.Create(file)
		if err != nil {
			return err
		}
		defer out.Close()
		_, err = io.Copy(out, r.Body)
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "no profile:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "profile:", file)
}
