package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) customerCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "customer TENANT/CUSTOMER", Short: "Show one customer: scores, how each number came about, consent, and the stored state", Args: arguments("TENANT/CUSTOMER"),
		Long: `Show one customer as it stands in Redis: the scores, how each number came about,
consent, and with --json the stored state, too.

With --json "score" is a CltvUpdate in the JSON mapping of the schema (without
what caused it, and the change, which the state doesn't keep), "explanation" says
how each number came about, and "state" is the stored CustomerState.`,
		RunE: func(c *cobra.Command, args []string) error {
			tenant, id, found := strings.Cut(args[0], "/")
			if !found || tenant == "" || id == "" {
				return ops.Usagef("%q: must be TENANT/CUSTOMER", args[0])
			}
			one, err := a.findCustomer(c.Context(), tenant, id)
			if err != nil {
				return err
			}
			if asJSON {
				return a.customerJSON(one)
			}
			a.showCustomer(one)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	a.redisFlag(c)
	return c
}

// customer is one customer as Redis has it.
type customer struct {
	tenant, id string
	partition  int32
	position   task.Position
	raw        []byte
	state      cltv.State
	score      cltv.Score
	lines      []cltv.Line
	// subscriptions are as of the score.
	subscriptions []cltv.Subscription
}

func (a *app) findCustomer(ctx context.Context, tenant, id string) (*customer, error) {
	r, err := a.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	c := &customer{tenant: tenant, id: id, partition: r.PartitionOf(tenant, id)}
	if c.raw, c.position, err = r.State(ctx, tenant, id); err != nil {
		return nil, fmt.Errorf("reading customer %s/%s: %w", tenant, id, err)
	}
	if c.raw == nil {
		return nil, fmt.Errorf("no customer %s/%s in partition %d", tenant, id, c.partition)
	}
	if err := c.state.Decode(c.raw); err != nil {
		return nil, fmt.Errorf("state of customer %s/%s: %w", tenant, id, err)
	}
	params, err := parameters(ctx, r, c.partition, tenant)
	if err != nil {
		return nil, err
	}
	var folder cltv.Folder
	c.score = folder.Score(&c.state, params)
	c.lines = folder.Explain(&c.state, params)
	c.subscriptions = c.state.Subscriptions(params, c.score.AsOfDay)
	return c, nil
}

// parameters answers what is in force for a tenant in a partition.
func parameters(ctx context.Context, r *store.Reader, partition int32, tenant string) (*cltv.Params, error) {
	contents, err := r.Contents(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("reading the parameters of tenant %s: %w", tenant, err)
	}
	var now wire.TenantParameters
	if err := wire.DecodeTenantParameters(contents.Parameters[tenant], &now); err != nil {
		return nil, fmt.Errorf("parameters of tenant %s: %w", tenant, err)
	}
	var params *cltv.Params
	tables := &cltv.Tables{Formulas: formula.Compile}
	take := func(ev *cltv.Event) {
		if err == nil {
			params, _, err = params.With(ev, tables)
		}
	}
	if now.Policy != nil {
		take(&cltv.Event{Kind: cltv.KindPolicySet, Policy: now.Policy})
	}
	for _, m := range now.Models {
		take(&cltv.Event{Kind: cltv.KindModelPublished, Model: m})
	}
	if now.Thresholds != nil {
		take(&cltv.Event{Kind: cltv.KindThresholdsSet, Thresholds: now.Thresholds})
	}
	if now.UnitCosts != nil {
		take(&cltv.Event{Kind: cltv.KindUnitCostsSet, UnitCosts: now.UnitCosts})
	}
	if err != nil {
		return nil, fmt.Errorf("parameters of tenant %s: %w", tenant, err)
	}
	return params, nil
}

// fresh answers whether the score is the one that was last published; it isn't
// where parameters changed since.
func (c *customer) fresh() bool { return c.score.Numbers == c.state.ScoredWith() }

// update answers the score as subscribers see it.
func (c *customer) update() (*perennialv1.CltvUpdate, error) {
	step := cltv.Step{Score: c.score, PreviousCLTVMinor: c.score.CLTVMinor}
	encoded := wire.AppendUpdate(nil, &cltv.Event{Tenant: c.tenant, Customer: c.id}, &step)
	u := &perennialv1.CltvUpdate{}
	if err := proto.Unmarshal(encoded, u); err != nil {
		return nil, fmt.Errorf("score of customer %s/%s: %w", c.tenant, c.id, err)
	}
	return u, nil
}

// unknown are the fields of a CltvUpdate that a state can't tell.
var unknown = []string{"cause", "previousCltvMinor", "changeMinor", "backfill"}

