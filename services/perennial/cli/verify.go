package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cltv/perennial/services/perennial/recount"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) verifyCommand() *cobra.Command {
	var asJSON bool
	var within time.Duration
	c := &cobra.Command{
		Use: "verify", Short: "Recount all sums from the customers' states and compare", Args: arguments(),
		Long: `Recount every sum (by tenant, campaign, agent, offer, cohort, …) from the states of
all customers and compare it with the sum that is kept. A task that took in
records meanwhile is counted again.

Exit code 0: no differences; 1: differences, which are listed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.reader(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = r.Close() }()
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			result, err := recount.All(ctx, r)
			if err != nil {
				return err
			}
			if asJSON {
				return a.verifiedJSON(&result)
			}
			return a.verified(&result)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, `one JSON object: {"customers": …, "differences": …}`)
	c.Flags().DurationVar(&within, "within", 10*time.Minute, "give up after this time; busy tasks are counted until they hold still")
	a.redisFlag(c)
	return c
}

// verified says what a recount found, the last line for scripts.
func (a *app) verified(r *recount.Result) error {
	if len(r.Differences) > 0 {
		table := screen.Table{Columns: []screen.Column{
			{Title: "sum"}, {Title: "field"}, {Title: "kept", Right: true}, {Title: "recounted", Right: true}, {Title: "partition", Right: true, Drop: 1},
		}}
		for _, d := range r.Differences {
			table.Rows = append(table.Rows, []string{
				screen.Printable(d.Tenant + "/" + d.Dimension + "/" + d.ID), d.Field, fmt.Sprint(d.Kept), fmt.Sprint(d.Recounted), fmt.Sprint(d.Partition),
			})
		}
		a.out.Table(table)
	}
	a.out.Printf("verified: %d customers, %d differences\n", r.Customers, len(r.Differences))
	return differ(r)
}

func (a *app) verifiedJSON(r *recount.Result) error {
	text, err := json.Marshal(struct {
		Customers   int64                `json:"customers"`
		Differences int                  `json:"differences"`
		Details     []recount.Difference `json:"details,omitempty"`
	}{r.Customers, len(r.Differences), r.Differences})
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	a.out.Printf("%s\n", text)
	return differ(r)
}

func differ(r *recount.Result) error {
	if len(r.Differences) > 0 {
		return errSaid
	}
	return nil
}
