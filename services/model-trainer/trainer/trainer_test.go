package trainer

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/control"
)

const testDay = 86_400

// began is the day on which the tests' customers begin, 2020-01-01.
const began = 18_262

// stateOf is the encoded state of a customer who bought on days at noon UTC.
func stateOf(t testing.TB, segment string, days ...int) []byte {
	t.Helper()
	var f cltv.Folder
	s := new(cltv.State)
	for i, d := range days {
		at := int64(began+d)*testDay*1000 + testDay*500
		ev := cltv.Event{Kind: cltv.KindOrder, Tenant: "acme", Customer: "c", Source: "shop", SourceEventID: fmt.Sprint(i), Ref: fmt.Sprint(i),
			OccurredAt: at, RecordedAt: at, AmountMinor: int64(1000 + i), Currency: "USD"}
		if step := f.Fold(s, &ev, cltv.At{Offset: int64(i)}); step.Outcome != cltv.Applied {
			t.Fatal(step.Outcome, step.Refusal)
		}
	}
	if segment != "" {
		at := int64(began)*testDay*1000 + testDay*500
		ev := cltv.Event{Kind: cltv.KindProfile, Tenant: "acme", Customer: "c", Source: "crm", SourceEventID: "p", OccurredAt: at, RecordedAt: at, Segment: segment}
		if step := f.Fold(s, &ev, cltv.At{Offset: int64(len(days))}); step.Outcome != cltv.Applied {
			t.Fatal(step.Outcome, step.Refusal)
		}
	}
	return s.AppendTo(nil)
}

func checkpoint(tenants ...wire.TenantParameters) []byte {
	return wire.AppendCheckpoint(nil, &wire.Checkpoint{NextOffset: 1, Partitions: 1, Tenants: tenants})
}

func take(t testing.TB, s *states, partition int32, key string, value []byte) {
	t.Helper()
	r := task.Record{Offset: s.next[partition], Key: []byte(key), Value: value}
	if err := s.take(partition, &r); err != nil {
		t.Fatal(err)
	}
}

// TestStates: what is kept of states, and when all has to be read again.
func TestStates(t *testing.T) {
	s := newStates(slog.New(slog.DiscardHandler))
	take(t, s, 0, task.OpeningKey, []byte("whatever"))
	take(t, s, 0, "acme/ann", stateOf(t, "gold", 0, 3, 3, 9))
	take(t, s, 1, "acme/bob", stateOf(t, "", 5))
	take(t, s, 1, "acme/~spend/x", []byte("whatever"))
	if ann := s.customers["acme"]["ann"]; ann.segment != "gold" || len(ann.days) != 3 || ann.days[1].Day != began+3 || ann.days[1].Minor != 2003 {
		t.Fatalf("ann: %+v", ann)
	}
	if _, ok := s.situation("acme"); ok {
		t.Error("nobody has said what time it is")
	}
	take(t, s, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: (began+20)*testDay - 1}))
	take(t, s, 1, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: (began+18)*testDay + 3600, Models: []*cltv.Model{
		{Number: 3, ModelID: "m", BGNBD: btyd.BGNBD{R: 1, Alpha: 1, A: 1, B: 1}},
	}}))
	now, ok := s.situation("acme")
	if !ok || now.day != began+17 || now.models[slot{}].GetNumber() != 3 || now.firstDay() != began {
		t.Errorf("%v, day %d, models %v", ok, now.day, now.models)
	}
	if s.readAnew() {
		t.Error("the defaults are in force, as before")
	}
	// Thirteen hours east noon is tomorrow.
	east := &cltv.Policy{Number: 1, TimeZone: "x", ZoneOffsets: []cltv.ZoneOffset{{FromUnix: 0, OffsetSeconds: 13 * 3600}}}
	take(t, s, 0, task.CheckpointKey, checkpoint(wire.TenantParameters{Tenant: "acme", ClockUnix: (began+20)*testDay - 1, Policy: east}))
	if !s.readAnew() || s.readAnew() {
		t.Error("another zone has to be noticed, once")
	}
	take(t, s, 0, "acme/ann", stateOf(t, "gold", 0, 3, 3, 9))
	if ann := s.customers["acme"]["ann"]; ann.days[0].Day != began+1 {
		t.Errorf("ann bought first on day %d", ann.days[0].Day-began)
	}
	// A state that is gone, and one whose purchases were all taken back.
	take(t, s, 0, "acme/ann", nil)
	take(t, s, 1, "acme/bob", stateOf(t, "silver"))
	if n := len(s.customers["acme"]); n != 0 {
		t.Errorf("%d customers are left", n)
	}
	// One that can't be read leaves one customer out, and holds up nobody.
	take(t, s, 0, "acme/eve", stateOf(t, "", 1))
	take(t, s, 0, "acme/eve", []byte{0xff})
	take(t, s, 0, "acme/fay", stateOf(t, "", 1))
	if all := s.customers["acme"]; len(all) != 1 || len(all["fay"].days) != 1 {
		t.Errorf("after a state that can't be read: %v", all)
	}
	// A newer fold is another matter.
	newer := wire.AppendCheckpoint(nil, &wire.Checkpoint{NextOffset: 1, Partitions: 1, FoldVersion: cltv.FoldVersion + 1})
	if err := s.take(0, &task.Record{Key: []byte(task.CheckpointKey), Value: newer}); err == nil || !strings.Contains(err.Error(), "start a newer one") {
		t.Errorf("a checkpoint of a newer fold: %v", err)
	}
	last := wire.TenantParameters{Tenant: "acme", ClockUnix: (began+18)*testDay - 1}
	take(t, s, 1, task.CheckpointKey, checkpoint(last))
	if now, _ := s.situation("acme"); now.day != began+17 {
		t.Errorf("at the last second of a day the last that is over is %d days after the first", now.day-began)
	}
}

