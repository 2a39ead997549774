// Package gate is what call-ingester and billing-consumer have in common around
// pkg/intake: Kafka on the far side, HTTP and a raw topic on the near side.
package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/connect"
)

// Gate is one intake's way to customer.events.v1.
type Gate struct {
	Kafka    *stream.Client
	Producer *stream.Producer

	name      string
	tracer    trace.Tracer
	metrics   *intake.Metrics
	forwarded metric.Int64Counter
}

// Open connects the program called name. It is ready when Kafka answers and all
// topics are there.
func Open(name string, rt *ops.Runtime, settings ops.Kafka) (*Gate, error) {
	meter := rt.Meters.Meter("intake") // one for all intakes of a process: instruments of one name are one
	metrics, err := intake.NewMetrics(meter)
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", name, err)
	}
	forwarded, err := meter.Int64Counter("intake.forwarded", metric.WithUnit("{record}"),
		metric.WithDescription("Records of the raw topic that went on to customer.events.v1."))
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", name, err)
	}
	kafka, err := connect.Kafka(name, settings, rt)
	if err != nil {
		return nil, err
	}
	rt.Health.Ready("kafka", kafka.Ping)
	return &Gate{
		Kafka: kafka, Producer: kafka.NewProducer(),
		name: name, tracer: rt.Tracers.Tracer(name), metrics: metrics, forwarded: forwarded,
	}, nil
}

// closeWithin bounds the wait for what is still on its way to Kafka.
const closeWithin = 5 * time.Second

// Close waits until what was taken is with Kafka, and closes the connections.
func (g *Gate) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	return errors.Join(g.Producer.Close(ctx), g.Kafka.Close())
}
