package ops

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

// kafkaHeader has the shape that Kafka clients use.
type kafkaHeader struct {
	Key   string
	Value []byte
}

func TestTraceThroughHeaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var headers []kafkaHeader
		for _, key := range rapid.SliceOf(rapid.SampledFrom([]string{"content-type", "ce_id", "traceparent", "Traceparent", "tracestate", ""})).Draw(t, "keys") {
			headers = append(headers, kafkaHeader{key, []byte(rapid.String().Draw(t, "value"))})
		}
		before := slices.Clone(headers)
		ctx := spanContext(rapid.Byte().Draw(t, "trace"), rapid.Byte().Draw(t, "span"))

		injected := Inject(ctx, headers)
		want := trace.SpanContextFromContext(ctx)
		if got := trace.SpanContextFromContext(Extract(context.Background(), injected)); !got.Equal(want) {
			t.Fatalf("extracted %v, injected %v", got, want)
		}
		others := func(list []kafkaHeader) []kafkaHeader {
			return slices.DeleteFunc(slices.Clone(list), func(h kafkaHeader) bool {
				return h.Key == "traceparent" || h.Key == "Traceparent" || h.Key == "tracestate"
			})
		}
		equal := func(a, b kafkaHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }
		if !slices.EqualFunc(others(injected), others(before), equal) {
			t.Fatalf("other headers changed: %v, were %v", injected, before)
		}
		if !slices.EqualFunc(headers, before, equal) {
			t.Fatal("the slice given was changed")
		}
	})
}

func TestNoTraceNoHeaders(t *testing.T) {
	headers := []kafkaHeader{{"a", nil}}
	if got := Inject(context.Background(), headers); len(got) != 1 {
		t.Errorf("injected without a trace: %v", got)
	}
	if ctx := context.Background(); Extract(ctx, headers) != ctx {
		t.Error("extracted from nothing")
	}
}

// FuzzExtract: whatever headers outside systems send, the trace is valid or left out.
func FuzzExtract(f *testing.F) {
	f.Add([]byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), []byte("a=1,b=2"))
	f.Add([]byte("ff-00000000000000000000000000000000-0000000000000000-00"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, parent, state []byte) {
		ctx := Extract(context.Background(), []kafkaHeader{{"traceparent", parent}, {"tracestate", state}})
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && len(Inject(ctx, []kafkaHeader(nil))) == 0 {
			t.Fatal("a valid trace can't be passed on")
		}
	})
}