// TestDue: when a tenant's models are to be trained.
func TestDue(t *testing.T) {
	d := newDue(28, slog.New(slog.DiscardHandler))
	s := &situation{tenant: "acme", day: began + 300, customers: map[string]customer{}, models: map[slot]*perennialv1.ModelPublished{}}
	want := func(what string, due bool) {
		t.Helper()
		if got := d.now(s); got != due {
			t.Errorf("%s: %v", what, got)
		}
	}
	want("nobody has bought", false)
	for i := range 500 {
		s.customers[fmt.Sprint(i)] = customer{days: purchases(began + 200)}
	}
	want("too short a history", false)
	s.customers["first"] = customer{days: purchases(began + 100)}
	want("none to compare by", false)
	s.customers["first"] = customer{days: purchases(began + 300 - 208)}
	want("enough for a first model", true)
	decide := func(scope string, outcome perennialv1.Outcome, day int32, number int64) {
		t.Helper()
		value, err := proto.Marshal(&perennialv1.ModelDecision{Tenant: "acme", Scope: scope, Outcome: outcome, WindowUntil: dateOf(day),
			Candidate: &perennialv1.ModelPublished{Number: number}})
		if err != nil {
			t.Fatal(err)
		}
		d.take(t.Context(), &task.Record{Offset: d.next, Value: value})
	}
	decide("", perennialv1.Outcome_OUTCOME_PUBLISHED, began+280, 1)
	want("decided 20 days ago", false)
	s.day = began + 308
	want("the decided model isn't in force", false)
	delete(d.models["acme"], slot{})
	want("decided 28 days ago", true)

	// Whatever no decision knows is an operator's, and stays for a while.
	s.models[slot{}] = &perennialv1.ModelPublished{Number: 1}
	s.models[slot{scope: "gold"}] = &perennialv1.ModelPublished{Number: 4, ModelId: "by hand"}
	held := d.foreign(s, time.Unix(1e9, 0))
	if len(held) != 1 || held[0].Scope != "gold" || held[0].Candidate.Number != 4 || !strings.Contains(held[0].Reason, "number 4 (by hand)") {
		t.Fatalf("held: %v", held)
	}
	decide("gold", perennialv1.Outcome_OUTCOME_HELD, s.day, 4)
	if len(d.foreign(s, time.Unix(1e9, 0))) != 0 || !d.rests(s, slot{scope: "gold"}) || d.rests(s, slot{scope: "silver"}) {
		t.Error("gold is held, and nothing else")
	}
	want("a segment is held", true)
	s.models[slot{}] = &perennialv1.ModelPublished{Number: 2, ModelId: "went back"}
	if held = d.foreign(s, time.Unix(1e9, 0)); len(held) != 1 || held[0].Scope != "" {
		t.Fatalf("held: %v", held)
	}
	decide("", perennialv1.Outcome_OUTCOME_HELD, s.day, 2)
	want("an operator went back today", false)
	s.day += 28
	want("an operator went back 28 days ago", true)
	if d.rests(s, slot{scope: "gold"}) {
		t.Error("gold has been held for 28 days")
	}
}

