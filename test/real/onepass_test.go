package real_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
)

// onePass is what one owner that never failed would have made of a log: record
// after record, without batches, Redis, or a second owner.
type onePass struct {
	folder  cltv.Folder
	tables  cltv.Tables
	tenants map[string]*passTenant
	// customers by key, also those that are no customers but spend.
	customers map[string]*passCustomer
	// dead is the code of each refused record.
	dead map[place]string
	// taken is every event that is in the log, by its identity.
	taken map[identity]bool
	// What became of the facts.
	applied, repeated int
}

// place is where a record stands.
type place struct {
	partition int32
	offset    int64
}

// identity is that of one event that a source sent.
type identity struct {
	tenant, source, id string
	revision           int64
}

// passTenant is what one partition knows of a tenant.
type passTenant struct {
	params *cltv.Params
	clock  int64
}

// passCustomer is all versions of a customer.
type passCustomer struct {
	state   cltv.State
	updates [][]byte         // by version − 1
	churn   map[int64][]byte // by version, where the band changed
}

// foldOnce reads customer.events.v1 up to the given offsets and folds it.
func foldOnce(t testing.TB, client *stream.Client, upTo []int64) *onePass {
	t.Helper()
	o := &onePass{tables: cltv.Tables{Formulas: formula.Compile}, customers: map[string]*passCustomer{}, dead: map[place]string{}, taken: map[identity]bool{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for p := range upTo {
		o.tenants = map[string]*passTenant{} // each partition learns parameters by itself
		span := []stream.Span{{Partition: int32(p), From: 0, To: upTo[p]}}
		err := client.Read(ctx, client.Config().Topics.Events, span, func(partition int32, r *task.Record) error {
			o.take(partition, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// recordedWithin is how far recorded_at may lie after the record's timestamp.
const recordedWithin = 10 * time.Minute

func (o *onePass) take(partition int32, r *task.Record) {
	at := place{partition, r.Offset}
	var ev cltv.Event
	if wire.DecodeEvent(r.Value, &ev) != nil {
		o.dead[at] = "undecodable"
		return
	}
	o.taken[identity{strings.Clone(ev.Tenant), strings.Clone(ev.Source), strings.Clone(ev.SourceEventID), ev.Revision}] = true
	switch {
	case ev.RecordedAt > r.Timestamp+recordedWithin.Milliseconds():
		o.dead[at] = "recorded_at"
		return
	case string(r.Key) != o.key(&ev):
		o.dead[at] = "key"
		return
	}
	tenant := o.tenants[ev.Tenant]
	if tenant == nil {
		tenant = &passTenant{}
		o.tenants[strings.Clone(ev.Tenant)] = tenant
	}
	switch ev.Kind {
	case cltv.KindClockAdvanced:
		tenant.clock = max(tenant.clock, ev.Until/1000)
	case cltv.KindModelPublished, cltv.KindThresholdsSet, cltv.KindUnitCostsSet, cltv.KindPolicySet:
		params, _, err := tenant.params.With(&ev, &o.tables)
		if err != nil {
			o.dead[at] = "parameters"
			return
		}
		tenant.params = params
	default:
		o.fold(at, string(r.Key), &ev, tenant)
	}
}

// key is the one that an event's record must have.
func (o *onePass) key(ev *cltv.Event) string {
	switch ev.Kind {
	case cltv.KindMarketingSpend:
		return ev.Tenant + "/~spend/" + ev.Source + "/" + ev.SourceEventID
	case cltv.KindClockAdvanced:
		return ev.Tenant + "/~clock"
	case cltv.KindModelPublished:
		return ev.Tenant + "/~model"
	case cltv.KindThresholdsSet:
		return ev.Tenant + "/~thresholds"
	case cltv.KindUnitCostsSet:
		return ev.Tenant + "/~unit-costs"
	case cltv.KindPolicySet:
		return ev.Tenant + "/~policy"
	default:
		return ev.Tenant + "/" + ev.Customer
	}
}

func (o *onePass) fold(at place, key string, ev *cltv.Event, tenant *passTenant) {
	c := o.customers[key]
	if c == nil {
		c = &passCustomer{churn: map[int64][]byte{}}
	}
	step := o.folder.Fold(&c.state, ev, cltv.At{Offset: at.offset, Clock: tenant.clock, Params: tenant.params})
	if step.Refusal.Code != "" {
		o.dead[at] = step.Refusal.Code
	}
	switch step.Outcome {
	case cltv.Applied:
		o.applied++
	case cltv.Refused:
		return
	default:
		o.repeated++
		return
	}
	o.customers[key] = c
	if c.state.IsSpend() {
		return
	}
	c.updates = append(c.updates, wire.AppendUpdate(nil, ev, &step))
	if step.BandChanged {
		c.churn[c.state.Version()] = wire.AppendChurn(nil, ev, &step, cltv.Reasons(&c.state, tenant.params, &step.Score), cltv.InvoluntaryReasons(&c.state, tenant.params, &step.Score))
	}
}
