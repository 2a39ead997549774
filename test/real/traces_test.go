package real_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceReceiver is an OTLP/HTTP receiver that remembers which service sent spans
// of which trace.
type traceReceiver struct {
	port int

	mu    sync.Mutex
	spans map[string][]receivedSpan // by trace
}

type receivedSpan struct{ service, name, id, parent string }

// startTraces serves until the test ends, also to containers.
func startTraces(t *testing.T) *traceReceiver {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &traceReceiver{port: listener.Addr().(*net.TCPAddr).Port, spans: map[string][]receivedSpan{}}
	server := &http.Server{Handler: http.HandlerFunc(r.receive), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends by Close
	t.Cleanup(func() { _ = server.Close() })
	return r
}

func (r *traceReceiver) receive(w http.ResponseWriter, request *http.Request) {
	if err := r.take(request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer: all taken
}

func (r *traceReceiver) take(request *http.Request) error {
	body := io.Reader(request.Body)
	if request.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = plain
	}
	encoded, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var export collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(encoded, &export); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range export.ResourceSpans {
		service := ""
		for _, attribute := range resource.Resource.Attributes {
			if attribute.Key == "service.name" {
				service = attribute.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				trace := hex.EncodeToString(span.TraceId)
				r.spans[trace] = append(r.spans[trace], receivedSpan{service, span.Name, hex.EncodeToString(span.SpanId), hex.EncodeToString(span.ParentSpanId)})
			}
		}
	}
	return nil
}

// follow waits until a trace has spans of all services, each the child of one of
// the service before it.
func (r *traceReceiver) follow(t *testing.T, trace string, services ...string) {
	t.Helper()
	eventually(t, fmt.Sprint("one trace through ", services), func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, service := range services {
			if !slices.ContainsFunc(r.spans[trace], func(s receivedSpan) bool {
				return s.service == service && (i == 0 || r.parentService(trace, s) == services[i-1])
			}) {
				return fmt.Errorf("no span of %s; there are %v", service, r.spans[trace])
			}
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans[trace] {
		t.Logf("trace: %s: %s", s.service, s.name)
	}
}

// parentService is the service of the span that caused s.
func (r *traceReceiver) parentService(trace string, s receivedSpan) string {
	for _, other := range r.spans[trace] {
		if other.id == s.parent {
			return other.service
		}
	}
	return ""
}
