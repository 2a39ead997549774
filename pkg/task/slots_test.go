package task

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// TestSlots drives slots and cache as batches do, at random, and holds them to what
// both must be at every border: a kept slot is its entry's and holds what the
// entry's value decodes to, a free one is nobody's, and the bounds hold.
func TestSlots(t *testing.T) {
	kept := 0 // by some seeds none is: their bound is too small for a state
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var l slots
		c := newLRU(20_000+rng.IntN(200_000), &l)
		var folder cltv.Folder
		offset := int64(0)
		for range 60 {
			var used []*slot
			for range 1 + rng.IntN(20) {
				e := entryOf(c, fmt.Sprintf("acme/c-%d", rng.IntN(30)))
				s, decoded := l.take(e)
				if decoded {
					kept++
				} else if err := s.state.Decode(e.value); err != nil {
					t.Fatal(err)
				}
				s.entry, s.tenant, s.traceparent = e, new(tenant), []byte("of a record")
				s.cause.Source = "of a record"
				offset++
				folder.Fold(&s.state, &cltv.Event{
					Kind: cltv.KindOrder, Tenant: "acme", Customer: "c", Source: "shop", SourceEventID: fmt.Sprint(offset),
					OccurredAt: 1_000_000 * offset, RecordedAt: 1_000_000 * offset, AmountMinor: 100, Currency: "USD",
				}, cltv.At{Offset: offset})
				if rng.IntN(4) > 0 {
					c.set(e, s.state.AppendTo(nil))
					l.putBack(s, rng.IntN(3) > 0)
					continue
				}
				// Its next record comes later in the batch; another customer's slot
				// must not be mistaken for it meanwhile.
				c.set(e, s.state.AppendTo(nil))
				used = append(used, s)
				e.slot = int32(len(used))
			}
			for _, s := range used {
				s.entry.slot = slotNone
				l.putBack(s, true)
			}
			switch rng.IntN(12) {
			case 0: // the batch is given up
				c.clear()
				l.drop()
			case 1:
				c.setLimit(20_000 + rng.IntN(200_000))
			}
			c.trim()
			checkSlots(t, c, &l)
		}
	}
	if kept < 10_000 {
		t.Errorf("only %d times a state was kept", kept)
	}
}

// TestFreeSlotsAreGivenBack: of very many slots that become free at once few stay.
func TestFreeSlotsAreGivenBack(t *testing.T) {
	var l slots
	c := newLRU(64<<20, &l)
	for n := range 4 * maxFree {
		e := entryOf(c, fmt.Sprintf("acme/c-%d", n))
		s, _ := l.take(e)
		s.entry = e
		l.putBack(s, true)
	}
	if l.bytes == 0 {
		t.Fatal("none is kept")
	}
	l.drop()
	if l.bytes != 0 || len(l.free) != maxFree {
		t.Errorf("%d bytes are kept and %d slots free, want 0 and %d", l.bytes, len(l.free), maxFree)
	}
}

// entryOf gives the entry of a key that is in no slot of the batch.
func entryOf(c *lru, key string) *entry {
	e := c.get([]byte(key))
	if e == nil {
		e = c.add(key)
		c.set(e, nil)
	}
	if e.slot != slotNone {
		return entryOf(c, key+"'")
	}
	return e
}

func checkSlots(t *testing.T, c *lru, l *slots) {
	t.Helper()
	bytes, n := 0, 0
	var after *slot
	for s := l.newest; s != nil; s = s.older {
		if s.newer != after || s.entry == nil || s.entry.kept != s || c.peek(s.entry.key) != s.entry {
			t.Fatalf("the slot of %+v isn't linked as it must be", s.entry)
		}
		if s.cause != (cltv.Event{}) || s.traceparent != nil || s.tenant != nil || s.step != (cltv.Step{}) {
			t.Fatalf("the slot of %s holds what a record said", s.entry.key)
		}
		if got, want := string(s.state.AppendTo(nil)), string(s.entry.value); got != want {
			t.Fatalf("%s: kept is %x, the value is %x", s.entry.key, got, want)
		}
		bytes, n, after = bytes+s.size, n+1, s
	}
	if l.oldest != after || l.bytes != bytes || bytes > l.limit || c.bytes+bytes > c.limit && c.len() > 0 {
		t.Fatalf("%d kept of %d bytes, counted %d, limits %d and %d", n, bytes, l.bytes, l.limit, c.limit)
	}
	if len(l.free) > maxFree {
		t.Fatalf("%d slots are free, at most %d may be", len(l.free), maxFree)
	}
	for _, s := range l.free {
		if s.entry != nil && s.entry.kept == s {
			t.Fatal("a free slot is an entry's")
		}
	}
}
