package cltv

import (
	"math/bits"
	"strconv"
)

// Dimension is what sums are broken down by.
type Dimension uint8

// The dimensions. Customers' figures go to the touch that won them; calls go to their own.
const (
	DimTenant Dimension = iota
	DimCohort
	DimSegment
	DimRegion
	DimTier
	DimBand
	DimCLTVBucket
	DimCampaign
	DimAgent
	DimOffer
	DimLeadSource
	NumDimensions

	firstTouchDimension = DimCampaign
)

var dimensionNames = [NumDimensions]string{
	"tenant", "cohort", "segment", "region", "tier", "band", "cltv_bucket", "campaign", "agent", "offer", "lead_source",
}

// String returns the dimension's name.
func (d Dimension) String() string {
	if d >= NumDimensions {
		return ""
	}
	return dimensionNames[d]
}

// Ids that no source can have given: tenants' own ids don't begin with "~" where it matters to them.
const (
	// AllID is the only id of DimTenant.
	AllID = "all"
	// NoneID stands for an empty id.
	NoneID = "~none"
	// EarlierID gathers the calls that fell out of a state.
	EarlierID = "~earlier"
)

// Contribution is what one state adds to its tenant's sums. It is a pure function of the stored state. Its texts are the
// State's, and valid as long as those.
type Contribution struct {
	exists bool
	ids    [NumDimensions]string
	// customer are the figures of the customer, or of the spend, without calls.
	customer Sums
	calls    []callLine
	closed   callFigures
	// What Difference hands out, kept here so that it needn't be allocated: the
	// figures with calls of a customer that stays, comes and goes.
	scratch, joining, leaving Sums
}

// callLine is what one kept call adds.
type callLine struct {
	stamp   stamp
	touch   Touch
	figures callFigures
}

// callFigures are what calls add.
type callFigures struct {
	calls, conversions, talkSeconds, costMinor int64
}

func (f *callFigures) addTo(v *Sums, sign int64) {
	v[SumCalls] += sign * f.calls
	v[SumConversions] += sign * f.conversions
	v[SumTalkSeconds] += sign * f.talkSeconds
	v[SumCallCost] += sign * f.costMinor
}

// Contribution calls add for everything that the state adds to the sums of its tenant, possibly several times for one id.
func (s *State) Contribution(add func(d Dimension, id string, v *Sums)) {
	var none, c Contribution
	c.Set(s)
	Difference(&none, &c, add)
}

// Set makes c what s contributes, reusing its memory.
func (c *Contribution) Set(s *State) {
	c.calls = c.calls[:0]
	c.exists, c.customer, c.closed = s.version > 0, Sums{}, callFigures{}
	if !c.exists {
		return
	}
	if s.IsSpend() {
		c.setSpend(s)
		return
	}
	c.setCustomer(s)
	c.setCalls(s)
}

func (c *Contribution) setSpend(s *State) {
	c.ids = [NumDimensions]string{}
	c.ids[DimTenant] = AllID
	c.setTouch(s.touch(s.spend.touch))
	c.customer[SumSpend], c.customer[SumSpendFacts] = s.spend.amountMinor, 1
}

func (c *Contribution) setTouch(t Touch) {
	c.ids[DimCampaign], c.ids[DimAgent] = orNone(t.Campaign), orNone(t.Agent)
	c.ids[DimOffer], c.ids[DimLeadSource] = orNone(t.Offer), orNone(t.LeadSource)
}

func orNone(id string) string {
	if id == "" {
		return NoneID
	}
	return id
}

func (c *Contribution) setCustomer(s *State) {
	k, v := &s.scored, &c.customer
	cltv := k.cltvMinor()
	c.ids[DimTenant] = AllID
	c.ids[DimCohort] = NoneID
	c.ids[DimSegment], c.ids[DimRegion] = orNone(s.Segment()), orNone(s.Region())
	c.ids[DimTier] = NoneID
	if k.tier > 0 {
		c.ids[DimTier] = tierIDs[k.tier-1 : k.tier]
	}
	c.ids[DimBand] = orNone(k.band.String())
	c.ids[DimCLTVBucket] = bucketID(cltv)
	c.setTouch(s.touch(k.acquisition))
	v[SumCustomers] = 1
	if k.transactions > 0 {
		v[SumBuyers] = 1
		c.ids[DimCohort] = monthID(k.firstDay)
	}
	v[SumTransactions] = int64(k.transactions)
	v[SumGross], v[SumRefunded], v[SumNet] = k.grossMinor, k.refundMinor, k.grossMinor-k.refundMinor
	v[SumMargin], v[SumServiceCost], v[SumCAC] = k.marginMinor, k.serviceMinor, k.cacMinor
	v[SumResidual], v[SumCLTV], v[SumNetCLTV] = k.residual, cltv, cltv-k.cacMinor
	v[SumValueAtRisk] = k.atRisk
	if k.band >= BandHigh {
		v[SumAtRisk] = 1
	}
}

func (c *Contribution) setCalls(s *State) {
	d := &s.closedCalls
	c.closed = callFigures{d.calls, d.conversions, d.talkSeconds, d.acquisitionMinor + d.serviceMinor}
	for i := range s.calls.items {
		v := &s.calls.items[i]
		if v.charged == 0 {
			continue
		}
		line := callLine{stamp: s.calls.stamps[i], touch: s.touch(v.touch),
			figures: callFigures{calls: 1, talkSeconds: int64(v.talkSeconds), costMinor: v.charged - 1}}
		if v.converts() {
			line.figures.conversions = 1
		}
		c.calls = append(c.calls, line)
	}
}

