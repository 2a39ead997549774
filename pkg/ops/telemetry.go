package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// LatencyBuckets are the borders, in seconds, for histograms of how long a step
// took: dense around the milliseconds in which a batch is folded, and reaching
// to the time-outs.
var LatencyBuckets = []float64{.0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// version is set by the linker: -X …/pkg/ops.version=v1.2.3.
var version string

// Version answers which build this is: what the linker was told, else the
// commit Go recorded, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "devel"
}

// Runtime is what one process has for being observed. Services that run in one
// process share it and tell themselves apart by the names of their meters,
// tracers and checks.
type Runtime struct {
	Log     *slog.Logger
	Meters  metric.MeterProvider // instruments show on /metrics with the prefix perennial_
	Tracers trace.TracerProvider
	Health  *Health
	Network Network // TCP, unless a test says otherwise

	registry *prometheus.Registry
	shutdown []func(context.Context) error
}

// NewRuntime makes logger, metrics and traces for the program called name, with
// logs going to w. Call [Runtime.Shutdown] at the end: it sends the last traces.
func NewRuntime(ctx context.Context, name string, c Common, w io.Writer) (*Runtime, error) {
	log, err := NewLogger(w, c.Log)
	if err != nil {
		return nil, err
	}
	rt := &Runtime{Log: log.With("service", name), Health: NewHealth(), registry: prometheus.NewRegistry()}
	if c.Telemetry.ServiceName != "" {
		name = c.Telemetry.ServiceName
	}
	res, err := resource.New(ctx, resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", name), attribute.String("service.version", Version())))
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describing this process to telemetry: %w", err)
	}
	if err := rt.startMetrics(res); err != nil {
		return nil, err
	}
	if err := rt.startTraces(ctx, c.Telemetry, res); err != nil {
		return nil, err
	}
	return rt, nil
}

func (rt *Runtime) startMetrics(res *resource.Resource) error {
	exporter, err := otelprom.New(otelprom.WithRegisterer(rt.registry), otelprom.WithNamespace("perennial"), otelprom.WithoutScopeInfo())
	if err != nil {
		return fmt.Errorf("starting metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(res))
	rt.Meters = provider
	rt.shutdown = append(rt.shutdown, provider.Shutdown)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "perennial_build_info", Help: "Always 1; the label says which build runs.",
		ConstLabels: prometheus.Labels{"version": Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := rt.registry.Register(c); err != nil {
			return fmt.Errorf("starting metrics of the process: %w", err)
		}
	}
	return nil
}

func (rt *Runtime) startTraces(ctx context.Context, c Telemetry, res *resource.Resource) error {
	if c.OTLPEndpoint == "" {
		// This tracer makes no spans, and still hands on those of callers.
		rt.Tracers = noop.NewTracerProvider()
		return nil
	}
	target, err := url.Parse(c.OTLPEndpoint)
	if err != nil {
		return Usage(fmt.Errorf("telemetry.otlp_endpoint: %w", err))
	}
	if target.Path == "" || target.Path == "/" {
		target.Path = "/v1/traces"
	}
	headers, err := parseHeaders(c.OTLPHeaders)
	if err != nil {
		return Usage(fmt.Errorf("telemetry.otlp_headers: %w", err))
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target.String()),
		otlptracehttp.WithHeaders(headers), otlptracehttp.WithTimeout(c.Timeout))
	if err != nil {
		return fmt.Errorf("starting traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter, sdktrace.WithExportTimeout(c.Timeout)), sdktrace.WithResource(res),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))))
	rt.Tracers = provider
	rt.shutdown = append(rt.shutdown, func(ctx context.Context) error {
		// A receiver that is gone must not hold up the stop.
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		return provider.Shutdown(ctx)
	})
	// Failed exports are told to this process-wide handler and nobody else.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		rt.Log.Warn("telemetry was not delivered", "error", err)
	}))
	return nil
}

// Metrics answers the handler of /metrics, in Prometheus's text format.
func (rt *Runtime) Metrics() http.Handler {
	return promhttp.HandlerFor(rt.registry, promhttp.HandlerOpts{})
}

// Shutdown sends what telemetry still holds, within telemetry.timeout.
func (rt *Runtime) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range rt.shutdown {
		errs = append(errs, stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sending the last telemetry: %w", err)
	}
	return nil
}
