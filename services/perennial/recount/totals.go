package recount

import (
	"context"
	"fmt"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/store"
)

// Totals answers the sums of a tenant over all tasks: by dimension, then id.
func Totals(ctx context.Context, r *store.Reader, tenant string) (map[string]map[string]*cltv.Sums, error) {
	totals := map[string]map[string]*cltv.Sums{}
	for partition := range r.Partitions() {
		contents, err := r.Contents(ctx, partition)
		if err != nil {
			return nil, fmt.Errorf("reading the sums of partition %d: %w", partition, err)
		}
		for _, w := range contents.Sums {
			if w.Tenant != tenant {
				continue
			}
			var part cltv.Sums
			if err := part.Decode(w.Value); err != nil {
				return nil, fmt.Errorf("sum %s/%s/%s of partition %d: %w", w.Tenant, w.Dimension, w.ID, partition, err)
			}
			if totals[w.Dimension] == nil {
				totals[w.Dimension] = map[string]*cltv.Sums{}
			}
			if totals[w.Dimension][w.ID] == nil {
				totals[w.Dimension][w.ID] = new(cltv.Sums)
			}
			if !totals[w.Dimension][w.ID].Add(&part, 1) {
				return nil, fmt.Errorf("sum %s/%s/%s overflows", w.Tenant, w.Dimension, w.ID)
			}
		}
	}
	return totals, nil
}
