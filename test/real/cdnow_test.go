package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
	"github.com/perennial-cltv/perennial/services/perennial/cdnow"
	"github.com/perennial-cltv/perennial/test/servers"
)

const (
	cdnowTenant = "cdnow"
	cdnowUntil  = "1997-09-30"
)

// TestCDNOW imports the purchase history on real servers and on the twins in the
// process, and holds what subscribers get against the batch computation, and one
// against the other.
func TestCDNOW(t *testing.T) {
	file := filepath.Join(t.TempDir(), "CDNOW_sample.txt")
	if err := os.WriteFile(file, cdnow.File, 0o600); err != nil {
		t.Fatal(err)
	}
	var onServers, onTwins map[string]*perennialv1.CltvUpdate
	t.Run("real servers", func(t *testing.T) {
		kafka, redis := servers.AnyKafka(t), servers.AnyRedis(t)
		w := newWorld(t, kafka, []string{redis.Addr}, 0, 8)
		for _, name := range []string{ingester, billing, updater} {
			w.start(t, name)
		}
		onServers = importCDNOW(t, w, file)
	})
	t.Run("twins", func(t *testing.T) {
		w := startTwins(t)
		onTwins = importCDNOW(t, w, file)
	})
	if onServers == nil || onTwins == nil { // one failed, or only the other was asked for
		return
	}
	for key, want := range onServers {
		got, want := withoutAsker(onTwins[key]), withoutAsker(want)
		if !proto.Equal(got, want) {
			t.Errorf("%s: the twins say\n%v\nreal servers say\n%v", key, got, want)
		}
	}
	if len(onTwins) != len(onServers) {
		t.Errorf("the twins have %d customers, real servers %d", len(onTwins), len(onServers))
	}
}

// withoutAsker leaves out who had a customer assessed again. At the date up to
// which a history is played the importer asks for it, and so does the updater
// itself where a due time has come by then. The first in the log makes the update,
// and either may be; all else of the update is the same.
func withoutAsker(u *perennialv1.CltvUpdate) *perennialv1.CltvUpdate {
	if u.GetCause().GetKind() != cltv.KindReassess.String() {
		return u
	}
	u = proto.CloneOf(u)
	u.Cause.SourceEventId, u.Backfill = "", false
	return u
}

// startTwins runs everything in one process of perennial.
func startTwins(t *testing.T) *world {
	t.Helper()
	p := launchArgs(t, cli, []string{"run"})
	p.awaitReady(t)
	at := func(what string) string {
		for line := range strings.Lines(p.said()) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == what {
				return fields[1]
			}
		}
		t.Fatalf("perennial run didn't say where %s is:\n%s", what, p.said())
		return ""
	}
	w := newWorld(t, &servers.Kafka{Addrs: []string{at("kafka")}}, []string{at("redis")}, 0, 8)
	w.twins = true
	return w
}

// importCDNOW imports the file and checks what comes out. It answers the newest
// update of each customer.
func importCDNOW(t *testing.T, w *world, file string) map[string]*perennialv1.CltvUpdate {
	t.Helper()
	began := time.Now()
	out := run(t, w.env, "import", "--kind", "transactions", "--columns", "customer=2,at=3,amount=5",
		"--tenant", cdnowTenant, "--currency", cdnow.Currency, "--model", "cdnow", "--until", cdnowUntil, file)
	t.Logf("%s\nin %v", strings.TrimSpace(out), time.Since(began).Round(100*time.Millisecond))
	w.awaitTakenIn(t)
	if v := w.verify(t); v != (verified{Customers: cdnow.Customers}) {
		t.Errorf("verify says %+v, want %d customers and no difference", v, cdnow.Customers)
	}
	newest := newestUpdates(t, w.client)
	checkAgainstBatch(t, newest)
	checkCommandLine(t, w, newest)
	return newest
}

// newestUpdates answers the update with the highest version of each key.
func newestUpdates(t *testing.T, client *stream.Client) map[string]*perennialv1.CltvUpdate {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	newest := map[string]*perennialv1.CltvUpdate{}
	err := client.Read(ctx, client.Config().Topics.Updates, nil, func(_ int32, r *task.Record) error {
		u := &perennialv1.CltvUpdate{}
		if err := proto.Unmarshal(r.Value, u); err != nil {
			return fmt.Errorf("update at offset %d: %w", r.Offset, err)
		}
		if before := newest[string(r.Key)]; before == nil || before.Version < u.Version {
			newest[string(r.Key)] = u
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return newest
}

func checkAgainstBatch(t *testing.T, updates map[string]*perennialv1.CltvUpdate) {
	t.Helper()
	end, err := time.Parse(time.DateOnly, cdnowUntil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := batch(cdnow.File, end)
	if err != nil {
		t.Fatal(err)
	}
	repeats, silent, likelihood := 0, 0, 0.0
	for customer, h := range want {
		u := updates[cdnowTenant+"/"+customer]
		if u == nil {
			t.Fatalf("no update of customer %s", customer)
		}
		p := u.Prediction
		repeats += int(p.RepeatTransactions)
		if p.RepeatTransactions == 0 {
			silent++
		}
		likelihood += h.logLikelihood
		got := [...]int64{int64(p.RepeatTransactions), int64(p.LastTransactionAgeDays), int64(p.AgeDays), int64(p.AlivePpm), p.ExpectedPurchasesPpm, u.Historic.GrossMinor}
		expected := [...]int64{int64(h.repeats), int64(h.last), int64(h.age), millionths(h.alive), millionths(h.purchases), h.purchasedMinor}
		if got != expected {
			t.Errorf("customer %s: x, t_x, T, P(alive), purchases, gross = %v, the batch computation has %v", customer, got, expected)
		}
	}
	if len(updates) != cdnow.Customers || len(want) != cdnow.Customers || repeats != 2457 || silent != 1411 {
		t.Errorf("%d customers with updates, Σx = %d, %d with x = 0; want %d, 2457, 1411", len(updates), repeats, silent, cdnow.Customers)
	}
	if math.Abs(likelihood - -9582.4292) > 5e-5 {
		t.Errorf("ln L = %.4f, want −9582.4292", likelihood)
	}
}

func millionths(v float64) int64 { return int64(math.Round(v * 1e6)) }

// checkCommandLine sees that perennial customer shows what subscribers got.
func checkCommandLine(t *testing.T, w *world, updates map[string]*perennialv1.CltvUpdate) {
	t.Helper()
	for n := 1; n <= cdnow.Customers; n += 97 {
		key := fmt.Sprintf("%s/%04d", cdnowTenant, n)
		var shown struct {
			Version int64
			Score   json.RawMessage
		}
		if err := json.Unmarshal([]byte(run(t, w.env, "customer", "--json", key)), &shown); err != nil {
			t.Fatal(err)
		}
		score := &perennialv1.CltvUpdate{}
		if err := protojson.Unmarshal(shown.Score, score); err != nil {
			t.Fatalf("%s: the score isn't a CltvUpdate: %v", key, err)
		}
		want := proto.CloneOf(updates[key])
		// What a state doesn't keep: perennial customer leaves it out.
		want.Cause, want.PreviousCltvMinor, want.ChangeMinor, want.Backfill = nil, 0, 0, false
		if !proto.Equal(score, want) || shown.Version != want.Version {
			t.Errorf("%s: perennial customer shows\n%v\nsubscribers got\n%v", key, score, want)
		}
	}
}
