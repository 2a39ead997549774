package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// tenantForm is what a tenant may be called.
var tenantForm = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

func checkTenant(tenant string) error {
	if tenant == "" {
		return ops.Usagef("--tenant is missing: whose it is, 1 to 63 of a-z, 0-9 and -")
	}
	if !tenantForm.MatchString(tenant) {
		return ops.Usagef("--tenant %q: must be 1 to 63 of a-z, 0-9 and -", tenant)
	}
	return nil
}

func (a *app) publishCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "publish", Short: "Bring a model, a policy, value tiers or unit costs into force",
	},
		a.publishKind(control.KindModel, "Bring a model of a tenant into force", `FILE holds a ModelPublished in JSON, or is "cdnow" for the published model of the CDNOW sample:

  {"modelId": "spring", "bgNbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
   "gammaGamma": {"p": 6.25, "q": 3.74, "gamma": 15.44}}`),
		a.publishKind(control.KindPolicy, "Bring a policy into force: currency, zone, horizon, margin, costs, churn bands", `FILE holds a PolicySet in JSON; what it leaves out has its default. It replaces the
policy in force as a whole, but changes the currency only with --other-currency:

  {"currency": "EUR", "timeZone": "Europe/Berlin", "marginPpm": 350000, "churnHorizonDays": 120}`),
		a.publishKind(control.KindThresholds, "Bring value tiers into force", `FILE holds a ThresholdsSet in JSON:

  {"tiers": [{"name": "silver", "fromMinor": "5000"}, {"name": "gold", "fromMinor": "20000"}]}`),
		a.publishKind(control.KindUnitCosts, "Bring the cost of winning a customer into force", `FILE holds a UnitCostsSet in JSON, in minor units:

  {"defaultMinor": "1000", "byCampaign": {"spring": "1450"}, "byLeadSource": {"radio": "900"}}`),
	)
}

func (a *app) publishKind(kind, short, long string) *cobra.Command {
	var tenant string
	var otherCurrency bool
	c := &cobra.Command{
		Use: kind + " FILE", Short: short, Args: arguments("FILE"),
		Long: short + ".\n\n" + long + `

Of two numbers the higher counts. A file without a number gets the next one
after that in force, which is read from Redis, and at least 2: 1 is what an import
publishes. Customers are scored by it when they are next touched, or when their
score is due (policy: rescoreDays, 7).`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.publish(c.Context(), kind, tenant, args[0], otherCurrency)
		},
	}
	if kind == control.KindPolicy {
		c.Flags().BoolVar(&otherCurrency, "other-currency", false, "take what is known of the tenant's money for that of another currency, as after a first mistake")
	}
	c.Flags().StringVar(&tenant, "tenant", "", "whose it is")
	a.kafkaFlag(c)
	a.redisFlag(c)
	return c
}

func (a *app) publish(ctx context.Context, kind, tenant, file string, otherCurrency bool) error {
	if err := checkTenant(tenant); err != nil {
		return err
	}
	p, err := control.Load(kind, file)
	if err != nil {
		return ops.Usage(err)
	}
	if p.GetNumber() == 0 {
		now, err := a.inForce(ctx, tenant)
		if err != nil {
			return fmt.Errorf("looking for the number in force: %w", err)
		}
		// Number 1 is what an import publishes, which mustn't meet an operator's.
		control.SetNumber(p, max(control.InForce(p, now), 1)+1)
	}
	event, err := control.Publish(tenant, p, time.Now())
	if err != nil {
		return ops.Usage(fmt.Errorf("%s: %w", file, err))
	}
	if kind == control.KindPolicy && !otherCurrency {
		now, err := a.inForce(ctx, tenant)
		if err != nil {
			return fmt.Errorf("looking for the currency in force: %w", err)
		}
		if err := control.KeepsCurrency(p, now); err != nil {
			return ops.Usage(fmt.Errorf("%s: %w; --other-currency does it all the same", file, err))
		}
	}
	if err := a.toAll(ctx, event); err != nil {
		return err
	}
	a.out.Printf("%s number %d of tenant %s is published\n", kind, p.GetNumber(), tenant)
	return nil
}

// toAll sends a control record to every partition.
func (a *app) toAll(ctx context.Context, event *perennialv1.Event) (err error) {
	client, done, err := a.kafka()
	if err != nil {
		return err
	}
	defer done()
	to, closeProducer := producer(ctx, client)
	defer func() { err = errors.Join(err, closeProducer()) }()
	if err := topicsThere(ctx, client); err != nil {
		return err
	}
	return control.ToAll(ctx, client, to, client.Config().Topics.Events, event)
}

// inForce answers the parameters of a tenant as partition 0 has them: it is
// written first. Without any task there are none.
func (a *app) inForce(ctx context.Context, tenant string) (*wire.TenantParameters, error) {
	now := &wire.TenantParameters{}
	r, err := a.reader(ctx)
	if errors.Is(err, store.ErrNoTasks) {
		return now, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	contents, err := r.Contents(ctx, 0)
	if err != nil {
		return nil, err
	}
	if encoded, ok := contents.Parameters[tenant]; ok {
		if err := wire.DecodeTenantParameters(encoded, now); err != nil {
			return nil, fmt.Errorf("parameters of tenant %s: %w", tenant, err)
		}
	}
	return now, nil
}
