package cltv

import (
	"math"
	"strings"
	"testing"
)

// TestRefusals lists hostile records, with the answer that each gets.
func TestRefusals(t *testing.T) {
	change := func(f func(*Event)) Event {
		ev := order(1, 100)
		f(&ev)
		return ev
	}
	long := strings.Repeat("x", 201)
	cases := map[string]struct {
		ev          Event
		code, field string
	}{
		"nothing":                {Event{}, CodeUnknownValue, "fact"},
		"unknown kind":           {change(func(e *Event) { e.Kind = 99 }), CodeUnknownValue, "fact"},
		"no tenant":              {change(func(e *Event) { e.Tenant = "" }), CodeMissing, "tenant"},
		"no customer":            {change(func(e *Event) { e.Customer = "" }), CodeMissing, "customer"},
		"a spend's customer":     {change(func(e *Event) { e.Customer = "~spend/a/b" }), CodeInvalidText, "customer"},
		"no source":              {change(func(e *Event) { e.Source = "" }), CodeMissing, "source"},
		"no id":                  {change(func(e *Event) { e.SourceEventID = "" }), CodeMissing, "source_event_id"},
		"long id":                {change(func(e *Event) { e.SourceEventID = long }), CodeTooLong, "source_event_id"},
		"long order":             {change(func(e *Event) { e.Ref = long }), CodeTooLong, "ref"},
		"not UTF-8":              {change(func(e *Event) { e.Touch.Agent = "\xff" }), CodeInvalidText, "touch.agent"},
		"no time":                {change(func(e *Event) { e.OccurredAt = 0 }), CodeMissing, "occurred_at"},
		"before 1970":            {change(func(e *Event) { e.OccurredAt = -1 }), CodeOutOfRange, "occurred_at"},
		"year 9999":              {change(func(e *Event) { e.OccurredAt = 253_370_764_800_000 }), CodeOutOfRange, "occurred_at"},
		"recorded in 2200":       {change(func(e *Event) { e.RecordedAt = endOfTime }), CodeOutOfRange, "recorded_at"},
		"revision negative":      {change(func(e *Event) { e.Revision = -1 }), CodeOutOfRange, "revision"},
		"negative money":         {change(func(e *Event) { e.AmountMinor = -1 }), CodeOutOfRange, "amount.minor"},
		"too much money":         {change(func(e *Event) { e.AmountMinor = MaxAmountMinor + 1 }), CodeOutOfRange, "amount.minor"},
		"other currency":         {change(func(e *Event) { e.Currency = "EUR" }), CodeCurrency, "amount.currency"},
		"no currency":            {change(func(e *Event) { e.Currency = "" }), CodeCurrency, "amount.currency"},
		"cost in other currency": {change(func(e *Event) { e.HasCost, e.CostMinor, e.CostCurrency = true, 1, "EUR" }), CodeCurrency, "cost.currency"},
		"negative cost":          {change(func(e *Event) { e.HasCost, e.CostMinor = true, math.MinInt64 }), CodeOutOfRange, "cost.minor"},
		"unknown order type":     {change(func(e *Event) { e.Code = 77 }), CodeUnknownValue, "type"},
		"unknown refund status":  {change(func(e *Event) { e.Kind, e.Code2 = KindRefund, 9 }), CodeUnknownValue, "status"},
		"unknown disposition":    {change(func(e *Event) { e.Kind, e.Code = KindCall, -1 }), CodeUnknownValue, "disposition"},
		"talks for days":         {change(func(e *Event) { e.Kind, e.Number = KindCall, 86_401 }), CodeOutOfRange, "talk_seconds"},
		"wraps for days":         {change(func(e *Event) { e.Kind, e.Number2 = KindCall, -5 }), CodeOutOfRange, "wrap_seconds"},
		"score of 11":            {change(func(e *Event) { e.Kind, e.Number = KindSurveyAnswer, 11 }), CodeOutOfRange, "score"},
		"paid until never":       {change(func(e *Event) { e.Kind, e.Until = KindSubscriptionRenewed, math.MaxInt64 }), CodeOutOfRange, "until"},
		"identity link":          {change(func(e *Event) { e.Kind = KindIdentityLink }), CodeNotSupported, "fact"},
		"absorbed":               {change(func(e *Event) { e.Kind = KindAbsorbed }), CodeNotSupported, "fact"},
		"erase":                  {change(func(e *Event) { e.Kind = KindErase }), CodeNotSupported, "fact"},
		"clock":                  {change(func(e *Event) { e.Kind = KindClockAdvanced }), CodeMisrouted, "fact"},
		"model":                  {change(func(e *Event) { e.Kind = KindModelPublished }), CodeMisrouted, "fact"},
		"spend of a customer":    {change(func(e *Event) { e.Kind, e.Touch.Campaign = KindMarketingSpend, "c" }), CodeInvalidText, "customer"},
		"spend for a customer":   {change(func(e *Event) { e.Kind, e.Touch.Campaign, e.Customer = KindMarketingSpend, "c", "" }), CodeMisrouted, "fact"},
	}
	for name, c := range cases {
		var f Folder
		var s State
		first := order(0, 100)
		f.Fold(&s, &first, At{})
		before := string(s.AppendTo(nil))
		step := f.Fold(&s, &c.ev, At{Offset: 5})
		if step.Outcome != Refused || step.Refusal.Code != c.code || step.Refusal.Field != c.field || step.Refusal.Text == "" {
			t.Errorf("%s: %v %+v, want %s of %s", name, step.Outcome, step.Refusal, c.code, c.field)
		}
		if string(s.AppendTo(nil)) != before {
			t.Errorf("%s: the state changed", name)
		}
	}
	zero := order(1, 0)
	zero.Currency = ""
	var f Folder
	if step := f.Fold(new(State), &zero, At{}); step.Outcome != Applied {
		t.Errorf("an order of nothing without currency: %v", step.Refusal)
	}
}

