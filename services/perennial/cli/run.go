package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
)

func (a *app) runCommand() *cobra.Command {
	var partitions int32
	c := &cobra.Command{
		Use: "run", Short: "Run all services in this process", Args: arguments(),
		Long: `Run call-ingester, billing-consumer, cltv-updater and model-trainer in this
process until SIGTERM or Ctrl-C.

With --brokers and --redis they use these servers; without either, Kafka and
Redis are in this process, too, and forget everything at the end. Topics that
aren't there are made.`,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := store.CheckPartitions(partitions); err != nil {
				return ops.Usagef("--partitions %d: %w", partitions, err)
			}
			loaded, err := a.loadWith(serveDefaults())
			if err != nil {
				return err
			}
			s, err := a.newStack(c.Context(), loaded.Value, partitions)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close(c.Context())) }()
			a.sayWhere(s)
			return s.serve(c.Context(), s.training(), a.announce(s))
		},
	}
	c.Flags().Int32Var(&partitions, "partitions", laptopPartitions, "partitions of topics that aren't there")
	a.kafkaFlag(c)
	a.redisFlag(c)
	return c
}

// sayWhere says where everything is.
func (a *app) sayWhere(s *stack) {
	a.out.Printf("calls     POST %s\n", url(s.config.Calls.HTTP.Listen, "/v1/events"))
	a.out.Printf("billing   POST %s\n", url(s.config.Billing.HTTP.Listen, "/v1/events"))
	a.out.Printf("operators GET  %s\n", url(s.config.Admin.Listen, "/readyz"))
	a.out.Printf("kafka     %s\n", s.config.Kafka.Brokers[0])
	a.out.Printf("redis     %s\n", s.config.Redis.Addrs[0])
}

// announce says when everything is ready.
func (a *app) announce(s *stack) ops.Task {
	return ops.Task{Name: "announcement", Run: func(ctx context.Context) error {
		if err := ready(ctx, s); err == nil {
			a.out.Printf("ready\n")
		}
		<-ctx.Done()
		return nil
	}}
}
