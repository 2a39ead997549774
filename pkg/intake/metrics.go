package intake

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// Metrics count what came in and what was refused. Tenants and sources aren't
// among the attributes, since publishers make them up.
type Metrics struct {
	accepted, refused metric.Int64Counter
	requests          metric.Int64UpDownCounter
}

// NewMetrics makes the metrics; a nil meter counts nothing.
func NewMetrics(m metric.Meter) (*Metrics, error) {
	if m == nil {
		m = noop.NewMeterProvider().Meter("")
	}
	accepted, err1 := m.Int64Counter("intake.accepted", metric.WithUnit("{event}"),
		metric.WithDescription("Events taken in, by kind."))
	refused, err2 := m.Int64Counter("intake.refused", metric.WithUnit("{event}"),
		metric.WithDescription("Events and requests refused, by the code of the first problem."))
	requests, err3 := m.Int64UpDownCounter("intake.requests", metric.WithUnit("{request}"),
		metric.WithDescription("HTTP requests under way."))
	return &Metrics{accepted, refused, requests}, errors.Join(err1, err2, err3)
}

// Accepted counts one event that Kafka has.
func (m *Metrics) Accepted(ctx context.Context, k cltv.Kind) {
	m.accepted.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", k.String())))
}

// Refused counts one event or request that was refused.
func (m *Metrics) Refused(ctx context.Context, code Code) {
	m.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("code", string(code))))
}