// TestMoneyIsBounded: a customer's totals stop at the limit, and the record that would pass it is refused.
func TestMoneyIsBounded(t *testing.T) {
	for _, k := range []Kind{KindOrder, KindRefund, KindCall} {
		var f Folder
		var s State
		applied := 0
		for i := range 40 {
			ev := order(i, MaxAmountMinor)
			ev.Kind = k
			if k == KindCall {
				ev.AmountMinor, ev.Currency = 0, ""
				ev.HasCost, ev.CostMinor, ev.CostCurrency = true, MaxAmountMinor-1, "USD"
			}
			switch step := f.Fold(&s, &ev, At{Offset: int64(i)}); {
			case step.Outcome == Applied:
				applied++
			case step.Refusal.Code != CodeAmountOverflow:
				t.Fatalf("%v: %v", k, step.Refusal)
			}
		}
		if applied != 10 {
			t.Errorf("%v: %d were taken in", k, applied)
		}
	}
}

// FuzzFold: no sequence of records panics, or leads to a state that can't be stored, or to figures that contradict one
// another.
func FuzzFold(f *testing.F) {
	f.Add([]byte("\x14\x01abcdefgh\x15\x02ijklmnop\x17\x03qrstuvwx"))
	params := testParams(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		var folder Folder
		var s State
		var before, after Contribution
		sums := make(totals)
		for i := int64(0); len(script) > 0 && i < 200; i++ {
			ev := hostile(&script)
			before.Set(&s)
			step := folder.Fold(&s, &ev, At{Offset: i, Clock: ev.Until, Params: params})
			after.Set(&s)
			Difference(&before, &after, sums.add)
			if step.Outcome == 0 || step.Outcome == Refused && step.Refusal.Code == "" {
				t.Fatalf("%+v", step)
			}
			if step.Outcome == Applied && !s.IsSpend() {
				checkScore(t, &step.Score)
			}
			blob := s.AppendTo(nil)
			if err := s.Decode(blob); err != nil {
				t.Fatalf("%v: %x", err, blob)
			}
		}
		want := make(totals)
		s.Contribution(want.add)
		for key, v := range want {
			if sums[key] != v {
				t.Fatalf("%v: %v, want %v", key, sums[key], v)
			}
		}
		if len(sums) != len(want) {
			t.Fatalf("%d sums, want %d", len(sums), len(want))
		}
	})
}

