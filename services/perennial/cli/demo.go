package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/demo"
	"github.com/perennial-cltv/perennial/services/perennial/recount"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) demoCommand() *cobra.Command {
	var exit bool
	var seed uint64
	c := &cobra.Command{
		Use: "demo", Short: "Play real purchase history through everything, in this process", Args: arguments(),
		Long: `Play the CDNOW data set, 2,357 customers and their 6,919 purchases over a year and
a half, through Kafka, the services and Redis, all in this process; the calls
around the purchases are made up. Then show what came out, and serve on until
Ctrl-C.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), seed, exit) },
	}
	c.Flags().BoolVar(&exit, "exit", false, "end after the sums were verified")
	c.Flags().Uint64Var(&seed, "seed", 1, "of the calls")
	return c
}

func (a *app) demo(ctx context.Context, seed uint64, exit bool) (err error) {
	story, err := demo.NewStory(seed)
	if err != nil {
		return err
	}
	defaults := serveDefaults()
	defaults.Log = ops.Log{Level: "error", Format: "text"}
	loaded, err := a.loadWith(defaults)
	if err != nil {
		return err
	}
	s, err := a.newStack(ctx, loaded.Value, laptopPartitions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if s.twins == nil {
		return ops.Usagef("the demo brings its own Kafka and Redis; kafka.brokers and redis.addrs must not be set")
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var told error
	err = s.serve(serving, ops.Task{Name: "demo", Run: func(ctx context.Context) error {
		told = a.tell(ctx, s, story)
		if told == nil && !exit {
			a.tryNext(s)
			<-ctx.Done()
		}
		stop()
		return nil
	}})
	if ctx.Err() != nil && errors.Is(told, context.Canceled) {
		told = nil // Ctrl-C
	}
	return errors.Join(told, err)
}

// tell plays the story and shows what came out.
func (a *app) tell(ctx context.Context, s *stack, story *demo.Story) error {
	a.out.Printf("Kafka, Redis and the four services run in this process.\n")
	a.out.Printf("Playing %s purchases of %s customers and %s calls of 1997 and 1998.\n\n",
		screen.Count(int64(story.Purchases)), screen.Count(customersOf(story)), screen.Count(int64(story.Calls)))
	if err := ready(ctx, s); err != nil {
		return err
	}
	r, err := openReader(ctx, s.config.Redis)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := a.play(ctx, s, r, story); err != nil {
		return err
	}
	report, err := demo.NewReport(ctx, s.kafka, r)
	if err != nil {
		return err
	}
	report.Write(a.out)
	result, err := recount.All(ctx, r)
	if err != nil {
		return err
	}
	a.out.Printf("\n")
	return a.verified(&result)
}

func customersOf(story *demo.Story) (n int64) {
	for _, acquired := range story.Acquired {
		n += acquired
	}
	return n
}

// play plays the story with its progress on the screen.
func (a *app) play(ctx context.Context, s *stack, r *store.Reader, story *demo.Story) (err error) {
	to, closeProducer := producer(ctx, s.kafka)
	defer func() { err = errors.Join(err, closeProducer()) }()
	started := time.Now()
	line := func(g demo.Progress) string {
		day := "1997-01-01"
		if !g.Day.IsZero() {
			day = g.Day.Format(time.DateOnly)
		}
		return screen.Progress{
			Label: day, Done: int64(g.Weeks), Total: int64(g.Total), Count: g.Updates, Unit: "updates", Elapsed: time.Since(started),
			Detail: fmt.Sprintf("%s purchases  %s calls", screen.Count(g.Purchases), screen.Count(g.Calls)),
		}.Line()
	}
	player := &demo.Player{
		Client: s.kafka, Producer: to, Store: r,
		Show: func(g demo.Progress) { a.out.Live(line(g)) },
		First: func(u *perennialv1.CltvUpdate) {
			a.out.Printf("%s  %s  CLTV %s  alive %s  churn %s  after %s\n", u.AsOf.AsTime().Format(time.DateOnly), u.Tenant+"/"+u.Customer,
				screen.Money(u.CltvMinor, cltv.MinorDigits(u.Currency)), screen.Percent(int64(u.GetPrediction().GetAlivePpm())),
				bandName(u.GetChurn().GetBand()), u.GetCause().GetKind())
		},
	}
	if err := player.Play(ctx, story); err != nil {
		return err
	}
	a.out.EndLive(line(player.Progress()))
	return nil
}

// tryNext shows what to try while everything still runs.
func (a *app) tryNext(s *stack) {
	now := time.Now().UTC()
	a.out.Heading("Try next, in another terminal")
	a.out.Printf(`bin/perennial customer --redis %[2]s %[5]s/0001
bin/perennial tail --brokers %[1]s

curl -i %[3]s -H 'content-type: application/json' -d '{
  "tenant": "%[5]s", "customer": "new-1", "source": "my-dialer", "sourceEventId": "call-1",
  "occurredAt": "%[6]s",
  "callOutcome": {"disposition": "DISPOSITION_SALE", "talkSeconds": 210,
                  "touch": {"campaign": "web-callback", "agent": "agent-01"}}}'
curl -i %[4]s -H 'content-type: application/json' -d '{
  "tenant": "%[5]s", "customer": "new-1", "source": "my-billing", "sourceEventId": "order-1",
  "occurredAt": "%[7]s",
  "order": {"orderId": "order-1", "amount": {"minor": "2999", "currency": "USD"}}}'
bin/perennial customer --redis %[2]s %[5]s/new-1

Kafka listens on %[1]s: dialer.calls.v1 and billing.events.v1 take the same JSON.
Ctrl-C ends everything.
`, s.config.Kafka.Brokers[0], s.config.Redis.Addrs[0], url(s.config.Calls.HTTP.Listen, "/v1/events"), url(s.config.Billing.HTTP.Listen, "/v1/events"), demo.Tenant,
		now.Add(-5*time.Minute).Format(time.RFC3339), now.Format(time.RFC3339))
}
