package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// connectWithin bounds the handshakes of a connection. The news about leaders
// comes over one connection at a time: a broker that hangs mustn't hold it up.
const connectWithin = 3 * time.Second

// Client is a connection to one Kafka cluster. Its methods may be called from
// many goroutines, except that one partition of one topic is fetched by one
// goroutine at a time.
type Client struct {
	config    Config
	log       *slog.Logger
	meters    *meters
	transport *kafka.Transport
	client    *kafka.Client
	dialer    *kafka.Dialer

	// lifetime ends with Close and bounds everything in the background.
	lifetime context.Context
	end      context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	fetchers map[topicPartition]*fetcher
	counts   map[string]partitionCount

	chunks   sync.Pool // *chunk
	encoders sync.Pool // *encoder
}

type topicPartition struct {
	topic     string
	partition int32
}

type partitionCount struct {
	n    int32
	read time.Time
}

var _ task.Log = (*Client)(nil)

// New makes a client. It connects when first used.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	mechanism, err := config.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("configuration of Kafka: SASL: %w", err)
	}
	meters, err := newMeters(config.Meter)
	if err != nil {
		return nil, fmt.Errorf("metrics of Kafka: %w", err)
	}
	c := &Client{
		config: config, log: config.Log, meters: meters,
		fetchers: make(map[topicPartition]*fetcher),
		counts:   make(map[string]partitionCount),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.lifetime, c.end = context.WithCancel(context.Background())
	c.chunks.New = func() any { return new(chunk) }
	c.encoders.New = func() any { return new(encoder) }

	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: config.RequestTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	c.transport = &kafka.Transport{
		Dial: dial, DialTimeout: min(config.RequestTimeout, connectWithin), IdleTimeout: time.Minute,
		MetadataTTL: config.MetadataTTL, MetadataTopics: append(config.Topics.all(), config.OtherTopics...),
		ClientID: config.ClientID, TLS: config.TLS, SASL: mechanism, Context: c.lifetime,
	}
	c.client = &kafka.Client{Addr: kafka.TCP(config.Brokers...), Timeout: config.RequestTimeout, Transport: c.transport}
	c.dialer = &kafka.Dialer{
		ClientID: config.ClientID, DialFunc: dial, Timeout: config.RequestTimeout, TLS: config.TLS, SASLMechanism: mechanism,
	}
	return c, nil
}

// Close ends what runs in the background and closes the connections. Producers
// and groups must have been closed before.
func (c *Client) Close() error {
	c.end()
	c.running.Wait()
	c.transport.CloseIdleConnections()
	return nil
}

// Config is what the client was made with.
func (c *Client) Config() Config { return c.config }

// Topic is the name of a task's topic.
func (c *Client) Topic(t task.Topic) string {
	switch t {
	case task.Input:
		return c.config.Topics.Events
	case task.Updates:
		return c.config.Topics.Updates
	case task.Churn:
		return c.config.Topics.Churn
	case task.State:
		return c.config.Topics.State
	case task.DeadLetters:
		return DeadLetterTopic(c.config.Topics.Events)
	default:
		panic(fmt.Sprintf("stream: no topic %d", t))
	}
}

