package stream_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/stream/kafkatest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// These measure the CPU of this process alone, user and system, per record of
// 120 bytes, against a real broker, with kafka-go's own ways beside ours:
//
//	go test ./pkg/stream -run '^$' -bench Kafka

const (
	benchBatch   = 1000
	benchBatches = 300
)

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perRecord runs do until the benchmark ends; do returns how many records it moved.
func perRecord(b *testing.B, do func() int) {
	b.Helper()
	records := 0
	began, clock := cpu(b), time.Now()
	for b.Loop() {
		records += do()
	}
	b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(records), "cpu-ns/record")
	b.ReportMetric(float64(records)/time.Since(clock).Seconds(), "records/s")
}

func benchOuts() []task.Out {
	out := make([]task.Out, benchBatch)
	for i := range out {
		out[i] = task.Out{Key: []byte("acme/customer-000042"), Value: make([]byte, 100)}
	}
	return out
}

// loaded is a client of a real Kafka whose input topic has records to read.
func loaded(b *testing.B, batches int) (*stream.Client, stream.Config) {
	b.Helper()
	config := kafkatest.Config(b, kafkatest.Brokers(b))
	config.FetchWait = 500 * time.Millisecond
	c := kafkatest.Client(b, config)
	kafkatest.Topics(b, c, 1, 1)
	out := benchOuts()
	for range batches {
		if err := c.Append(b.Context(), 0, 1, out); err != nil {
			b.Fatal(err)
		}
	}
	return c, config
}

func BenchmarkKafkaFetch(b *testing.B) {
	c, config := loaded(b, benchBatches)
	const n = benchBatch * benchBatches
	b.Run("ours", func(b *testing.B) {
		perRecord(b, func() int {
			for offset := int64(0); offset < n; {
				got, err := c.Fetch(b.Context(), task.Input, 0, offset)
				if err != nil {
					b.Fatal(err)
				}
				offset = got.NextOffset
			}
			return n
		})
	})
	b.Run("kafka-go-Client", func(b *testing.B) {
		client := &kafka.Client{Addr: kafka.TCP(config.Brokers...)}
		perRecord(b, func() int {
			for offset := int64(0); offset < n; {
				got, err := client.Fetch(b.Context(), &kafka.FetchRequest{
					Topic: config.Topics.Events, Offset: offset, MinBytes: 1, MaxBytes: int64(config.FetchBytes), MaxWait: config.FetchWait,
				})
				if err != nil || got.Error != nil {
					b.Fatal(err, got)
				}
				for {
					r, err := got.Records.ReadRecord()
					if err != nil {
						break
					}
					offset = r.Offset + 1
				}
			}
			return n
		})
	})
	b.Run("kafka-go-Conn", func(b *testing.B) {
		conn, err := kafka.DialLeader(b.Context(), "tcp", config.Brokers[0], config.Topics.Events, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		perRecord(b, func() int {
			if _, err := conn.Seek(0, kafka.SeekAbsolute); err != nil {
				b.Fatal(err)
			}
			for read := 0; read < n; {
				batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: config.FetchBytes, MaxWait: config.FetchWait})
				for {
					if _, err := batch.ReadMessage(); err != nil {
						break
					}
					read++
				}
				if err := batch.Close(); err != nil {
					b.Fatal(err)
				}
			}
			return n
		})
	})
}

func BenchmarkKafkaProduce(b *testing.B) {
	c, config := loaded(b, 0)
	b.Run("ours", func(b *testing.B) {
		out := benchOuts()
		token, err := c.InitProducer(b.Context(), 0)
		if err != nil {
			b.Fatal(err)
		}
		sequence := int32(0)
		perRecord(b, func() int {
			if err := c.Produce(b.Context(), &task.Produce{Topic: task.Updates, Token: token, Sequence: sequence, Timestamp: 1, Records: out}); err != nil {
				b.Fatal(err)
			}
			sequence += benchBatch
			return benchBatch
		})
	})
	b.Run("ours-Producer", func(b *testing.B) {
		p := c.NewProducer()
		messages := make([]stream.Message, benchBatch)
		for i := range messages {
			messages[i] = stream.Message{Key: []byte("acme/customer-000042"), Value: make([]byte, 100)}
		}
		perRecord(b, func() int {
			if err := p.Send(b.Context(), config.Topics.Events, messages); err != nil {
				b.Fatal(err)
			}
			return benchBatch
		})
	})
	b.Run("kafka-go-Client", func(b *testing.B) {
		client := &kafka.Client{Addr: kafka.TCP(config.Brokers...)}
		records := make([]kafka.Record, benchBatch)
		perRecord(b, func() int {
			for i := range records {
				records[i] = kafka.Record{Key: kafka.NewBytes([]byte("acme/customer-000042")), Value: kafka.NewBytes(make([]byte, 100))}
			}
			got, err := client.Produce(b.Context(), &kafka.ProduceRequest{
				Topic: config.Topics.Events, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
			})
			if err != nil || got.Error != nil {
				b.Fatal(err, got)
			}
			return benchBatch
		})
	})
}
