package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// TestTenantsThatAreNone: a tenant's name is a part of keys in Redis and Kafka. A
// record under a name that no intake lets pass is a dead letter whatever it
// holds, and the next owner finds nothing that it can't read.
func TestTenantsThatAreNone(t *testing.T) {
	stamp := timestamppb.New(time.UnixMilli(startOfTime))
	for _, tenant := range []string{"a/b", "~model", "Acme", "a b", "a{b}", "a:b", "\x00", strings.Repeat("a", 64)} {
		err := scripted(Options{}, func(s *script) {
			x := s.owner("A0")
			s.playback()
			s.order("a")
			s.put(tenant+"/c", &perennialv1.Event{
				Tenant: tenant, Customer: "c", Source: "crm", SourceEventId: "1", OccurredAt: stamp, RecordedAt: stamp,
				Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: "1", Amount: &perennialv1.Money{Minor: 1, Currency: "USD"}}},
			})
			s.put(tenant+"/~clock", &perennialv1.Event{Tenant: tenant, RecordedAt: stamp, Fact: &perennialv1.Event_ClockAdvanced{
				ClockAdvanced: &perennialv1.ClockAdvanced{To: stamp},
			}})
			s.put(tenant+"/~policy", &perennialv1.Event{Tenant: tenant, RecordedAt: stamp, Fact: &perennialv1.Event_PolicySet{
				PolicySet: &perennialv1.PolicySet{Number: 1},
			}})
			s.assign(x)
			s.until(x, s.idle)
			if n := len(s.kafka.topics[task.DeadLetters][0].records); n != 3 {
				s.fail("%d dead letters, want 3", n)
			}
			s.crash(x)
			s.end(s.owner("B0"))
			s.rebuildAll()
		})
		if err != nil {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
}

// TestClocksBeyondTime: a clock never goes back, so one that stands where no fact
// can be would end a tenant's time.
func TestClocksBeyondTime(t *testing.T) {
	stamp := timestamppb.New(time.UnixMilli(startOfTime))
	for _, year := range []int{1, 1969, 2200, 9999} {
		err := scripted(Options{}, func(s *script) {
			x := s.owner("A0")
			s.playback()
			s.order("a")
			s.put("acme/~clock", &perennialv1.Event{Tenant: "acme", Source: "importer", RecordedAt: stamp, Fact: &perennialv1.Event_ClockAdvanced{
				ClockAdvanced: &perennialv1.ClockAdvanced{To: timestamppb.New(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))},
			}})
			s.order("b")
			s.assign(x)
			s.until(x, s.idle)
			if n := len(s.kafka.topics[task.DeadLetters][0].records); n != 1 {
				s.fail("%d dead letters, want 1", n)
			}
			s.end(x)
		})
		if err != nil {
			t.Errorf("year %d: %v", year, err)
		}
	}
}

// TestLargeRecords: a record that no dead letter can hold, with a large value, a
// large key or large headers, stops nothing, and its letter says where it is.
func TestLargeRecords(t *testing.T) {
	large := bytes.Repeat([]byte{'x'}, 3<<20)
	for name, out := range map[string]task.Out{
		"value":   {Key: []byte("acme/a"), Value: large},
		"key":     {Key: large, Value: []byte("v")},
		"headers": {Key: []byte("acme/a"), Value: []byte{0xff}, Headers: []task.Header{{Key: "h", Value: large}}},
	} {
		err := scripted(Options{}, func(s *script) {
			x := s.owner("A0")
			s.playback()
			s.kafka.topics[task.Input][0].append(task.Token{}, s.now, out)
			s.order("a")
			s.assign(x)
			s.until(x, s.idle)
			letters := s.kafka.topics[task.DeadLetters][0].records
			if len(letters) != 1 || letters[0].Value != nil || Header(&letters[0].Record, "__connect.errors.omitted") == "" {
				s.fail("%d dead letters", len(letters))
			}
			if len(out.Key) < 100 && !bytes.Equal(letters[0].Key, out.Key) {
				s.fail("the letter's key is %.20q", letters[0].Key)
			}
			s.end(x)
		})
		if err != nil {
			t.Errorf("large %s: %v", name, err)
		}
	}
}

// TestLargeBatches: however many records, and customers, a batch may hold, what
// comes of it goes in pieces that a broker takes, in order.
func TestLargeBatches(t *testing.T) {
	o := Options{adjust: func(p *plan) { p.batchStates, p.batchBytes, p.fetch, p.cacheBytes = 5000, 8<<20, 5000, 8<<20 }}
	err := scripted(o, func(s *script) {
		x := s.owner("A0")
		s.playback()
		for i := range 3000 {
			s.order(fmt.Sprint(strings.Repeat("c", 190), i))
		}
		for i := range 1500 {
			s.kafka.topics[task.Input][0].append(task.Token{}, s.now, task.Out{Key: fmt.Appendf(nil, "acme/%d", i), Value: bytes.Repeat([]byte{0xff}, 1000)})
		}
		s.assign(x)
		s.checkpoint(x)
		s.end(x)
	})
	if err != nil {
		t.Error(err)
	}
}
