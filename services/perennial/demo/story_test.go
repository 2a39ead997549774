package demo

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/intake"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

// events answers all events of a story in the order in which they are played.
func events(t *testing.T, seed uint64) []*perennialv1.Event {
	t.Helper()
	s, err := NewStory(seed)
	if err != nil {
		t.Fatal(err)
	}
	var all []*perennialv1.Event
	for _, w := range s.Weeks {
		all = append(append(all, w.Calls...), w.Billing...)
	}
	return all
}

// TestStory checks that the purchases are the real ones, whatever the seed, and
// that the made-up calls keep the rules of a call centre and of the intakes.
func TestStory(t *testing.T) {
	for seed := range uint64(5) {
		checkStory(t, events(t, seed))
	}
}

func checkStory(t *testing.T, all []*perennialv1.Event) {
	t.Helper()
	purchases, err := cdnow.Read()
	if err != nil {
		t.Fatal(err)
	}
	left := map[cdnow.Purchase]int{}
	for _, p := range purchases {
		p.CDs = 0
		left[p]++
	}
	rules, err := intake.New(intake.Config{Kinds: intake.ExternalKinds, AllowBackfill: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	silent := map[string]time.Time{}
	for _, e := range all {
		if rejection := rules.Validate(e); rejection != nil {
			t.Fatalf("%s would be refused: %v", e.SourceEventId, rejection)
		}
		if ids[e.Source+e.SourceEventId] {
			t.Fatalf("%s comes twice", e.SourceEventId)
		}
		ids[e.Source+e.SourceEventId] = true
		if o := e.GetOrder(); o != nil {
			left[cdnow.Purchase{Customer: e.Customer, Day: e.OccurredAt.AsTime().Truncate(24 * time.Hour), AmountMinor: o.Amount.Minor}]--
		}
		if e.GetCallOutcome().GetDisposition() == perennialv1.Disposition_DISPOSITION_DO_NOT_CALL {
			if at, known := silent[e.Customer]; !known || e.OccurredAt.AsTime().Before(at) {
				silent[e.Customer] = e.OccurredAt.AsTime()
			}
		}
	}
	for p, n := range left {
		if n != 0 {
			t.Fatalf("purchase %+v: %d times too few", p, n)
		}
	}
	if len(silent) == 0 {
		t.Error("nobody asked not to be called")
	}
	for _, e := range all {
		at, asked := silent[e.Customer]
		if asked && e.GetCallOutcome().GetDirection() == perennialv1.Direction_DIRECTION_OUTBOUND && e.OccurredAt.AsTime().After(at) {
			t.Fatalf("customer %s was called at %s after asking at %s not to be", e.Customer, e.OccurredAt.AsTime(), at)
		}
	}
}

// TestSeed checks that a seed always tells the same story, and another seed
// another one.
func TestSeed(t *testing.T) {
	one, again, other := events(t, 1), events(t, 1), events(t, 2)
	if len(one) != len(again) {
		t.Fatalf("%d and %d events", len(one), len(again))
	}
	for i := range one {
		if !proto.Equal(one[i], again[i]) {
			t.Fatalf("event %d differs: %v, %v", i, one[i], again[i])
		}
	}
	same := 0
	for i := range min(len(one), len(other)) {
		if proto.Equal(one[i], other[i]) {
			same++
		}
	}
	if same == len(one) {
		t.Error("two seeds tell the same story")
	}
}
