package sim

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	"github.com/perennial-cltv/perennial/test/oracle"
)

// reference is the serial fold of one partition's input: record after record,
// no batches, no owners, no Redis. Every state and output that an owner writes
// is held against it. It shares the fold with the owners; package oracle shares
// nothing.
type reference struct {
	partition int32
	folder    cltv.Folder
	// fold is the fold, or the broken one of a mutation that the batch program
	// alone must find.
	fold      func(f *cltv.Folder, s *cltv.State, ev *cltv.Event, at cltv.At) cltv.Step
	tables    *cltv.Tables
	next      int64
	customers map[string]*history
	tenants   map[string]*refTenant
	dead      map[int64]string
	// applied, duplicates and dead letters account for every record.
	applied, duplicates int
}

type refTenant struct {
	params *cltv.Params
	clock  int64
}

// history is all versions of one customer.
type history struct {
	state    cltv.State
	versions []version // versions[v-1]
}

type version struct {
	state         []byte
	update, churn []byte
	trace         string // of the record behind it
}

func newReference(p int32, tables *cltv.Tables) *reference {
	return &reference{
		partition: p, fold: (*cltv.Folder).Fold, tables: tables, customers: map[string]*history{}, tenants: map[string]*refTenant{}, dead: map[int64]string{},
	}
}

func (r *reference) tenant(name string) *refTenant {
	t := r.tenants[name]
	if t == nil {
		t = &refTenant{}
		r.tenants[strings.Clone(name)] = t
	}
	return t
}

// advance folds what the log has by now.
func (r *reference) advance(p *partition) {
	for _, record := range p.records {
		if record.Offset >= r.next {
			r.take(&record.Record)
			r.next = record.Offset + 1
		}
	}
}

