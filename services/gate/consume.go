package gate

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// Consume forwards a raw topic until ctx ends: every record becomes one of
// customer.events.v1, or a dead letter with its cause.
func (g *Gate) Consume(ctx context.Context, topic, group string, in *intake.Intake) error {
	return g.Kafka.Consume(ctx, stream.Consumer{
		Topic: topic, Group: group, To: g.Kafka.Config().Topics.Events, Producer: g.Producer,
		Handle: func(ctx context.Context, b stream.Batch) (stream.Result, error) {
			return g.forward(ctx, b, in), nil
		},
	})
}

// forward makes messages and dead letters of a batch. It can't fail: what is
// wrong with a record is the record's fate.
func (g *Gate) forward(ctx context.Context, b stream.Batch, in *intake.Intake) stream.Result {
	result := stream.Result{Messages: make([]stream.Message, 0, len(b.Records))}
	for i := range b.Records {
		message, rejection := g.one(ctx, b, &b.Records[i], in)
		if rejection != nil {
			g.metrics.Refused(ctx, rejection.Code())
			result.Dead = append(result.Dead, stream.Dead{Index: i, Cause: stream.Cause{
				Service: g.name, Stage: string(rejection.Stage), Code: string(rejection.Code()), Text: rejection.Error(),
			}})
			continue
		}
		result.Messages = append(result.Messages, message)
	}
	g.forwarded.Add(ctx, int64(len(result.Messages)))
	return result
}

// one is the way of one record: a span of the publisher's trace, if there is
// one, around decoding, validation and normalisation.
func (g *Gate) one(ctx context.Context, b stream.Batch, r *task.Record, in *intake.Intake) (stream.Message, *intake.Rejection) {
	headers := intakeHeaders(r.Headers)
	ctx, span := g.tracer.Start(ops.Extract(ctx, r.Headers), "forward "+b.Topic, trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", b.Topic),
			attribute.Int("messaging.destination.partition.id", int(b.Partition)), attribute.Int64("messaging.kafka.offset", r.Offset))
	}
	m, rejection := in.Process(intake.Record{Value: r.Value, Headers: headers})
	if rejection != nil {
		span.SetStatus(codes.Error, string(rejection.Code()))
		return stream.Message{}, rejection
	}
	return message(ctx, m), nil
}

// message is an admitted event as a record, with the trace in ctx.
func message(ctx context.Context, m intake.Message) stream.Message {
	headers := make([]task.Header, len(m.Headers))
	for i, h := range m.Headers {
		headers[i] = task.Header(h)
	}
	return stream.Message{Key: m.Key, Value: m.Value, Headers: ops.Inject(ctx, headers)}
}

func intakeHeaders(headers []task.Header) []intake.Header {
	if len(headers) == 0 {
		return nil
	}
	out := make([]intake.Header, len(headers))
	for i, h := range headers {
		out[i] = intake.Header(h)
	}
	return out
}