// TestWindow: the model in force hasn't seen what it is compared by.
func TestWindow(t *testing.T) {
	s := &situation{day: began + 600}
	s.policy = s.policy.WithDefaults()
	for _, c := range []struct {
		what                   string
		first, trained, parent int32
		want                   int32
	}{
		{"first model", began, 0, 0, 90},
		{"first model, short history", began + 600 - 220, 0, 0, 40},
		{"first model, too short a history", began + 600 - 90, 0, 0, 28},
		{"trained 40 days ago", began, began + 560, 0, 40},
		{"trained 10 days ago", began, began + 590, 0, 28},
		{"trained long ago", began, began + 100, 0, 90},
		{"segment without a model", began, 0, began + 572, 28},
		{"segment with an older model than the tenant's", began, began + 500, began + 560, 40},
		{"segment with a newer one", began, began + 560, began + 500, 40},
	} {
		var inForce *perennialv1.ModelPublished
		if c.trained > 0 {
			inForce = &perennialv1.ModelPublished{TrainedTo: dateOf(c.trained)}
		}
		var whole parent
		if c.parent > 0 {
			whole = parent{&backtest.Parent{}, c.parent}
		}
		if w := s.window(c.first, inForce, whole, 28); w.HorizonDays != c.want || w.Until != s.day-c.want {
			t.Errorf("%s: %+v, want %d days", c.what, w, c.want)
		}
	}
}

// purchases is one purchase.
func purchases(day int32) []backtest.Purchase {
	return []backtest.Purchase{{Day: day, Minor: 1000}}
}

// simulated is a tenant whose customers come over a year; those of one segment buy
// more often.
func simulated(customers int) *situation {
	s := &situation{tenant: "acme", day: began + 400, customers: map[string]customer{}, models: map[slot]*perennialv1.ModelPublished{}}
	s.policy = s.policy.WithDefaults()
	r := rand.New(rand.NewPCG(3, 3))
	for i := range customers {
		segment, m := "usual", btyd.BGNBD{R: .9, Alpha: 12, A: .8, B: 3}
		if i%4 == 0 {
			segment, m = "eager", btyd.BGNBD{R: 2.5, Alpha: 6, A: .4, B: 3}
		}
		first := began + r.Int32N(300)
		price := 1000 + r.Int64N(4000)
		days := purchases(first)
		for _, week := range m.Simulate(r, float64(s.day-first)/7) {
			if d := first + 1 + int32(7*week); d > days[len(days)-1].Day && d <= s.day {
				days = append(days, purchases(d)...)
				days[len(days)-1].Minor = price/2 + r.Int64N(price)
			}
		}
		s.customers[fmt.Sprint(i)] = customer{segment, days}
	}
	return s
}

