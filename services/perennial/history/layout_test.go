package history

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
)

// importText reads a file as an import does and answers a line for each record,
// or the error that refuses the file.
func importText(t *testing.T, text string, kind Kind, columns string) []string {
	t.Helper()
	mapping, err := ParseColumns(kind, columns)
	if err != nil {
		return []string{"refused: " + err.Error()}
	}
	layout, err := Inspect([]byte(text[:min(len(text), SampleBytes)]), Options{Kind: kind, Columns: mapping, Zone: time.UTC, Tenant: "t", Source: "s", Currency: "USD"})
	if err != nil {
		return []string{"refused: " + err.Error()}
	}
	r, ids := layout.NewReader(strings.NewReader(text)), NewIdentities(kind)
	var got []string
	for {
		rec, ok := r.Next()
		if !ok {
			return got
		}
		if layout.IsHeader(rec) {
			continue
		}
		event, err := layout.Event(rec, ids.Next(rec.Raw))
		switch {
		case err != nil:
			got = append(got, fmt.Sprintf("%d! %v", rec.Line, err))
		case kind == Calls:
			c := event.GetCallOutcome()
			got = append(got, fmt.Sprintf("%d: %s %s %s %d %d %s", rec.Line, event.Customer, event.OccurredAt.AsTime().Format(time.RFC3339),
				c.Disposition, c.TalkSeconds, c.GetCost().GetMinor(), c.GetTouch().GetCampaign()))
		default:
			got = append(got, fmt.Sprintf("%d: %s %s %d %s", rec.Line, event.Customer, event.OccurredAt.AsTime().Format(time.DateOnly),
				event.GetOrder().GetAmount().GetMinor(), event.GetOrder().GetAmount().GetCurrency()))
		}
	}
}

