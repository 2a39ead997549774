package updater

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// tracedLog makes a span of each output whose causing record is part of a trace
// that is being kept: from the fetch of its batch to Kafka's answer. The
// outputs' own headers stay as the task wrote them: the same output has the same
// bytes whoever writes it.
type tracedLog struct {
	*stream.Client
	tracer trace.Tracer

	mu      sync.Mutex
	fetched map[int32]time.Time // when the batch under way came, by partition
}

// traced wraps a client for tasks.
func traced(client *stream.Client, rt *ops.Runtime) *tracedLog {
	return &tracedLog{Client: client, tracer: rt.Tracers.Tracer(Name), fetched: map[int32]time.Time{}}
}

// Fetch remembers when records came.
func (l *tracedLog) Fetch(ctx context.Context, t task.Topic, partition int32, offset int64) (task.Fetched, error) {
	got, err := l.Client.Fetch(ctx, t, partition, offset)
	if err == nil && t == task.Input && len(got.Records) > 0 {
		l.mu.Lock()
		l.fetched[partition] = time.Now()
		l.mu.Unlock()
	}
	return got, err
}

// Produce sends a batch inside the spans of its outputs.
func (l *tracedLog) Produce(ctx context.Context, p *task.Produce) error {
	spans := l.spans(ctx, p)
	err := l.Client.Produce(ctx, p)
	for _, span := range spans {
		if err != nil {
			span.RecordError(err)
		}
		span.End()
	}
	return err
}

func (l *tracedLog) spans(ctx context.Context, p *task.Produce) []trace.Span {
	if p.Topic != task.Updates && p.Topic != task.Churn {
		return nil
	}
	l.mu.Lock()
	began := l.fetched[p.Partition]
	l.mu.Unlock()
	var spans []trace.Span
	for i := range p.Records {
		if !slices.ContainsFunc(p.Records[i].Headers, isTraceParent) {
			continue // most outputs: nobody traces the record behind them
		}
		cause := ops.Extract(ctx, p.Records[i].Headers)
		if !trace.SpanContextFromContext(cause).IsSampled() {
			continue
		}
		_, span := l.tracer.Start(cause, "fold "+l.Topic(p.Topic), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", l.Topic(p.Topic)),
				attribute.Int("messaging.destination.partition.id", int(p.Partition))))
		spans = append(spans, span)
	}
	return spans
}

// isTraceParent tells the header that makes an output part of a trace.
func isTraceParent(h task.Header) bool { return h.Key == "traceparent" }
