package intake

import (
	"math"
	"sync"
	"time"
)

// Quota bounds the events of each tenant over time.
type Quota struct {
	// EventsPerSecond is what a tenant may send in the long run; 0: no bound.
	EventsPerSecond float64
	// Burst is how many more may come at once; at least 1 where there is a bound.
	Burst int
}

// maxBuckets bounds the memory for tenants. It is only reached where everybody
// is accepted and somebody makes tenants up; all start afresh then.
const maxBuckets = 100_000

// quotas is a token bucket for each tenant. A request is taken while the bucket
// isn't empty, whatever its size, and may leave it in debt: so a batch larger
// than the burst isn't refused for ever.
type quotas struct {
	quota Quota
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newQuotas(q Quota, now func() time.Time) *quotas {
	return &quotas{quota: q, now: now, buckets: make(map[string]*bucket)}
}

// take takes the events of a request, all or none: by tenant. wait is 0 where
// they were taken, else how long to stay away.
func (q *quotas) take(events map[string]int) (tenant string, wait time.Duration) {
	if q.quota.EventsPerSecond <= 0 {
		return "", 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for name := range events {
		b := q.refill(name, now)
		if b.tokens <= 0 {
			seconds := -b.tokens/q.quota.EventsPerSecond + 1/q.quota.EventsPerSecond
			w := time.Duration(math.Ceil(seconds * float64(time.Second)))
			if w > wait {
				tenant, wait = name, w
			}
		}
	}
	if wait > 0 {
		return tenant, wait
	}
	for name, n := range events {
		q.buckets[name].tokens -= float64(n)
	}
	return "", 0
}

// refill returns a tenant's bucket as of now.
func (q *quotas) refill(tenant string, now time.Time) *bucket {
	b := q.buckets[tenant]
	if b == nil {
		if len(q.buckets) >= maxBuckets {
			clear(q.buckets)
		}
		b = &bucket{tokens: float64(q.quota.Burst), at: now}
		q.buckets[tenant] = b
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(b.tokens+passed*q.quota.EventsPerSecond, float64(q.quota.Burst))
		b.at = now
	}
	return b
}
