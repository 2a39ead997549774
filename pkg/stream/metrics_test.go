package stream_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestMetrics: what was sent and read is counted, and errors by their code.
func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	cluster := kafkatest.Fake(t)
	config := kafkatest.Config(t, cluster.ListenAddrs())
	config.Meter = metric.NewMeterProvider(metric.WithReader(reader)).Meter("kafka")
	c := kafkatest.Client(t, config)
	kafkatest.Topics(t, c, 1, 1)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 2})
	wantKind(t, c.Append(limit(t), 0, 1, outs("a", 0, 7)), 0)
	fetchAll(t, c, task.Input, 0, 0, 7)

	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]int64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if s, ok := m.Data.(metricdata.Sum[int64]); ok {
				for _, p := range s.DataPoints {
					code, _ := p.Attributes.Value("code")
					sums[m.Name+code.AsString()] += p.Value
				}
			}
		}
	}
	for name, want := range map[string]int64{"kafka.produce.records": 7, "kafka.fetch.records": 7, "kafka.produce.errors6": 2} {
		if sums[name] != want {
			t.Errorf("%s is %d, want %d; all: %v", name, sums[name], want, sums)
		}
	}
}
