package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// TestZipf compares how often each rank is drawn with the law.
func TestZipf(t *testing.T) {
	const n, draws = 50, 400_000
	z, random := newZipf(n, zipfExponent), rand.New(rand.NewPCG(1, 2))
	counts, sum := make([]int, n), 0.0
	for range draws {
		counts[z.draw(random)]++
	}
	for rank := range n {
		sum += math.Pow(float64(rank+1), -zipfExponent)
	}
	for rank, count := range counts {
		p := math.Pow(float64(rank+1), -zipfExponent) / sum
		if off := math.Abs(float64(count) - draws*p); off > 5*math.Sqrt(draws*p) {
			t.Errorf("rank %d was drawn %d times, expected %.0f", rank, count, draws*p)
		}
	}
}

// TestWorkload sees that the same seed gives the same events, and that what
// refers to something of the customer's refers to something that was.
func TestWorkload(t *testing.T) {
	const customers, events = 300, 20_000
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one := newWorkload(7, customers, events, 0, 300*24*time.Hour, now)
	two := newWorkload(7, customers, events, 0, 300*24*time.Hour, now)
	orders, tickets, of := map[string]bool{}, map[string]bool{}, map[int]int32{}
	for i := range events {
		var ev, again cltv.Event
		customer := one.next(&ev)
		two.next(&again)
		of[customer]++
		if ev != again {
			t.Fatalf("event %d differs between two workloads of one seed", i)
		}
		if ev.OccurredAt > ev.RecordedAt || ev.RecordedAt > now.UnixMilli() {
			t.Fatalf("event %d occurs at %d, is recorded at %d, now is %d", i, ev.OccurredAt, ev.RecordedAt, now.UnixMilli())
		}
		key := func(id string) string { return ev.Customer + "/" + id }
		switch ev.Kind {
		case cltv.KindOrder:
			orders[key(ev.Ref)] = true
		case cltv.KindRefund:
			if !orders[key(ev.Parent)] {
				t.Fatalf("event %d refunds %s, which the customer didn't order", i, ev.Parent)
			}
		case cltv.KindTicketOpened:
			tickets[key(ev.Ref)] = true
		case cltv.KindTicketResolved:
			if !tickets[key(ev.Ref)] {
				t.Fatalf("event %d resolves %s, which the customer didn't open", i, ev.Ref)
			}
		case cltv.KindCall:
		default:
			t.Fatalf("event %d is of kind %v", i, ev.Kind)
		}
	}
	for customer, n := range of {
		if one.known[customer].events != n {
			t.Errorf("customer %d has %d events, and %d are noted", customer, n, one.known[customer].events)
		}
	}
}

// TestLoadCountsByVersion sees that an update stands for every event that it
// contains, once, whatever order updates come in.
func TestLoadCountsByVersion(t *testing.T) {
	w := newWorkload(1, 1, 10, 0, time.Hour, time.Now())
	w.known[0].events = 4 // before the load
	l := newLoad(w, 5, 0, time.Second)
	l.begin = time.Now()
	h := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	saw := func(version int64) error {
		return l.saw(&perennialv1.CltvUpdate{Customer: customerID(0), Version: version}, l.begin.Add(2*time.Second), h)
	}
	for _, step := range []struct {
		version, counted int64
	}{{4, 0}, {6, 2}, {5, 2}, {6, 2}, {9, 5}} {
		if err := saw(step.version); err != nil {
			t.Fatal(err)
		}
		if h.TotalCount() != step.counted {
			t.Fatalf("version %d: %d events counted, want %d", step.version, h.TotalCount(), step.counted)
		}
	}
	select {
	case <-l.done:
	default:
		t.Error("all events were seen, and the load isn't done")
	}
	if saw(10) == nil {
		t.Error("a version that no event explains was taken")
	}
}