// TestHostileFiles names what files look like and what becomes of them.
func TestHostileFiles(t *testing.T) {
	const cat = "customer=c,at=d,amount=a"
	for _, c := range []struct {
		name, text, columns string
		want                []string
	}{
		{"empty", "", cat, []string{"refused: the file is empty"}},
		{"byte order mark alone", "\xef\xbb\xbf\r\n", cat, []string{"refused: the file is empty"}},
		{"header alone", "c,d,a\n", cat, []string{"refused: the file has a header and no line after it"}},
		{"one customer", "c,d,a\n7,1997-01-01,5.00\n", cat, []string{"2: 7 1997-01-01 500 USD"}},
		{"byte order mark, CRLF, quotes", "\xef\xbb\xbfC,D,A\r\n\"Smith, J\",1997-01-01,\"1,005.00\"\r\n", cat, []string{"2: Smith, J 1997-01-01 100500 USD"}},
		{"semicolons and commas", "c;d;a\n7;31.01.1997;5,5\n8;01.02.1997;1.000,00\n", cat, []string{"2: 7 1997-01-31 550 USD", "3: 8 1997-02-01 100000 USD"}},
		{"tabs", "c\td\ta\n7\t19970101\t5\n", cat, []string{"2: 7 1997-01-01 500 USD"}},
		{"blanks, no header, by number", " 00004 0001 19970101  2   29.33\r\n", "customer=2,at=3,amount=5", []string{"1: 0001 1997-01-01 2933 USD"}},
		{"header, by number", "id,day,sum\n7,19970101,5\n", "customer=1,at=2,amount=3", []string{"2: 7 1997-01-01 500 USD"}},
		{"negative, zero, too exact", "c,d,a\n7,1997-01-01,-5\n7,1997-01-02,0\n7,1997-01-03,1.005\n7,1997-01-04,1.0000\n", cat, []string{
			`2! amount: "-5" is negative: only purchases are imported here, refunds are events of their own`, "3: 7 1997-01-02 0 USD",
			`4! amount: "1.005" has more than the 2 decimals of its currency`, "5: 7 1997-01-04 100 USD"}},
		{"mixed formats", "c,d,a\n7,1997-01-01,5\n7,02.01.1997,5\n7,1997-01-03,5\n", cat, []string{
			"2: 7 1997-01-01 500 USD", `3! at: "02.01.1997" isn't a date in the format iso`, "4: 7 1997-01-03 500 USD"}},
		{"out of order, far off", "c,d,a\n7,1997-12-31,5\n7,1997-01-01,5\n7,0000-01-01,5\n7,9999-01-01,5\n7,1969-12-31,5\n", cat, []string{
			"2: 7 1997-12-31 500 USD", "3: 7 1997-01-01 500 USD", `4! at: "0000-01-01" is outside the years 1970 to 2199`,
			`5! at: "9999-01-01" is outside the years 1970 to 2199`, `6! at: "1969-12-31" is outside the years 1970 to 2199`}},
		{"short, long, no customer", "c,d,a\n7,1997-01-01,5\n7,1997-01-01\n7,1997-01-01,5,6\n,1997-01-01,5\n", cat, []string{
			"2: 7 1997-01-01 500 USD", "3! has 2 columns instead of 3", "4! has 4 columns instead of 3", "5! customer: is empty"}},
		{"currencies", "c,d,a,k\n7,1997-01-01,5,jpy\n7,1997-01-02,5.5,JPY\n7,1997-01-03,5,Dollar\n", cat + ",currency=k", []string{
			"2: 7 1997-01-01 5 JPY", `3! amount: "5.5" has more than the 0 decimals of its currency`, `4! currency: "DOLLAR" isn't an ISO 4217 code`}},
		{"a line of 10 MB", "c,d,a\n7,1997-01-01,5\n" + strings.Repeat("x", 10<<20) + "\n8,1997-01-01,5\n", cat, []string{
			"2: 7 1997-01-01 500 USD", fmt.Sprintf("3! longer than %d bytes", MaxRecord), "4: 8 1997-01-01 500 USD"}},
		{"binary", "\x00\x01\x02\xff\xfe\n\x00\n", cat, []string{"refused: no delimiter cuts the file into 3 columns or more; give it by --delimiter"}},
		{"no such column", "c,d,a\n7,1997-01-01,5\n", "customer=x,at=d,amount=a", []string{"refused: columns: customer=x: no such column; the header has c, d, a"}},
		{"no such number", "7,1997-01-01,5\n", "customer=1,at=2,amount=9", []string{"refused: columns: amount=9: the file has columns 1 to 3"}},
		{"names without a header", "7,1997-01-01,5\n", cat, []string{"refused: columns: amount=a: the file has no header; give columns by number"}},
		{"ambiguous dates", "c,d,a\n7,01/02/1997,5\n", cat, []string{`refused: dates such as "01/02/1997" can be DD/MM/YYYY or MM/DD/YYYY; say which by --date-format`}},
		{"unknown field", "c,d,a\n", "customer=c,at=d,sum=a", []string{`refused: columns: "sum" is no field of transactions; there are customer, at, amount, id, currency, product, campaign, agent, offer, lead_source`}},
		{"field missing", "c,d,a\n", "customer=c,at=d", []string{`refused: columns: "amount" is missing; transactions need customer, at, amount`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := importText(t, c.text, Transactions, c.columns)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestCalls(t *testing.T) {
	const text = "lead,ended,status,talk,price,camp\n" +
		"7,1997-01-01 10:00:00,SALE,3:25,0.85,spring\n" +
		"7,1997-01-02 10:00:00,no answer,,,\n" +
		"7,1997-01-03 10:00:00,XDROP,10,,\n" +
		"7,1997-01-04 10:00:00,busy,ten,,\n" +
		"7,1997-01-05 10:00:00,busy,25:00:00,,\n"
	got := importText(t, text, Calls, "customer=lead,at=ended,disposition=status,talk_seconds=talk,cost=price,campaign=camp")
	want := []string{
		"2: 7 1997-01-01T10:00:00Z DISPOSITION_SALE 205 85 spring",
		"3: 7 1997-01-02T10:00:00Z DISPOSITION_NO_ANSWER 0 0 ",
		`4! disposition: "XDROP" is no disposition`,
		`5! talk_seconds: "ten" isn't a duration`,
		`6! talk_seconds: "25:00:00" is longer than a day`,
	}
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("got\n%s", strings.Join(got, "\n"))
		}
	}
}

// TestCDNOW reads the published file as it is.
func TestCDNOW(t *testing.T) {
	got := importText(t, string(cdnow.File), Transactions, "customer=2,at=3,amount=5")
	purchases, err := cdnow.Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(purchases) {
		t.Fatalf("%d records, want %d", len(got), len(purchases))
	}
	for i, p := range purchases {
		if want := fmt.Sprintf("%d: %s %s %d USD", i+1, p.Customer, p.Day.Format(time.DateOnly), p.AmountMinor); got[i] != want {
			t.Fatalf("got %s, want %s", got[i], want)
		}
	}
}

// TestIdentities checks that ids depend on what a line says and how often it
// came, and on nothing else.
func TestIdentities(t *testing.T) {
	ids, again := NewIdentities(Transactions), NewIdentities(Transactions)
	a, b, a2 := ids.Next([]byte("a")), ids.Next([]byte("b")), ids.Next([]byte("a"))
	if a == b || a == a2 || a2 == b {
		t.Errorf("%s, %s and %s must differ", a, b, a2)
	}
	if other := again.Next([]byte("b")); other != b {
		t.Errorf("%s, want %s", other, b)
	}
	if !bytes.HasPrefix([]byte(a), []byte("transactions:")) || !strings.HasSuffix(a2, ":2") {
		t.Errorf("%s, %s", a, a2)
	}
}
