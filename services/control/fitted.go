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
	until := time.Unix(int64(f.Until)*24*60*60, 0).UTC()
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
