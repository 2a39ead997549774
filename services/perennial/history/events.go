package history

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Event makes an event of a record. id is what Identities answered for it; a
// column of ids counts before it. The error names the field and its value.
func (l *Layout) Event(rec Record, id string) (*perennialv1.Event, error) {
	if rec.Err != nil {
		return nil, rec.Err
	}
	if len(rec.Fields) != l.Width {
		return nil, fmt.Errorf("has %d columns instead of %d", len(rec.Fields), l.Width)
	}
	at, err := l.DateFormat.Parse(l.field(rec, fieldAt), l.Zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fieldAt, err)
	}
	if own := l.field(rec, fieldID); own != "" {
		id = own
	}
	event := &perennialv1.Event{
		Tenant: l.Tenant, Customer: l.field(rec, fieldCustomer), Source: l.Source, SourceEventId: id,
		OccurredAt: timestamppb.New(at), Backfill: true,
	}
	if event.Customer == "" {
		return nil, fmt.Errorf("%s: is empty", fieldCustomer)
	}
	if l.Kind == Calls {
		return event, l.call(event, rec)
	}
	return event, l.order(event, rec)
}

// field answers what the record has for a field; empty where no column gives it.
func (l *Layout) field(rec Record, field string) string {
	if position, ok := l.positions[field]; ok {
		return rec.Fields[position]
	}
	return ""
}

func (l *Layout) order(event *perennialv1.Event, rec Record) error {
	amount, err := l.money(rec, fieldAmount)
	if err != nil {
		return err
	}
	event.Fact = &perennialv1.Event_Order{Order: &perennialv1.Order{
		OrderId: event.SourceEventId, Amount: amount, Product: l.field(rec, fieldProduct), Touch: l.touch(rec),
	}}
	return nil
}

func (l *Layout) call(event *perennialv1.Event, rec Record) (err error) {
	call := &perennialv1.CallOutcome{
		Touch: l.touch(rec), DialerStatus: l.field(rec, fieldDisposition), OrderId: l.field(rec, fieldOrder),
	}
	if call.Disposition, err = l.disposition(call.DialerStatus); err != nil {
		return err
	}
	if call.Direction, err = direction(l.field(rec, fieldDirection)); err != nil {
		return err
	}
	if call.TalkSeconds, err = l.seconds(rec, fieldTalk); err != nil {
		return err
	}
	if call.WrapSeconds, err = l.seconds(rec, fieldWrap); err != nil {
		return err
	}
	if l.field(rec, fieldCost) != "" {
		if call.Cost, err = l.money(rec, fieldCost); err != nil {
			return err
		}
	}
	event.Fact = &perennialv1.Event_CallOutcome{CallOutcome: call}
	return nil
}

// touch answers what brought the record about; nil where no column says.
func (l *Layout) touch(rec Record) *perennialv1.Touch {
	t := &perennialv1.Touch{
		Campaign: l.field(rec, fieldCampaign), Agent: l.field(rec, fieldAgent),
		Offer: l.field(rec, fieldOffer), LeadSource: l.field(rec, fieldLeadSource),
	}
	if t.Campaign+t.Agent+t.Offer+t.LeadSource == "" {
		return nil
	}
	return t
}

func (l *Layout) money(rec Record, field string) (*perennialv1.Money, error) {
	currency := l.Currency
	if own := l.field(rec, fieldCurrency); own != "" {
		currency = strings.ToUpper(own)
	}
	if len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, fmt.Errorf("%s: %q isn't an ISO 4217 code", fieldCurrency, currency)
	}
	text := l.field(rec, field)
	if text == "" {
		return nil, fmt.Errorf("%s: is empty", field)
	}
	minor, err := parseAmount(text, l.Mark, cltv.MinorDigits(currency))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return &perennialv1.Money{Minor: minor, Currency: currency}, nil
}

// seconds reads a duration: seconds, mm:ss or hh:mm:ss; empty is none.
func (l *Layout) seconds(rec Record, field string) (int32, error) {
	text := l.field(rec, field)
	if text == "" {
		return 0, nil
	}
	total := int64(0)
	for part := range strings.SplitSeq(text, ":") {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 || strings.Count(text, ":") > 2 {
			return 0, fmt.Errorf("%s: %q isn't a duration in seconds, mm:ss or hh:mm:ss", field, text)
		}
		total = total*60 + n
	}
	const day = int64(24 * time.Hour / time.Second)
	if total > day {
		return 0, fmt.Errorf("%s: %q is longer than a day", field, text)
	}
	return int32(total), nil
}

// disposition reads a dialer's status: by the user's mapping, else as a name of
// the schema. Anything else is refused: a do-not-call taken for "other" would
// never be noticed.
func (l *Layout) disposition(status string) (perennialv1.Disposition, error) {
	name := status
	if mapped, ok := l.Dispositions[strings.ToUpper(status)]; ok {
		name = mapped
	}
	if d, ok := dispositionNamed(name); ok {
		return d, nil
	}
	return 0, fmt.Errorf("%s: %q is no disposition; map it by --dispositions %s=NAME, NAME one of %s",
		fieldDisposition, status, status, strings.Join(dispositionNames(), ", "))
}

const dispositionPrefix = "DISPOSITION_"

func dispositionNamed(name string) (perennialv1.Disposition, bool) {
	name = strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(name))
	n, ok := perennialv1.Disposition_value[dispositionPrefix+strings.TrimPrefix(name, dispositionPrefix)]
	return perennialv1.Disposition(n), ok && n != 0
}

func dispositionNames() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(perennialv1.Disposition_name)) {
		if n != 0 {
			names = append(names, strings.ToLower(strings.TrimPrefix(perennialv1.Disposition_name[n], dispositionPrefix)))
		}
	}
	return names
}

// ParseDispositions reads "NI=not_interested,DNC=do_not_call".
func ParseDispositions(s string) (map[string]string, error) {
	if s == "" {
		return nil, nil
	}
	mapping := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		code, name, found := strings.Cut(part, "=")
		if _, known := dispositionNamed(name); !found || !known {
			return nil, fmt.Errorf("dispositions: %q must be CODE=NAME, NAME one of %s", part, strings.Join(dispositionNames(), ", "))
		}
		mapping[strings.ToUpper(strings.TrimSpace(code))] = name
	}
	return mapping, nil
}

func direction(s string) (perennialv1.Direction, error) {
	switch strings.ToUpper(s) {
	case "":
		return perennialv1.Direction_DIRECTION_UNSPECIFIED, nil
	case "IN", "INBOUND", "I":
		return perennialv1.Direction_DIRECTION_INBOUND, nil
	case "OUT", "OUTBOUND", "O":
		return perennialv1.Direction_DIRECTION_OUTBOUND, nil
	}
	return 0, fmt.Errorf("%s: %q must be inbound or outbound", fieldDirection, s)
}
