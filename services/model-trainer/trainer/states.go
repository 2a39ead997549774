package trainer

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

// states is what cltv.state.v1 says, as far as training needs it: some 150 bytes a
// customer with a purchase, and nothing of the others.
type states struct {
	log *slog.Logger
	// next is the offset after the last record that was taken in, by partition.
	next map[int32]int64
	// said is what the last checkpoint of each partition has, by tenant.
	said map[int32]map[string]*tenantCheckpoint
	// params are those by which a tenant's days and money are read.
	params map[string]*cltv.Params
	tables cltv.Tables

	mu        sync.Mutex // guards customers against who counts them for metrics
	customers map[string]map[string]customer
	holders   map[string]*holders // of contracts

	folder    cltv.Folder
	state     cltv.State
	scratch   []cltv.PurchaseDay
	histories []cltv.ContractHistory
	texts     map[string]string // segments, each once
}

// customer is one with a purchase.
type customer struct {
	segment string
	days    []backtest.Purchase
}

// tenantCheckpoint is what a partition has of a tenant.
type tenantCheckpoint struct {
	clockUnix int64
	models    []*perennialv1.ModelPublished
	policy    *cltv.Policy
}

func newStates(log *slog.Logger) *states {
	return &states{
		log: log, next: map[int32]int64{}, said: map[int32]map[string]*tenantCheckpoint{}, params: map[string]*cltv.Params{},
		customers: map[string]map[string]customer{}, holders: map[string]*holders{}, texts: map[string]string{},
		tables: cltv.Tables{Formulas: formula.Compile},
	}
}

// follow reads what is new. A checkpoint says in which time zone a purchase has its
// day, and when a contract has ended: where that isn't what states were read by, all is
// read again.
func (s *states) follow(ctx context.Context, kafka *stream.Client) error {
	topic := kafka.Config().Topics.State
	n, err := kafka.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	spans := make([]stream.Span, n)
	for {
		for p := range n {
			spans[p] = stream.Span{Partition: p, From: s.next[p], To: -1} // from 0 is from where the log begins
		}
		if err := kafka.Read(ctx, topic, spans, s.take); err != nil {
			return err
		}
		if !s.readAnew() {
			return nil
		}
		s.mu.Lock()
		clear(s.customers)
		clear(s.holders)
		s.mu.Unlock()
		clear(s.next)
	}
}

// take takes in a record.
func (s *states) take(partition int32, r *task.Record) error {
	tenant, name, ok := strings.Cut(string(r.Key), "/")
	switch {
	case string(r.Key) == task.CheckpointKey:
		if err := s.takeCheckpoint(partition, r); err != nil {
			return err
		}
	case ok && tenant != "" && name != "" && name[0] != '~': // else an opening, or a record of marketing spend
		s.takeState(tenant, name, partition, r)
	}
	s.next[partition] = r.Offset + 1
	return nil
}

// takeCheckpoint takes in a checkpoint. One that can't be read, or is of a newer fold,
// isn't passed over: what its states mean is not known here.
func (s *states) takeCheckpoint(partition int32, r *task.Record) error {
	var ours wire.Checkpoint
	var theirs perennialv1.Checkpoint // the models as they are published again
	err := wire.DecodeCheckpoint(r.Value, &ours)
	if err == nil {
		err = proto.Unmarshal(r.Value, &theirs)
	}
	if err != nil {
		return fmt.Errorf("checkpoint at offset %d of partition %d: %w", r.Offset, partition, err)
	}
	if ours.FoldVersion > cltv.FoldVersion {
		return fmt.Errorf("partition %d is at version %d of the fold, and this program knows %d: start a newer one", partition, ours.FoldVersion, cltv.FoldVersion)
	}
	said := make(map[string]*tenantCheckpoint, len(ours.Tenants))
	for i := range ours.Tenants {
		t := &ours.Tenants[i]
		said[t.Tenant] = &tenantCheckpoint{clockUnix: t.ClockUnix, policy: t.Policy, models: theirs.Tenants[i].Models}
	}
	s.said[partition] = said
	return nil
}

// readAnew puts the policies in force in place of those by which states were
// read, and says whether purchases have other days, or contracts other ends, by that.
func (s *states) readAnew() bool {
	newest := map[string]*cltv.Policy{}
	for _, said := range s.said {
		for name, t := range said {
			if t.policy != nil && (newest[name] == nil || t.policy.Number > newest[name].Number) {
				newest[name] = t.policy
			}
		}
	}
	changed := false
	for name, policy := range newest {
		before := s.params[name]
		if published := before.PublishedPolicy(); published != nil && published.Number == policy.Number {
			continue
		}
		var none *cltv.Params
		params, _, err := none.With(&cltv.Event{Kind: cltv.KindPolicySet, Tenant: name, Policy: policy}, &s.tables)
		if err != nil {
			continue // the updater wouldn't have it in force
		}
		s.params[name] = params
		is, was := params.Policy(), before.Policy()
		changed = changed || !slices.Equal(is.ZoneOffsets, was.ZoneOffsets) || is.GraceDays != was.GraceDays
	}
	return changed
}

