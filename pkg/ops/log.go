package ops

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// NewLogger answers a logger as configured. Every record that is logged with a
// context carries the trace_id and span_id in it, so that a log line leads to
// its trace and back.
func NewLogger(w io.Writer, c Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, Usage(fmt.Errorf("log level %q: %w", c.Level, err))
	}
	options := &slog.HandlerOptions{Level: level}
	var inner slog.Handler = slog.NewJSONHandler(w, options)
	if c.Format == "text" {
		inner = slog.NewTextHandler(w, options)
	}
	return slog.New(logHandler{inner}), nil
}

// Customer answers the attribute that says which customer a log record is about.
// Customer ids may be personal data, so records above debug level carry a
// fingerprint instead: equal for equal customers within one process, and of no
// use outside it.
func Customer(id string) slog.Attr { return slog.Any("customer", customerID(id)) }

type customerID string

// fingerprintKey is new in each process, so that nobody can find an id by
// fingerprinting a list of candidates.
var fingerprintKey = func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand.Read never answers an error: it ends the process
	return key
}()

// LogValue answers the fingerprint; only logHandler shows the id.
func (c customerID) LogValue() slog.Value {
	h := hmac.New(sha256.New, fingerprintKey)
	h.Write([]byte(c))
	return slog.StringValue("#" + hex.EncodeToString(h.Sum(nil)[:6]))
}

// logHandler adds the trace of the context and shows customers at debug level.
type logHandler struct{ inner slog.Handler }

func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if id, ok := a.Value.Any().(customerID); ok && r.Level <= slog.LevelDebug {
			a.Value = slog.StringValue(string(id))
		}
		out.AddAttrs(a)
		return true
	})
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		out.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.inner.Handle(ctx, out)
}

// WithAttrs binds attributes; a customer among them is bound as a fingerprint,
// because the level of the records to come isn't known.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.inner.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.inner.WithGroup(name)} }
