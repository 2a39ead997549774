package cltv

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// sumKey is one vector of sums.
type sumKey struct {
	d  Dimension
	id string
}

// totals adds up what add is called with.
type totals map[sumKey]Sums

func (m totals) add(d Dimension, id string, v *Sums) {
	id = strings.Clone(id) // it is the State's
	sum := m[sumKey{d, id}]
	if !sum.Add(v, 1) {
		panic("overflow")
	}
	if sum.IsZero() {
		delete(m, sumKey{d, id})
	} else {
		m[sumKey{d, id}] = sum
	}
}

// TestDifferencesAddUp: however the records of many customers are cut into batches, the sums of all differences are what
// the states contribute at the end.
func TestDifferencesAddUp(t *testing.T) {
	params := with(t, testParams(t), policyEvent(Policy{Number: 9, KeepTransactions: 8, KeepCalls: 4, MinuteCostMinor: 30}))
	sums, want := make(totals), make(totals)
	for seed := range uint64(150) {
		g := newScenario(seed)
		g.fill(1 + g.IntN(80))
		if seed%10 == 0 {
			g.events = spends(g)
		}
		var f Folder
		var before, after Contribution
		var blob []byte
		for i := 0; i < len(g.events); {
			var s State
			if err := s.Decode(blob); err != nil {
				t.Fatal(err)
			}
			before.Set(&s)
			for range 1 + g.IntN(5) {
				if i < len(g.events) {
					f.Fold(&s, &g.events[i], At{Offset: int64(i), Params: params})
					i++
				}
			}
			after.Set(&s)
			Difference(&before, &after, func(d Dimension, id string, v *Sums) {
				if id == "" || v.IsZero() {
					t.Fatalf("%v %q %v", d, id, v)
				}
				sums.add(d, id, v)
			})
			blob = s.AppendTo(nil)
		}
		var s State
		if err := s.Decode(blob); err != nil {
			t.Fatal(err)
		}
		s.Contribution(want.add)
	}
	if len(sums) != len(want) || len(want) < 40 {
		t.Fatalf("%d sums, want %d", len(sums), len(want))
	}
	for key, v := range want {
		if sums[key] != v {
			t.Errorf("%v %s: %v, want %v", key.d, key.id, sums[key], v)
		}
	}
	checkBreakdowns(t, want)
}

// spends turns a scenario into one record of marketing spend in several revisions.
func spends(g *scenario) []Event {
	var events []Event
	for range 5 {
		ev := g.base(KindMarketingSpend)
		ev.Customer, ev.Source, ev.SourceEventID = "", "ads", "s1"
		ev.Revision, ev.AmountMinor, ev.Currency = g.Int64N(4), g.Int64N(90_000), "USD"
		ev.Touch = Touch{Campaign: g.pick("c1", "c2")}
		events = append(events, ev)
	}
	return events
}

// checkBreakdowns: in every dimension the parts add up to the whole.
func checkBreakdowns(t *testing.T, all totals) {
	t.Helper()
	whole := all[sumKey{DimTenant, AllID}]
	if whole[SumCustomers] == 0 || whole[SumSpend] == 0 || whole[SumConversions] == 0 || whole[SumValueAtRisk] == 0 {
		t.Fatalf("the test shows too little: %v", whole)
	}
	for d := Dimension(0); d < NumDimensions; d++ {
		var sum Sums
		for key, v := range all {
			if key.d == d {
				sum.Add(&v, 1)
			}
		}
		expect := whole
		if d != DimTenant && d < firstTouchDimension {
			// Spend has no customer, hence no cohort, segment, …
			expect[SumSpend], expect[SumSpendFacts] = 0, 0
		}
		if sum != expect {
			t.Errorf("%v adds up to %v, want %v", d, sum, expect)
		}
	}
}

func TestSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var v, got Sums
		for i := range v {
			if r.IntN(2) == 0 {
				v[i] = r.Int64N(SumLimit) >> r.IntN(62)
				v[i] -= r.Int64N(SumLimit) >> r.IntN(62)
			}
		}
		if err := got.Decode(v.AppendTo(nil)); err != nil || got != v {
			t.Fatalf("%v came back as %v, %v", v, got, err)
		}
		sum := v
		if !sum.Add(&v, -1) || !sum.IsZero() {
			t.Fatalf("%v less itself is %v", v, sum)
		}
	}
	full := Sums{SumGross: SumLimit - 5}
	before := full
	if full.Add(&Sums{SumCustomers: 1, SumGross: 6}, 1) || full != before {
		t.Error("a sum passed the limit, or was changed")
	}
	if !full.Add(&Sums{SumGross: 5}, 1) || full[SumGross] != SumLimit {
		t.Error("the limit itself was refused")
	}
	var v Sums
	for _, b := range [][]byte{{0x80}, append(make([]byte, NumSumFields), 2), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if v.Decode(b) == nil {
			t.Errorf("%x was taken for sums", b)
		}
	}
}

// TestBuckets: buckets are in order, without gaps, and every value is in that whose least value isn't above it.
func TestBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for bucket := 1; bucket < 200; bucket++ {
		from := bucketFrom(bucket)
		if bucketOf(from) != bucket || bucketOf(from-1) != bucket-1 {
			t.Fatalf("bucket %d begins at %d, which is in %d; before it %d", bucket, from, bucketOf(from), bucketOf(from-1))
		}
	}
	for range 10_000 {
		v := r.Int64N(4 * maxTotalMinor)
		from, err := strconv.ParseInt(bucketID(v), 10, 64)
		if err != nil || from > v || float64(v) > 1.25*float64(from)+1 {
			t.Fatalf("%d is in bucket %s", v, bucketID(v))
		}
		if v > 0 && bucketID(-v) != "-"+bucketID(v) {
			t.Fatalf("%d is in bucket %s", -v, bucketID(-v))
		}
	}
}

func TestMonthID(t *testing.T) {
	for day, want := range map[int32]string{0: "1970-01", -1: "1969-12", 9862: "1997-01", 9892: "1997-01", 9893: "1997-02", 84_005: "2199-12"} {
		if got := monthID(day); got != want {
			t.Errorf("day %d is in %s, want %s", day, got, want)
		}
	}
	if monthID(-1_000_000) == "" || monthID(1_000_000) == "" {
		t.Error("no month for a day out of range")
	}
}
