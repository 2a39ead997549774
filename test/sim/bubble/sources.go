package bubble

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/test/sim"
)

// sources publish what package sim's sources make: calls through the dialers'
// topic, everything else from outside through the billing systems', and
// parameters, clocks, and a part of the rest straight into customer.events.v1.
type sources struct {
	rng     *rand.Rand
	pending []sim.Record
}

func newSources(seed uint64, records, partitions int) *sources {
	rng := rand.New(rand.NewPCG(seed, 4))
	return &sources{rng: rng, pending: sim.Generate(rng, records, partitions)}
}

func (s *sources) done() bool { return len(s.pending) == 0 }

// publish sends the next n records and returns when Kafka has them. What is sent
// again because its fate was unknown is one more duplicate.
func (s *sources) publish(ctx context.Context, w *world, n int) error {
	n = min(n, len(s.pending))
	raw := map[string][]stream.Message{}
	events := map[int32][]stream.Message{}
	for _, r := range s.pending[:n] {
		topic, m, err := s.message(w.client.Config().Topics, r)
		if err != nil {
			return err
		}
		if topic == "" {
			events[r.Partition] = append(events[r.Partition], m)
		} else {
			raw[topic] = append(raw[topic], m)
		}
	}
	s.pending = s.pending[n:]
	for topic, messages := range raw {
		if err := persist(ctx, w, func() error { return w.producer.Send(ctx, topic, messages) }); err != nil {
			return fmt.Errorf("publishing to %s: %w", topic, err)
		}
	}
	for partition, messages := range events {
		topic := w.client.Config().Topics.Events
		if err := persist(ctx, w, func() error { return w.producer.SendTo(ctx, topic, partition, messages) }); err != nil {
			return fmt.Errorf("publishing to %s/%d: %w", topic, partition, err)
		}
	}
	return nil
}

// persist tries until it is known that Kafka has it.
func persist(_ context.Context, w *world, send func() error) (err error) {
	for range 20 {
		if err = send(); err == nil {
			return nil
		}
		w.journal.note("sources", "sending again after %v", err)
	}
	return err
}

// message is the record for a raw topic; topic "": for customer.events.v1.
func (s *sources) message(topics stream.Topics, r sim.Record) (topic string, m stream.Message, err error) {
	m = stream.Message{Key: r.Key, Value: r.Value, Headers: r.Headers}
	ev := new(perennialv1.Event)
	if unreadable := proto.Unmarshal(r.Value, ev); unreadable != nil {
		return []string{"", topics.Calls, topics.Billing}[s.rng.IntN(3)], m, nil //nolint:nilerr // poison is sent as it is
	}
	switch ev.Fact.(type) {
	case *perennialv1.Event_CallOutcome:
		topic = topics.Calls
	case *perennialv1.Event_ModelPublished, *perennialv1.Event_ThresholdsSet, *perennialv1.Event_UnitCostsSet, *perennialv1.Event_PolicySet,
		*perennialv1.Event_ClockAdvanced, *perennialv1.Event_Reassess:
		return "", m, nil
	default:
		topic = topics.Billing
	}
	if identity := fnv.New32(); ev.SourceEventId != "" { // all revisions go the same way
		identity.Write([]byte(ev.Tenant + ev.SourceEventId))
		if identity.Sum32()%4 == 0 {
			return "", m, nil
		}
	}
	if s.rng.IntN(3) == 0 {
		m.Headers = append([]task.Header{{Key: "content-type", Value: []byte("application/json")}}, m.Headers...)
		m.Value, err = protojson.Marshal(ev)
	}
	return topic, m, err
}

// place is where a record of a raw topic is.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// checkForwarded holds the raw topics against customer.events.v1 and the
// intakes' dead letters: each record has become an event, or a dead letter, and
// never both.
func (w *world) checkForwarded(ctx context.Context) error {
	config := w.client.Config()
	forwarded := map[string]int{}
	for _, records := range w.logs[task.Input] {
		for i := range records {
			if content := contentOf(&records[i]); content != "" {
				forwarded[content]++
			}
		}
	}
	for _, topic := range []string{config.Topics.Calls, config.Topics.Billing} {
		dead := map[place]bool{}
		err := w.client.Read(ctx, stream.DeadLetterTopic(topic), nil, func(_ int32, r *task.Record) error {
			letter, ok := stream.ParseDeadLetter(r)
			if !ok {
				return fmt.Errorf("offset %d of %s is no dead letter", r.Offset, stream.DeadLetterTopic(topic))
			}
			dead[place{letter.Topic, letter.Partition, letter.Offset}] = true
			return nil
		})
		if err != nil {
			return err
		}
		alive, refused := map[string]int{}, map[string]bool{}
		err = w.client.Read(ctx, topic, nil, func(p int32, r *task.Record) error {
			content := contentOf(r)
			switch isDead := dead[place{topic, p, r.Offset}]; {
			case isDead:
				refused[content] = true
				w.journal.count("refused by intakes", 1)
			case content == "":
				return fmt.Errorf("%s/%d at %d can't be read, and is no dead letter", topic, p, r.Offset)
			default:
				alive[content]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		for content, n := range alive {
			w.journal.count("forwarded", n)
			switch {
			case forwarded[content] < n:
				return fmt.Errorf("%s has %d times, and %s %d times: %q", topic, n, config.Topics.Events, forwarded[content], content)
			case refused[content]:
				return fmt.Errorf("%s: once taken, once refused: %q", topic, content)
			}
		}
		for content := range refused {
			if content != "" && forwarded[content] > 0 {
				return fmt.Errorf("%s: both a dead letter and forwarded: %q", topic, content)
			}
		}
	}
	return nil
}

// contentOf is an event without what the intake sets, so that a raw record and
// what became of it are equal; empty where it can't be read.
func contentOf(r *task.Record) string {
	ev := new(perennialv1.Event)
	var err error
	if strings.HasPrefix(string(r.Value), "{") {
		err = protojson.Unmarshal(r.Value, ev)
	} else {
		err = proto.Unmarshal(r.Value, ev)
	}
	if err != nil {
		return ""
	}
	ev.RecordedAt = nil
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(ev)
	if err != nil {
		return ""
	}
	return string(b)
}
