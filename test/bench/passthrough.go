package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// passTopic is where the pass-through writes.
const passTopic = "bench.pass-through.v1"

// PassThrough is what it takes to move the same records through bare kafka-go:
// Client.Fetch, and Client.Produce of each record as it is, 1,000 a call, with
// acks=all; no states, no decoding, nothing that survives a crash.
type PassThrough struct {
	Events int64   `json:"events"`
	Client float64 `json:"client"`
	Broker float64 `json:"broker"`
	Total  float64 `json:"total"`
	// Ratio is the updater's CPU and its broker's, without Redis, by Total;
	// RatioAll that of all.
	Ratio    float64 `json:"updater_and_broker_by_pass_through"`
	RatioAll float64 `json:"all_by_pass_through"`
}

// passJob is what the process of the pass-through is told.
type passJob struct {
	Brokers []string
	Topic   string
	Ends    []int64 // by partition
}

// passThrough runs the pass-through in a process of its own over the log that a
// drain has worked off.
func (s *stack) passThrough(d *Drain) (*PassThrough, error) {
	ctx, cancel := context.WithTimeout(s.host.ctx, 10*time.Minute)
	defer cancel()
	topic := s.client.Config().Topics.Events
	marks, err := s.client.Watermarks(ctx, topic)
	if err != nil {
		return nil, err
	}
	job := passJob{Brokers: s.kafka.Addrs(), Topic: topic, Ends: make([]int64, len(marks))}
	for _, m := range marks {
		job.Ends[m.Partition] = m.End
	}
	if err := createTopic(ctx, job); err != nil {
		return nil, err
	}
	told, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	broker := s.kafka.PID(s.host, 0)
	before, err := cpuOf(broker)
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, self, passCommand)
	child.Stdin, child.Stderr = strings.NewReader(string(told)), os.Stderr
	if err := child.Run(); err != nil {
		return nil, fmt.Errorf("pass-through: %w", err)
	}
	after, err := cpuOf(broker)
	if err != nil {
		return nil, err
	}
	p := &PassThrough{}
	for _, end := range job.Ends {
		p.Events += end
	}
	millions := float64(p.Events) / 1e6
	p.Client = (child.ProcessState.UserTime() + child.ProcessState.SystemTime()).Seconds() / millions
	p.Broker = (after - before).Seconds() / millions
	p.Total = p.Client + p.Broker
	p.Ratio, p.RatioAll = (d.Steady.Updater+d.Steady.Broker)/p.Total, d.Steady.Total/p.Total
	return p, nil
}

// createTopic makes the topic with as many partitions as the input, and waits
// for their leaders.
func createTopic(ctx context.Context, job passJob) error {
	client := &kafka.Client{Addr: kafka.TCP(job.Brokers...), Timeout: 10 * time.Second}
	_, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: passTopic, NumPartitions: len(job.Ends), ReplicationFactor: 1},
	}})
	for err == nil {
		var meta *kafka.MetadataResponse
		if meta, err = client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{passTopic}}); err != nil {
			break
		}
		led := 0
		for _, topic := range meta.Topics {
			for _, p := range topic.Partitions {
				if p.Error == nil && p.Leader.Host != "" {
					led++
				}
			}
		}
		if led == len(job.Ends) {
			return nil
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}

// passCommand is the argument that makes this program the pass-through.
const passCommand = "pass-through"

// runPassThrough moves all records, each partition by its own goroutine.
func runPassThrough(ctx context.Context, in io.Reader) error {
	var job passJob
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	client := &kafka.Client{Addr: kafka.TCP(job.Brokers...), Timeout: 30 * time.Second}
	errs := make([]error, len(job.Ends))
	var partitions sync.WaitGroup
	for p, end := range job.Ends {
		partitions.Go(func() { errs[p] = passPartition(ctx, client, job.Topic, p, end) })
	}
	partitions.Wait()
	return errors.Join(errs...)
}

func passPartition(ctx context.Context, client *kafka.Client, topic string, partition int, end int64) error {
	const portion = 1000
	var records []kafka.Record
	for offset := int64(0); offset < end; {
		fetched, err := client.Fetch(ctx, &kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 256 << 10, MaxWait: time.Second,
		})
		if err = errors.Join(err, errorOf(fetched)); err != nil {
			return fmt.Errorf("fetch of partition %d at %d: %w", partition, offset, err)
		}
		records = records[:0]
		for {
			r, err := fetched.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("partition %d after %d: %w", partition, offset, err)
			}
			key, keyErr := kafka.ReadAll(r.Key)
			value, valueErr := kafka.ReadAll(r.Value)
			if err := errors.Join(keyErr, valueErr); err != nil {
				return fmt.Errorf("partition %d at %d: %w", partition, r.Offset, err)
			}
			records = append(records, kafka.Record{Key: kafka.NewBytes(key), Value: kafka.NewBytes(value)})
			offset = r.Offset + 1
		}
		for at := 0; at < len(records); at += portion {
			if err := passOn(ctx, client, partition, records[at:min(at+portion, len(records))]); err != nil {
				return err
			}
		}
	}
	return nil
}

// passOn produces records, and again where the new topic's leader isn't ready.
func passOn(ctx context.Context, client *kafka.Client, partition int, records []kafka.Record) error {
	for {
		response, err := client.Produce(ctx, &kafka.ProduceRequest{
			Topic: passTopic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
		})
		if err == nil {
			err = response.Error
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, kafka.NotLeaderForPartition):
			return fmt.Errorf("produce to partition %d: %w", partition, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		for i := range records { // the attempt has read them
			for _, b := range []kafka.Bytes{records[i].Key, records[i].Value} {
				if again, ok := b.(io.Seeker); ok {
					if _, err := again.Seek(0, io.SeekStart); err != nil {
						return err
					}
				}
			}
		}
	}
}

func errorOf(r *kafka.FetchResponse) error {
	if r == nil {
		return nil
	}
	return r.Error
}
