package sim

import (
	"errors"
	"slices"
	"sort"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// transactionalIDExpiry is Kafka's default, milliseconds.
const transactionalIDExpiry = 7 * 24 * 3600 * 1000

// kafka is an in-memory Kafka with what matters to idempotent producers: epochs
// that fence late and by partition, comparison of sequence ranges and not of
// contents, and the five last batches of a producer.
type kafka struct {
	topics [task.NumTopics][]*partition
	ids    []transactionalID // one for each task
	pids   int64
}

type partition struct {
	records []record
	start   int64
	next    int64
	// hidden are the newest records, which a new leader doesn't show yet.
	hidden    int64
	producers map[int64]*producer
}

type record struct {
	task.Record
	token task.Token
}

// producer is what a partition knows of a producer id.
type producer struct {
	epoch int16
	next  int32
	// ranges are the last batches, newest last.
	ranges []sequenceRange
}

type sequenceRange struct{ first, count int32 }

type transactionalID struct {
	token task.Token
	at    int64 // last initialised
}

func newKafka(partitions int) *kafka {
	k := &kafka{ids: make([]transactionalID, partitions)}
	for t := range k.topics {
		for range partitions {
			k.topics[t] = append(k.topics[t], &partition{producers: map[int64]*producer{}})
		}
	}
	return k
}

func (k *kafka) initProducer(p int32, now int64) task.Token {
	id := &k.ids[p]
	if id.token.ProducerID == 0 || now-id.at >= transactionalIDExpiry {
		k.pids++
		id.token = task.Token{ProducerID: k.pids, Epoch: -1}
	}
	id.token.Epoch++
	id.at = now
	return id.token
}

var (
	errFenced = errors.New("invalid producer epoch")
	errGap    = errors.New("out of order sequence number")
)

// produce is what a broker does with a numbered batch.
func (k *kafka) produce(b *task.Produce) error {
	p := k.topics[b.Topic][b.Partition]
	count := int32(len(b.Records))
	state := p.producers[b.Token.ProducerID]
	switch {
	case state == nil: // an unknown producer may begin anywhere
		state = &producer{epoch: b.Token.Epoch}
		p.producers[b.Token.ProducerID] = state
	case b.Token.Epoch < state.epoch:
		return errFenced
	case b.Token.Epoch > state.epoch:
		if b.Sequence != 0 {
			return errGap
		}
		*state = producer{epoch: b.Token.Epoch}
	case b.Sequence != state.next:
		if slices.Contains(state.ranges, sequenceRange{b.Sequence, count}) {
			return nil // taken for a repetition, whatever it holds
		}
		return errGap
	}
	state.next = b.Sequence + count
	state.ranges = append(state.ranges, sequenceRange{b.Sequence, count})
	if len(state.ranges) > 5 {
		state.ranges = state.ranges[1:]
	}
	for _, out := range b.Records {
		p.append(b.Token, b.Timestamp, out)
	}
	return nil
}

// append copies a record to the end of a partition.
func (p *partition) append(token task.Token, timestamp int64, out task.Out) {
	r := record{token: token}
	r.Offset, r.Timestamp = p.next, timestamp
	r.Key, r.Value = slices.Clone(out.Key), slices.Clone(out.Value)
	for _, h := range out.Headers {
		r.Headers = append(r.Headers, task.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	p.records = append(p.records, r)
	p.next++
}

// fetch gives at most n records from an offset on.
func (p *partition) fetch(offset int64, n int) (task.Fetched, error) {
	end := p.next - p.hidden
	f := task.Fetched{NextOffset: offset, LogStart: p.start, HighWatermark: end}
	if offset < p.start || offset > p.next {
		return f, &task.Error{Kind: task.KindOffsetOutOfRange, Op: "fetch", Err: errors.New("offset out of range")}
	}
	i := sort.Search(len(p.records), func(i int) bool { return p.records[i].Offset >= offset })
	for ; i < len(p.records) && p.records[i].Offset < end && len(f.Records) < n; i++ {
		f.Records = append(f.Records, p.records[i].Record)
		f.NextOffset = p.records[i].Offset + 1
	}
	if i == len(p.records) {
		f.NextOffset = max(offset, end)
	}
	return f, nil
}

// compact removes what later records of the same key replace, as the cleaner
// does, except among the newest keep records.
func (p *partition) compact(keep int) {
	n := max(0, len(p.records)-keep)
	last := map[string]int64{}
	for _, r := range p.records {
		last[string(r.Key)] = r.Offset
	}
	kept := p.records[:0:0]
	for i, r := range p.records {
		if i >= n || last[string(r.Key)] == r.Offset {
			kept = append(kept, r)
		}
	}
	p.records = kept
}

// trim deletes the beginning, as retention does.
func (p *partition) trim(start int64) {
	p.start = start
	i := sort.Search(len(p.records), func(i int) bool { return p.records[i].Offset >= start })
	p.records = p.records[i:]
}
