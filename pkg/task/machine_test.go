package task

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

func TestRecordCRC(t *testing.T) {
	// CRC-32C of 00 00 00 03 "a/b" "value", by another implementation.
	r := Record{Offset: 9, Key: []byte("a/b"), Value: []byte("value")}
	if got, want := RecordCRC(&r), crcByBits(append([]byte{0, 0, 0, 3}, "a/bvalue"...)); got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
	other := Record{Offset: 9, Key: []byte("a/bv"), Value: []byte("alue")}
	if RecordCRC(&r) == RecordCRC(&other) {
		t.Error("the border between key and value doesn't count")
	}
}

// crcByBits is CRC-32C bit by bit.
func crcByBits(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78&-(crc&1)
		}
	}
	return ^crc
}

func TestNextSequenceWrapsAsKafkas(t *testing.T) {
	for _, c := range []struct {
		sequence int32
		n        int
		want     int32
	}{
		{0, 1, 1}, {5, 500, 505}, {math.MaxInt32 - 1, 1, math.MaxInt32},
		// DefaultRecordBatch.incrementSequence: increment − (MAX − sequence) − 1.
		{math.MaxInt32, 1, 0}, {math.MaxInt32 - 2, 10, 7},
	} {
		if got := nextSequence(c.sequence, c.n); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.sequence, c.n, got, c.want)
		}
	}
}

func TestKeyIsOf(t *testing.T) {
	order := cltv.Event{Tenant: "acme", Customer: "c1", Kind: cltv.KindOrder}
	spend := cltv.Event{Tenant: "acme", Source: "ads", SourceEventID: "7", Kind: cltv.KindMarketingSpend}
	model := cltv.Event{Tenant: "acme", Kind: cltv.KindModelPublished}
	for _, c := range []struct {
		key  string
		ev   *cltv.Event
		want bool
	}{
		{"acme/c1", &order, true}, {"acme/c2", &order, false}, {"acm/c1", &order, false}, {"acme", &order, false}, {"acme/", &order, false},
		{"", &order, false}, {"/c1", &cltv.Event{Customer: "c1"}, false}, {"acme/~c", &cltv.Event{Tenant: "acme", Customer: "~c"}, false},
		{"acme/~spend/ads/7", &spend, true}, {"acme/~spend/ads/8", &spend, false}, {"acme/", &spend, false},
		{"acme/~model", &model, true}, {"acme/~", &model, false}, {"acme/x", &model, false},
	} {
		if got := keyIsOf([]byte(c.key), c.ev); got != c.want {
			t.Errorf("%q: %v, want %v", c.key, got, c.want)
		}
	}
}

// TestLRU holds the cache against a plain model: what it has is what was set,
// the bound holds after each trim, and what was used last leaves last.
func TestLRU(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		limit := rng.IntN(4000)
		l := newLRU(limit, new(slots))
		values := map[string][]byte{}
		var order []string // most recently used last
		use := func(key string) {
			for i, k := range order {
				if k == key {
					order = append(order[:i], order[i+1:]...)
					break
				}
			}
			order = append(order, key)
		}
		for range 400 {
			key := fmt.Sprint("k", rng.IntN(30))
			e := l.get([]byte(key))
			if e == nil {
				e = l.add(key)
			} else if !bytes.Equal(e.value, values[key]) {
				t.Fatalf("%s is %q, want %q", key, e.value, values[key])
			}
			use(key)
			if value := make([]byte, rng.IntN(300)); rng.IntN(2) == 0 {
				for i := range value {
					value[i] = byte(rng.IntN(256))
				}
				l.set(e, value)
				values[key] = value
			} else if !e.loaded {
				l.set(e, nil)
				delete(values, key)
			}
			l.trim()
			if l.bytes > limit && l.len() > 0 {
				t.Fatalf("%d bytes, at most %d", l.bytes, limit)
			}
			size := 0
			for i, k := range order[max(0, len(order)-l.len()):] {
				e := l.peek(k)
				if e == nil {
					t.Fatalf("%s left before an older one (%d of %d)", k, i, l.len())
				}
				size += e.size()
			}
			if size != l.bytes {
				t.Fatalf("counts %d bytes, has %d", l.bytes, size)
			}
		}
	}
}

func TestPhasesAreComplete(t *testing.T) {
	for p, ph := range phases {
		if ph.name == "" || ph.next == nil {
			t.Errorf("phase %d is not in the table", p)
		}
	}
}

func TestRulesAreListed(t *testing.T) {
	seen := Rule(0)
	for _, r := range AllRules {
		if r.Rule&(r.Rule-1) != 0 || seen&r.Rule != 0 || r.Name == "" {
			t.Errorf("rule %b %q is no rule of its own", r.Rule, r.Name)
		}
		seen |= r.Rule
	}
	if seen != numRulesEnd-1 {
		t.Errorf("rules %b are listed, %b exist", seen, numRulesEnd-1)
	}
}
