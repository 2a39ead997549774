package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// spanContext answers a context in a trace that a caller began.
func spanContext(traceByte, spanByte byte) context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{traceByte, 15: 1}, SpanID: trace.SpanID{spanByte, 7: 1}, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}

func logger(t *testing.T, c Log) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	l, err := NewLogger(&out, c)
	if err != nil {
		t.Fatal(err)
	}
	return l, &out
}

func TestLogCarriesTrace(t *testing.T) {
	l, out := logger(t, Log{Level: "info", Format: "json"})
	ctx := spanContext(0xab, 0xcd)
	l.With("a", 1).WithGroup("g").InfoContext(ctx, "in a trace")
	span := trace.SpanContextFromContext(ctx)
	for _, want := range []string{span.TraceID().String(), span.SpanID().String()} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %s: %s", want, out)
		}
	}
	out.Reset()
	l.Info("outside")
	if strings.Contains(out.String(), "trace_id") {
		t.Errorf("a trace from nowhere: %s", out)
	}
}

func TestLogHidesCustomers(t *testing.T) {
	const id = "c-+49 170 1234567"
	for _, format := range []string{"json", "text"} {
		l, out := logger(t, Log{Level: "debug", Format: format})
		l.Info("x", Customer(id))
		l.Error("x", slog.Group("event", Customer(id)))
		l.With(Customer(id)).Warn("x")
		l.With(Customer(id)).Debug("x") // bound before the level is known
		if strings.Contains(out.String(), "1234567") {
			t.Errorf("%s shows a customer: %s", format, out)
		}
		out.Reset()
		l.Debug("x", Customer(id))
		if !strings.Contains(out.String(), id) {
			t.Errorf("%s hides a customer at debug level: %s", format, out)
		}
	}
}

// TestLogFingerprints: equal for equal customers, different for different ones.
func TestLogFingerprints(t *testing.T) {
	l, out := logger(t, Log{Level: "info", Format: "json"})
	shown := func(id string) string {
		out.Reset()
		l.Info("x", Customer(id))
		var line struct{ Customer string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line.Customer
	}
	if a, again, b := shown("a"), shown("a"), shown("b"); a != again || a == b || a == "" {
		t.Errorf("fingerprints %q, %q, %q", a, again, b)
	}
}

func TestLogLevels(t *testing.T) {
	l, out := logger(t, Log{Level: "warn", Format: "text"})
	l.Info("quiet")
	l.Warn("loud")
	if s := out.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "loud") {
		t.Errorf("at level warn: %s", s)
	}
	if _, err := NewLogger(out, Log{Level: "loud"}); ExitCode(err) != ExitUsage {
		t.Errorf("an unknown level: %v", err)
	}
}
