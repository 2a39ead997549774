package importer

import (
	"context"
	"fmt"
	"time"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

const (
	// paceEvery is how often the lag is looked at while publishing.
	paceEvery = time.Second
	// lookEvery is how often while waiting.
	lookEvery = 100 * time.Millisecond
)

// pace waits while the services are more than MaxLag records behind.
func (i *Importer) pace(ctx context.Context) error {
	if i.MaxLag <= 0 || time.Since(i.paced) < paceEvery {
		return nil
	}
	for {
		behind, err := i.behind(ctx)
		if err != nil {
			return err
		}
		i.paced = time.Now()
		if behind <= i.MaxLag {
			return nil
		}
		i.screen.Live(fmt.Sprintf("importing  waiting: the services are %s records behind", screen.Count(behind)))
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// behind answers how many records wait for the intake of this kind and for the
// updater.
func (i *Importer) behind(ctx context.Context) (int64, error) {
	c := i.client.Config()
	topic, group := i.topic()
	total := int64(0)
	for _, at := range []struct{ group, topic string }{{group, topic}, {c.Groups.Updater, c.Topics.Events}} {
		lags, err := i.client.Lag(ctx, at.group, at.topic)
		if err != nil {
			return 0, err
		}
		for _, l := range lags {
			total += l.Behind
		}
	}
	return total, nil
}

// awaitForwarded returns when the intake has forwarded all that is in the raw
// topic now.
func (i *Importer) awaitForwarded(ctx context.Context) error {
	topic, group := i.topic()
	return Await(ctx, i.client, i.screen, group, topic)
}

// awaitTakenIn returns when the updater has taken in all that is in
// customer.events.v1 once the intake has forwarded everything.
func (i *Importer) awaitTakenIn(ctx context.Context) error {
	if err := i.awaitForwarded(ctx); err != nil {
		return err
	}
	c := i.client.Config()
	return Await(ctx, i.client, i.screen, c.Groups.Updater, c.Topics.Events)
}

// deadLetters counts what died so far of the raw topic and of customer.events.v1,
// whoever sent it.
func (i *Importer) deadLetters(ctx context.Context) (int64, error) {
	raw, _ := i.topic()
	total := int64(0)
	for _, topic := range []string{raw, i.client.Config().Topics.Events} {
		marks, err := i.client.Watermarks(ctx, stream.DeadLetterTopic(topic))
		if err != nil {
			return 0, err
		}
		for _, m := range marks {
			total += m.End
		}
	}
	return total, nil
}

// sleep waits, or answers why not.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