func (a *app) customerJSON(c *customer) error {
	u, err := c.update()
	if err != nil {
		return err
	}
	score, err := jsonFields(u)
	if err != nil {
		return err
	}
	for _, name := range unknown {
		delete(score, name)
	}
	stored := &perennialv1.CustomerState{}
	if err := proto.Unmarshal(c.raw, stored); err != nil {
		return fmt.Errorf("state of customer %s/%s: %w", c.tenant, c.id, err)
	}
	state, err := protojson.Marshal(stored)
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	type input struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type line struct {
		Name    string  `json:"name"`
		Value   string  `json:"value"`
		Formula string  `json:"formula"`
		Inputs  []input `json:"inputs,omitempty"`
	}
	lines := make([]line, len(c.lines))
	for i, l := range c.lines {
		lines[i] = line{Name: l.Name, Value: l.Value, Formula: l.Formula}
		for _, in := range l.Inputs {
			lines[i].Inputs = append(lines[i].Inputs, input(in))
		}
	}
	text, err := json.MarshalIndent(struct {
		Tenant      string                     `json:"tenant"`
		Customer    string                     `json:"customer"`
		Partition   int32                      `json:"partition"`
		Version     int64                      `json:"version"`
		NextOffset  int64                      `json:"nextOffset"`
		Current     bool                       `json:"current"`
		Score       map[string]json.RawMessage `json:"score"`
		Explanation []line                     `json:"explanation"`
		State       json.RawMessage            `json:"state"`
	}{c.tenant, c.id, c.partition, c.state.Version(), c.state.NextOffset(), c.fresh(), score, lines, state}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	a.out.Printf("%s\n", text)
	return nil
}

// jsonFields answers the fields of a message in JSON, all of them.
func jsonFields(m proto.Message) (map[string]json.RawMessage, error) {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(compact.Bytes(), &fields); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return fields, nil
}

// showCustomer writes for people.
func (a *app) showCustomer(c *customer) {
	s := &c.score
	decimals := cltv.MinorDigits(s.Currency)
	money := func(minor int64) string { return screen.Money(minor, decimals) + " " + s.Currency }
	a.out.Printf("%s  version %d, as of %s, partition %d\n",
		screen.Printable(c.tenant+"/"+c.id), c.state.Version(), time.Unix(s.AsOf, 0).UTC().Format(time.DateOnly), c.partition)
	if !c.fresh() {
		a.out.Printf("parameters changed since the last score: these are the figures under the new ones\n")
	}
	a.out.Heading("Value")
	a.out.Printf("CLTV %s = margin %s - service %s + residual %s\n", money(s.CLTVMinor), money(s.MarginMinor), money(s.ServiceCostMinor), money(s.ResidualMinor))
	a.out.Printf("net of %s to win: %s%s\n", money(s.CACMinor), money(s.NetCLTVMinor), tierText(s.TierName))
	if s.Method == cltv.MethodNone {
		a.out.Printf("nothing is predicted: no model is in force, or there is no purchase yet\n")
	} else {
		alive := "alive " + screen.Percent(int64(s.AlivePPM)) + ", "
		if ofContracts(perennialv1.Method(s.Method)) {
			alive = "" // of purchases, and there are none
		}
		a.out.Printf("%schurn band %s (%s), at risk %s\n", alive, bandText(s.Band),
			screen.Percent(int64(s.ChurnPPM)), money(s.ValueAtRiskMinor))
	}
	a.out.Printf("consent: %s\n", consentText(s.Consent))
	a.out.Heading("How each number came about")
	for _, l := range c.lines {
		a.out.Printf("%s\n", screen.Printable(fmt.Sprintf("%-30s %s", l.Name, l.Value)))
		a.out.Wrapped("    ", screen.Printable(l.Formula))
		for _, in := range l.Inputs {
			a.out.Wrapped("      ", screen.Printable(in.Name+" = "+in.Value))
		}
	}
	for _, sub := range c.subscriptions {
		runs := "ended"
		if sub.Runs {
			runs = "runs"
		}
		a.out.Printf("subscription %s: %s, %s every %d days\n", runs, screen.Printable(sub.Plan), money(sub.PriceMinor), sub.PeriodDays)
	}
}

func tierText(name string) string {
	if name == "" {
		return ""
	}
	return ", tier " + screen.Printable(name)
}

func bandText(b cltv.Band) string { return bandName(perennialv1.Band(b)) }

// consentText says what the customer must not be asked on.
func consentText(c cltv.Consent) string {
	var denied []string
	for _, channel := range []struct {
		denied bool
		what   string
	}{{c.DoNotCall, "do not call"}, {c.DoNotEmail, "do not e-mail"}, {c.DoNotText, "do not text"}} {
		if channel.denied {
			denied = append(denied, channel.what)
		}
	}
	if len(denied) == 0 {
		return "nothing withheld"
	}
	return strings.Join(denied, ", ")
}
