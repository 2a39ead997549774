package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Fitted answers a model that was fitted to a history whose days count from
// 1970-01-01, without a number: it gets the next one when it is published.
func Fitted(f *backtest.Fitted, reason string) *perennialv1.ModelPublished {
	until := DateOf(f.Until)
	m := &perennialv1.ModelPublished{
		Customers: f.Customers, Repeaters: f.Repeaters, TrainedTo: timestamppb.New(until), Reason: reason,
	}
	name := ""
	switch p := f.Purchases.(type) {
	case btyd.BGNBD:
		name, m.BgNbd = "bg-nbd", &perennialv1.BgNbd{R: p.R, Alpha: p.Alpha, A: p.A, B: p.B}
	case btyd.MBGNBD:
		name, m.MbgNbd = "mbg-nbd", &perennialv1.MbgNbd{R: p.R, Alpha: p.Alpha, A: p.A, B: p.B}
	case btyd.ParetoNBD:
		name, m.ParetoNbd = "pareto-nbd", &perennialv1.ParetoNbd{R: p.R, Alpha: p.Alpha, S: p.S, Beta: p.Beta}
	}
	m.ModelId = name + "-" + until.Format(time.DateOnly)
	if g := f.Spend; g != nil {
		m.GammaGamma = &perennialv1.GammaGamma{P: g.P, Q: g.Q, Gamma: g.Gamma}
	}
	return m
}

// Purchases answers the purchase process of a model, as Fitted wrote it.
func Purchases(m *perennialv1.ModelPublished) btyd.PurchaseModel {
	switch {
	case m.MbgNbd != nil:
		return btyd.MBGNBD{R: m.MbgNbd.R, Alpha: m.MbgNbd.Alpha, A: m.MbgNbd.A, B: m.MbgNbd.B}
	case m.ParetoNbd != nil:
		return btyd.ParetoNBD{R: m.ParetoNbd.R, Alpha: m.ParetoNbd.Alpha, S: m.ParetoNbd.S, Beta: m.ParetoNbd.Beta}
	default:
		b := m.GetBgNbd()
		return btyd.BGNBD{R: b.GetR(), Alpha: b.GetAlpha(), A: b.GetA(), B: b.GetB()}
	}
}

// Spend answers the spend model of a model; nil: it has none.
func Spend(m *perennialv1.ModelPublished) *btyd.GammaGamma {
	if m.GammaGamma == nil {
		return nil
	}
	return &btyd.GammaGamma{P: m.GammaGamma.P, Q: m.GammaGamma.Q, Gamma: m.GammaGamma.Gamma}
}

const daySeconds = 24 * 60 * 60

// DateOf is the beginning in UTC of a day counted from 1970-01-01, as records name
// days; DayOf is the day that they name.
func DateOf(day int32) time.Time { return time.Unix(int64(day)*daySeconds, 0).UTC() }

// DayOf is the day of a date that DateOf made; 0 where there is none.
func DayOf(date *timestamppb.Timestamp) int32 { return int32(date.GetSeconds() / daySeconds) }

// JSON writes parameters as Load reads them.
func JSON(p Parameter) ([]byte, error) {
	text, err := protojson.Marshal(p)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil { // protojson's own layout varies on purpose
		return nil, fmt.Errorf("laying out JSON: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
