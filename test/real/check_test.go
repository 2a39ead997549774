package real_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// settle waits until everything that was published is taken in, stops the
// services, and then holds what is left behind against what was published:
// nothing lost, nothing different.
func settle(t testing.TB, w *world, l *load, services ...*program) {
	t.Helper()
	l.stop(t)
	config := w.client.Config()
	w.awaitForwarded(t, config.Groups.Ingester, config.Topics.Calls)
	w.awaitForwarded(t, config.Groups.Billing, config.Topics.Billing)
	w.awaitTakenIn(t)
	for _, p := range services {
		p.stop(t)
	}
	// Owners may have written a clock that nobody took in any more: the log is
	// folded as far as Redis stands.
	tasks := w.tasks(t)
	offsets := make([]int64, len(tasks))
	for p := range tasks {
		offsets[p] = tasks[p].NextOffset
	}
	pass := foldOnce(t, w.client, offsets)
	checkNothingLost(t, w, l, pass)
	checkStates(t, w, pass)
	checkUpdates(t, w, pass)
	checkChurn(t, w, pass)
	checkDeadLetters(t, w, pass)
	checkOracle(t, w, offsets, pass)
	t.Logf("%d facts applied, %d repeated or without news, %d refused, %d customers and spends", pass.applied, pass.repeated, len(pass.dead), len(pass.customers))
}

// checkNothingLost sees that each published event is in customer.events.v1, and
// that what no intake could read is a dead letter.
func checkNothingLost(t testing.TB, w *world, l *load, pass *onePass) {
	t.Helper()
	lost := 0
	for id := range l.published {
		if !pass.taken[id] {
			if lost++; lost <= 5 {
				t.Errorf("event %+v was published and is not in the log", id)
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d published events are lost", lost, len(l.published))
	}
	letters := map[string]bool{}
	for _, topic := range []string{w.client.Config().Topics.Calls, w.client.Config().Topics.Billing} {
		readAll(t, w.client, stream.DeadLetterTopic(topic), func(_ int32, r *task.Record) error {
			letter, ok := stream.ParseDeadLetter(r)
			if !ok {
				return fmt.Errorf("offset %d is no dead letter", r.Offset)
			}
			letters[fmt.Sprintf("%s/%d/%d", letter.Topic, letter.Partition, letter.Offset)] = true
			return nil
		})
	}
	// What was sent again because its fate was unknown is there twice.
	if len(letters) < l.poison {
		t.Errorf("%d dead letters of the intakes, want %d or more", len(letters), l.poison)
	}
}

// checkStates holds every state in Redis against the pass, byte by byte, and the
// sums against the states.
func checkStates(t testing.TB, w *world, pass *onePass) {
	t.Helper()
	r := w.reader(t)
	found, customers, wrong := 0, int64(0), 0
	for p := range r.Partitions() {
		before, after, err := r.Scan(context.Background(), p, "", func(key string, value []byte) error {
			found++
			c := pass.customers[key]
			if c == nil || !bytes.Equal(c.state.AppendTo(nil), value) {
				if wrong++; wrong <= 5 {
					t.Errorf("the state of %s isn't what the log says:\n%s", key, difference(c, value))
				}
				return nil
			}
			if !c.state.IsSpend() {
				customers++
			}
			return nil
		})
		if err != nil || before != after {
			t.Fatalf("scanning partition %d: from %+v to %+v, %v", p, before, after, err)
		}
	}
	if found != len(pass.customers) || wrong > 0 {
		t.Errorf("%d states in Redis, %d of them wrong; want %d", found, wrong, len(pass.customers))
	}
	if v := w.verify(t); v != (verified{Customers: customers}) {
		t.Errorf("perennial verify says %+v, want %d customers and no difference", v, customers)
	}
}

// difference shows two states for people.
func difference(c *passCustomer, got []byte) string {
	show := func(b []byte) string {
		s := &perennialv1.CustomerState{}
		if err := proto.Unmarshal(b, s); err != nil {
			return err.Error()
		}
		return s.String()
	}
	if c == nil {
		return "Redis: " + show(got) + "\nlog: nothing"
	}
	return "Redis: " + show(got) + "\nlog:   " + show(c.state.AppendTo(nil))
}

// checkUpdates sees that every update is the one of its version, and that each
// customer's newest one is there.
func checkUpdates(t testing.TB, w *world, pass *onePass) {
	t.Helper()
	newest := map[string]int64{}
	records, wrong := 0, 0
	readAll(t, w.client, w.client.Config().Topics.Updates, func(_ int32, r *task.Record) error {
		records++
		u := &perennialv1.CltvUpdate{}
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return err
		}
		c := pass.customers[string(r.Key)]
		if c == nil || u.Version < 1 || u.Version > int64(len(c.updates)) || !bytes.Equal(c.updates[u.Version-1], r.Value) {
			if wrong++; wrong <= 5 {
				t.Errorf("the update of %s to version %d at offset %d isn't what the log says: %v", r.Key, u.Version, r.Offset, u)
			}
			return nil
		}
		newest[string(r.Key)] = max(newest[string(r.Key)], u.Version)
		return nil
	})
	if wrong > 0 {
		t.Errorf("%d of %d updates are wrong", wrong, records)
	}
	versions := 0
	for key, c := range pass.customers {
		versions += len(c.updates)
		if newest[key] != int64(len(c.updates)) {
			t.Errorf("the newest update of %s is version %d, the state has %d", key, newest[key], len(c.updates))
		}
	}
	t.Logf("%d records of updates for %d versions", records, versions)
}

// checkChurn sees that there is a record of each change of band, and no other.
func checkChurn(t testing.TB, w *world, pass *onePass) {
	t.Helper()
	type change struct {
		key     string
		version int64
	}
	seen := map[change]bool{}
	readAll(t, w.client, w.client.Config().Topics.Churn, func(_ int32, r *task.Record) error {
		u := &perennialv1.ChurnRisk{}
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return err
		}
		if c := pass.customers[string(r.Key)]; c == nil || !bytes.Equal(c.churn[u.Version], r.Value) {
			t.Errorf("the churn record of %s at version %d isn't what the log says: %v", r.Key, u.Version, u)
		}
		seen[change{string(r.Key), u.Version}] = true
		return nil
	})
	for key, c := range pass.customers {
		for version := range c.churn {
			if !seen[change{key, version}] {
				t.Errorf("no churn record of %s at version %d", key, version)
			}
		}
	}
}

// checkDeadLetters sees that what was refused, and nothing else, is there.
func checkDeadLetters(t testing.TB, w *world, pass *onePass) {
	t.Helper()
	seen := map[place]bool{}
	readAll(t, w.client, stream.DeadLetterTopic(w.client.Config().Topics.Events), func(_ int32, r *task.Record) error {
		letter, ok := stream.ParseDeadLetter(r)
		if !ok {
			return fmt.Errorf("offset %d is no dead letter", r.Offset)
		}
		at := place{letter.Partition, letter.Offset}
		if _, refused := pass.dead[at]; !refused {
			t.Errorf("a dead letter of partition %d offset %d, which can be taken in", at.partition, at.offset)
		}
		seen[at] = true
		return nil
	})
	for at, code := range pass.dead {
		if !seen[at] {
			t.Errorf("no dead letter of partition %d offset %d, refused as %s", at.partition, at.offset, code)
		}
	}
}

func readAll(t testing.TB, client *stream.Client, topic string, do func(partition int32, r *task.Record) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := client.Read(ctx, topic, nil, do); err != nil {
		t.Fatalf("reading %s: %v", topic, err)
	}
}
