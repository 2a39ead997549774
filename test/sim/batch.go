package sim

import (
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/test/oracle"
)

// sumNames are the figures of a vector of sums as the oracle calls them.
var sumNames = map[cltv.SumField]string{
	cltv.SumCustomers: "customers", cltv.SumBuyers: "buyers", cltv.SumTransactions: "transactions", cltv.SumGross: "gross",
	cltv.SumRefunded: "refunded", cltv.SumNet: "net", cltv.SumMargin: "margin", cltv.SumServiceCost: "service cost", cltv.SumCAC: "cac",
	cltv.SumResidual: "residual", cltv.SumCLTV: "cltv", cltv.SumNetCLTV: "net cltv", cltv.SumValueAtRisk: "value at risk",
	cltv.SumAtRisk: "at risk", cltv.SumCalls: "calls", cltv.SumConversions: "conversions", cltv.SumTalkSeconds: "talk seconds",
	cltv.SumCallCost: "call cost", cltv.SumSpend: "spend", cltv.SumSpendFacts: "spend facts",
}

// compareBatch holds all outputs and sums of a partition against the independent
// batch program.
func (w *world) compareBatch(p int32) {
	log := oracle.NewLog()
	dead := map[int64]bool{}
	for _, r := range w.kafka.topics[task.Input][p].records {
		switch log.Take(r.Timestamp, r.Key, r.Value) {
		case oracle.Dead, oracle.AppliedDead:
			dead[r.Offset] = true
		default:
		}
		if dead[r.Offset] != w.deadLettered(p, r.Offset) {
			w.fail("partition %d: the batch program says of record %d, dead: %v", p, r.Offset, dead[r.Offset])
		}
	}
	last := map[string]*perennialv1.CltvUpdate{}
	checked := map[string]bool{}
	for _, r := range w.kafka.topics[task.Updates][p].records {
		u := new(perennialv1.CltvUpdate)
		if err := proto.Unmarshal(r.Value, u); err != nil {
			w.fail("updates/%d at %d: %v", p, r.Offset, err)
		}
		last[string(r.Key)] = u
		if checked[string(r.Value)] {
			continue // a repetition
		}
		checked[string(r.Value)] = true
		if err := log.CheckUpdate(u); err != nil {
			w.fail("updates/%d at %d, by the batch program: %v", p, r.Offset, err)
		}
	}
	for key, c := range log.Customers {
		if u := last[key]; u == nil || u.Version != int64(len(c.Versions)) {
			w.fail("partition %d: the batch program has %d versions of %s, the last update is %v", p, len(c.Versions), key, u.GetVersion())
		}
	}
	if err := log.CheckLooked(); err != nil {
		w.fail("partition %d: %v", p, err)
	}
	w.compareBands(p, log)
	w.compareBatchSums(p, log.Sums(func(key string) *perennialv1.CltvUpdate { return last[key] }))
}

// compareBands: a churn record for each change of band, and none else.
func (w *world) compareBands(p int32, log *oracle.Log) {
	told := map[string]map[int]bool{}
	for _, r := range w.kafka.topics[task.Churn][p].records {
		c := new(perennialv1.ChurnRisk)
		if err := proto.Unmarshal(r.Value, c); err != nil {
			w.fail("churn/%d at %d: %v", p, r.Offset, err)
		}
		if err := log.CheckChurn(c); err != nil {
			w.fail("churn/%d at %d, by the batch program: %v", p, r.Offset, err)
		}
		if told[string(r.Key)] == nil {
			told[string(r.Key)] = map[int]bool{}
		}
		told[string(r.Key)][int(c.Version)] = true
	}
	for key, c := range log.Customers {
		versions, sure := c.BandChanges()
		for i, v := range versions {
			if sure[i] && !told[key][v] {
				w.fail("partition %d: by the batch program the band of %s changes at version %d, and no churn record says so", p, key, v)
			}
			delete(told[key], v)
		}
		for v := range told[key] {
			w.fail("partition %d: by the batch program the band of %s doesn't change at version %d", p, key, v)
		}
	}
}

func (w *world) compareBatchSums(p int32, want map[oracle.SumKey]map[string]int64) {
	for k, v := range w.sums(p) {
		for f, n := range v {
			if name := sumNames[cltv.SumField(f)]; n != want[k][name] {
				w.fail("partition %d: %s of %v is %d, by the batch program %d", p, name, k, n, want[k][name])
			}
		}
		delete(want, k)
	}
	for k, v := range want {
		w.fail("partition %d: by the batch program %v is %v, and there is no such sum", p, k, v)
	}
}
