package cli

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestTrace follows one call through all services: the publisher's trace has a
// span of the intake and one of the updater, and the output carries it on.
func TestTrace(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	id, err := hex.DecodeString(trace)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var received [][]byte // requests that hold spans of the trace
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && bytes.Contains(body, id) {
			mu.Lock()
			received = append(received, body)
			mu.Unlock()
		}
	}))
	defer collector.Close()
	r := run(t, "--set", "telemetry.otlp_endpoint="+collector.URL)
	client, err := stream.New(stream.Defaults(r.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	call := `{"tenant": "acme", "customer": "c-7", "source": "dialer", "sourceEventId": "call-1",
		"occurredAt": "` + time.Now().UTC().Format(time.RFC3339) + `", "callOutcome": {"disposition": "DISPOSITION_SALE"}}`
	message := stream.Message{
		Value: []byte(call), Headers: []task.Header{{Key: "traceparent", Value: []byte("00-" + trace + "-b7ad6b7169203331-01")}},
	}
	if err := client.NewProducer().Send(t.Context(), client.Config().Topics.Calls, []stream.Message{message}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "spans of both services", func() bool {
		mu.Lock()
		defer mu.Unlock()
		all := bytes.Join(received, nil)
		return bytes.Contains(all, []byte("forward dialer.calls.v1")) && bytes.Contains(all, []byte("fold cltv.updates.v1"))
	})
	err = client.Read(t.Context(), client.Config().Topics.Updates, nil, func(_ int32, r *task.Record) error {
		for _, h := range r.Headers {
			if h.Key == "traceparent" && strings.Contains(string(h.Value), trace) {
				return errEnough
			}
		}
		return nil
	})
	if err != errEnough { //nolint:errorlint // the very error that was answered
		t.Errorf("no update carries the trace on: %v", err)
	}
}
