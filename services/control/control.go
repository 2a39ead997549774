// Package control makes and sends the records by which Perennial is steered:
// models, thresholds, unit costs, policies, clocks and requests to look at a
// customer again. They go into customer.events.v1 directly, the first four and
// the clocks to every partition of it.
package control

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/stream"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Source is the source of the records made here.
const Source = "perennial"

// event answers the envelope of a control record. kind names it in its key and
// id, number tells it from others of its kind. A clock may be moved ahead of ours,
// but the updater refuses a recorded_at that is.
func event(tenant, kind string, number int64, at time.Time) *perennialv1.Event {
	recorded := at
	if now := time.Now(); now.Before(at) {
		recorded = now
	}
	return &perennialv1.Event{
		Tenant: tenant, Source: Source, SourceEventId: fmt.Sprintf("%s-%d", kind, number),
		OccurredAt: timestamppb.New(at), RecordedAt: timestamppb.New(recorded),
	}
}

// Model brings a model into force.
func Model(tenant string, m *perennialv1.ModelPublished, at time.Time) *perennialv1.Event {
	e := event(tenant, "model", m.Number, at)
	if m.Scope != "" {
		e.SourceEventId = fmt.Sprintf("model-%s-%d", m.Scope, m.Number)
	}
	e.Fact = &perennialv1.Event_ModelPublished{ModelPublished: m}
	return e
}

// Thresholds brings value tiers into force.
func Thresholds(tenant string, t *perennialv1.ThresholdsSet, at time.Time) *perennialv1.Event {
	e := event(tenant, "thresholds", t.Number, at)
	e.Fact = &perennialv1.Event_ThresholdsSet{ThresholdsSet: t}
	return e
}

// UnitCosts brings unit acquisition costs into force.
func UnitCosts(tenant string, c *perennialv1.UnitCostsSet, at time.Time) *perennialv1.Event {
	e := event(tenant, "unit-costs", c.Number, at)
	e.Fact = &perennialv1.Event_UnitCostsSet{UnitCostsSet: c}
	return e
}

// Policy brings a policy into force.
func Policy(tenant string, p *perennialv1.PolicySet, at time.Time) *perennialv1.Event {
	e := event(tenant, "policy", p.Number, at)
	e.Fact = &perennialv1.Event_PolicySet{PolicySet: p}
	return e
}

// Clock moves a tenant's clock.
func Clock(tenant string, to time.Time) *perennialv1.Event {
	e := event(tenant, "clock", to.Unix(), to)
	e.Fact = &perennialv1.Event_ClockAdvanced{ClockAdvanced: &perennialv1.ClockAdvanced{To: timestamppb.New(to)}}
	return e
}

// Reassess asks for a fresh score of a customer.
func Reassess(tenant, customer string, clock time.Time) *perennialv1.Event {
	e := event(tenant, "reassess", clock.Unix(), clock)
	e.Customer = customer
	e.Backfill = true
	e.Fact = &perennialv1.Event_Reassess{Reassess: &perennialv1.Reassess{Clock: timestamppb.New(clock)}}
	return e
}

// Message answers the record of an event in customer.events.v1.
func Message(e *perennialv1.Event) (stream.Message, error) {
	value, err := proto.Marshal(e)
	if err != nil {
		return stream.Message{}, fmt.Errorf("encoding %s of tenant %s: %w", e.SourceEventId, e.Tenant, err)
	}
	return stream.Message{Key: []byte(key(e)), Value: value}, nil
}

// key answers <tenant>/<customer>, or for a record without a customer what it is.
func key(e *perennialv1.Event) string {
	switch e.Fact.(type) {
	case *perennialv1.Event_ModelPublished:
		return e.Tenant + "/~model"
	case *perennialv1.Event_ThresholdsSet:
		return e.Tenant + "/~thresholds"
	case *perennialv1.Event_UnitCostsSet:
		return e.Tenant + "/~unit-costs"
	case *perennialv1.Event_PolicySet:
		return e.Tenant + "/~policy"
	case *perennialv1.Event_ClockAdvanced:
		return e.Tenant + "/~clock"
	default:
		return e.Tenant + "/" + e.Customer
	}
}

// ToAll sends events to every partition of topic, partition 0 first: whoever
// reads it there has them as soon as anybody.
func ToAll(ctx context.Context, client *stream.Client, producer *stream.Producer, topic string, events ...*perennialv1.Event) error {
	messages := make([]stream.Message, len(events))
	for i, e := range events {
		var err error
		if messages[i], err = Message(e); err != nil {
			return err
		}
	}
	n, err := client.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if err := producer.SendTo(ctx, topic, 0, messages); err != nil {
		return err
	}
	for partition := int32(1); partition < n; partition++ {
		if err := producer.SendTo(ctx, topic, partition, messages); err != nil {
			return err
		}
	}
	return nil
}
