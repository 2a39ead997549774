package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

func TestLoadAndPublish(t *testing.T) {
	for _, c := range []struct{ kind, text, problem string }{
		{KindThresholds, `{"number": "2", "tiers": [{"name": "gold", "fromMinor": "5000"}]}`, ""},
		{KindThresholds, `{"tiers": [{"name": "gold", "fromMinor": "5000"}]}`, "number"},
		{KindThresholds, `{"number": "2", "tierz": []}`, "tierz"},
		{KindThresholds, `{"number": "2", "tiers": [{"name": "b", "fromMinor": "9"}, {"name": "a", "fromMinor": "5"}]}`, "tiers"},
		{KindPolicy, `{"number": "2", "currency": "EUR", "timeZone": "Europe/Berlin"}`, ""},
		{KindPolicy, `{"number": "2", "timeZone": "Europe/Nowhere"}`, "time_zone"},
		{KindPolicy, `{"number": "2", "horizonDays": 100000}`, "horizon_days"},
		{KindUnitCosts, `{"number": "2", "byCampaign": {"spring": "1450"}}`, ""},
		{KindUnitCosts, `{"number": "2", "byCampaign": {"spring": "-1"}}`, "by_campaign"},
		{KindModel, `{"number": "2", "bgNbd": {"r": 1, "alpha": 1, "a": 1, "b": 1}}`, ""},
		{KindModel, `{"number": "2", "bgNbd": {"r": -1, "alpha": 1, "a": 1, "b": 1}}`, "BG/NBD"},
		{KindModel, `not JSON`, "syntax"},
	} {
		file := filepath.Join(t.TempDir(), "p.json")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Load(c.kind, file)
		if err == nil {
			_, err = Publish("t", p, time.Unix(1e9, 0))
		}
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s %s: %v, want %q", c.kind, c.text, err, c.problem)
		}
	}
}

// TestKeys checks the keys by which a task finds whose record it is.
func TestKeys(t *testing.T) {
	at := time.Unix(1e9, 0)
	for want, e := range map[string]*perennialv1.Event{
		"t/~model":      Model("t", CDNOW(1), at),
		"t/~policy":     Policy("t", &perennialv1.PolicySet{Number: 1}, at),
		"t/~thresholds": Thresholds("t", &perennialv1.ThresholdsSet{Number: 1}, at),
		"t/~unit-costs": UnitCosts("t", &perennialv1.UnitCostsSet{Number: 1}, at),
		"t/~clock":      Clock("t", at),
		"t/c1":          Reassess("t", "c1", at),
	} {
		m, err := Message(e)
		if err != nil {
			t.Fatal(err)
		}
		var back perennialv1.Event
		if err := proto.Unmarshal(m.Value, &back); err != nil || !proto.Equal(&back, e) {
			t.Errorf("%v: %v", &back, err)
		}
		if string(m.Key) != want {
			t.Errorf("key %s, want %s", m.Key, want)
		}
	}
}

// TestAheadIsRecordedNow: the updater refuses a record whose recorded_at is ahead
// of Kafka's clock, but an import until today asks for scores as of its end.
func TestAheadIsRecordedNow(t *testing.T) {
	ahead := time.Now().Add(20 * time.Hour)
	for _, e := range []*perennialv1.Event{Clock("t", ahead), Reassess("t", "c1", ahead)} {
		if recorded := e.RecordedAt.AsTime(); recorded.After(time.Now()) {
			t.Errorf("%s is recorded at %s", e.SourceEventId, recorded)
		}
	}
	if got := Reassess("t", "c1", ahead).GetReassess().Clock.AsTime(); !got.Equal(ahead) {
		t.Errorf("the clock is %s, want %s", got, ahead)
	}
}

// TestFittedAndBack: what was fitted is what a published model says.
func TestFittedAndBack(t *testing.T) {
	spend := btyd.GammaGamma{P: 6, Q: 4, Gamma: 15}
	for _, process := range []btyd.PurchaseModel{
		btyd.BGNBD{R: 1, Alpha: 2, A: 3, B: 4}, btyd.MBGNBD{R: 1, Alpha: 2, A: 3, B: 4}, btyd.ParetoNBD{R: 1, Alpha: 2, S: 3, Beta: 4},
	} {
		for _, s := range []*btyd.GammaGamma{nil, &spend} {
			m := Fitted(&backtest.Fitted{Purchases: process, Spend: s, Until: 10_134}, "")
			back := Spend(m)
			if Purchases(m) != process || (back == nil) != (s == nil) || back != nil && *back != spend {
				t.Errorf("%v, %v: published %v", process, s, m)
			}
			if DayOf(m.TrainedTo) != 10_134 || !strings.HasSuffix(m.ModelId, "1997-09-30") {
				t.Errorf("trained to %v, %s", m.TrainedTo.AsTime(), m.ModelId)
			}
		}
	}
	if DayOf(nil) != 0 {
		t.Error("no date is a day")
	}
}

func TestKeepsCurrency(t *testing.T) {
	euro := &wire.TenantParameters{Policy: &cltv.Policy{Number: 1, Currency: "EUR"}}
	for _, c := range []struct {
		p    Parameter
		now  *wire.TenantParameters
		kept bool
	}{
		{&perennialv1.PolicySet{Currency: "EUR"}, euro, true},
		{&perennialv1.PolicySet{Currency: "USD"}, euro, false},
		{&perennialv1.PolicySet{MarginPpm: 350_000}, euro, false}, // the default is USD
		{&perennialv1.PolicySet{Currency: "EUR"}, &wire.TenantParameters{}, true},
		{&perennialv1.PolicySet{}, &wire.TenantParameters{Policy: &cltv.Policy{Currency: "USD"}}, true},
		{&perennialv1.ThresholdsSet{}, euro, true},
	} {
		if err := KeepsCurrency(c.p, c.now); (err == nil) != c.kept {
			t.Errorf("%v: %v", c.p, err)
		}
	}
}
