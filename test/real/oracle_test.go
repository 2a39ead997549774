package real_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/test/oracle"
)

// sumNames are the figures of a vector of sums as the oracle calls them.
var sumNames = [cltv.NumSumFields]string{
	cltv.SumCustomers: "customers", cltv.SumBuyers: "buyers", cltv.SumTransactions: "transactions", cltv.SumGross: "gross",
	cltv.SumRefunded: "refunded", cltv.SumNet: "net", cltv.SumMargin: "margin", cltv.SumServiceCost: "service cost", cltv.SumCAC: "cac",
	cltv.SumResidual: "residual", cltv.SumCLTV: "cltv", cltv.SumNetCLTV: "net cltv", cltv.SumValueAtRisk: "value at risk",
	cltv.SumAtRisk: "at risk", cltv.SumCalls: "calls", cltv.SumConversions: "conversions", cltv.SumTalkSeconds: "talk seconds",
	cltv.SumCallCost: "call cost", cltv.SumSpend: "spend", cltv.SumSpendFacts: "spend facts",
}

// checkOracle holds outputs, dead letters and sums against the independent batch
// program, which shares nothing with the updater but the schema.
func checkOracle(t testing.TB, w *world, upTo []int64, pass *onePass) {
	t.Helper()
	r := w.reader(t)
	figures := 0
	for p := range r.Partitions() {
		log := oracleOf(t, w, p, upTo[p], pass)
		last := oracleUpdates(t, w, p, log)
		want := log.Sums(func(key string) *perennialv1.CltvUpdate { return last[key] })
		contents, err := r.Contents(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range contents.Sums {
			var kept cltv.Sums
			if err := kept.Decode(s.Value); err != nil {
				t.Fatal(err)
			}
			key := oracle.SumKey{Tenant: s.Tenant, Dimension: s.Dimension, ID: s.ID}
			for field, n := range kept {
				figures++
				if name := sumNames[field]; n != want[key][name] {
					t.Errorf("partition %d: %s of %v is %d, the oracle has %d", p, name, key, n, want[key][name])
				}
			}
			delete(want, key)
		}
		for key, v := range want {
			t.Errorf("partition %d: no sum of %v, the oracle has %v", p, key, v)
		}
	}
	t.Logf("%d figures of sums equal the oracle's", figures)
}

// oracleOf gives the oracle a partition's input.
func oracleOf(t testing.TB, w *world, p int32, upTo int64, pass *onePass) *oracle.Log {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	log := oracle.NewLog()
	span := []stream.Span{{Partition: p, From: 0, To: upTo}}
	err := w.client.Read(ctx, w.client.Config().Topics.Events, span, func(_ int32, r *task.Record) error {
		verdict := log.Take(r.Timestamp, r.Key, r.Value)
		dead := verdict == oracle.Dead || verdict == oracle.AppliedDead
		if code, refused := pass.dead[place{p, r.Offset}]; refused != dead {
			t.Errorf("partition %d offset %d: refused as %q; the oracle says %v", p, r.Offset, code, verdict)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// oracleUpdates checks every update of a partition and answers the last ones.
func oracleUpdates(t testing.TB, w *world, p int32, log *oracle.Log) map[string]*perennialv1.CltvUpdate {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last := map[string]*perennialv1.CltvUpdate{}
	span := []stream.Span{{Partition: p, From: -1, To: -1}}
	err := w.client.Read(ctx, w.client.Config().Topics.Updates, span, func(_ int32, r *task.Record) error {
		u := new(perennialv1.CltvUpdate)
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return err
		}
		if err := log.CheckUpdate(u); err != nil {
			t.Errorf("update of %s at offset %d: by the oracle: %v", r.Key, r.Offset, err)
		}
		if before := last[string(r.Key)]; before == nil || before.Version < u.Version {
			last[string(r.Key)] = u
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, c := range log.Customers {
		if u := last[key]; u.GetVersion() != int64(len(c.Versions)) {
			t.Errorf("%s: the last update is version %d, the oracle has %d", key, u.GetVersion(), len(c.Versions))
		}
	}
	return last
}