// checkScore looks at what must hold of every score.
func checkScore(t *testing.T, c *Score) {
	t.Helper()
	if c.NetMinor < 0 || c.NetMinor != c.GrossMinor-c.RefundedMinor || c.RefundedMinor < 0 ||
		c.CLTVMinor != c.MarginMinor-c.ServiceCostMinor+c.ResidualMinor || c.NetCLTVMinor != c.CLTVMinor-c.CACMinor ||
		c.ServiceCostMinor < 0 || c.CACMinor < 0 || c.ResidualMinor < 0 ||
		c.ResidualLowMinor > c.ResidualHighMinor || c.AlivePPM < 0 || c.AlivePPM > million || c.ChurnPPM < 0 || c.ChurnPPM > million ||
		c.ValueAtRiskMinor > c.ResidualMinor || c.ValueAtRiskMinor < 0 ||
		c.Transactions < 0 || c.RepeatTransactions < 0 || c.LastAgeDays < 0 || c.AgeDays < c.LastAgeDays ||
		c.RepeatMoneyMinor < 0 || c.BandChangesAt != 0 && c.BandChangesAt <= c.AsOf {
		t.Fatalf("%+v", c)
	}
}

// hostile reads an event out of a script: small numbers, extremes, and names that meet.
func hostile(script *[]byte) Event {
	next := func() byte {
		if len(*script) == 0 {
			return 0
		}
		b := (*script)[0]
		*script = (*script)[1:]
		return b
	}
	number := func() int64 {
		b := next()
		switch b % 8 {
		case 0:
			return -int64(b)
		case 1:
			return math.MaxInt64 - int64(b)
		case 2:
			return MaxAmountMinor - int64(b)
		case 3:
			return int64(next())<<8 | int64(b)
		}
		return int64(b / 8)
	}
	text := func() string {
		return [...]string{"", "a", "b", "c", "~", "\xff", strings.Repeat("y", 101), "n"}[next()%8]
	}
	at := func() int64 {
		if b := next(); b < 250 {
			return testStart + int64(b)*testDay + int64(next())*testHour
		}
		return number()
	}
	ev := Event{
		Tenant: "t", Customer: [...]string{"c", ""}[next()/250], Source: "s", Kind: Kind(20 + next()%20), SourceEventID: text(), OccurredAt: at(),
		Ref: text(), Parent: text(), AmountMinor: number(), Currency: "USD", Code: int32(number()), Code2: int32(number()),
	}
	ev.RecordedAt = ev.OccurredAt
	flags := next()
	if flags&1 != 0 {
		ev.HasCost, ev.CostMinor, ev.CostCurrency = true, number(), "USD"
	}
	if flags&2 != 0 {
		ev.Number, ev.Number2, ev.Revision, ev.Flag = int32(number()), int32(number()), number(), true
	}
	if flags&4 != 0 {
		ev.Touch, ev.Product, ev.Text = Touch{text(), text(), text(), text()}, text(), text()
	}
	if flags&8 != 0 {
		ev.Until, ev.RecordedAt = at(), at()
	}
	if flags&16 != 0 {
		ev.Kind, ev.Until = KindReassess, at()
	}
	if flags&32 != 0 {
		ev.Segment, ev.Region, ev.AgeBand = text(), text(), text()
	}
	return ev
}
