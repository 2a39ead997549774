package ops

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// traceContext is the one propagation format: W3C Trace Context. Baggage is left
// out, since callers put personal data there.
var traceContext = propagation.TraceContext{}

// Header is a record header of a log. Any struct of this shape will do.
type Header interface {
	~struct {
		Key   string
		Value []byte
	}
}

// header is the shape of [Header] with names to reach its fields by.
type header = struct {
	Key   string
	Value []byte
}

// Inject answers headers with the trace in ctx written to them, replacing one
// that was there; without a trace in ctx it answers headers as they are. The
// slice given is not changed.
func Inject[H Header](ctx context.Context, headers []H) []H {
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return headers
	}
	out := make([]H, 0, len(headers)+len(carrier))
	for _, h := range headers {
		if !slices.Contains(traceContext.Fields(), strings.ToLower(header(h).Key)) {
			out = append(out, h)
		}
	}
	for _, key := range traceContext.Fields() {
		if value := carrier.Get(key); value != "" {
			out = append(out, H(header{Key: key, Value: []byte(value)}))
		}
	}
	return out
}

// Extract answers ctx with the trace that headers name. Headers without one, or
// with one that can't be read, leave ctx as it is.
func Extract[H Header](ctx context.Context, headers []H) context.Context {
	var carrier propagation.MapCarrier
	for _, h := range headers {
		if key := strings.ToLower(header(h).Key); slices.Contains(traceContext.Fields(), key) {
			if carrier == nil {
				carrier = propagation.MapCarrier{}
			}
			carrier.Set(key, string(header(h).Value))
		}
	}
	if carrier == nil {
		return ctx
	}
	return traceContext.Extract(ctx, carrier)
}
