package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/ops"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) modelCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "model", Short: "See which models were published, compare them, and go back to one",
		Long: `Models are records of the log: what was published stands there with its time and
its reason, as long as the log is kept. Of two the higher number counts.
model-trainer brings a new one into force where it is no worse; "model decisions"
shows what it decided and why, "publish model" is for models of your own.`,
	}, a.modelListCommand(), a.modelShowCommand(), a.modelDiffCommand(), a.modelDecisionsCommand(), a.modelRollbackCommand(),
		a.modelPublishCommand())
}

// modelFlags say whose model is meant.
type modelFlags struct {
	tenant, scope string
	contracts     bool
}

func (a *app) addModelFlags(c *cobra.Command, f *modelFlags, scoped bool) *cobra.Command {
	c.Flags().StringVar(&f.tenant, "tenant", "", "whose models they are")
	if scoped {
		c.Flags().StringVar(&f.scope, "scope", "", "segment that the model is for (default: the whole tenant)")
		c.Flags().BoolVar(&f.contracts, "contracts", false, "models of contracts, which have numbers of their own, and not those of purchases")
	}
	a.kafkaFlag(c)
	return c
}

// models reads the models of a tenant.
func (a *app) models(ctx context.Context, tenant string) ([]control.PublishedModel, error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	client, done, err := a.kafkaWithTopics(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return control.Models(ctx, client, tenant)
}

// ofNumber finds a model, with number 0 the one in force.
func (f *modelFlags) ofNumber(models []control.PublishedModel, number int64) (*control.PublishedModel, error) {
	i := slices.IndexFunc(models, func(m control.PublishedModel) bool {
		return m.Scope == f.scope && control.OfContracts(m.ModelPublished) == f.contracts && (m.Number == number || number == 0 && m.InForce)
	})
	whose := "tenant " + f.tenant
	if f.contracts {
		whose = "contracts of " + whose
	}
	if f.scope != "" {
		whose += " and scope " + f.scope
	}
	switch {
	case i >= 0:
		return &models[i], nil
	case number == 0:
		return nil, ops.Usagef("no model of %s is in the log", whose)
	default:
		return nil, ops.Usagef("no model number %d of %s is in the log; \"perennial model list\" shows those that are", number, whose)
	}
}

func modelNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, ops.Usagef("%q: must be the number of a model, from 1", text)
	}
	return n, nil
}

func (a *app) modelListCommand() *cobra.Command {
	var f modelFlags
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the models of a tenant", Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			models, err := a.models(c.Context(), f.tenant)
			if err != nil {
				return err
			}
			if asJSON {
				return a.modelsJSON(models)
			}
			if len(models) == 0 {
				a.out.Printf("no model of tenant %s is in the log\n", f.tenant)
				return nil
			}
			table := screen.Table{Columns: []screen.Column{
				{Title: "number", Right: true}, {Title: "in force"}, {Title: "scope", Drop: 4}, {Title: "model"}, {Title: "process", Drop: 3},
				{Title: "published", Drop: 1}, {Title: "trained to", Drop: 2}, {Title: "customers", Right: true, Drop: 5}, {Title: "reason", Drop: 6},
			}}
			for _, m := range models {
				process, _ := control.Process(m.ModelPublished)
				inForce, trained := "", ""
				switch {
				case m.InForce:
					inForce = "yes"
				case m.Refused != nil:
					inForce = "refused"
				}
				if m.TrainedTo != nil {
					trained = m.TrainedTo.AsTime().Format(time.DateOnly)
				}
				table.Rows = append(table.Rows, []string{
					fmt.Sprint(m.Number), inForce, screen.Printable(m.Scope), screen.Printable(m.ModelId), process,
					m.At.Format(time.DateTime), trained, screen.Count(m.Customers), screen.Printable(m.Reason),
				})
			}
			a.out.Table(table)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line: the model as published, when, whether it is in force, and why it was refused")
	return a.addModelFlags(c, &f, false)
}

func (a *app) modelsJSON(models []control.PublishedModel) error {
	for _, m := range models {
		text, err := control.JSON(m.ModelPublished)
		if err != nil {
			return err
		}
		fields := map[string]any{"model": json.RawMessage(text), "publishedAt": m.At.Format(time.RFC3339), "inForce": m.InForce}
		if m.Refused != nil {
			fields["refused"] = m.Refused.Error()
		}
		line, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		a.out.Printf("%s\n", line)
	}
	return nil
}

func (a *app) modelShowCommand() *cobra.Command {
	var f modelFlags
	var number int64
	c := &cobra.Command{
		Use: "show", Short: `Print a model as "publish model" reads it`, Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			models, err := a.models(c.Context(), f.tenant)
			if err != nil {
				return err
			}
			m, err := f.ofNumber(models, number)
			if err != nil {
				return err
			}
			text, err := control.JSON(m.ModelPublished)
			if err != nil {
				return err
			}
			a.out.Printf("%s", text)
			return nil
		},
	}
	c.Flags().Int64Var(&number, "number", 0, "its number (default: that in force)")
	return a.addModelFlags(c, &f, true)
}

