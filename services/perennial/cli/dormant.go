package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

func (a *app) dormantCommand() *cobra.Command {
	var tenant string
	var top int
	var asJSON, withheld bool
	c := &cobra.Command{
		Use: "dormant", Short: "List customers who are taken for gone, with the probability that they come back", Args: arguments(),
		Long: `List the customers of a tenant whose contracts have all ended, or who are in the band
"lost" by their purchases and have no contract that runs. Those come first who are
worth most if they are won back: the probability that they buy, or begin a
contract, within the churn horizon, times what they are expected to spend then, or
spent on average.

The probability is as of the customer's last score, which is at most rescore_days
old. Who must not be called is left out unless --do-not-call is given.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkTenant(tenant); err != nil {
				return err
			}
			if top < 1 {
				return ops.Usagef("--top %d: must be above zero", top)
			}
			client, done, err := a.kafkaWithTopics(c.Context())
			if err != nil {
				return err
			}
			defer done()
			list, err := dormantOf(c.Context(), client, tenant)
			if err != nil {
				return err
			}
			all := len(list)
			if !withheld {
				list = slices.DeleteFunc(list, func(u *perennialv1.CltvUpdate) bool { return u.GetConsent().GetDoNotCall() })
			}
			return a.dormant(tenant, list[:min(top, len(list))], len(list), all-len(list), asJSON)
		},
	}
	c.Flags().StringVar(&tenant, "tenant", "", "whose customers they are")
	c.Flags().IntVar(&top, "top", 20, "how many are shown")
	c.Flags().BoolVar(&withheld, "do-not-call", false, "list those, too, who must not be called")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line: perennial.v1.CltvUpdate")
	a.kafkaFlag(c)
	return c
}

// dormantOf reads the latest values of a tenant's customers and keeps those who are
// gone, in their order.
func dormantOf(ctx context.Context, client *stream.Client, tenant string) ([]*perennialv1.CltvUpdate, error) {
	topic := client.Config().Topics.Updates
	n, err := client.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	spans := make([]stream.Span, n)
	for p := range n {
		spans[p] = stream.Span{Partition: p, From: -1, To: -1}
	}
	// Who is not lost is kept as a version alone, so that an older record doesn't bring him back.
	versions, lost := map[string]int64{}, map[string]*perennialv1.CltvUpdate{}
	prefix := []byte(tenant + "/")
	err = client.Read(ctx, topic, spans, func(partition int32, r *task.Record) error {
		if !bytes.HasPrefix(r.Key, prefix) {
			return nil
		}
		key := string(r.Key)
		if r.Value == nil {
			delete(lost, key)
			delete(versions, key)
			return nil
		}
		u := &perennialv1.CltvUpdate{}
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return fmt.Errorf("%s partition %d offset %d isn't what the topic should hold: %w", topic, partition, r.Offset, err)
		}
		if u.Version < versions[key] {
			return nil
		}
		versions[key] = u.Version
		if gone(u) {
			lost[key] = u
		} else {
			delete(lost, key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the values of tenant %s: %w", tenant, err)
	}
	list := make([]*perennialv1.CltvUpdate, 0, len(lost))
	for _, u := range lost {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *perennialv1.CltvUpdate) int {
		return cmp.Or(cmp.Compare(worthWinning(b), worthWinning(a)), cmp.Compare(a.Customer, b.Customer))
	})
	return list, nil
}

// gone says whether a customer is taken for gone. Who has a contract that runs,
// however likely it ends, isn't yet; where all have ended and nothing else was
// bought, he is, however likely he comes back.
func gone(u *perennialv1.CltvUpdate) bool {
	if u.GetPrediction().GetContracts().GetRunning() > 0 {
		return false
	}
	return ofContracts(u.GetPrediction().GetMethod()) || u.GetChurn().GetBand() == perennialv1.Band_BAND_LOST
}

// ofContracts says that a customer is judged by contracts alone: no model says
// whether there will be other purchases.
func ofContracts(m perennialv1.Method) bool {
	return m == perennialv1.Method_METHOD_S_BG || m == perennialv1.Method_METHOD_BD_W
}

// returnPPM is the probability that the customer comes back within the churn horizon,
// millionths.
func returnPPM(u *perennialv1.CltvUpdate) int64 {
	return 1_000_000 - int64(u.GetChurn().GetProbabilityPpm())
}

// nextMinor is what a purchase of the customer's is expected to bring, or brought on
// average.
func nextMinor(u *perennialv1.CltvUpdate) int64 {
	if spend := u.GetPrediction().GetExpectedSpendMinor(); spend > 0 {
		return spend
	}
	h := u.GetHistoric()
	return h.GetNetMinor() / int64(max(1, h.GetTransactions()))
}

// worthWinning orders the customers.
func worthWinning(u *perennialv1.CltvUpdate) int64 {
	return returnPPM(u) / 100 * min(nextMinor(u), 1e12)
}

func (a *app) dormant(tenant string, list []*perennialv1.CltvUpdate, lost, withheld int, asJSON bool) error {
	if asJSON {
		for _, u := range list {
			text, err := compactJSON(u)
			if err != nil {
				return err
			}
			a.out.Printf("%s\n", text)
		}
		return nil
	}
	left := ""
	if withheld > 0 {
		left = fmt.Sprintf("; %s more must not be called", screen.Count(int64(withheld)))
	}
	who := screen.Count(int64(lost)) + " customers of " + screen.Printable(tenant) + " are"
	if lost == 1 {
		who = "1 customer of " + screen.Printable(tenant) + " is"
	}
	a.out.Printf("%s taken for gone%s\n", who, left)
	if len(list) == 0 {
		return nil
	}
	days := list[0].GetChurn().GetHorizonDays()
	t := screen.Table{Columns: []screen.Column{
		{Title: "customer"}, {Title: fmt.Sprintf("back in %d days", days), Right: true}, {Title: "a purchase", Right: true},
		{Title: "last bought"}, {Title: "silent", Right: true, Drop: 3}, {Title: "margin so far", Right: true, Drop: 2}, {Title: "tier", Drop: 4}, {Title: "do not call", Drop: 1},
	}}
	for _, u := range list {
		decimals := cltv.MinorDigits(u.Currency)
		last, silent := "never", ""
		if at := u.GetHistoric().GetLastTransactionAt(); at != nil {
			last = at.AsTime().Format(time.DateOnly)
			silent = fmt.Sprintf("%s days", screen.Count(int64(u.GetAsOf().AsTime().Sub(at.AsTime()).Hours()/24)))
		}
		no := ""
		if u.GetConsent().GetDoNotCall() {
			no = "yes"
		}
		t.Rows = append(t.Rows, []string{
			screen.Printable(u.Customer), screen.Percent(returnPPM(u)), screen.Money(nextMinor(u), decimals) + " " + u.Currency, last, silent,
			screen.Money(u.GetHistoric().GetMarginMinor(), decimals), screen.Printable(u.Tier), no,
		})
	}
	a.out.Table(t)
	return nil
}
