package stream

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// latencyBounds are in seconds: a broker beside us answers in half a
// millisecond, one in trouble in seconds.
var latencyBounds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10}

// meters are the package's metrics, all with the attribute topic or group.
type meters struct {
	fetchedRecords, fetchedBytes, fetchErrors      metric.Int64Counter
	producedRecords, producedBytes, produceErrors  metric.Int64Counter
	produceSeconds                                 metric.Float64Histogram
	fetchSeconds                                   metric.Float64Histogram
	generations, commitErrors, deadLetters, losses metric.Int64Counter
	assigned                                       metric.Int64Gauge
}

func newMeters(m metric.Meter) (*meters, error) {
	if m == nil {
		m = noop.NewMeterProvider().Meter("")
	}
	var failed []error
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		failed = append(failed, err)
		return c
	}
	seconds := func(name, what string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(latencyBounds...))
		failed = append(failed, err)
		return h
	}
	assigned, err := m.Int64Gauge("kafka.group.partitions", metric.WithDescription("Partitions that a group gave to this member."))
	failed = append(failed, err)
	out := &meters{
		fetchedRecords:  counter("kafka.fetch.records", "{record}", "Records read."),
		fetchedBytes:    counter("kafka.fetch.bytes", "By", "Bytes read."),
		fetchErrors:     counter("kafka.fetch.errors", "{error}", "Fetches that failed, by the code of Kafka."),
		fetchSeconds:    seconds("kafka.fetch.duration", "Time of a fetch, with the wait for the first record."),
		producedRecords: counter("kafka.produce.records", "{record}", "Records that Kafka acknowledged."),
		producedBytes:   counter("kafka.produce.bytes", "By", "Bytes that Kafka acknowledged."),
		produceErrors:   counter("kafka.produce.errors", "{error}", "Produce requests that failed, by the code of Kafka."),
		produceSeconds:  seconds("kafka.produce.duration", "Time until all replicas acknowledged."),
		generations:     counter("kafka.group.generations", "{generation}", "Generations that this member took part in."),
		commitErrors:    counter("kafka.group.commit.errors", "{error}", "Commits of offsets that failed."),
		deadLetters:     counter("kafka.dead_letters", "{record}", "Records sent to a dead-letter topic."),
		losses:          counter("kafka.lost", "{record}", "Records that Kafka deleted before they were read."),
		assigned:        assigned,
	}
	return out, errors.Join(failed...)
}

func (m *meters) fetched(ctx context.Context, topic string, records, bytes int, took time.Duration) {
	of := ofTopic(topic)
	m.fetchedRecords.Add(ctx, int64(records), of)
	m.fetchedBytes.Add(ctx, int64(bytes), of)
	m.fetchSeconds.Record(ctx, took.Seconds(), of)
}

func (m *meters) fetchFailed(ctx context.Context, topic string, err error) {
	m.fetchErrors.Add(ctx, 1, metric.WithAttributes(attribute.String("topic", topic), attribute.String("code", codeOf(err))))
}

func (m *meters) produced(ctx context.Context, topic string, records, bytes int, took time.Duration) {
	of := ofTopic(topic)
	m.producedRecords.Add(ctx, int64(records), of)
	m.producedBytes.Add(ctx, int64(bytes), of)
	m.produceSeconds.Record(ctx, took.Seconds(), of)
}

func (m *meters) produceFailed(ctx context.Context, topic string, err error) {
	m.produceErrors.Add(ctx, 1, metric.WithAttributes(attribute.String("topic", topic), attribute.String("code", codeOf(err))))
}

func ofTopic(topic string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("topic", topic))
}

func ofGroup(group string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("group", group))
}

// codeOf is Kafka's number of an error, or what kind of silence it was.
func codeOf(err error) string {
	var code kafka.Error
	switch {
	case errors.As(err, &code):
		return strconv.Itoa(int(code))
	case errors.Is(err, ErrCorrupt):
		return "corrupt"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "network"
	}
}