// takeState takes in the state of a customer, or takes the customer away where the
// state is gone. One that can't be read is the customer's loss alone.
func (s *states) takeState(tenant, name string, partition int32, r *task.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.Value) == 0 {
		s.forget(tenant, name)
		return
	}
	if err := s.state.Decode(r.Value); err != nil {
		s.log.Warn("a state can't be read, and its customer is left out of the training",
			"key", string(r.Key), "partition", partition, "offset", r.Offset, "error", err)
		s.forget(tenant, name)
		return
	}
	segment, params := s.text(s.state.Segment()), s.params[tenant]
	s.scratch = s.folder.PurchaseDays(s.scratch[:0], &s.state, params, s.state.AsOf())
	if len(s.scratch) == 0 {
		delete(s.customers[tenant], name) // all was taken back, or none were made
	} else {
		c := customer{segment: segment, days: make([]backtest.Purchase, len(s.scratch))}
		for i, d := range s.scratch {
			c.days[i] = backtest.Purchase{Day: d.Day, Minor: d.Minor}
		}
		if s.customers[tenant] == nil {
			s.customers[tenant] = map[string]customer{}
		}
		s.customers[tenant][name] = c
	}
	known := s.holders[tenant]
	s.histories = s.folder.ContractHistories(s.histories[:0], &s.state, params, s.state.AsOf(), known.looksAt(name))
	if len(s.histories) == 0 {
		known.remove(name)
		return
	}
	if known == nil {
		known = &holders{all: map[string]holder{}}
		s.holders[tenant] = known
	}
	known.set(name, segment, s.histories)
}

func (s *states) forget(tenant, name string) {
	delete(s.customers[tenant], name)
	s.holders[tenant].remove(name)
}

// text is a text of its own, and the same one each time.
func (s *states) text(text string) string {
	if known, ok := s.texts[text]; ok {
		return known
	}
	own := strings.Clone(text)
	s.texts[own] = own
	return own
}

// tenants are those with customers, in a fixed order.
func (s *states) tenants() []string {
	names := slices.Sorted(maps.Keys(s.customers))
	for name := range s.holders {
		if _, known := s.customers[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// eachCount counts the customers of each tenant.
func (s *states) eachCount(do func(tenant string, customers int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tenant, customers := range s.customers {
		do(tenant, len(customers))
	}
}

// situation is what is known of a tenant at one moment.
type situation struct {
	tenant string
	// day is the tenant's last local day that is over, counted from 1970-01-01, by the partition whose clock is behind all
	// others: of a day that has begun not all purchases are known.
	day       int32
	policy    cltv.Policy
	models    map[slot]*perennialv1.ModelPublished // in force
	customers map[string]customer
	holders   *holders // of contracts; nil: there are none
}

// slot is where one model of a tenant is in force.
type slot struct {
	contracts bool
	scope     string
}

func slotOf(m *perennialv1.ModelPublished) slot { return slot{control.OfContracts(m), m.GetScope()} }

// situation tells how a tenant stands; false where no partition has said what time
// it is for it.
func (s *states) situation(tenant string) (*situation, bool) {
	out := &situation{
		tenant: tenant, policy: s.params[tenant].Policy(), customers: s.customers[tenant],
		models: map[slot]*perennialv1.ModelPublished{}, holders: s.holders[tenant],
	}
	clock := int64(0)
	for _, said := range s.said {
		t := said[tenant]
		if t == nil {
			continue
		}
		if t.clockUnix > 0 && (clock == 0 || t.clockUnix < clock) {
			clock = t.clockUnix
		}
		for _, m := range t.models {
			if known := out.models[slotOf(m)]; known == nil || known.Number < m.Number {
				out.models[slotOf(m)] = m
			}
		}
	}
	out.day = out.policy.LocalDay(clock+1) - 1 // whose clock stands at the last second of a day has seen it
	return out, clock > 0
}

// sameModels says whether the same models are in force.
func (s *situation) sameModels(as *situation) bool {
	return maps.EqualFunc(s.models, as.models, func(a, b *perennialv1.ModelPublished) bool { return a.Number == b.Number })
}
