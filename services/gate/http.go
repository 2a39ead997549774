package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// Handler answers POST /v1/events for events of these kinds.
func (g *Gate) Handler(rt *ops.Runtime, kinds intake.KindSet, s Settings, http ops.HTTP) (http.Handler, error) {
	rules := s.Config(kinds)
	rules.AllowBackfill, rules.MaxBytes = s.HTTPBackfill, int(http.MaxBody)
	in, err := intake.New(rules)
	if err != nil {
		return nil, err
	}
	credentials, err := intake.ParseCredentials(s.Credentials.Reveal())
	if err != nil {
		return nil, ops.Usage(err)
	}
	handler, err := intake.NewHandler(in, sink{g}, intake.HandlerConfig{
		Credentials: credentials, Quota: intake.Quota{EventsPerSecond: s.QuotaPerSecond, Burst: s.QuotaBurst},
		MaxRequests: s.MaxRequests, Log: rt.Log, Metrics: g.metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("serving %s: %w", intake.Path, err)
	}
	return routes(handler), nil
}

func routes(handler *intake.Handler) http.Handler {
	mux := http.NewServeMux()
	handler.Register(mux)
	return mux
}

// sink puts what came over HTTP into customer.events.v1.
type sink struct{ *Gate }

// Send returns once Kafka has acknowledged all.
func (s sink) Send(ctx context.Context, messages []intake.Message) error {
	batch := make([]stream.Message, len(messages))
	for i, m := range messages {
		batch[i] = stream.Message{Key: m.Key, Value: m.Value, Headers: make([]task.Header, len(m.Headers))}
		for j, h := range m.Headers {
			batch[i].Headers[j] = task.Header(h)
		}
	}
	err := s.Producer.Send(ctx, s.Kafka.Config().Topics.Events, batch)
	if errors.Is(err, stream.ErrBusy) {
		return errors.Join(intake.ErrBusy, err)
	}
	return err
}
