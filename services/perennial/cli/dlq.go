package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// letterFilter says which dead letters are meant.
type letterFilter struct {
	topic, code, key string
	partition        int32
	from, to         int64
}

func (f *letterFilter) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.topic, "topic", "", "only records that died in this topic")
	c.Flags().StringVar(&f.code, "code", "", "only with this code, such as too_late")
	c.Flags().StringVar(&f.key, "key", "", "only with this key, `TENANT/CUSTOMER`")
	c.Flags().Int32Var(&f.partition, "partition", -1, "only of this partition of the topic; -1: all")
	c.Flags().Int64Var(&f.from, "from", 0, "only from this `offset` of the topic on")
	c.Flags().Int64Var(&f.to, "to", -1, "only up to this `offset`, included; -1: all")
}

func (f *letterFilter) matches(l *stream.Letter) bool {
	return (f.topic == "" || f.topic == l.Topic) && (f.code == "" || f.code == l.Cause.Code) && (f.key == "" || f.key == string(l.Key)) &&
		(f.partition < 0 || f.partition == l.Partition) && l.Offset >= f.from && (f.to < 0 || l.Offset <= f.to)
}

// letterID identifies a dead letter: one that is there twice was written twice.
type letterID struct {
	topic     string
	partition int32
	offset    int64
}

// letters gives each dead letter that the filter matches, once. The letter is
// good until do returns.
func (f *letterFilter) letters(ctx context.Context, client *stream.Client, do func(dlq string, l stream.Letter) error) error {
	t := client.Config().Topics
	topics := []string{t.Calls, t.Billing, t.Events}
	if f.topic != "" {
		if !slices.Contains(topics, f.topic) {
			return ops.Usagef("--topic %q: must be one of %v", f.topic, topics)
		}
		topics = []string{f.topic}
	}
	seen := map[letterID]bool{}
	for _, topic := range topics {
		dlq := stream.DeadLetterTopic(topic)
		err := client.Read(ctx, dlq, nil, func(_ int32, r *task.Record) error {
			l, ok := stream.ParseDeadLetter(r)
			id := letterID{l.Topic, l.Partition, l.Offset}
			if !ok || !f.matches(&l) || seen[id] {
				return nil
			}
			seen[id] = true
			return do(dlq, l)
		})
		if err != nil {
			return fmt.Errorf("reading %s: %w", dlq, err)
		}
	}
	return nil
}

func (a *app) dlqCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "dlq", Short: "Look at records that couldn't be taken in, and send them again",
	}, a.dlqListCommand(), a.dlqRedriveCommand())
}

func (a *app) dlqListCommand() *cobra.Command {
	var filter letterFilter
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "Show records that couldn't be taken in, and why", Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, done, err := a.kafkaWithTopics(c.Context())
			if err != nil {
				return err
			}
			defer done()
			n := 0
			err = filter.letters(c.Context(), client, func(_ string, l stream.Letter) error {
				if asJSON {
					return a.letterJSON(&l)
				}
				n++
				a.out.Printf("%s/%d at %d  %s  %s\n", l.Topic, l.Partition, l.Offset, screen.Printable(string(l.Key)), l.Cause.Code)
				a.out.Wrapped("    ", screen.Printable(l.Cause.Text))
				return nil
			})
			if err == nil && n == 0 && !asJSON {
				a.out.Printf("no dead letters\n")
			}
			return err
		},
	}
	filter.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line, with the record itself in base64")
	a.kafkaFlag(c)
	return c
}

func (a *app) letterJSON(l *stream.Letter) error {
	line, err := json.Marshal(struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Key       string `json:"key"`
		Service   string `json:"service"`
		Stage     string `json:"stage"`
		Code      string `json:"code"`
		Reason    string `json:"reason"`
		Value     string `json:"value"`
	}{
		l.Topic, l.Partition, l.Offset, string(l.Key), l.Cause.Service, l.Cause.Stage, l.Cause.Code, l.Cause.Text,
		base64.StdEncoding.EncodeToString(l.Value),
	})
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	a.out.Printf("%s\n", line)
	return nil
}

func (a *app) dlqRedriveCommand() *cobra.Command {
	var filter letterFilter
	var dryRun bool
	c := &cobra.Command{
		Use: "redrive", Short: "Send records again to the topic where they died, as they were", Args: arguments(),
		Long: `Send records again to the topic where they died: same key, same value, same
headers. What was taken in meanwhile is recognised and changes nothing; what
still can't be taken in dies again, as a new dead letter.`,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			ctx := c.Context()
			client, done, err := a.kafkaWithTopics(ctx)
			if err != nil {
				return err
			}
			defer done()
			to, closeProducer := producer(ctx, client)
			defer func() {
				if closing := closeProducer(); err == nil {
					err = closing
				}
			}()
			sent, omitted := 0, 0
			err = filter.letters(ctx, client, func(_ string, l stream.Letter) error {
				if l.Omitted {
					omitted++
					return nil
				}
				sent++
				if dryRun {
					return nil
				}
				if err := to.Send(ctx, l.Topic, []stream.Message{l.Redrive()}); err != nil {
					return fmt.Errorf("%d records were sent again; then %s partition %d offset %d: %w", sent-1, l.Topic, l.Partition, l.Offset, err)
				}
				return nil
			})
			if err != nil {
				return err
			}
			what := "sent again"
			if dryRun {
				what = "would be sent again"
			}
			a.out.Printf("%d records %s\n", sent, what)
			if omitted > 0 {
				a.out.Printf("%d records are too large for a dead letter and were left where they are: see perennial dlq list\n", omitted)
			}
			return nil
		},
	}
	filter.flags(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only count them")
	a.kafkaFlag(c)
	return c
}