// Ping returns nil where Kafka answers and every topic has a leader for each of
// its partitions, else the reason.
func (c *Client) Ping(ctx context.Context) error {
	names := c.config.Topics.all()
	found, err := c.describe(ctx, names)
	if err != nil {
		return fmt.Errorf("kafka at %v: %w", c.config, err)
	}
	var problems []error
	for _, name := range names {
		if err := found[name].ready(); err != nil {
			problems = append(problems, fmt.Errorf("topic %s: %w", name, err))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("kafka at %v: %w", c.config, errors.Join(problems...))
	}
	return nil
}

// topicState is what the cluster says of a topic, at this moment.
type topicState struct {
	err     error
	leaders []int32 // by partition; -1 where there is none
}

func (t topicState) ready() error {
	if t.err != nil {
		return t.err
	}
	if p := slices.Index(t.leaders, -1); p >= 0 {
		return fmt.Errorf("partition %d has no leader", p)
	}
	return nil
}

// describe asks a broker, not the cache, about topics.
func (c *Client) describe(ctx context.Context, names []string) (map[string]topicState, error) {
	response, err := c.direct(ctx, -1, &metadata.Request{TopicNames: names})
	if err != nil {
		return nil, err
	}
	found := make(map[string]topicState, len(names))
	for _, name := range names {
		found[name] = topicState{err: kafka.UnknownTopicOrPartition}
	}
	for _, t := range response.(*metadata.Response).Topics {
		if t.ErrorCode != 0 {
			found[t.Name] = topicState{err: kafka.Error(t.ErrorCode)}
			continue
		}
		leaders := slices.Repeat([]int32{-1}, len(t.Partitions))
		for _, p := range t.Partitions {
			if p.PartitionIndex >= 0 && int(p.PartitionIndex) < len(leaders) && p.ErrorCode != int16(kafka.LeaderNotAvailable) {
				leaders[p.PartitionIndex] = p.LeaderID
			}
		}
		found[t.Name] = topicState{leaders: leaders}
	}
	return found, nil
}

// Partitions is the number of partitions of a topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int32, error) {
	found, err := c.describe(ctx, []string{topic})
	if err == nil {
		err = found[topic].err
	}
	if err != nil {
		return 0, fmt.Errorf("partitions of topic %s: %w", topic, err)
	}
	return int32(len(found[topic].leaders)), nil
}

// partitions is Partitions, at most a few seconds old.
func (c *Client) partitions(ctx context.Context, topic string) (int32, error) {
	c.mu.Lock()
	known, ok := c.counts[topic]
	c.mu.Unlock()
	if ok && time.Since(known.read) < 10*time.Second {
		return known.n, nil
	}
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		if ok && meaningOf(err) != meansStop {
			return known.n, nil // a topic never loses partitions
		}
		return 0, err
	}
	c.mu.Lock()
	c.counts[topic] = partitionCount{n: n, read: time.Now()}
	c.mu.Unlock()
	return n, nil
}

// direct sends a request to a broker, -1 for any, past the transport's own ways.
func (c *Client) direct(ctx context.Context, broker int32, request protocol.Message) (protocol.Message, error) {
	response, err := c.roundTrip(ctx, &direct{Message: request, broker: broker, clientID: c.config.ClientID}, c.config.RequestTimeout)
	if err != nil {
		return nil, err
	}
	return response.(*directResponse).Message, nil
}

// roundTrip sends one request. Where the client knows nothing of the topic, the
// reason may be that it never reached the cluster: that is the better error.
func (c *Client) roundTrip(ctx context.Context, request protocol.Message, timeout time.Duration) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := c.transport.RoundTrip(ctx, c.client.Addr, request)
	return response, c.explain(ctx, err)
}

func (c *Client) explain(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, protocol.ErrNoTopic) {
		return err
	}
	if _, reason := c.transport.RoundTrip(ctx, c.client.Addr, &metadata.Request{}); reason != nil {
		return reason
	}
	return err
}

// retry calls try until it succeeds, fails for good, or the time is over. The
// last error is returned.
func (c *Client) retry(ctx context.Context, bound time.Duration, try func(ctx context.Context) error) error {
	var err error
	for wait := newBackoff(ctx, bound); wait.next(); {
		if err = try(ctx); err == nil || final(ctx, err) {
			return err
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// backoff paces retries: at once first, then 20 ms doubling to 500 ms.
type backoff struct {
	ctx      context.Context
	deadline time.Time
	pause    time.Duration
}

func newBackoff(ctx context.Context, bound time.Duration) *backoff {
	return &backoff{ctx: ctx, deadline: time.Now().Add(bound)}
}

// next waits and says whether to try.
func (b *backoff) next() bool {
	if b.pause == 0 {
		b.pause = 20 * time.Millisecond
		return b.ctx.Err() == nil
	}
	if time.Until(b.deadline) < b.pause {
		return false
	}
	timer := time.NewTimer(b.pause)
	defer timer.Stop()
	b.pause = min(2*b.pause, 500*time.Millisecond)
	select {
	case <-timer.C:
		return true
	case <-b.ctx.Done():
		return false
	}
}