var (
	tenantForm = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	year2200   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

func (r *reference) take(record *task.Record) {
	var ev cltv.Event
	err := wire.DecodeEvent(record.Value, &ev)
	switch {
	case err != nil:
		r.dead[record.Offset] = "undecodable"
		return
	case ev.RecordedAt > record.Timestamp+10*60*1000:
		r.dead[record.Offset] = "recorded_at"
		return
	case !tenantForm.MatchString(ev.Tenant):
		r.dead[record.Offset] = "tenant"
		return
	case !strings.HasPrefix(string(record.Key), ev.Tenant+"/") ||
		ev.Customer != "" && string(record.Key) != ev.Tenant+"/"+ev.Customer ||
		ev.Customer == "" && !strings.HasPrefix(string(record.Key), ev.Tenant+"/~"):
		r.dead[record.Offset] = "key"
		return
	}
	t := r.tenant(ev.Tenant)
	switch ev.Kind {
	case cltv.KindClockAdvanced:
		if ev.Until < 0 || ev.Until >= year2200 {
			r.dead[record.Offset] = "out_of_range"
			return
		}
		t.clock = max(t.clock, ev.Until/1000)
		return
	case cltv.KindModelPublished, cltv.KindThresholdsSet, cltv.KindUnitCostsSet, cltv.KindPolicySet:
		params, _, err := t.params.With(&ev, r.tables)
		if err != nil {
			r.dead[record.Offset] = "parameters"
			return
		}
		t.params = params
		return
	default:
	}
	h := r.customers[string(record.Key)]
	if h == nil {
		h = &history{}
	}
	step := r.fold(&r.folder, &h.state, &ev, cltv.At{Offset: record.Offset, Clock: t.clock, Params: t.params})
	if step.Refusal.Code != "" {
		r.dead[record.Offset] = step.Refusal.Code
	}
	switch step.Outcome {
	case cltv.Refused:
		return
	case cltv.Applied:
		r.applied++
	default:
		r.duplicates++
		return
	}
	r.customers[string(record.Key)] = h
	v := version{state: h.state.AppendTo(nil), trace: Header(record, "traceparent")}
	if !h.state.IsSpend() {
		v.update = wire.AppendUpdate(nil, &ev, &step)
		if step.BandChanged {
			v.churn = wire.AppendChurn(nil, &ev, &step, cltv.Reasons(&h.state, t.params, &step.Score), cltv.InvoluntaryReasons(&h.state, t.params, &step.Score))
		}
	}
	h.versions = append(h.versions, v)
}

// totals recounts the sums from the states.
func (r *reference) totals() map[oracle.SumKey]cltv.Sums {
	sums := map[oracle.SumKey]cltv.Sums{}
	for key, h := range r.customers {
		tenant, _, _ := strings.Cut(key, "/")
		h.state.Contribution(func(d cltv.Dimension, id string, v *cltv.Sums) {
			k := oracle.SumKey{Tenant: tenant, Dimension: d.String(), ID: strings.Clone(id)}
			total := sums[k]
			for i := range total {
				total[i] += v[i]
			}
			sums[k] = total
		})
	}
	for k, v := range sums {
		if v.IsZero() {
			delete(sums, k)
		}
	}
	return sums
}

// reference brings a partition's serial fold up to date.
func (w *world) reference(p int32) *reference {
	r := w.refs[p]
	r.advance(w.kafka.topics[task.Input][p])
	return r
}

// checkCommit holds the states of a commit against the serial fold.
func (w *world) checkCommit(p int32, c *task.Commit) {
	r := w.reference(p)
	for _, s := range c.States {
		if n := w.versionOf(r, s.Key, s.Value); n < 0 {
			w.fail("partition %d, commit of %d to %d: the state of %s is no fold of the log", p, c.From, c.To, s.Key)
		}
	}
}

// versionOf finds an encoded state among a customer's versions; −1: none.
func (w *world) versionOf(r *reference, key string, state []byte) int {
	h := r.customers[key]
	if h == nil {
		return -1
	}
	for i := len(h.versions) - 1; i >= 0; i-- {
		if bytes.Equal(h.versions[i].state, state) {
			return i + 1
		}
	}
	return -1
}

// checkOutput holds a record that an owner wrote against the serial fold.
func (w *world) checkOutput(t task.Topic, p int32, record *record) {
	r := w.reference(p)
	switch t {
	case task.Updates, task.Churn:
		key, v := outputID(&record.Record)
		h := r.customers[key]
		if h == nil || v < 1 || v > len(h.versions) {
			w.fail("%s/%d at %d: version %d of %s doesn't follow from the log", topicNames[t], p, record.Offset, v, key)
		}
		want := h.versions[v-1].update
		if t == task.Churn {
			want = h.versions[v-1].churn
		}
		if !bytes.Equal(record.Value, want) {
			w.fail("%s/%d at %d: version %d of %s has another content than the log gives it", topicNames[t], p, record.Offset, v, key)
		}
		if Header(&record.Record, "traceparent") != h.versions[v-1].trace {
			w.fail("%s/%d at %d: version %d of %s belongs to another trace", topicNames[t], p, record.Offset, v, key)
		}
	case task.State:
		key := string(record.Key)
		if key != task.OpeningKey && key != task.RebuildingKey && key != task.CheckpointKey && w.versionOf(r, key, record.Value) < 0 {
			w.fail("state/%d at %d: the state of %s is no fold of the log", p, record.Offset, key)
		}
	case task.DeadLetters:
		offset := deadLetterOffset(&record.Record)
		if _, dead := r.dead[offset]; !dead {
			w.fail("dead letters/%d: record %d could have been taken in", p, offset)
		}
		for _, in := range w.kafka.topics[task.Input][p].records {
			if Header(&record.Record, "__connect.errors.omitted") != "" {
				break // TestLargeRecords sees to these
			}
			if in.Offset == offset && (!bytes.Equal(in.Key, record.Key) || !bytes.Equal(in.Value, record.Value) ||
				Header(&in.Record, "traceparent") != Header(&record.Record, "traceparent")) {
				w.fail("dead letters/%d: record %d isn't as it came", p, offset)
			}
		}
	default:
		w.fail("an owner produces to %s", topicNames[t])
	}
}

// Header is a header's value, empty where there is none.
func Header(r *task.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// outputID reads customer and version from an output's ce_id.
func outputID(r *task.Record) (key string, version int) {
	id := Header(r, "ce_id")
	cut := strings.LastIndexByte(id, '/')
	v, err := strconv.Atoi(id[cut+1:])
	if cut < 0 || err != nil || id[:cut] != string(r.Key) {
		return "", 0
	}
	return id[:cut], v
}

func deadLetterOffset(r *task.Record) int64 {
	n, err := strconv.ParseInt(Header(r, "__connect.errors.offset"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func splitKey(key string) (tenant, customer string) {
	tenant, customer, _ = strings.Cut(key, "/")
	return tenant, customer
}

// encodeParameters is what a task stores of a tenant's parameters.
func encodeParameters(name string, p *cltv.Params) []byte {
	return wire.AppendTenantParameters(nil, &wire.TenantParameters{
		Tenant: name, Models: p.Models(), Thresholds: p.Thresholds(), UnitCosts: p.UnitCosts(), Policy: p.PublishedPolicy(),
	})
}
