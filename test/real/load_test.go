package real_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// load publishes a stream of facts as sources do: out of order, some twice, some
// corrected, refunds before their orders, and some that nobody can read. One half
// goes straight into customer.events.v1, the other through the intakes' topics,
// as protobuf and as JSON. Everything it publishes follows from its seed, but for
// the times.
type load struct {
	rng      *rand.Rand
	client   *stream.Client
	producer *stream.Producer
	tenants  []string
	ids      int

	held   []*perennialv1.Event // made, to be published later than what follows
	orders map[string][]string  // published or announced, by tenant/customer

	mu        sync.Mutex
	published map[identity]bool
	poison    int // records without an event, for the raw topics
	records   int

	cancel context.CancelFunc
	done   chan error
}

const (
	loadCustomers = 150 // of each tenant
	loadBatch     = 40  // events of one round
	loadEvery     = 40 * time.Millisecond
)

// parameters are those of each tenant. Everything is kept one by one, because the
// oracle knows no bounds.
var parameters = []struct{ kind, text string }{
	{"policy", `{"number": "1", "currency": "USD", "timeZone": "America/New_York", "marginPpm": 600000, "minuteCostMinor": "12", "ticketCostMinor": "90",
		"keepTransactions": 512, "keepCalls": 512, "keepRefunds": 128, "keepMarks": 512}`},
	{"model", `{"number": "1", "modelId": "cdnow", "bgNbd": {"r": 0.242594, "alpha": 4.41360, "a": 0.792922, "b": 2.425906},
		"gammaGamma": {"p": 6.24935, "q": 3.74426, "gamma": 15.44431}}`},
	{"thresholds", `{"number": "1", "tiers": [{"name": "silver", "fromMinor": "50000"}, {"name": "gold", "fromMinor": "150000"}]}`},
	{"unit-costs", `{"number": "1", "defaultMinor": "300", "byCampaign": {"spring": "700"}}`},
}

// startLoad publishes the tenants' parameters and then facts until stop.
func startLoad(t testing.TB, w *world, seed uint64) *load {
	t.Helper()
	t.Logf("load with seed %d", seed)
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{
		rng: rand.New(rand.NewPCG(seed, 7)), client: w.client, producer: w.client.NewProducer(), tenants: []string{"acme", "zoo-2"},
		orders: map[string][]string{}, published: map[identity]bool{}, cancel: cancel, done: make(chan error, 1),
	}
	dir := t.TempDir()
	for _, p := range parameters {
		file := filepath.Join(dir, p.kind+".json")
		if err := os.WriteFile(file, []byte(p.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, tenant := range l.tenants {
			run(t, w.env, "publish", p.kind, "--tenant", tenant, file)
		}
	}
	go func() { l.done <- l.run(ctx) }()
	t.Cleanup(func() { l.cancel() })
	return l
}

// stop publishes what is still held and returns when all of it is in Kafka.
func (l *load) stop(t testing.TB) {
	t.Helper()
	l.cancel()
	select {
	case err := <-l.done:
		if err != nil {
			t.Fatalf("publishing: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("the load didn't end within %v", patience)
	}
	l.done <- nil // for the second caller
	t.Logf("published %d records of %d events", l.records, len(l.published))
}

// count is how many events were published so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.published)
}

func (l *load) run(ctx context.Context) error {
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.publish(l.round()); err != nil {
				return err
			}
		case <-ctx.Done():
			return errors.Join(l.publish(l.held), l.close())
		}
	}
}

func (l *load) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return l.producer.Close(ctx)
}

// round makes the next events: new ones, some held back from earlier rounds,
// some again.
func (l *load) round() []*perennialv1.Event {
	var now []*perennialv1.Event
	for range loadBatch {
		ev := l.event()
		switch {
		case l.rng.IntN(5) == 0:
			l.held = append(l.held, ev)
			continue
		case l.rng.IntN(20) == 0:
			now = append(now, ev) // twice
		case l.rng.IntN(25) == 0:
			now = append(now, corrected(l.rng, ev))
		}
		now = append(now, ev)
	}
	for len(l.held) > 500 {
		i := l.rng.IntN(len(l.held))
		now = append(now, l.held[i])
		l.held = slices.Delete(l.held, i, i+1)
	}
	l.rng.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
	return now
}

