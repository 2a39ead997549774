package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// The tenant whose customers call, and its currency.
const (
	tenant   = "acme-direct"
	currency = "USD"
)

// The names in the events: as many of each as a middling call centre has.
var (
	campaigns   = names("spring-%02d", 24)
	agents      = names("agent-%03d", 220)
	offers      = names("gold-%02d", 14)
	leadSources = []string{"web-form", "radio", "mail", "tv", "partner", "referral"}
	products    = names("plan-%02d", 30)
	categories  = []string{"billing", "delivery", "technical", "cancellation"}
)

func names(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i+1)
	}
	return all
}

// workload draws events, the same for the same seed. Of a hundred, about 58 are
// calls, 28 orders, 4 refunds of an earlier order, 6 tickets opened and 4
// resolved.
type workload struct {
	random    *rand.Rand
	customers int
	zipf      *zipf // nil: uniform
	begin     time.Time
	step      time.Duration // between two events
	drawn     int
	known     []history // by customer
	kinds     map[cltv.Kind]int
}

// history is what later events of a customer refer to.
type history struct {
	events      int32
	order       int32 // number of the event with the latest order, 0: none
	amountMinor int32
	ticket      int32 // number of the event that opened a ticket, 0: none is open
	// The latest call's campaign, agent and offer; 0: there was none.
	campaign, agent, offer uint16
}

// touch names what brought an event about; the lead source is that from which the
// customer came.
func (h *history) touch(customer int) cltv.Touch {
	if h.campaign == 0 {
		return cltv.Touch{LeadSource: leadSources[customer%len(leadSources)]}
	}
	return cltv.Touch{
		Campaign: campaigns[h.campaign-1], Agent: agents[h.agent-1], Offer: offers[h.offer-1],
		LeadSource: leadSources[customer%len(leadSources)],
	}
}

// newWorkload draws count events of customers over span, the last of them some
// minutes ago: they arrived when they happened, so that scores age between two
// events of a customer, and due days pass. skew is the exponent of Zipf's law, 0
// for uniform.
func newWorkload(seed uint64, customers, count int, skew float64, span time.Duration, now time.Time) *workload {
	w := &workload{
		random: rand.New(rand.NewPCG(seed, 0)), customers: customers,
		begin: now.Add(-span - 5*time.Minute), step: span / time.Duration(max(count, 1)),
		known: make([]history, customers), kinds: map[cltv.Kind]int{},
	}
	if skew > 0 {
		w.zipf = newZipf(customers, skew)
	}
	return w
}

// customer draws one.
func (w *workload) customer() int {
	if w.zipf != nil {
		return w.zipf.draw(w.random)
	}
	return w.random.IntN(w.customers)
}

// next fills ev with the next event of the history.
func (w *workload) next(ev *cltv.Event) (customer int) {
	customer = w.customer()
	w.event(ev, customer, w.begin.Add(time.Duration(w.drawn)*w.step))
	return customer
}

// event fills ev with an event of a customer at a time.
func (w *workload) event(ev *cltv.Event, customer int, at time.Time) {
	w.drawn++
	r, h, number := w.random, &w.known[customer], int32(w.drawn)
	h.events++
	*ev = cltv.Event{
		Tenant: tenant, Customer: customerID(customer),
		OccurredAt: at.UnixMilli(), RecordedAt: at.UnixMilli() + 40 + r.Int64N(2000),
	}
	switch p := r.IntN(100); {
	case p < 4 && h.order != 0:
		w.refund(ev, h, number)
	case p < 8 && h.ticket != 0:
		ev.Kind, ev.Source, ev.SourceEventID = cltv.KindTicketResolved, "helpdesk", fmt.Sprintf("tick-%08x-r", h.ticket)
		ev.Ref = fmt.Sprintf("tick-%08x", h.ticket)
		h.ticket = 0
	case p < 14:
		ev.Kind, ev.Source, ev.SourceEventID = cltv.KindTicketOpened, "helpdesk", fmt.Sprintf("tick-%08x-o", number)
		ev.Ref, ev.Product = fmt.Sprintf("tick-%08x", number), categories[r.IntN(len(categories))]
		ev.Number, ev.Flag = 1+int32(r.IntN(4)), r.IntN(10) < 3
		h.ticket = number
	case p < 42:
		w.order(ev, h, number)
		if r.IntN(10) < 7 { // the others came without a call
			ev.Touch = h.touch(customer)
		}
	default:
		w.call(ev, number)
		h.campaign, h.agent, h.offer = draw(r, campaigns), draw(r, agents), draw(r, offers)
		ev.Touch = h.touch(customer)
	}
	w.kinds[ev.Kind]++
}

