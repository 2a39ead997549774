package trainer

import (
	"context"
	"log/slog"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// due knows what was decided, and when a tenant's models are to be trained: every so many days of the
// tenant's own clock, so that a history which is played back trains as it would have
// while it happened.
type due struct {
	everyDays int32
	log       *slog.Logger
	// next is the offset after the last decision that was read.
	next int64
	// decided is the day up to which data was last decided on, by tenant.
	decided map[string]int32
	// seen is the day on which a model was first seen in force that doesn't say to what day it was trained.
	seen map[seenModel]int32
	// models are those that were decided to be published and aren't in force as far as is known, by tenant and scope.
	models map[string]map[string]*model
}

type seenModel struct {
	tenant string
	number int64
}

func newDue(everyDays int, log *slog.Logger) due {
	return due{everyDays: int32(everyDays), log: log, decided: map[string]int32{}, seen: map[seenModel]int32{}, models: map[string]map[string]*model{}}
}

const daySeconds = 24 * 60 * 60

// follow reads the decisions that were made, also those of a trainer before.
func (d *due) follow(ctx context.Context, kafka *stream.Client) error {
	span := []stream.Span{{Partition: 0, From: d.next, To: -1}}
	return kafka.Read(ctx, kafka.Config().Topics.Decisions, span, func(_ int32, r *task.Record) error {
		d.take(ctx, r)
		return nil
	})
}

func (d *due) take(ctx context.Context, r *task.Record) {
	d.next = r.Offset + 1
	made := new(perennialv1.ModelDecision)
	if err := proto.Unmarshal(r.Value, made); err != nil {
		d.log.WarnContext(ctx, "a record among the decisions can't be read, and is passed over", "offset", r.Offset, "error", err)
		return
	}
	day := int32(made.GetWindowUntil().GetSeconds() / daySeconds)
	d.decided[made.Tenant] = max(d.decided[made.Tenant], day)
	if made.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED {
		return
	}
	if d.models[made.Tenant] == nil {
		d.models[made.Tenant] = map[string]*model{}
	}
	d.models[made.Tenant][made.Scope] = &model{ModelPublished: made.Candidate}
}

// now says whether a tenant's models are to be trained. Whoever has no model, and
// had no decision, waits until there is enough to fit one to.
func (d *due) now(s *situation) bool {
	since, known := d.decided[s.tenant]
	if m := s.models[""]; m != nil {
		known = true
		if m.TrainedTo != nil {
			since = max(since, int32(m.TrainedTo.Seconds/daySeconds))
		} else {
			key := seenModel{s.tenant, m.Number}
			if _, ok := d.seen[key]; !ok {
				d.seen[key] = s.day
			}
			since = max(since, d.seen[key])
		}
	}
	if known {
		return s.day-since >= d.everyDays
	}
	return len(s.customers) >= fit.LeastCustomers && s.day-s.firstDay() >= fit.LeastDays
}

// firstDay is the day of the first purchase of all customers.
func (s *situation) firstDay() int32 {
	first := s.day
	for _, c := range s.customers {
		first = min(first, c.days[0].Day)
	}
	return first
}
