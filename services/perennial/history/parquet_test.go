package history_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/perennial-cltv/perennial/services/perennial/history"
)

type sold struct {
	Customer string    `parquet:"customer"`
	Day      int32     `parquet:"day,date"`
	At       time.Time `parquet:"at,timestamp(microsecond)"`
	Exact    int64     `parquet:"exact,decimal(2:18)"`
	Binary   float64   `parquet:"binary"`
	Number   int64     `parquet:"number"`
	Note     *string   `parquet:"note,optional"`
	Single   float32   `parquet:"single"`
	Unsigned uint64    `parquet:"unsigned"`
}

func parquetFile(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sold.parquet")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParquet(t *testing.T) {
	note := `says "hi", twice`
	rows := []sold{
		{"c-1", 10_134, time.Date(1997, 9, 30, 23, 59, 59, 999_000_000, time.UTC), 123_456, 19.9, 7, &note, 1234.56, 1 << 63},
		{"c-2", -1, time.Date(1969, 12, 31, 23, 59, 59, 500_000_000, time.UTC), -5, 0.1 + 0.2, -7, nil, 99.99, 0},
	}
	path := parquetFile(t, func(w io.Writer) error { return parquet.Write(w, rows) })
	f, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	want := `customer,day,at,exact,binary,number,note,single,unsigned
c-1,1997-09-30,1997-09-30T23:59:59Z,1234.56,19.9,7,"says ""hi"", twice",1234.56,9223372036854775808
c-2,1969-12-31,1969-12-31T23:59:59Z,-0.05,0.3,-7,,99.99,0
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// TestParquetAsPurchases: what is in a Parquet file counts as if it were in a CSV file.
func TestParquetAsPurchases(t *testing.T) {
	rows := make([]sold, 5000)
	var lines strings.Builder
	lines.WriteString("customer,day,exact\n")
	for i := range rows {
		rows[i] = sold{Customer: fmt.Sprint("c-", i%300), Day: int32(10_000 + i), Exact: int64(i)}
		day := time.Unix(int64(rows[i].Day)*86_400, 0).UTC().Format(time.DateOnly)
		fmt.Fprintf(&lines, "c-%d,%s,%d.%02d\n", i%300, day, i/100, i%100)
	}
	columns, err := history.ParseColumns(history.Transactions, "customer=customer,at=day,amount=exact")
	if err != nil {
		t.Fatal(err)
	}
	read := func(src io.Reader) (all []history.Purchase) {
		p, err := history.ReadPurchases(src, history.Options{Columns: columns, Zone: time.UTC}, func(p history.Purchase) { all = append(all, p) })
		if err != nil || p.Rejected > 0 || p.Taken != int64(len(rows)) || p.MinorPerUnit != 100 || p.Currency != history.NoCurrency {
			t.Fatalf("%+v, %v", p, err)
		}
		return all
	}
	f, err := history.Open(parquetFile(t, func(w io.Writer) error { return parquet.Write(w, rows) }))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := read(f), read(strings.NewReader(lines.String())); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("the Parquet file and the CSV file differ")
	}
}

// TestDamagedParquet: any damage is an error, and no panic.
func TestDamagedParquet(t *testing.T) {
	var b bytes.Buffer
	if err := parquet.Write(&b, make([]sold, 1000)); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	path := filepath.Join(t.TempDir(), "damaged.parquet")
	read := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := history.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	}
	for at := 4; at < len(whole); at += max(1, len(whole)/200) {
		if err := read(whole[:at]); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("cut at %d of %d: %v", at, len(whole), err)
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x5a
		_ = read(flipped) // an error or other values, and no panic
	}
	type uuid struct {
		ID [16]byte `parquet:"id,uuid"`
	}
	u, err := history.Open(parquetFile(t, func(w io.Writer) error { return parquet.Write(w, make([]uuid, 1)) }))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := io.ReadAll(u); err == nil || !strings.Contains(err.Error(), `column "id": is UUID, which isn't read`) {
		t.Errorf("a UUID: %v", err)
	}
	type list struct {
		Items []string `parquet:"items,list"`
	}
	f, err := history.Open(parquetFile(t, func(w io.Writer) error { return parquet.Write(w, []list{{[]string{"a"}}}) }))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadAll(f); err == nil || !strings.Contains(err.Error(), "is a list") {
		t.Errorf("a list: %v", err)
	}
}
