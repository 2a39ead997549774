package intake

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Bounds of the schema, in bytes.
const (
	maxTenant   = 63
	maxSource   = 63
	maxID       = 200
	maxName     = 100
	maxStatus   = 40
	maxAgeBand  = 20
	maxEvidence = 1000
)

// endOfTime is the first second of the year 2200.
var endOfTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// checker collects what is wrong with one event.
type checker struct {
	in       *Intake
	now      time.Time
	tenant   string
	problems []Problem
}

func (c *checker) fault(code Code, field, value, detail string) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{code, field, printable(value), detail})
	}
}

// kindOf returns the kind of an event; 0 where it has no fact.
func kindOf(ev *perennialv1.Event) cltv.Kind {
	m := ev.ProtoReflect()
	if fd := m.WhichOneof(factOneof); fd != nil {
		return cltv.Kind(fd.Number())
	}
	return 0
}

var factOneof = (*perennialv1.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("fact")

// Validate returns why ev may not come in, or nil. Contacts among its customer
// keys are replaced by their hashes; nothing else is changed.
func (in *Intake) Validate(ev *perennialv1.Event) *Rejection {
	c := checker{in: in, now: in.config.Now(), tenant: ev.GetTenant()}
	if c.kind(ev) {
		c.envelope(ev)
		c.fact(ev)
	}
	if len(c.problems) == 0 {
		return nil
	}
	return &Rejection{StageValidate, c.problems}
}

// kind checks that the kind may come in here. If not, nothing else matters.
func (c *checker) kind(ev *perennialv1.Event) bool {
	switch k := kindOf(ev); {
	case k == 0:
		c.fault(CodeMissing, "fact", "", "there is no fact in it, or one of a newer schema than this version knows")
	case !ExternalKinds.Has(k):
		c.fault(CodeInternalKind, k.String(), "", "is for Perennial's own services and can't come from outside")
	case !c.in.config.Kinds.Has(k):
		c.fault(CodeKindNotAllowed, k.String(), "", "isn't taken here; this intake takes "+c.in.config.Kinds.String())
	default:
		return true
	}
	return false
}

func (c *checker) envelope(ev *perennialv1.Event) {
	c.word("tenant", ev.Tenant, maxTenant, isTenant, "must be 1 to 63 of a-z, 0-9 and -")
	c.word("source", ev.Source, maxSource, isSource, "must be 1 to 63 of a-z, 0-9, ., _ and -")
	c.required("source_event_id", ev.SourceEventId)
	if _, spend := ev.Fact.(*perennialv1.Event_MarketingSpend); spend {
		if ev.Customer != "" {
			c.fault(CodeNotAllowed, "customer", ev.Customer, "marketing_spend has no customer")
		}
	} else {
		ev.Customer = c.customer("customer", ev.Customer)
	}
	c.occurred(ev.OccurredAt)
	if ev.Revision < 0 {
		c.outOfRange("revision", ev.Revision, 0, math.MaxInt64)
	}
	if ev.Backfill && !c.in.config.AllowBackfill {
		c.fault(CodeNotAllowed, "backfill", "", "history is loaded by the importer, or through a topic that allows it")
	}
}

func isTenant(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }
func isSource(r rune) bool { return isTenant(r) || r == '.' || r == '_' }

// word checks a text of a small alphabet.
func (c *checker) word(field, s string, atMost int, allowed func(rune) bool, detail string) {
	switch {
	case s == "":
		c.fault(CodeMissing, field, "", "is empty")
	case len(s) > atMost || strings.IndexFunc(s, func(r rune) bool { return !allowed(r) }) >= 0:
		c.fault(CodeInvalidText, field, s, detail)
	}
}

// occurred checks the business time, which may be ahead of our clock by what is
// tolerated. The beginning of 1970 is what sources write where they know none.
func (c *checker) occurred(t *timestamppb.Timestamp) {
	if t == nil || t.AsTime().UnixMilli() == 0 {
		c.fault(CodeMissing, "occurred_at", "", "is missing")
		return
	}
	if c.time("occurred_at", t) && t.AsTime().After(c.now.Add(c.in.config.FutureTolerance)) {
		c.fault(CodeOutOfRange, "occurred_at", t.AsTime().Format(time.RFC3339), "lies in the future: more than "+c.in.config.FutureTolerance.String()+" after "+c.now.UTC().Format(time.RFC3339))
	}
}

// time checks a time that may be absent; true where it is a good one.
func (c *checker) time(field string, t *timestamppb.Timestamp) bool {
	switch {
	case t == nil:
		return false
	case t.Seconds < 0 || t.Seconds >= endOfTime:
		c.fault(CodeOutOfRange, field, strconv.FormatInt(t.Seconds, 10), "seconds since 1970 must lie within the years 1970 to 2199")
	case t.Nanos < 0 || t.Nanos > 999_999_999:
		c.fault(CodeOutOfRange, field, strconv.Itoa(int(t.Nanos)), "nanoseconds must be 0 to 999999999")
	default:
		return true
	}
	return false
}

func (c *checker) outOfRange(field string, value, least, most int64) {
	c.fault(CodeOutOfRange, field, strconv.FormatInt(value, 10), fmt.Sprintf("must be %d to %d", least, most))
}

// number checks a number of the schema.
func (c *checker) number(field string, value int32, least, most int64) {
	if v := int64(value); v < least || v > most {
		c.outOfRange(field, v, least, most)
	}
}

// text checks a text that may be empty: its length, and that nothing in it
// can't be shown.
func (c *checker) text(field, s string, atMost int) {
	switch {
	case len(s) > atMost:
		c.fault(CodeTooLong, field, s, fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), atMost))
	case !utf8.ValidString(s):
		c.fault(CodeInvalidText, field, s, "isn't UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		c.fault(CodeInvalidText, field, s, "has control characters")
	}
}

// required checks an id, which must not be empty.
func (c *checker) required(field, s string) {
	if s == "" {
		c.fault(CodeMissing, field, "", "is empty")
		return
	}
	c.text(field, s, maxID)
}

// customer checks the key of a customer and returns what to put in its place.
func (c *checker) customer(field, key string) string {
	if key == "" {
		c.fault(CodeMissing, field, "", "is empty")
		return key
	}
	if hashed, isContact, problem := c.in.contact(c.tenant, key); isContact {
		if problem != "" {
			c.fault(CodeRawContact, field, "", problem)
		}
		return hashed
	}
	c.text(field, key, maxID)
	if key[0] == '~' {
		c.fault(CodeInvalidText, field, key, "must not begin with ~")
	}
	return key
}

// touch checks the names of a touch.
func (c *checker) touch(field string, t *perennialv1.Touch) {
	if t == nil {
		return
	}
	c.text(field+".campaign", t.Campaign, maxName)
	c.text(field+".agent", t.Agent, maxName)
	c.text(field+".offer", t.Offer, maxName)
	c.text(field+".lead_source", t.LeadSource, maxName)
}
