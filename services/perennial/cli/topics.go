package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
)

// laptopPartitions is how many tasks there are where nobody says.
const laptopPartitions = 8

func (a *app) topicsCommand() *cobra.Command {
	var partitions int32
	var replication int
	create := &cobra.Command{
		Use: "create", Short: "Make the topics that aren't there, with retention and compaction", Args: arguments(),
		Long: `Make the topics that aren't there and wait until they can be used. Topics that
are there stay as they are; a wrong number of partitions or a wrong cleanup
policy is an error.

The number of partitions is the number of tasks, for good: 8 for a laptop, 64
for a deployment.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := store.CheckPartitions(partitions); err != nil {
				return ops.Usagef("--partitions %d: %w", partitions, err)
			}
			client, done, err := a.kafka()
			if err != nil {
				return err
			}
			defer done()
			if err := client.CreateTopics(c.Context(), partitions, replication); err != nil {
				return fmt.Errorf("kafka at %v: %w", client.Config(), err)
			}
			t := client.Config().Topics
			for _, name := range []string{
				t.Calls, stream.DeadLetterTopic(t.Calls), t.Billing, stream.DeadLetterTopic(t.Billing),
				t.Events, stream.DeadLetterTopic(t.Events), t.Updates, t.Churn, t.State, t.Decisions,
			} {
				a.out.Printf("%s\n", name)
			}
			return nil
		},
	}
	create.Flags().Int32Var(&partitions, "partitions", laptopPartitions, "partitions of each topic, for good")
	create.Flags().IntVar(&replication, "replication", -1, "replicas of each partition; -1: the brokers' default")
	a.kafkaFlag(create)
	return group(&cobra.Command{Use: "topics", Short: "Make the topics"}, create)
}
