package control

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Decisions answers what was decided on the models of a tenant, in the order in
// which it was.
func Decisions(ctx context.Context, client *stream.Client, tenant string) ([]*perennialv1.ModelDecision, error) {
	var found []*perennialv1.ModelDecision
	err := client.Read(ctx, client.Config().Topics.Decisions, nil, func(_ int32, r *task.Record) error {
		d := new(perennialv1.ModelDecision)
		if err := proto.Unmarshal(r.Value, d); err != nil {
			return nil //nolint:nilerr // the trainer passes over it, and says so
		}
		if d.Tenant == tenant {
			found = append(found, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the decisions on models of tenant %s: %w", tenant, err)
	}
	return found, nil
}
