package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/perennial-cltv/perennial/services/control"
	"github.com/perennial-cltv/perennial/services/perennial/screen"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// modelPublishCommand is "publish model" where people look for it, too.
func (a *app) modelPublishCommand() *cobra.Command {
	c := a.publishKind(control.KindModel, "Bring a model of a tenant into force", `The same as "perennial publish model FILE", whose help says what FILE holds.`)
	c.Use = "publish FILE"
	return c
}

func (a *app) modelDecisionsCommand() *cobra.Command {
	var f modelFlags
	var asJSON bool
	c := &cobra.Command{
		Use: "decisions", Short: "List what model-trainer decided on the models of a tenant, and why", Args: arguments(),
		Long: `List the trainings of a tenant's models, the latest last: the candidate, what it was
compared with in the latest window, and whether it was published.

  ln p   mean logarithm of the probability given to what each customer bought;
         the higher the better
  Gini   how well customers were put in order by purchases and by money; 1 is
         perfect, 0 is chance
  AUC    of contracts: how often one who left had the higher probability of that
         than one who stayed; .5 is chance`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkTenant(f.tenant); err != nil {
				return err
			}
			client, done, err := a.kafkaWithTopics(c.Context())
			if err != nil {
				return err
			}
			defer done()
			decisions, err := control.Decisions(c.Context(), client, f.tenant)
			if err != nil {
				return err
			}
			if asJSON {
				return a.decisionsJSON(decisions)
			}
			if len(decisions) == 0 {
				a.out.Printf("nothing was decided on models of tenant %s\n", f.tenant)
				return nil
			}
			for i, d := range decisions {
				if i > 0 {
					a.out.Printf("\n")
				}
				a.decision(d)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line: perennial.v1.ModelDecision")
	return a.addModelFlags(c, &f, false)
}

func (a *app) decisionsJSON(decisions []*perennialv1.ModelDecision) error {
	for _, d := range decisions {
		text, err := protojson.Marshal(d)
		if err != nil {
			return err
		}
		line, err := json.Marshal(json.RawMessage(text)) // protojson's own layout varies on purpose
		if err != nil {
			return err
		}
		a.out.Printf("%s\n", line)
	}
	return nil
}

// decision shows one.
func (a *app) decision(d *perennialv1.ModelDecision) {
	what := strings.ToLower(strings.TrimPrefix(d.Outcome.String(), "OUTCOME_"))
	if d.Outcome == perennialv1.Outcome_OUTCOME_PUBLISHED {
		what = fmt.Sprintf("published as number %d", d.GetCandidate().GetNumber())
	}
	scope := "the whole tenant"
	if d.Scope != "" {
		scope = "segment " + screen.Printable(d.Scope)
	}
	if d.Contracts {
		scope += ", contracts"
	}
	a.out.Printf("%s  %s: %s\n%s\n", d.DecidedAt.AsTime().Format(time.DateTime), scope, what, screen.Printable(d.Reason))
	if d.WindowFrom == nil {
		return // nothing was compared
	}
	until, what := d.WindowUntil, "%s customers, %s purchases"
	if d.JudgedUntil != nil {
		until = d.JudgedUntil
	}
	if d.Contracts {
		what = "%s renewals looked at, %s of them made"
	}
	a.out.Printf("window %s to %s: "+what+"\n", d.WindowFrom.AsTime().AddDate(0, 0, 1).Format(time.DateOnly),
		until.AsTime().Format(time.DateOnly), screen.Count(d.Customers), screen.Count(d.Transactions))
	if len(d.Trials) == 0 {
		return
	}
	t := screen.Table{Columns: []screen.Column{
		{Title: "method"}, {Title: "as"}, {Title: "ln p", Right: true}, {Title: "MAE", Right: true, Drop: 1}, {Title: "Gini", Right: true},
		{Title: "of money", Right: true, Drop: 2}, {Title: "not identified", Drop: 3},
	}}
	if d.Contracts {
		t.Columns = []screen.Column{{Title: "method"}, {Title: "as"}, {Title: "ln p", Right: true}, {Title: "AUC", Right: true},
			{Title: "calibration error", Right: true}, {Title: "Brier", Right: true, Drop: 1}}
	}
	for _, trial := range d.Trials {
		if d.Contracts {
			t.Rows = append(t.Rows, []string{screen.Printable(trial.Name), strings.ToLower(strings.TrimPrefix(trial.Role.String(), "ROLE_")),
				figure(trial.LogScore), figure(trial.Auc), figure(trial.CalibrationError), figure(trial.Brier)})
			continue
		}
		why := ""
		if len(trial.NotIdentified) > 0 {
			why = screen.Printable(trial.NotIdentified[0])
		}
		t.Rows = append(t.Rows, []string{
			screen.Printable(trial.Name), strings.ToLower(strings.TrimPrefix(trial.Role.String(), "ROLE_")),
			figure(trial.LogScore), figure(trial.Mae), figure(trial.Gini), figure(trial.MoneyGini), why,
		})
	}
	a.out.Table(t)
}

// figure writes a figure, a dash where there is none.
func figure(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.4f", *v)
}