// TestSegments: a segment that differs gets a model of its own, and later ones are
// compared with that.
func TestSegments(t *testing.T) {
	s := simulated(2000)
	decide := func() map[string]*perennialv1.ModelDecision {
		made := map[string]*perennialv1.ModelDecision{}
		for d := range s.decide(time.Unix(1e9, 0), 28, never) {
			t.Logf("%q %v: %s", d.Scope, d.Outcome, d.Reason)
			made[d.Scope] = d
			if d.Outcome == perennialv1.Outcome_OUTCOME_PUBLISHED {
				s.models[slot{scope: d.Scope}] = d.Candidate
			}
		}
		return made
	}
	first := decide()
	for _, scope := range []string{"", "eager", "usual"} {
		d := first[scope]
		if d.GetOutcome() != perennialv1.Outcome_OUTCOME_PUBLISHED || d.Candidate.Number != 1 || d.Candidate.Scope != scope || d.Candidate.TrainedTo.Seconds != (began+400)*testDay {
			t.Fatalf("scope %q: %v", scope, d)
		}
		// What is published is what the updater takes.
		if _, err := control.Publish("acme", d.Candidate, time.Unix(1e9, 0)); err != nil {
			t.Error(err)
		}
	}
	rate := func(d *perennialv1.ModelDecision) float64 {
		_, p := control.Process(d.Candidate)
		return p[0].Value / p[1].Value
	}
	if rate(first["eager"]) < 2*rate(first["usual"]) {
		t.Errorf("purchases a week: %.3f and %.3f", rate(first["eager"]), rate(first["usual"]))
	}
	s.day += 28
	second := decide()
	if c := trial(second["eager"], perennialv1.Role_ROLE_CHAMPION); c == nil || !strings.HasPrefix(c.Name, "number 1 (") {
		t.Errorf("eager was compared with %v", c)
	}
	if len(second) != 3 || second[""].WindowFrom.Seconds != (began+400)*testDay {
		t.Errorf("%d decisions, the first from %v", len(second), second[""].WindowFrom.AsTime())
	}
}

func never(*situation, slot) bool { return false }

func trial(d *perennialv1.ModelDecision, role perennialv1.Role) *perennialv1.ModelTrial {
	for _, c := range d.Trials {
		if c.Role == role {
			return c
		}
	}
	return nil
}

// TestDecisionsOfOthers: a record that is no decision, and a decision whose
// model nobody would take, hold up nothing.
func TestDecisionsOfOthers(t *testing.T) {
	d := newDue(28, slog.New(slog.DiscardHandler))
	made, err := proto.Marshal(&perennialv1.ModelDecision{Tenant: "acme", Outcome: perennialv1.Outcome_OUTCOME_PUBLISHED,
		WindowUntil: timestamppb.New(time.Unix(began*testDay, 0)), Candidate: &perennialv1.ModelPublished{Number: 4}})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := proto.Marshal(&perennialv1.ModelDecision{Tenant: "acme", Scope: "gold", Outcome: perennialv1.Outcome_OUTCOME_PUBLISHED})
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range [][]byte{{0xff}, made, empty} {
		d.take(context.Background(), &task.Record{Offset: int64(i), Value: value})
	}
	if d.decided[place{tenant: "acme"}] != began || d.next != 3 || len(d.models["acme"]) != 1 || d.models["acme"][slot{}].GetNumber() != 4 {
		t.Errorf("%+v", d)
	}
	tr := &trainer{due: d, log: d.log}
	if err := tr.publish(t.Context(), &situation{tenant: "acme"}); err != nil || len(d.models["acme"]) != 0 {
		t.Errorf("%v, %v", err, d.models)
	}
}

// BenchmarkTakeState is what a state of three purchases costs: 1 of the events that
// the updater writes states for.
func BenchmarkTakeState(b *testing.B) {
	s := newStates(slog.New(slog.DiscardHandler))
	value := stateOf(b, "gold", 0, 3, 30)
	for b.Loop() {
		take(b, s, 0, "acme/ann", value)
	}
}

// BenchmarkTraining is a training of a tenant with two segments, by the number of its
// customers.
func BenchmarkTraining(b *testing.B) {
	for _, customers := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(customers), func(b *testing.B) {
			s := simulated(customers)
			for b.Loop() {
				for range s.decide(time.Unix(1e9, 0), 28, never) {
				}
			}
		})
	}
}