func (a *app) modelDiffCommand() *cobra.Command {
	var f modelFlags
	c := &cobra.Command{
		Use: "diff NUMBER NUMBER", Short: "Set two models beside each other", Args: arguments("NUMBER", "NUMBER"),
		RunE: func(c *cobra.Command, args []string) error {
			var two [2]*control.PublishedModel
			var numbers [2]int64
			for i := range two {
				var err error
				if numbers[i], err = modelNumber(args[i]); err != nil {
					return err
				}
			}
			models, err := a.models(c.Context(), f.tenant)
			if err != nil {
				return err
			}
			for i := range two {
				if two[i], err = f.ofNumber(models, numbers[i]); err != nil {
					return err
				}
			}
			a.out.Table(differenceOf(two[0], two[1]))
			return nil
		},
	}
	return a.addModelFlags(c, &f, true)
}

// differenceOf sets all of two models side by side, a parameter that one hasn't
// as a dash.
func differenceOf(a, b *control.PublishedModel) screen.Table {
	t := screen.Table{Columns: []screen.Column{
		{Title: ""}, {Title: fmt.Sprint(a.Number), Right: true}, {Title: fmt.Sprint(b.Number), Right: true}, {Title: "change", Right: true},
	}}
	row := func(name, from, to, change string) { t.Rows = append(t.Rows, []string{name, from, to, change}) }
	processA, parametersA := control.Process(a.ModelPublished)
	processB, parametersB := control.Process(b.ModelPublished)
	row("model", screen.Printable(a.ModelId), screen.Printable(b.ModelId), "")
	row("process", processA, processB, "")
	const absent = "–"
	find := func(list []control.ModelParameter, name string) (float64, bool) {
		i := slices.IndexFunc(list, func(p control.ModelParameter) bool { return p.Name == name })
		if i < 0 {
			return 0, false
		}
		return list[i].Value, true
	}
	for _, p := range parametersA {
		other, ok := find(parametersB, p.Name)
		if !ok {
			row(p.Name, fmt.Sprintf("%.6g", p.Value), absent, "")
			continue
		}
		row(p.Name, fmt.Sprintf("%.6g", p.Value), fmt.Sprintf("%.6g", other), changeOf(p.Value, other))
	}
	for _, p := range parametersB {
		if _, ok := find(parametersA, p.Name); !ok {
			row(p.Name, absent, fmt.Sprintf("%.6g", p.Value), "")
		}
	}
	row("customers", screen.Count(a.Customers), screen.Count(b.Customers), "")
	row("repeaters", screen.Count(a.Repeaters), screen.Count(b.Repeaters), "")
	row("published", a.At.Format(time.DateTime), b.At.Format(time.DateTime), "")
	return t
}

// changeOf is a change in per cent where that says something: of a weight that was
// nothing, or became its opposite, the difference.
func changeOf(from, to float64) string {
	if from*to <= 0 {
		return fmt.Sprintf("%+.3g", to-from)
	}
	return fmt.Sprintf("%+.1f %%", 100*(to/from-1))
}

func (a *app) modelRollbackCommand() *cobra.Command {
	var f modelFlags
	c := &cobra.Command{
		Use: "rollback NUMBER", Short: "Bring a former model into force again", Args: arguments("NUMBER"),
		Long: `Publish a former model once more, under the number after that in force, so that
the same parameters count again. A customer is scored by it when a record touches
it next, or its score falls due.`,
		RunE: func(c *cobra.Command, args []string) error {
			number, err := modelNumber(args[0])
			if err != nil {
				return err
			}
			return a.rollback(c.Context(), &f, number)
		},
	}
	return a.addModelFlags(c, &f, true)
}

func (a *app) rollback(ctx context.Context, f *modelFlags, number int64) error {
	models, err := a.models(ctx, f.tenant)
	if err != nil {
		return err
	}
	former, err := f.ofNumber(models, number)
	if err != nil {
		return err
	}
	now, err := f.ofNumber(models, 0)
	if err != nil {
		return err
	}
	if now.Number == number {
		return ops.Usagef("model number %d of tenant %s is in force already", number, f.tenant)
	}
	again, _ := proto.Clone(former.ModelPublished).(*perennialv1.ModelPublished)
	again.Number = now.Number + 1
	again.Reason = fmt.Sprintf("back to number %d", number)
	event, err := control.Publish(f.tenant, again, time.Now())
	if err != nil {
		return err
	}
	if err := a.toAll(ctx, event); err != nil {
		return err
	}
	a.out.Printf("model number %d of tenant %s is published: number %d again, %s\n", again.Number, f.tenant, number, screen.Printable(again.ModelId))
	return nil
}
