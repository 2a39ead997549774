package main

import (
	"context"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// publish brings into force what a tenant in service has: a policy, the model of
// the CDNOW sample, value tiers, and unit costs by campaign. Time is what the
// records say.
func publish(ctx context.Context, client *stream.Client, producer *stream.Producer, at time.Time) error {
	return control.ToAll(ctx, client, producer, client.Config().Topics.Events, parameters(at)...)
}

// parameters are the records that publish sends.
func parameters(at time.Time) []*perennialv1.Event {
	costs := &perennialv1.UnitCostsSet{Number: 1, DefaultMinor: 900, ByCampaign: map[string]int64{}}
	for i, campaign := range campaigns {
		costs.ByCampaign[campaign] = int64(600 + 50*i)
	}
	return []*perennialv1.Event{
		control.Policy(tenant, &perennialv1.PolicySet{
			Number: 1, Currency: currency, MarginPpm: 600_000, MinuteCostMinor: 45, TicketCostMinor: 250,
			ClockMode: perennialv1.ClockMode_CLOCK_MODE_PLAYBACK,
		}, at),
		control.Model(tenant, control.CDNOW(1), at),
		control.Thresholds(tenant, &perennialv1.ThresholdsSet{Number: 1, Tiers: []*perennialv1.Tier{
			{Name: "bronze", FromMinor: 2_000}, {Name: "silver", FromMinor: 10_000}, {Name: "gold", FromMinor: 40_000},
		}}, at),
		control.UnitCosts(tenant, costs, at),
	}
}

// preload writes count events of a workload into customer.events.v1 and answers
// their bytes, keys and values.
func preload(ctx context.Context, client *stream.Client, producer *stream.Producer, w *workload, count int) (bytes int64, err error) {
	const portion = 5000
	var ev cltv.Event
	messages := make([]stream.Message, 0, portion)
	var arena []byte
	for count > 0 {
		messages, arena = messages[:0], arena[:0]
		for range min(portion, count) {
			w.next(&ev)
			start := len(arena)
			arena = append(append(append(arena, ev.Tenant...), '/'), ev.Customer...)
			middle := len(arena)
			arena = wire.AppendEvent(arena, &ev)
			messages = append(messages, stream.Message{Key: arena[start:middle:middle], Value: arena[middle:len(arena):len(arena)]})
		}
		bytes += int64(len(arena))
		count -= len(messages)
		if err := producer.Send(ctx, client.Config().Topics.Events, messages); err != nil {
			return bytes, err
		}
	}
	return bytes, nil
}

// ends is the sum of the ends of a topic's partitions: how many records it ever
// had.
func ends(ctx context.Context, client *stream.Client, topic string) (int64, error) {
	marks, err := client.Watermarks(ctx, topic)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, m := range marks {
		total += m.End
	}
	return total, nil
}
