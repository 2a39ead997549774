package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Server is an HTTP listener that is already bound, so that a port that is taken
// shows at start.
type Server struct {
	name     string
	listener net.Listener
	http     *http.Server
	drain    time.Duration // how long requests at hand may take after the stop
}

// Listen binds c.Listen for handler. Panics of handlers are answered 500 and
// logged; bodies are cut at c.MaxBody; requests are measured and traced under
// name.
func (rt *Runtime) Listen(name string, c HTTP, handler http.Handler) (*Server, error) {
	l, err := rt.Network.listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", name, err)
	}
	observed, err := rt.observe(name, c.MaxBody, handler)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Server{name: name, listener: l, drain: c.WriteTimeout, http: &http.Server{
		Handler: observed, ReadHeaderTimeout: c.ReadHeaderTimeout, ReadTimeout: c.ReadTimeout,
		WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout,
	}}, nil
}

// Addr answers the address that was bound; of use where port 0 was asked for.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Task serves until it is stopped, then takes no new connection and lets the
// requests at hand finish, within the write timeout.
func (s *Server) Task() Task {
	return Task{Name: s.name, Run: func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() { failed <- s.http.Serve(s.listener) }()
		select {
		case err := <-failed:
			return fmt.Errorf("serving on %s: %w", s.Addr(), err)
		case <-ctx.Done():
			drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
			defer cancel()
			if err := s.http.Shutdown(drainCtx); err != nil {
				return errors.Join(fmt.Errorf("requests to %s were cut off: %w", s.Addr(), err), s.http.Close())
			}
			return nil
		}
	}}
}

// AdminServer binds the listener for operators: /livez, /readyz, /metrics, and
// profiles where they are enabled.
func (rt *Runtime) AdminServer(c Admin) (*Server, error) {
	l, err := rt.Network.listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for operators: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /livez", healthHandler(rt.Health.Liveness))
	mux.Handle("GET /readyz", healthHandler(rt.Health.Readiness))
	mux.Handle("GET /metrics", rt.Metrics())
	if c.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	// No write timeout: a profile takes as long as it was asked to. A stop doesn't wait for it.
	return &Server{name: "admin", listener: l, drain: time.Second, http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer inside.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe wraps a handler: each request becomes a span that continues the
// caller's trace, and is measured by method, route and status. The route is the
// pattern that matched, never the path, which is the caller's to choose. The mux
// leaves it in the request it is given: nothing in between may copy that.
func (rt *Runtime) observe(name string, maxBody Bytes, next http.Handler) (http.Handler, error) {
	seconds, err := rt.Meters.Meter(name).Float64Histogram("http.server.request.duration",
		metric.WithUnit("s"), metric.WithDescription("Time to answer a request."),
		metric.WithExplicitBucketBoundaries(LatencyBuckets...))
	if err != nil {
		return nil, fmt.Errorf("measuring requests of %s: %w", name, err)
	}
	tracer := rt.Tracers.Tracer(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ctx := traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		sw, r := &statusWriter{ResponseWriter: w}, r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, int64(maxBody))
		defer func() {
			if p := recover(); p != nil {
				rt.panicked(ctx, name, sw, p)
			}
			route := r.Pattern
			if route == "" {
				route = "unmatched"
			}
			span.SetName(route)
			attributes := []attribute.KeyValue{attribute.String("server", name), attribute.String("http.request.method", method(r.Method)),
				attribute.String("http.route", route), attribute.Int("http.response.status_code", sw.status)}
			span.SetAttributes(attributes...)
			if sw.status >= 500 {
				span.SetStatus(codes.Error, http.StatusText(sw.status))
			}
			seconds.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(attributes...))
		}()
		next.ServeHTTP(sw, r)
		if sw.status == 0 {
			sw.status = http.StatusOK
		}
	}), nil
}

// panicked logs a panic of a handler and answers 500, unless an answer has begun.
func (rt *Runtime) panicked(ctx context.Context, name string, w *statusWriter, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
		w.status = http.StatusInternalServerError
		return
	}
	rt.Log.ErrorContext(ctx, "a handler panicked", "server", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status == 0 {
		WriteProblem(w, Problem{Status: http.StatusInternalServerError, Detail: "this is a defect; the log has it"})
	}
}

// method answers m where it is a usual one: callers may send any word, and each
// would become a time series.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "_OTHER"
	}
}

// Healthcheck asks the process that listens for operators at listen whether it
// is ready. A container without a shell or curl runs its own binary for this.
func Healthcheck(ctx context.Context, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Usage(fmt.Errorf("admin.listen: %w", err))
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*checkLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return Usage(fmt.Errorf("admin.listen: %w", err))
	}
	// Not the default client: a proxy in the environment must not be asked.
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("not ready: %s", body)
	}
	return nil
}
