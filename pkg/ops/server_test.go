package ops

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// testRuntime answers a runtime whose logs can be read.
func testRuntime(t *testing.T) (*Runtime, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	rt, err := NewRuntime(t.Context(), "test", CommonDefaults("127.0.0.1:0"), &log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rt, &log
}

// serve runs a server until stop is called, which answers how it ended.
func serve(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Task().Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func get(t *testing.T, url string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestRequestsAreMeasuredAndTraced(t *testing.T) {
	rt, log := testRuntime(t)
	var seen trace.SpanContext
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/calls/{id}", func(_ http.ResponseWriter, r *http.Request) { seen = trace.SpanContextFromContext(r.Context()) })
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("out of cheese") })
	mux.HandleFunc("POST /body", func(w http.ResponseWriter, r *http.Request) {
		var tooLarge *http.MaxBytesError
		if _, err := io.ReadAll(r.Body); errors.As(err, &tooLarge) {
			WriteProblem(w, Problem{Status: http.StatusRequestEntityTooLarge})
		}
	})
	settings := HTTPDefaults("127.0.0.1:0")
	settings.MaxBody = 10
	server, err := rt.Listen("intake", settings, mux)
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, server)
	base := "http://" + server.Addr()

	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	if status, _ := get(t, base+"/v1/calls/secret-id", "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01"); status != 200 {
		t.Errorf("status %d", status)
	}
	if seen.TraceID().String() != traceID {
		t.Errorf("the handler runs in trace %s, want the caller's %s", seen.TraceID(), traceID)
	}
	if status, body := get(t, base+"/boom"); status != 500 || !strings.Contains(body, `"status":500`) || strings.Contains(body, "cheese") {
		t.Errorf("a panic is answered %d %s", status, body)
	}
	if status, _ := get(t, base+"/nowhere"); status != 404 {
		t.Errorf("status %d", status)
	}
	response, err := http.Post(base+"/body", "text/plain", strings.NewReader("more than ten bytes"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large is answered %d", response.StatusCode)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "out of cheese") {
		t.Errorf("the panic isn't logged: %s", log)
	}

	admin, err := rt.AdminServer(Admin{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	stop = serve(t, admin)
	_, metrics := get(t, "http://"+admin.Addr()+"/metrics")
	for _, want := range []string{
		`perennial_http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="GET /v1/calls/{id}",server="intake"} 1`,
		`http_response_status_code="500",http_route="GET /boom"`,
		`http_response_status_code="404",http_route="unmatched"`,
		"perennial_build_info{version=", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(metrics, "secret-id") {
		t.Error("/metrics shows a path that a caller chose")
	}
	if status, _ := get(t, "http://"+admin.Addr()+"/debug/pprof/"); status != 404 {
		t.Errorf("profiles are served unasked: %d", status)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestProfilesWhenAsked(t *testing.T) {
	rt, _ := testRuntime(t)
	admin, err := rt.AdminServer(Admin{Listen: "127.0.0.1:0", Pprof: true})
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, admin)
	if status, body := get(t, "http://"+admin.Addr()+"/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %.80s", status, body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopFinishesRequests: a request at hand when the stop comes is answered.
func TestStopFinishesRequests(t *testing.T) {
	rt, _ := testRuntime(t)
	begun, release := make(chan struct{}), make(chan struct{})
	server, err := rt.Listen("intake", HTTPDefaults("127.0.0.1:0"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = w.Write([]byte("done"))
	}))
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, server)
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + server.Addr())
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		answered <- string(body)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	// The listener closes first; then the request may end.
	for {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr())
		if err != nil {
			break
		}
		_ = c.Close()
	}
	close(release)
	if body := <-answered; body != "done" {
		t.Errorf("the request at hand got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestStopCutsOffEndlessRequests: one that never ends doesn't hold up the stop.
func TestStopCutsOffEndlessRequests(t *testing.T) {
	rt, _ := testRuntime(t)
	begun := make(chan struct{})
	settings := HTTPDefaults("127.0.0.1:0")
	settings.WriteTimeout = 50 * time.Millisecond
	server, err := rt.Listen("intake", settings, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, server)
	go func() {
		if response, err := http.Get("http://" + server.Addr()); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-begun
	if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestTakenPortShowsAtStart(t *testing.T) {
	rt, _ := testRuntime(t)
	first, err := rt.Listen("intake", HTTPDefaults("127.0.0.1:0"), http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serve(t, first)() }()
	if _, err := rt.Listen("intake", HTTPDefaults(first.Addr()), http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "intake") {
		t.Errorf("error %v", err)
	}
}

func TestHealthcheck(t *testing.T) {
	rt, _ := testRuntime(t)
	kafka := rt.Health.Condition("kafka")
	admin, err := rt.AdminServer(Admin{Listen: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, admin)
	if err := Healthcheck(t.Context(), admin.Addr()); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("not ready: %v", err)
	}
	kafka.Set(nil)
	if err := Healthcheck(t.Context(), admin.Addr()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := Healthcheck(t.Context(), admin.Addr()); err == nil {
		t.Error("nobody listens, and that is healthy")
	}
	if err := Healthcheck(t.Context(), "nonsense"); ExitCode(err) != ExitUsage {
		t.Errorf("error %v", err)
	}
}
