package ops

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is an OTLP/HTTP collector that keeps what it gets.
func receiver(t *testing.T) (url string, received func() []*collector.ExportTraceServiceRequest) {
	t.Helper()
	requests := make(chan *collector.ExportTraceServiceRequest, 16)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" || r.Header.Get("authorization") != "Bearer x" {
			t.Errorf("export to %s with headers %v", r.URL.Path, r.Header)
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		raw, err := io.ReadAll(body)
		request := &collector.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(raw, request) != nil {
			t.Errorf("an export that can't be read: %v", err)
		}
		requests <- request
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (all []*collector.ExportTraceServiceRequest) {
		for {
			select {
			case r := <-requests:
				all = append(all, r)
			default:
				return all
			}
		}
	}
}

// TestTraceAcrossServices: spans that two services make on the two sides of a
// record's headers are one trace, and the stop delivers them.
func TestTraceAcrossServices(t *testing.T) {
	url, received := receiver(t)
	common := CommonDefaults("127.0.0.1:0")
	common.Telemetry.OTLPEndpoint, common.Telemetry.OTLPHeaders = url, "authorization=Bearer x"
	var headers []kafkaHeader
	for _, name := range []string{"call-ingester", "cltv-updater"} {
		rt, err := NewRuntime(t.Context(), name, common, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, span := rt.Tracers.Tracer(name).Start(Extract(context.Background(), headers), "handle", trace.WithAttributes(attribute.String("tenant", "acme")))
		headers = Inject(ctx, headers)
		span.End()
		if err := rt.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	services := map[string]bool{}
	var traceIDs, parents []string
	for _, request := range received() {
		for _, resource := range request.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.name" {
					services[a.Value.GetStringValue()] = true
				}
			}
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					traceIDs = append(traceIDs, string(span.TraceId))
					parents = append(parents, string(span.ParentSpanId))
				}
			}
		}
	}
	if len(traceIDs) != 2 || traceIDs[0] != traceIDs[1] || (parents[0] == "") == (parents[1] == "") {
		t.Errorf("spans of traces %x with parents %x; want two of one trace, one the other's parent", traceIDs, parents)
	}
	if !services["call-ingester"] || !services["cltv-updater"] {
		t.Errorf("services %v", services)
	}
}

// TestStopWithoutReceiver: a collector that accepts connections and never
// answers costs the time-out at most.
func TestStopWithoutReceiver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	common := CommonDefaults("127.0.0.1:0")
	common.Telemetry.OTLPEndpoint, common.Telemetry.Timeout = "http://"+l.Addr().String(), 50*time.Millisecond
	rt, err := NewRuntime(t.Context(), "x", common, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, span := rt.Tracers.Tracer("x").Start(context.Background(), "lost")
	span.End()
	done := make(chan struct{})
	go func() {
		_ = rt.Shutdown(context.Background()) // the SDK may report the loss here or to its error handler
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the stop waits for a collector that doesn't answer")
	}
}

func TestInstrumentsShowOnMetrics(t *testing.T) {
	rt, _ := testRuntime(t)
	counter, err := rt.Meters.Meter("cltv-updater").Int64Counter("updater.records", metric.WithDescription("Records taken in."))
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3, metric.WithAttributes(attribute.String("tenant", "acme")))
	recorder := httptest.NewRecorder()
	rt.Metrics().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if want := `perennial_updater_records_total{tenant="acme"} 3`; !strings.Contains(recorder.Body.String(), want) {
		t.Errorf("lacks %s:\n%s", want, recorder.Body)
	}
}
