package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
	"github.com/perennial-cltv/perennial/services/perennial/recount"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// Report is what came out of a story.
type Report struct {
	// Totals are the tenant's sums, Campaigns those by campaign.
	Totals    cltv.Sums
	Campaigns map[string]*cltv.Sums
	// Customers holds the newest update of each, the most valuable first.
	Customers []*perennialv1.CltvUpdate
}

// NewReport reads the sums from Redis and the updates from Kafka, as any
// subscriber would: the highest version of each customer counts.
func NewReport(ctx context.Context, client *stream.Client, r *store.Reader) (*Report, error) {
	totals, err := recount.Totals(ctx, r, Tenant)
	if err != nil {
		return nil, err
	}
	report := &Report{Campaigns: totals[cltv.DimCampaign.String()]}
	if all := totals[cltv.DimTenant.String()][cltv.AllID]; all != nil {
		report.Totals = *all
	}
	newest := map[string]*perennialv1.CltvUpdate{}
	err = client.Read(ctx, client.Config().Topics.Updates, nil, func(_ int32, record *task.Record) error {
		u := &perennialv1.CltvUpdate{}
		if err := proto.Unmarshal(record.Value, u); err != nil {
			return fmt.Errorf("update of key %s: %w", record.Key, err)
		}
		if u.Tenant == Tenant && (newest[u.Customer] == nil || newest[u.Customer].Version < u.Version) {
			newest[u.Customer] = u
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, u := range newest {
		report.Customers = append(report.Customers, u)
	}
	slices.SortFunc(report.Customers, func(a, b *perennialv1.CltvUpdate) int {
		return cmp.Or(-cmp.Compare(a.CltvMinor, b.CltvMinor), cmp.Compare(a.Customer, b.Customer))
	})
	return report, nil
}

func money(minor int64) string { return screen.Money(minor, cltv.MinorDigits(cdnow.Currency)) }

// Write shows the report.
func (r *Report) Write(out *screen.Screen) {
	r.totals(out)
	out.Heading("Most valuable")
	r.customers(out, r.Customers)
	out.Heading("Most value at risk")
	byRisk := slices.Clone(r.Customers)
	slices.SortFunc(byRisk, func(a, b *perennialv1.CltvUpdate) int {
		return cmp.Or(-cmp.Compare(a.GetChurn().GetValueAtRiskMinor(), b.GetChurn().GetValueAtRiskMinor()), cmp.Compare(a.Customer, b.Customer))
	})
	r.customers(out, byRisk)
	r.campaigns(out)
	share, top := r.pareto()
	out.Printf("\nThe top 20 %% of customers (%s) hold %s of the value.\n", screen.Count(int64(top)), screen.Percent(share))
}

// totals shows the sums over all customers.
func (r *Report) totals(out *screen.Screen) {
	t := &r.Totals
	out.Heading(fmt.Sprintf("Totals, %s, as of %s", cdnow.Currency, lastSecond.Format("2006-01-02")))
	for _, line := range [][2]string{
		{"customers", screen.Count(t[cltv.SumCustomers])},
		{"purchase days", screen.Count(t[cltv.SumTransactions])},
		{"calls", fmt.Sprintf("%s, %s of them sales", screen.Count(t[cltv.SumCalls]), screen.Count(t[cltv.SumConversions]))},
		{"paid so far", money(t[cltv.SumGross])},
		{"margin so far", money(t[cltv.SumMargin])},
		{"cost to serve", money(t[cltv.SumServiceCost])},
		{"margin to come", money(t[cltv.SumResidual])},
		{"lifetime value", money(t[cltv.SumCLTV])},
		{"cost to win", money(t[cltv.SumCAC])},
		{"value at risk", money(t[cltv.SumValueAtRisk])},
	} {
		out.Printf("%-15s %s\n", line[0], line[1])
	}
}

// topCustomers is how many are listed.
const topCustomers = 10

func (r *Report) customers(out *screen.Screen, list []*perennialv1.CltvUpdate) {
	table := screen.Table{Columns: []screen.Column{
		{Title: "customer"}, {Title: "CLTV", Right: true}, {Title: "to come", Right: true}, {Title: "at risk", Right: true},
		{Title: "alive", Right: true}, {Title: "buys", Right: true, Drop: 3}, {Title: "tier", Drop: 2}, {Title: "band"},
		{Title: "campaign", Drop: 4}, {Title: "agent", Drop: 5},
	}}
	for _, u := range list[:min(topCustomers, len(list))] {
		p, c := u.GetPrediction(), u.GetChurn()
		table.Rows = append(table.Rows, []string{
			u.Customer, money(u.CltvMinor), money(p.GetResidualMinor()), money(c.GetValueAtRiskMinor()),
			screen.Percent(int64(p.GetAlivePpm())), screen.Count(int64(u.GetHistoric().GetTransactions())), u.Tier,
			strings.ToLower(strings.TrimPrefix(c.GetBand().String(), "BAND_")), u.GetAcquisition().GetCampaign(), u.GetAcquisition().GetAgent(),
		})
	}
	out.Table(table)
}

// campaigns shows what each campaign cost and brought.
func (r *Report) campaigns(out *screen.Screen) {
	out.Heading("Campaigns")
	table := screen.Table{Columns: []screen.Column{
		{Title: "campaign"}, {Title: "customers", Right: true, Drop: 2}, {Title: "spend", Right: true}, {Title: "calls", Right: true, Drop: 1},
		{Title: "sales", Right: true, Drop: 3}, {Title: "CAC", Right: true}, {Title: "CLTV", Right: true}, {Title: "ROI", Right: true},
	}}
	ids := make([]string, 0, len(r.Campaigns))
	for id, sums := range r.Campaigns {
		if sums[cltv.SumSpend] > 0 || sums[cltv.SumCalls] > 0 || sums[cltv.SumCustomers] > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(-cmp.Compare(roi(r.Campaigns[a]), roi(r.Campaigns[b])), cmp.Compare(a, b))
	})
	for _, id := range ids {
		s := r.Campaigns[id]
		perCustomer := "-"
		if s[cltv.SumBuyers] > 0 {
			perCustomer = money(s[cltv.SumCAC] / s[cltv.SumBuyers])
		}
		share := "-"
		if s[cltv.SumCAC] > 0 {
			share = screen.Percent(roi(s))
		}
		table.Rows = append(table.Rows, []string{
			id, screen.Count(s[cltv.SumCustomers]), money(s[cltv.SumSpend]), screen.Count(s[cltv.SumCalls]),
			screen.Count(s[cltv.SumConversions]), perCustomer, money(s[cltv.SumCLTV]), share,
		})
	}
	out.Table(table)
	out.Wrapped("", "CAC is for one customer: media and the calls up to the first purchase. ROI = (CLTV - CAC) / CAC.")
}

// roi answers (CLTV − CAC) / CAC in millionths; 0 without CAC.
func roi(s *cltv.Sums) int64 {
	if s[cltv.SumCAC] <= 0 {
		return 0
	}
	return int64(float64(s[cltv.SumNetCLTV]) / float64(s[cltv.SumCAC]) * 1e6)
}

// pareto answers which share of all positive value the most valuable fifth of
// the customers hold, in millionths, and how many they are.
func (r *Report) pareto() (share int64, top int) {
	top = len(r.Customers) / 5
	held, all := int64(0), int64(0)
	for i, u := range r.Customers {
		value := max(0, u.CltvMinor)
		all += value
		if i < top {
			held += value
		}
	}
	if all == 0 {
		return 0, top
	}
	return int64(float64(held) / float64(all) * 1e6), top
}
