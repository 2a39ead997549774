package intake

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestQuotaHoldsInTheLongRun(t *testing.T) {
	clock := now
	q := newQuotas(Quota{EventsPerSecond: 10, Burst: 20}, func() time.Time { return clock })
	r := rand.New(rand.NewPCG(3, 4))
	taken, largest := 0, 0
	for clock.Sub(now) < time.Hour {
		n := r.IntN(60) + 1
		if _, wait := q.take(map[string]int{"acme": n}); wait > 0 {
			// Who waits as told is let in.
			clock = clock.Add(wait)
			if _, again := q.take(map[string]int{"acme": n}); again > 0 {
				t.Fatalf("told to wait %v, then %v more", wait, again)
			}
		}
		taken, largest = taken+n, max(largest, n)
		clock = clock.Add(time.Duration(r.IntN(int(time.Second))))
	}
	if most := int(clock.Sub(now).Seconds()*10) + 20 + largest; taken > most {
		t.Errorf("%d events passed, at most %d may", taken, most)
	}
	if taken < 10*3_000 {
		t.Errorf("only %d events passed", taken)
	}
}

func TestQuotaIsTakenWholeOrNotAtAll(t *testing.T) {
	q := newQuotas(Quota{EventsPerSecond: 1, Burst: 2}, func() time.Time { return now })
	if _, wait := q.take(map[string]int{"acme": 5}); wait != 0 {
		t.Fatal("a batch larger than the burst is refused for ever")
	}
	if tenant, wait := q.take(map[string]int{"acme": 1, "globex": 1}); tenant != "acme" || wait != 4*time.Second {
		t.Errorf("%s waits %v", tenant, wait)
	}
	if _, wait := q.take(map[string]int{"globex": 2}); wait != 0 {
		t.Error("globex paid for a request that was refused")
	}
	for i := range 2 * maxBuckets {
		q.take(map[string]int{fmt.Sprint(i): 1})
	}
	if len(q.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(q.buckets))
	}
}
