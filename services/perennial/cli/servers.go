package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/connect"
)

// answerWithin bounds how long a command waits for servers to answer at all: a
// wrong address is better said than waited for.
const answerWithin = 10 * time.Second

// kafka answers a client for a command, and what closes it. It connects when it
// is first used.
func (a *app) kafka() (*stream.Client, func(), error) {
	loaded, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	client, err := connect.Kafka("perennial", loaded.Value.Kafka, nil)
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}

// kafkaWithTopics is kafka where the topics must be there already.
func (a *app) kafkaWithTopics(ctx context.Context) (*stream.Client, func(), error) {
	client, done, err := a.kafka()
	if err != nil {
		return nil, nil, err
	}
	if err := topicsThere(ctx, client); err != nil {
		done()
		return nil, nil, err
	}
	return client, done, nil
}

// producer answers a producer, and what waits for its last messages.
func producer(ctx context.Context, client *stream.Client) (*stream.Producer, func() error) {
	p := client.NewProducer()
	return p, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
		defer cancel()
		return p.Close(ctx)
	}
}

// topicsThere fails where Kafka doesn't answer or the topics aren't there.
func topicsThere(ctx context.Context, client *stream.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("%w\n\"perennial topics create\" makes topics that are missing", err)
	}
	return nil
}

// reader answers a reader of Redis.
func (a *app) reader(ctx context.Context) (*store.Reader, error) {
	loaded, err := a.load()
	if err != nil {
		return nil, err
	}
	return openReader(ctx, loaded.Value.Redis)
}

func openReader(ctx context.Context, settings ops.Redis) (*store.Reader, error) {
	config, err := connect.Redis(settings)
	if err != nil {
		return nil, err
	}
	// Whoever only reads doesn't ask whether Redis may lose keys, so that the
	// twin of the demo will do.
	config.Embedded = true
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return store.NewReader(ctx, config)
}
