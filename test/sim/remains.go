package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// What the second tier of the simulation, package bubble, shares with this one:
// the sources, and the comparisons at the end.

// Record is what a source publishes.
type Record struct {
	Partition  int32 // of customer.events.v1
	Key, Value []byte
	Headers    []task.Header
}

// Start is the time at which the sources' facts are recorded.
func Start() time.Time { return time.UnixMilli(startOfTime).UTC() }

// Generate makes about n records and their disorder, for partitions that are
// chosen as Kafka's clients choose them.
func Generate(rng *rand.Rand, n, partitions int) []Record {
	var out []Record
	for _, r := range generate(rng, n, partitions) {
		_, name, _ := strings.Cut(string(r.key), "/")
		if !strings.HasPrefix(name, "~") || strings.HasPrefix(name, "~spend/") {
			r.partition = task.Murmur2Partition(r.key, int32(partitions))
		}
		out = append(out, Record{Partition: r.partition, Key: r.key, Value: r.value, Headers: r.headers})
	}
	return out
}

// Remains is what a run leaves behind: the logs of its tasks, and what Redis
// has of them.
type Remains struct {
	// Logs by topic and partition, in the order of offsets.
	Logs  [task.NumTopics][][]task.Record
	Tasks []TaskRemains
}

// TaskRemains is one task in Redis.
type TaskRemains struct {
	Stored   task.Stored
	States   []task.StateWrite
	Contents task.Contents
	Due      []task.DueWrite
}

// Compare holds what is left behind against the serial fold and the independent
// batch program. Every record of an output must be the one that the log gives
// its version, the last of each customer must be there, and Redis must have the
// states, sums, parameters, clocks and due times that follow from the log. The
// error is the first promise that was broken.
func Compare(r *Remains) (counts map[string]int, err error) {
	partitions := len(r.Tasks)
	w := &world{
		plan: plan{partitions: partitions}, kafka: newKafka(partitions), redis: newRedis(int32(partitions)),
		tables: sharedTables, counts: map[string]int{}, calm: true,
	}
	defer func() {
		if v := recover(); v != nil {
			broken, ok := v.(violation)
			if !ok {
				panic(v)
			}
			counts, err = w.counts, fmt.Errorf("what is left behind: %s", broken.text)
		}
	}()
	for topic, logs := range r.Logs {
		for p, records := range logs {
			w.fill(w.kafka.topics[topic][p], records)
		}
	}
	for p := range partitions {
		w.refs = append(w.refs, newReference(int32(p), w.tables))
		w.restore(int32(p), &r.Tasks[p])
	}
	for topic := task.Updates; topic < task.NumTopics; topic++ {
		for p, log := range w.kafka.topics[topic] {
			for i := range log.records {
				w.checkOutput(topic, int32(p), &log.records[i])
			}
		}
	}
	w.compare()
	w.count()
	return w.counts, nil
}

func (w *world) fill(p *partition, records []task.Record) {
	for i := range records {
		p.records = append(p.records, record{Record: records[i]})
		p.next = records[i].Offset + 1
	}
}

// restore gives the in-memory store the contents that Redis has.
func (w *world) restore(p int32, t *TaskRemains) {
	if t.Stored.Rebuilding || !t.Stored.Exists {
		w.fail("partition %d: the task is there: %v, and being rebuilt: %v", p, t.Stored.Exists, t.Stored.Rebuilding)
	}
	ctx, store := context.Background(), w.redis.connect(p)
	token := task.Token{ProducerID: 1}
	opened, err := store.Open(ctx, task.OpenRequest{Token: token, FoldVersion: t.Stored.FoldVersion, Partitions: t.Stored.Partitions})
	if err != nil || opened.Verdict != task.OK {
		w.fail("partition %d: verdict %v, %v", p, opened.Verdict, err)
	}
	c := &task.Commit{
		Token: token, Opening: opened.Before.Opening + 1, Batch: t.Stored.Batch, To: t.Stored.NextOffset,
		LastCRC: t.Stored.LastCRC, CheckpointOffset: t.Stored.CheckpointOffset,
		States: t.States, Sums: t.Contents.Sums, Due: t.Due,
	}
	for tenant, value := range t.Contents.Parameters {
		c.Parameters = append(c.Parameters, task.ParametersWrite{Tenant: tenant, Value: value})
	}
	for tenant, unix := range t.Stored.Clocks {
		c.Clocks = append(c.Clocks, task.ClockWrite{Tenant: tenant, Unix: unix})
	}
	for _, put := range []func(context.Context, *task.Commit) (task.Verdict, error){store.RebuildPut, store.FinishRebuild} {
		if verdict, err := put(ctx, c); err != nil || verdict != task.OK {
			w.fail("partition %d: verdict %v, %v", p, verdict, err)
		}
	}
}
