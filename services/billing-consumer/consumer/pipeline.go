// Package consumer takes in what every system but the dialer reports: money above all, and
// tickets, answers, profiles, consent and marketing spend.
package consumer

import (
	"context"
	"errors"

	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/gate"
)

// Run serves until ctx ends, then finishes what is under way and returns.
//
// The way of an order, from either side:
//
//	POST /v1/events                   billing.events.v1
//	  token and quota of the tenant     every partition this member is given
//	        \                           /
//	         decode     protobuf, JSON or CloudEvents → Event      intake.Decode
//	         validate   the fields, and that the kind may come in  Intake.Validate
//	         normalise  recorded_at, hashed contacts, key          Intake.Admit
//	        /                           \
//	  customer.events.v1, acknowledged by all replicas             stream.Producer
//	202, or the field at fault        next offset, or a dead letter with its cause
func Run(ctx context.Context, rt *ops.Runtime, config Config) (err error) {
	g, err := gate.Open(Name, rt, config.Kafka)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close(ctx)) }()

	handler, err := g.Handler(rt, intake.BillingKinds, config.Intake, config.HTTP)
	if err != nil {
		return err
	}
	server, err := rt.Listen(Name, config.HTTP, handler)
	if err != nil {
		return err
	}
	rules, err := intake.New(config.Intake.Config(intake.BillingKinds))
	if err != nil {
		return err
	}
	kafka := g.Kafka.Config()
	return ops.RunTasks(ctx, config.StopGrace, server.Task(), ops.Task{Name: "consumer", Run: func(ctx context.Context) error {
		return g.Consume(ctx, kafka.Topics.Billing, kafka.Groups.Billing, rules)
	}})
}
