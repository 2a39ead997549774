package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// transactionTimeout is what a transactional id is registered with. No
// transaction is ever begun.
const transactionTimeout = time.Minute

// idleFetcherFor is how long the fetcher of a partition that nobody reads is kept.
const idleFetcherFor = time.Minute

// TransactionalID is the id whose epoch says who owns a task.
func (c *Client) TransactionalID(partition int32) string {
	return fmt.Sprintf("%s-%d", c.config.Groups.Updater, partition)
}

// InitProducer is task.Log.
func (c *Client) InitProducer(ctx context.Context, partition int32) (task.Token, error) {
	var token task.Token
	err := c.retry(ctx, c.config.RetryFor, func(ctx context.Context) error {
		response, err := c.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{
			TransactionalID:      c.TransactionalID(partition),
			TransactionTimeoutMs: int(transactionTimeout.Milliseconds()),
			ProducerID:           noProducerID,
			ProducerEpoch:        -1,
		})
		if err != nil {
			return err
		}
		if response.Error != nil {
			return response.Error
		}
		token = task.Token{ProducerID: int64(response.Producer.ProducerID), Epoch: int16(response.Producer.ProducerEpoch)}
		return nil
	})
	if err != nil {
		kind := readKind(err)
		if kind == task.KindFenced {
			kind = task.KindRetry // somebody else initialises at the same time
		}
		return task.Token{}, failure(kind, err, "producer of %s", c.TransactionalID(partition))
	}
	return token, nil
}

// Fetch is task.Log. What follows the records returned is read in the background.
func (c *Client) Fetch(ctx context.Context, t task.Topic, partition int32, offset int64) (task.Fetched, error) {
	got, err := c.fetcherOf(c.Topic(t), partition).fetch(ctx, offset)
	if kindOf(err) != task.KindOffsetOutOfRange {
		return got, err
	}
	// Kafka's refusal doesn't say what the log has, and a trimmed log asks for
	// something else than a truncated one.
	marks, markErr := c.watermarks(ctx, c.Topic(t), []int32{partition})
	if markErr != nil {
		return got, failure(readKind(markErr), errors.Join(err, markErr), "fetch of topic %s partition %d offset %d", c.Topic(t), partition, offset)
	}
	got.LogStart, got.HighWatermark = marks[0].Start, marks[0].End
	return got, err
}

// fetcherOf returns the partition's fetcher and forgets those long unused.
func (c *Client) fetcherOf(topic string, partition int32) *fetcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := topicPartition{topic, partition}
	f := c.fetchers[key]
	if f == nil {
		for k, other := range c.fetchers {
			if other.idle() {
				delete(c.fetchers, k)
			}
		}
		f = newFetcher(c, topic, partition)
		c.fetchers[key] = f
	}
	return f
}

func (f *fetcher) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.waiting && time.Since(f.used) > idleFetcherFor
}

// Produce is task.Log. It tries again, with the same bytes, for RetryFor.
func (c *Client) Produce(ctx context.Context, p *task.Produce) error {
	if len(p.Records) == 0 {
		return nil
	}
	topic := c.Topic(p.Topic)
	err := c.encodeAndSend(ctx, topic, p.Partition, p.Timestamp, p.Records, p.Token.ProducerID, p.Token.Epoch, p.Sequence)
	if meaningOf(err) == meansDone {
		return nil
	}
	return failure(writeKind(err), err, "produce to topic %s partition %d, producer %d epoch %d, sequence %d, %d records",
		topic, p.Partition, p.Token.ProducerID, p.Token.Epoch, p.Sequence, len(p.Records))
}

// Append is task.Log.
func (c *Client) Append(ctx context.Context, partition int32, timestamp int64, records []task.Out) error {
	if len(records) == 0 {
		return nil
	}
	topic := c.Topic(task.Input)
	err := c.encodeAndSend(ctx, topic, partition, timestamp, records, noProducerID, -1, -1)
	if err == nil {
		return nil
	}
	return failure(readKind(err), err, "append to topic %s partition %d, %d records", topic, partition, len(records))
}

func (c *Client) encodeAndSend(ctx context.Context, topic string, partition int32, timestamp int64, records []task.Out, producerID int64, epoch int16, sequence int32) error {
	e := c.encoders.Get().(*encoder)
	e.reset()
	for i := range records {
		e.add(timestamp, records[i].Key, records[i].Value, records[i].Headers)
	}
	set := e.finish(producerID, epoch, sequence)
	tries := 0
	err := c.retry(ctx, c.config.RetryFor, func(ctx context.Context) error {
		tries++
		return c.produceOnce(ctx, topic, partition, set, len(records))
	})
	if err == nil && tries == 1 {
		c.encoders.Put(e) // else a request given up may still be reading it
	}
	return err
}

// produceOnce sends a record set with acks=all and waits for the answer.
func (c *Client) produceOnce(ctx context.Context, topic string, partition int32, set []byte, records int) error {
	began := time.Now()
	response, err := c.client.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: topic, Partition: int(partition), RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(set)},
	})
	if err == nil {
		err = response.Error
	} else {
		err = c.explain(ctx, err)
	}
	if meaningOf(err) != meansDone {
		c.meters.produceFailed(ctx, topic, err)
		return err
	}
	c.meters.produced(ctx, topic, records, len(set), time.Since(began))
	return nil
}