// draw answers the place of one of list, counted from 1.
func draw(r *rand.Rand, list []string) uint16 { return uint16(1 + r.IntN(len(list))) }

func (w *workload) call(ev *cltv.Event, number int32) {
	r := w.random
	ev.Kind, ev.Source, ev.SourceEventID = cltv.KindCall, "dialer", fmt.Sprintf("call-%08x", number)
	ev.Code = [...]int32{cltv.DispositionSale, 2, 2, 3, 3, 5, 6, 7, 8, 9}[r.IntN(10)]
	ev.Code2 = 1 + int32(r.IntN(2))
	ev.Number, ev.Number2 = int32(r.IntN(900)), int32(r.IntN(90))
	ev.CostMinor, ev.CostCurrency, ev.HasCost = 20+int64(ev.Number)*45/60, currency, true
}

func (w *workload) order(ev *cltv.Event, h *history, number int32) {
	r := w.random
	ev.Kind, ev.Source, ev.SourceEventID = cltv.KindOrder, "billing", fmt.Sprintf("evt-%08x", number)
	ev.Ref, ev.Product, ev.Code = orderID(number), products[r.IntN(len(products))], 1
	// Log-normal around 35.00, as baskets are.
	ev.AmountMinor = int64(math.Exp(math.Log(3500)+.7*r.NormFloat64())) + 100
	ev.Currency = currency
	if r.IntN(10) < 6 {
		ev.CostMinor, ev.CostCurrency, ev.HasCost = ev.AmountMinor*int64(30+r.IntN(40))/100, currency, true
	}
	h.order, h.amountMinor = number, int32(min(ev.AmountMinor, math.MaxInt32))
}

func (w *workload) refund(ev *cltv.Event, h *history, number int32) {
	ev.Kind, ev.Source, ev.SourceEventID = cltv.KindRefund, "billing", fmt.Sprintf("evt-%08x", number)
	ev.Ref, ev.Parent = fmt.Sprintf("ref-%08x", number), orderID(h.order)
	ev.AmountMinor, ev.Currency, ev.Code, ev.Code2 = int64(h.amountMinor), currency, 1, 2
	if w.random.IntN(2) == 0 {
		ev.AmountMinor /= 2
	}
	h.order = 0
}

func orderID(number int32) string { return fmt.Sprintf("ord-%08x", number) }

func customerID(n int) string { return fmt.Sprintf("c-%07d", n) }

// customerNumber undoes customerID.
func customerNumber(id string) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(id, "c-"), 10, 32)
	return int32(n), err
}

// zipf draws 0 … n−1 with probability proportional to 1/(rank+1)^s, by its table
// of cumulative probabilities; rand.Zipf knows only s > 1.
type zipf struct{ cumulative []float64 }

func newZipf(n int, s float64) *zipf {
	z := &zipf{make([]float64, n)}
	sum := 0.0
	for i := range z.cumulative {
		sum += math.Pow(float64(i+1), -s)
		z.cumulative[i] = sum
	}
	return z
}

func (z *zipf) draw(r *rand.Rand) int {
	u := r.Float64() * z.cumulative[len(z.cumulative)-1]
	return min(sort.SearchFloat64s(z.cumulative, u), len(z.cumulative)-1)
}