// corrected is a later revision of an event.
func corrected(rng *rand.Rand, ev *perennialv1.Event) *perennialv1.Event {
	ev = proto.CloneOf(ev)
	ev.Revision++
	switch f := ev.Fact.(type) {
	case *perennialv1.Event_Order:
		f.Order.Amount.Minor = int64(rng.IntN(20_000))
	case *perennialv1.Event_Refund:
		f.Refund.Amount.Minor = int64(rng.IntN(9_000))
	}
	return ev
}

// event makes one fact of a customer, of the last year.
func (l *load) event() *perennialv1.Event {
	l.ids++
	tenant := l.tenants[l.rng.IntN(len(l.tenants))]
	ev := &perennialv1.Event{
		Tenant: tenant, Customer: fmt.Sprint("c", l.rng.IntN(loadCustomers)), Source: "crm", SourceEventId: fmt.Sprint("e", l.ids),
		OccurredAt: timestamppb.New(time.Now().Add(-time.Duration(l.rng.IntN(365*24*3600)) * time.Second).Truncate(time.Second)),
	}
	who := tenant + "/" + ev.Customer
	switch k := l.rng.IntN(100); {
	case k < 35:
		ev.Fact = &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: l.newOrder(who), Amount: l.money(20_000), Touch: l.touch()}}
	case k < 45:
		ev.Fact = &perennialv1.Event_Refund{Refund: &perennialv1.Refund{RefundId: fmt.Sprint("r", l.ids), OrderId: l.anyOrder(who), Amount: l.money(9_000)}}
	case k < 50:
		ev.Fact = &perennialv1.Event_Payment{Payment: &perennialv1.Payment{PaymentId: fmt.Sprint("p", l.ids), OrderId: l.anyOrder(who), Amount: l.money(20_000)}}
	case k < 80:
		ev.Fact = &perennialv1.Event_CallOutcome{CallOutcome: &perennialv1.CallOutcome{
			Touch: l.touch(), Disposition: perennialv1.Disposition(1 + l.rng.IntN(14)), Direction: perennialv1.Direction(1 + l.rng.IntN(2)),
			TalkSeconds: int32(l.rng.IntN(900)), WrapSeconds: int32(l.rng.IntN(60)), Cost: l.money(400),
		}}
	case k < 85:
		ev.Fact = &perennialv1.Event_TicketOpened{TicketOpened: &perennialv1.TicketOpened{TicketId: fmt.Sprint("t", l.ids), Complaint: l.rng.IntN(2) == 0}}
	case k < 90:
		ev.Fact = &perennialv1.Event_SurveyAnswer{SurveyAnswer: &perennialv1.SurveyAnswer{Score: int32(l.rng.IntN(11))}}
	case k < 94:
		ev.Fact = &perennialv1.Event_Profile{Profile: &perennialv1.Profile{Segment: []string{"smb", "pro"}[l.rng.IntN(2)], Region: "north"}}
	case k < 97:
		ev.Fact = &perennialv1.Event_Consent{Consent: &perennialv1.Consent{Channel: perennialv1.ConsentChannel(l.rng.IntN(4)), Granted: l.rng.IntN(2) == 0, Evidence: "form"}}
	default:
		ev.Customer = ""
		ev.Fact = &perennialv1.Event_MarketingSpend{MarketingSpend: &perennialv1.MarketingSpend{Touch: &perennialv1.Touch{Campaign: "spring"}, Amount: l.money(50_000)}}
	}
	return ev
}

func (l *load) money(below int) *perennialv1.Money {
	return &perennialv1.Money{Minor: int64(l.rng.IntN(below)), Currency: "USD"}
}

func (l *load) touch() *perennialv1.Touch {
	return &perennialv1.Touch{Campaign: []string{"spring", "autumn", ""}[l.rng.IntN(3)], Agent: fmt.Sprint("agent", l.rng.IntN(4))}
}