// withCalls are the figures of the customer and of all its calls.
func (c *Contribution) withCalls() Sums {
	v := c.customer
	c.closed.addTo(&v, 1)
	for i := range c.calls {
		c.calls[i].figures.addTo(&v, 1)
	}
	return v
}

// Difference calls add for everything by which after differs from before, so that the sums that contain before contain
// after. It may call it several times for one id, and never with all zeros. The vector is only valid during the call.
func Difference(before, after *Contribution, add func(d Dimension, id string, v *Sums)) {
	old := before.withCalls()
	after.joining = after.withCalls()
	after.hand(before, 0, firstTouchDimension, &old, add)
	after.joining = after.customer
	after.hand(before, firstTouchDimension, NumDimensions, &before.customer, add)
	after.handCalls(before, add)
}

// id is empty where c adds nothing in a dimension.
func (c *Contribution) id(d Dimension) string {
	if !c.exists {
		return ""
	}
	return c.ids[d]
}

// hand gives add what changes in the dimensions from first up to last. old are the figures before, c.joining those now.
func (c *Contribution) hand(before *Contribution, first, last Dimension, old *Sums, add func(d Dimension, id string, v *Sums)) {
	for i := range c.scratch {
		c.scratch[i], c.leaving[i] = c.joining[i]-old[i], -old[i]
	}
	var none Sums
	changed, left, joined := c.scratch != none, c.leaving != none, c.joining != none
	for d := first; d < last; d++ {
		from, to := before.id(d), c.id(d)
		if from == to {
			if changed && to != "" {
				add(d, to, &c.scratch)
			}
			continue
		}
		if left && from != "" {
			add(d, from, &c.leaving)
		}
		if joined && to != "" {
			add(d, to, &c.joining)
		}
	}
}

// handCalls goes through the calls of both in the order of their stamps.
func (c *Contribution) handCalls(before *Contribution, add func(d Dimension, id string, v *Sums)) {
	if before.closed != c.closed {
		c.scratch = Sums{}
		c.closed.addTo(&c.scratch, 1)
		before.closed.addTo(&c.scratch, -1)
		for d := firstTouchDimension; d < NumDimensions; d++ {
			add(d, EarlierID, &c.scratch)
		}
	}
	i, j := 0, 0
	for i < len(before.calls) || j < len(c.calls) {
		order := 0
		switch {
		case i == len(before.calls):
			order = 1
		case j == len(c.calls):
			order = -1
		default:
			order = compareStamps(before.calls[i].stamp, c.calls[j].stamp)
		}
		if order == 0 && before.calls[i].touch == c.calls[j].touch && before.calls[i].figures == c.calls[j].figures {
			i, j = i+1, j+1
			continue
		}
		if order <= 0 {
			c.handCall(&before.calls[i], -1, add)
			i++
		}
		if order >= 0 {
			c.handCall(&c.calls[j], 1, add)
			j++
		}
	}
}

func (c *Contribution) handCall(l *callLine, sign int64, add func(d Dimension, id string, v *Sums)) {
	c.scratch = Sums{}
	l.figures.addTo(&c.scratch, sign)
	for d, id := range [...]string{l.touch.Campaign, l.touch.Agent, l.touch.Offer, l.touch.LeadSource} {
		add(firstTouchDimension+Dimension(d), orNone(id), &c.scratch)
	}
}

const tierIDs = "0123456789"

// The buckets of the CLTV histogram: four to each doubling, so that a share of the total is found to a few per cent.
const bucketsPerDoubling = 4

// bucketIDs holds the id of each bucket that a value which isn't negative can be in.
var bucketIDs = func() []string {
	ids := make([]string, 64*bucketsPerDoubling)
	for i := range ids {
		ids[i] = strconv.FormatInt(bucketFrom(i), 10)
	}
	return ids
}()

// negativeBucketIDs holds those of their negatives.
var negativeBucketIDs = func() []string {
	ids := make([]string, len(bucketIDs))
	for i, id := range bucketIDs {
		ids[i] = "-" + id
	}
	return ids
}()

// bucketOf is the bucket of a value ≥ 0: the number of its doublings, and the two bits after the first.
func bucketOf(v int64) int {
	if v < bucketsPerDoubling {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - 3
	return (shift+1)*bucketsPerDoubling + int(v>>shift) - bucketsPerDoubling
}

// bucketFrom is the least value in a bucket.
func bucketFrom(bucket int) int64 {
	if bucket < bucketsPerDoubling {
		return int64(bucket)
	}
	shift := bucket/bucketsPerDoubling - 1
	return int64(bucketsPerDoubling+bucket%bucketsPerDoubling) << shift
}

// bucketID names the bucket of the CLTV histogram in which a value lies: by the least value in it, in minor units, that
// nearest to zero for a negative one.
func bucketID(cltvMinor int64) string {
	if cltvMinor < 0 {
		return negativeBucketIDs[bucketOf(-cltvMinor)]
	}
	return bucketIDs[bucketOf(cltvMinor)]
}
