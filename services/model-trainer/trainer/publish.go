package trainer

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// record writes decisions into model.decisions.v1. They go before what they decide:
// who is interrupted then finds them there, and carries them out.
func (t *trainer) record(ctx context.Context, decisions []*perennialv1.ModelDecision) error {
	if len(decisions) == 0 {
		return nil
	}
	records := make([]stream.Message, len(decisions))
	for i, d := range decisions {
		value, err := proto.Marshal(d)
		if err != nil {
			return fmt.Errorf("encoding the decision on tenant %s: %w", d.Tenant, err)
		}
		key := d.Tenant + "/" + d.Scope
		if d.Contracts {
			key += "/contracts"
		}
		id := fmt.Sprintf("%s/%d", key, d.DecidedAt.AsTime().UnixNano())
		records[i] = stream.Message{Key: []byte(key), Value: value, Headers: []task.Header{
			{Key: "content-type", Value: []byte("application/protobuf")}, {Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_source", Value: []byte("/perennial/" + Name)}, {Key: "ce_type", Value: []byte("perennial.v1.ModelDecision")},
			{Key: "ce_id", Value: []byte(id)},
		}}
	}
	if err := t.producer.SendTo(ctx, t.kafka.Config().Topics.Decisions, 0, records); err != nil {
		return err
	}
	for _, d := range decisions {
		t.decisions.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", d.Outcome.String())))
		t.log.InfoContext(ctx, "decided on a model", "tenant", d.Tenant, "scope", d.Scope, "contracts", d.Contracts, "outcome", d.Outcome.String(), "reason", d.Reason)
	}
	return t.due.follow(ctx, t.kafka)
}

// model is a model that was decided to be published.
type model struct {
	*perennialv1.ModelPublished
	sentAt time.Time // by this process; zero: it wasn't
	sent   int       // how often
}

const (
	// sendAgainAfter is how long a model that was sent gets to show in a checkpoint.
	sendAgainAfter = 5 * time.Minute
	// sendAtMost is how often it is sent: one that doesn't show then was refused by the updater, or is behind a long history.
	sendAtMost = 12
)

// publish sends the models that were decided on and aren't in force to every
// partition, partition 0 first: should that be cut short, its owner repeats them to
// the others.
func (t *trainer) publish(ctx context.Context, s *situation) error {
	for at, m := range t.due.models[s.tenant] {
		if s.models[at].GetNumber() >= m.Number {
			delete(t.due.models[s.tenant], at)
			continue
		}
		if time.Since(m.sentAt) < sendAgainAfter {
			continue
		}
		if m.sent == sendAtMost {
			t.log.WarnContext(ctx, "a model that was published again and again isn't in force: look for it among the dead letters",
				"tenant", s.tenant, "scope", at.scope, "contracts", at.contracts, "number", m.Number)
			delete(t.due.models[s.tenant], at)
			continue
		}
		event, err := control.Publish(s.tenant, m.ModelPublished, time.Now())
		if err != nil {
			t.log.WarnContext(ctx, "a model that was decided on would be refused, and is passed over",
				"tenant", s.tenant, "scope", at.scope, "contracts", at.contracts, "number", m.Number, "error", err)
			delete(t.due.models[s.tenant], at)
			continue
		}
		if err := control.ToAll(ctx, t.kafka, t.producer, t.kafka.Config().Topics.Events, event); err != nil {
			return err
		}
		m.sentAt, m.sent = time.Now(), m.sent+1
	}
	return nil
}