func (l *load) newOrder(who string) string {
	id := fmt.Sprint("o", l.ids)
	l.orders[who] = append(l.orders[who], id)
	return id
}

// anyOrder is one of the customer's orders, which may not be published yet.
func (l *load) anyOrder(who string) string {
	if known := l.orders[who]; len(known) > 0 {
		return known[l.rng.IntN(len(known))]
	}
	return l.newOrder(who)
}

// publish sends events until Kafka has them all.
func (l *load) publish(events []*perennialv1.Event) error {
	topics := l.client.Config().Topics
	messages := map[string][]stream.Message{}
	for _, ev := range events {
		topic, m, err := l.message(ev)
		if err != nil {
			return err
		}
		messages[topic] = append(messages[topic], m)
	}
	if l.rng.IntN(10) == 0 {
		topic, m, err := l.hostile()
		if err != nil {
			return err
		}
		messages[topic] = append(messages[topic], m)
	}
	for _, topic := range []string{topics.Events, topics.Calls, topics.Billing} {
		if err := l.send(topic, messages[topic]); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range events {
		l.published[identity{ev.Tenant, ev.Source, ev.SourceEventId, ev.Revision}] = true
	}
	l.records += len(events)
	return nil
}

// hostile makes what must become a dead letter.
func (l *load) hostile() (topic string, m stream.Message, err error) {
	topics := l.client.Config().Topics
	ev := &perennialv1.Event{
		Tenant: "acme", Customer: "c1", Source: "crm", SourceEventId: "hostile", OccurredAt: timestamppb.Now(), RecordedAt: timestamppb.Now(),
		Fact: &perennialv1.Event_Order{Order: &perennialv1.Order{OrderId: "hostile", Amount: &perennialv1.Money{Minor: 1, Currency: "USD"}}},
	}
	m.Key, topic = []byte("acme/c1"), topics.Events
	switch l.rng.IntN(6) {
	case 0: // nobody can read it
		m.Value = []byte{0xff, byte(l.rng.IntN(256)), 1}
		return topic, m, nil
	case 1: // nor there
		l.poison++
		m.Value = []byte{0xff, byte(l.rng.IntN(256)), 1}
		return []string{topics.Calls, topics.Billing}[l.rng.IntN(2)], m, nil
	case 2: // another customer's key
		m.Key = []byte("acme/c2")
	case 3: // from the future
		ev.RecordedAt = timestamppb.New(time.Now().Add(24 * time.Hour))
	case 4: // foreign money
		ev.Fact.(*perennialv1.Event_Order).Order.Amount.Currency = "EUR"
	default: // no fact
		ev.Fact = nil
	}
	m.Value, err = proto.Marshal(ev)
	return topic, m, err
}

// message chooses the way of an event and its encoding.
func (l *load) message(ev *perennialv1.Event) (topic string, m stream.Message, err error) {
	topics := l.client.Config().Topics
	if l.rng.IntN(2) == 0 {
		direct := proto.CloneOf(ev)
		direct.RecordedAt = timestamppb.New(time.Now())
		m.Key = []byte(ev.Tenant + "/" + ev.Customer)
		if ev.Customer == "" {
			m.Key = []byte(ev.Tenant + "/~spend/" + ev.Source + "/" + ev.SourceEventId)
		}
		m.Value, err = proto.Marshal(direct)
		return topics.Events, m, err
	}
	topic = topics.Billing
	if ev.GetCallOutcome() != nil {
		topic = topics.Calls
	}
	m.Key = []byte(ev.SourceEventId) // sources key as they like
	if l.rng.IntN(2) == 0 {
		m.Headers = []task.Header{{Key: "content-type", Value: []byte("application/json")}}
		m.Value, err = protojson.Marshal(ev)
		return topic, m, err
	}
	m.Value, err = proto.Marshal(ev)
	return topic, m, err
}

// send sends until it is known that Kafka has it; a repeated record is one more
// duplicate.
func (l *load) send(topic string, messages []stream.Message) (err error) {
	if len(messages) == 0 {
		return nil
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		err = l.producer.Send(ctx, topic, messages)
		cancel()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("publishing %d records to %s: %w", len(messages), topic, err)
}
