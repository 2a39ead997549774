// Package recount adds up every sum from the states of all customers and
// compares it with the sum that the updater keeps.
package recount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// Result is what a recount found.
type Result struct {
	// Customers counts states of customers, over all tenants.
	Customers   int64
	Differences []Difference
}

// Difference is one field of one sum that isn't what the states say.
type Difference struct {
	Partition int32  `json:"partition"`
	Tenant    string `json:"tenant"`
	Dimension string `json:"dimension"`
	ID        string `json:"id"`
	Field     string `json:"field"`
	Kept      int64  `json:"kept"`
	Recounted int64  `json:"recounted"`
}

// sumKey names one sum of a task.
type sumKey struct{ tenant, dimension, id string }

// ErrBusy says that a task moved each time it was counted, until the time was
// over.
var ErrBusy = errors.New("it takes in records all the time")

// All recounts every task. A task that moved while it was counted is counted
// again, until ctx ends.
func All(ctx context.Context, r *store.Reader) (Result, error) {
	var result Result
	for partition := range r.Partitions() {
		one, err := untilStill(ctx, r, partition)
		if err != nil {
			return result, fmt.Errorf("recounting partition %d: %w", partition, err)
		}
		result.Customers += one.Customers
		result.Differences = append(result.Differences, one.Differences...)
	}
	return result, nil
}

// untilStill recounts one task at one moment of it.
func untilStill(ctx context.Context, r *store.Reader, partition int32) (Result, error) {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		one, still, err := count(ctx, r, partition)
		if still || err != nil {
			return one, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return one, errors.Join(ErrBusy, ctx.Err())
		}
	}
}

// count recounts one task; still is false where it moved meanwhile.
func count(ctx context.Context, r *store.Reader, partition int32) (one Result, still bool, err error) {
	contents, err := r.Contents(ctx, partition)
	if err != nil {
		return one, false, err
	}
	sums := map[sumKey]*cltv.Sums{}
	var state cltv.State
	before, after, err := r.Scan(ctx, partition, "", func(key string, value []byte) error {
		tenant, customer, _ := strings.Cut(key, "/")
		if err := state.Decode(value); err != nil {
			return fmt.Errorf("state of %s: %w", key, err)
		}
		if !strings.HasPrefix(customer, "~") {
			one.Customers++
		}
		return add(sums, tenant, &state)
	})
	if err != nil {
		return one, false, err
	}
	if before != after || contents.Position != before {
		return one, false, nil
	}
	one.Differences, err = compare(partition, contents.Sums, sums)
	return one, true, err
}

// add adds what a state contributes.
func add(sums map[sumKey]*cltv.Sums, tenant string, state *cltv.State) error {
	fits := true
	state.Contribution(func(d cltv.Dimension, id string, v *cltv.Sums) {
		key := sumKey{tenant, d.String(), id}
		if sums[key] == nil {
			key.id = strings.Clone(id) // it lives in the state
			sums[key] = new(cltv.Sums)
		}
		fits = sums[key].Add(v, 1) && fits
	})
	if !fits {
		return fmt.Errorf("the sums of tenant %s overflow", tenant)
	}
	return nil
}

// compare lists where kept and recounted sums differ. A sum that isn't kept is
// zero.
func compare(partition int32, kept []task.SumWrite, recounted map[sumKey]*cltv.Sums) ([]Difference, error) {
	all := map[sumKey][2]cltv.Sums{}
	for key, v := range recounted {
		all[key] = [2]cltv.Sums{{}, *v}
	}
	for _, w := range kept {
		key := sumKey{w.Tenant, w.Dimension, w.ID}
		pair := all[key]
		if err := pair[0].Decode(w.Value); err != nil {
			return nil, fmt.Errorf("sum %s/%s/%s: %w", w.Tenant, w.Dimension, w.ID, err)
		}
		all[key] = pair
	}
	var differences []Difference
	for key, pair := range all {
		for field := range cltv.NumSumFields {
			if pair[0][field] != pair[1][field] {
				differences = append(differences, Difference{
					partition, key.tenant, key.dimension, key.id, fieldNames[field], pair[0][field], pair[1][field],
				})
			}
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Field, b.Field))
	})
	return differences, nil
}

// fieldNames names the fields of the sums for people.
var fieldNames = [cltv.NumSumFields]string{
	cltv.SumCustomers: "customers", cltv.SumBuyers: "buyers", cltv.SumTransactions: "transactions",
	cltv.SumGross: "gross", cltv.SumRefunded: "refunded", cltv.SumNet: "net", cltv.SumMargin: "margin",
	cltv.SumServiceCost: "service_cost", cltv.SumCAC: "cac", cltv.SumResidual: "residual", cltv.SumCLTV: "cltv",
	cltv.SumNetCLTV: "net_cltv", cltv.SumValueAtRisk: "value_at_risk", cltv.SumAtRisk: "at_risk",
	cltv.SumCalls: "calls", cltv.SumConversions: "conversions", cltv.SumTalkSeconds: "talk_seconds", cltv.SumCallCost: "call_cost",
	cltv.SumSpend: "spend", cltv.SumSpendFacts: "spend_facts",
}
