package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/history"
	"github.com/perennial-cltv/perennial/services/perennial/local"
	"github.com/perennial-cltv/perennial/services/perennial/screen"
)

// kafka starts a Kafka of its own with all topics.
func kafka(t *testing.T) *stream.Client {
	t.Helper()
	twins, err := local.Start(local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(twins.Stop)
	client, err := stream.New(stream.Defaults(twins.Broker))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.CreateTopics(t.Context(), 3, 1); err != nil {
		t.Fatal(err)
	}
	return client
}

// options are those of an import that asks nothing of the services.
func options(t *testing.T, file string) Options {
	t.Helper()
	columns, err := history.ParseColumns(history.Transactions, "customer=c,at=d,amount=a")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		File: file, StatePath: file + ".import.json", RejectedPath: file + ".rejected.csv",
		History: history.Options{Kind: history.Transactions, Columns: columns, Zone: time.UTC, Tenant: "t", Source: "import", Currency: "USD"},
	}
}

// write makes a file of n lines, of which each hundredth is bad and each tenth
// the same as the one before.
func write(t *testing.T, n int) (file string, bad int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("c,d,a\n")
	for i := range n {
		switch {
		case i%100 == 99:
			bad++
			fmt.Fprintf(&b, "%d,1997-01-01,x%d\n", i, i)
		case i%10 == 9:
			fmt.Fprintf(&b, "%d,1997-01-01,%d\n", i-1, i-1)
		default:
			fmt.Fprintf(&b, "%d,1997-01-01,%d\n", i, i)
		}
	}
	file = filepath.Join(t.TempDir(), "history.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, bad
}

// published counts the records of the raw topic by the id of their event.
func published(t *testing.T, client *stream.Client) map[string]int {
	t.Helper()
	ids := map[string]int{}
	err := client.Read(t.Context(), client.Config().Topics.Billing, nil, func(_ int32, r *task.Record) error {
		var e perennialv1.Event
		if err := proto.Unmarshal(r.Value, &e); err != nil {
			return err
		}
		ids[e.SourceEventId]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func runImport(ctx context.Context, t *testing.T, client *stream.Client, o Options) (Summary, string, error) {
	t.Helper()
	var out bytes.Buffer
	producer := client.NewProducer()
	summary, err := New(o, client, producer, screen.New(&out, func(string) string { return "" })).Run(ctx)
	if closing := producer.Close(context.WithoutCancel(ctx)); closing != nil {
		t.Fatal(closing)
	}
	return summary, out.String(), err
}

// TestResume stops an import somewhere and lets it go on: every line is published
// under its own id, every bad line is put aside once, and little comes twice.
func TestResume(t *testing.T) {
	const lines = 40_000
	client := kafka(t)
	file, bad := write(t, lines)
	o := options(t, file)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // when a part of it is there
		_ = client.Tail(ctx, []string{client.Config().Topics.Billing}, stream.TailOptions{Last: -1}, func(string, int32, *task.Record) error {
			stop()
			return nil
		})
	}()
	_, _, err := runImport(ctx, t, client, o)
	if err == nil || !strings.Contains(err.Error(), "the same command goes on from there") {
		t.Fatalf("the import wasn't stopped: %v", err)
	}
	before, err := history.LoadState(o.StatePath)
	if err != nil {
		t.Fatal(err)
	}

	summary, said, err := runImport(t.Context(), t, client, o)
	if err != nil {
		t.Fatal(err)
	}
	if before.Offset > 0 && !strings.Contains(said, "going on at byte") {
		t.Errorf("it doesn't say that it goes on: %s", said)
	}
	if want := int64(lines - bad); summary.Published != want || summary.Rejected != int64(bad) {
		t.Errorf("%+v, want %d published and %d rejected", summary, want, bad)
	}
	ids := published(t, client)
	twice := 0
	for _, n := range ids {
		twice += n - 1
	}
	if len(ids) != lines-bad || twice > lines-int(before.Published) {
		t.Errorf("%d ids, want %d; %d records came twice", len(ids), lines-bad, twice)
	}
	if got := rejectedLines(t, o.RejectedPath); len(got) != bad {
		t.Errorf("%d lines were put aside, want %d", len(got), bad)
	}
	if _, err := os.Stat(o.StatePath); !os.IsNotExist(err) {
		t.Errorf("the state of a finished import was left behind: %v", err)
	}
}

// rejectedLines reads the line numbers of a file of rejected records; each comes
// once.
func rejectedLines(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, row := range rows[1:] {
		if found[row[0]] {
			t.Errorf("line %s was put aside twice", row[0])
		}
		found[row[0]] = true
	}
	return found
}

// TestChangedFile checks that an import doesn't go on in a file that was changed
// where it had been, and that it does where lines were added.
func TestChangedFile(t *testing.T) {
	client := kafka(t)
	file, _ := write(t, 5000)
	o := options(t, file)
	i := New(o, client, client.NewProducer(), screen.New(&bytes.Buffer{}, func(string) string { return "" }))
	if err := i.open(); err != nil {
		t.Fatal(err)
	}
	if err := i.publish(t.Context()); err != nil { // all is published, and then it crashes
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "9999999,1997-01-02,7\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runImport(t.Context(), t, client, o); err != nil {
		t.Errorf("a line was added: %v", err)
	}
	for id, n := range published(t, client) {
		if n != 1 {
			t.Fatalf("%s was published %d times", id, n)
		}
	}

	if err := i.state.Save(o.StatePath); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte("\n7,1997-01-01,7\n"), []byte("\n7,1997-01-01,8\n"), 1)
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = runImport(t.Context(), t, client, o)
	if ops.ExitCode(err) != ops.ExitUsage || !strings.Contains(err.Error(), "--restart") {
		t.Errorf("a line was changed: %v", err)
	}
	o.Restart = true
	if _, _, err := runImport(t.Context(), t, client, o); err != nil {
		t.Errorf("restarted: %v", err)
	}
}

// TestNothingToImport checks that wrong columns are told before anything is
// published.
func TestNothingToImport(t *testing.T) {
	client := kafka(t)
	file := filepath.Join(t.TempDir(), "history.csv")
	if err := os.WriteFile(file, []byte("c,d,a\n7,1997-01-01,five\n8,1997-01-01,six\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := runImport(t.Context(), t, client, options(t, file))
	if ops.ExitCode(err) != ops.ExitUsage || !strings.Contains(err.Error(), `line 2: amount: "five"`) {
		t.Errorf("%v", err)
	}
	marks, err := client.Watermarks(t.Context(), client.Config().Topics.Events)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range marks {
		if m.End > 0 {
			t.Errorf("partition %d of %s has %d records", m.Partition, client.Config().Topics.Events, m.End)
		}
	}
}
