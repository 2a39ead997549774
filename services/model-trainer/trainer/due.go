package trainer

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// due knows what was decided, and when a tenant's models are to be trained: every so
// many days of the tenant's own clock, so that a history which is played back trains
// as it would have while it happened.
type due struct {
	everyDays int32
	log       *slog.Logger
	// next is the offset after the last decision that was read.
	next int64
	// decided is the day up to which data was last decided on, numbers is the newest model that a decision names.
	decided map[place]int32
	numbers map[place]int64
	// models are those that were decided to be published and aren't in force as far as is known, by tenant and scope.
	models map[string]map[slot]*model
}

// place is where a model is in force.
type place struct {
	tenant string
	slot
}

func newDue(everyDays int, log *slog.Logger) due {
	return due{everyDays: int32(everyDays), log: log, decided: map[place]int32{}, numbers: map[place]int64{}, models: map[string]map[slot]*model{}}
}

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
	at := place{made.Tenant, slot{made.Contracts, made.Scope}}
	d.decided[at] = max(d.decided[at], control.DayOf(made.GetWindowUntil()))
	d.numbers[at] = max(d.numbers[at], made.GetCandidate().GetNumber())
	if made.Outcome != perennialv1.Outcome_OUTCOME_PUBLISHED || made.Candidate == nil {
		return
	}
	if d.models[made.Tenant] == nil {
		d.models[made.Tenant] = map[slot]*model{}
	}
	d.models[made.Tenant][at.slot] = &model{ModelPublished: made.Candidate}
}

// now says whether a tenant's models of purchases are to be trained. Whoever has no model, and
// had no decision, waits until there is enough to fit one to, and to compare it by.
// While models are on their way that were decided on none are trained: what would
// they be compared with?
func (d *due) now(s *situation) bool {
	if len(d.models[s.tenant]) > 0 || len(s.customers) == 0 {
		return false
	}
	if since, ok := d.decided[place{tenant: s.tenant}]; ok {
		return s.day-since >= d.everyDays
	}
	return len(s.customers) >= fit.LeastCustomers && s.day-s.firstDay() >= fit.LeastDays+d.everyDays
}

// contractsNow says the same of its models of contracts. A first one waits until as
// many have ended as a fit needs, and so many again to compare it by.
func (d *due) contractsNow(s *situation) bool {
	if len(d.models[s.tenant]) > 0 || s.holders == nil {
		return false
	}
	if since, ok := d.decided[place{s.tenant, slot{contracts: true}}]; ok {
		return s.day-since >= d.everyDays
	}
	contracts, left := s.holders.count("")
	return contracts >= backtest.LeastContracts && left >= 2*backtest.LeastLeft
}

// foreign are the models in force that no decision knows: an operator's, or a former
// one that an operator went back to. That they are left in force for a while is a
// decision, too.
func (d *due) foreign(s *situation, when time.Time) []*perennialv1.ModelDecision {
	var held []*perennialv1.ModelDecision
	for _, at := range slices.SortedFunc(maps.Keys(s.models), compareSlots) {
		m := s.models[at]
		if m.Number <= d.numbers[place{s.tenant, at}] {
			continue
		}
		held = append(held, &perennialv1.ModelDecision{
			Tenant: s.tenant, Scope: at.scope, Contracts: at.contracts, DecidedAt: timestamppb.New(when), Outcome: perennialv1.Outcome_OUTCOME_HELD,
			Reason:      fmt.Sprintf("number %d (%s) was published by somebody else: it stays for %d days at least", m.Number, m.ModelId, d.everyDays),
			WindowUntil: dateOf(s.day), Candidate: m,
		})
	}
	return held
}

// rests says whether the model of a segment is left alone, though the tenant's is
// trained.
func (d *due) rests(s *situation, at slot) bool {
	since, ok := d.decided[place{s.tenant, at}]
	return ok && s.day-since < d.everyDays
}

func compareSlots(a, b slot) int {
	if a.contracts != b.contracts {
		if b.contracts {
			return -1
		}
		return 1
	}
	return strings.Compare(a.scope, b.scope)
}

// firstDay is the day of the first purchase of all customers.
func (s *situation) firstDay() int32 {
	first := s.day
	for _, c := range s.customers {
		first = min(first, c.days[0].Day)
	}
	return first
}
