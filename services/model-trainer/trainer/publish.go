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

// tell brings the model of a decision into force, if it says so, and records the
// decision. The model goes first: a decision is never recorded that wasn't carried
// out, and whoever is interrupted between the two decides once more.
func (t *trainer) tell(ctx context.Context, d *perennialv1.ModelDecision) error {
	if d.Outcome == perennialv1.Outcome_OUTCOME_PUBLISHED {
		if err := t.publish(ctx, d.Tenant, d.Candidate); err != nil {
			return err
		}
	}
	value, err := proto.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding the decision on tenant %s: %w", d.Tenant, err)
	}
	id := fmt.Sprintf("%s/%s/%d", d.Tenant, d.Scope, d.DecidedAt.AsTime().UnixNano())
	record := stream.Message{Key: []byte(d.Tenant + "/" + d.Scope), Value: value, Headers: []task.Header{
		{Key: "content-type", Value: []byte("application/protobuf")}, {Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_source", Value: []byte("/perennial/" + Name)}, {Key: "ce_type", Value: []byte("perennial.v1.ModelDecision")},
		{Key: "ce_id", Value: []byte(id)},
	}}
	if err := t.producer.SendTo(ctx, t.kafka.Config().Topics.Decisions, 0, []stream.Message{record}); err != nil {
		return err
	}
	t.decisions.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", d.Outcome.String())))
	t.log.InfoContext(ctx, "decided on a model", "tenant", d.Tenant, "scope", d.Scope, "outcome", d.Outcome.String(), "reason", d.Reason)
	return nil
}

// publish sends a model to every partition.
func (t *trainer) publish(ctx context.Context, tenant string, m *perennialv1.ModelPublished) error {
	event, err := control.Publish(tenant, m, time.Now())
	if err != nil {
		return err
	}
	return control.ToAll(ctx, t.kafka, t.producer, t.kafka.Config().Topics.Events, event)
}

// repeats is when a model was last sent to a partition again.
type repeats map[repeated]time.Time

type repeated struct {
	tenant, scope string
	number        int64
	partition     int32
}

// repeatEvery is how long a partition gets to show that it has a model, and how
// often it is sent again.
const repeatEvery = time.Hour

// repeatModels sends models again to partitions that haven't had them for an hour,
// because who published them died between two partitions, or their records were
// deleted before they were read.
func (t *trainer) repeatModels(ctx context.Context, s *situation) error {
	for _, lack := range s.lacking {
		key := repeated{s.tenant, lack.model.Scope, lack.model.Number, lack.partition}
		last, known := t.repeat[key]
		if !known {
			t.repeat[key] = time.Now() // it may be on its way
			continue
		}
		if time.Since(last) < repeatEvery {
			continue
		}
		event, err := control.Publish(s.tenant, lack.model, time.Now())
		if err != nil {
			return err
		}
		message, err := control.Message(event)
		if err != nil {
			return err
		}
		if err := t.producer.SendTo(ctx, t.kafka.Config().Topics.Events, lack.partition, []stream.Message{message}); err != nil {
			return err
		}
		t.repeat[key] = time.Now()
		t.log.WarnContext(ctx, "a partition lacked a model, which was sent to it again",
			"tenant", s.tenant, "scope", lack.model.Scope, "number", lack.model.Number, "partition", lack.partition)
	}
	return nil
}
