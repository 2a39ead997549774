package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd"
	"github.com/perennial-cltv/perennial/pkg/cltv"
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

// FittedContracts answers a model of contracts in the same way. Features are those of
// its hazards.
func FittedContracts(f *backtest.ContractModel, features []string, reason string) *perennialv1.ModelPublished {
	until := DateOf(f.Until)
	m := &perennialv1.ModelPublished{
		Customers: f.Contracts, Repeaters: f.Renewed, TrainedTo: timestamppb.New(until), Reason: reason,
		Leaving: hazard(f.Leaving, features), Involuntary: hazard(f.Involuntary, features),
	}
	name := "sbg"
	switch p := f.Renewals.(type) {
	case btyd.SBG:
		m.SBg = &perennialv1.SBg{Alpha: p.Alpha, Beta: p.Beta}
	case btyd.BdW:
		name, m.BdW = "bdw", &perennialv1.BdW{Alpha: p.Alpha, Beta: p.Beta, C: p.C}
	}
	if f.Leaving != nil {
		name += "-signals"
	}
	m.ModelId = name + "-" + until.Format(time.DateOnly)
	for _, share := range f.Returns {
		m.ReturnPpm = append(m.ReturnPpm, int32(btyd.Millionths(share)))
	}
	return m
}

// hazard leaves out features without a weight.
func hazard(h *btyd.RenewalHazard, features []string) *perennialv1.RenewalHazard {
	if h == nil {
		return nil
	}
	out := &perennialv1.RenewalHazard{Intercept: h.Intercept, Tenure: h.Tenure, MeanBase: h.MeanBase}
	for j, w := range h.Weights {
		if w != 0 {
			out.Weights = append(out.Weights, &perennialv1.HazardWeight{Feature: features[j], Weight: w, Mean: h.Means[j]})
		}
	}
	return out
}

// Contracts answers the model of contracts of a model, as FittedContracts wrote it;
// nil: it isn't one.
func Contracts(m *perennialv1.ModelPublished) *backtest.ContractModel {
	if !OfContracts(m) {
		return nil
	}
	out := &backtest.ContractModel{Label: fmt.Sprintf("number %d (%s)", m.Number, m.ModelId), Leaving: toHazard(m.Leaving), Involuntary: toHazard(m.Involuntary)}
	if b := m.BdW; b != nil {
		out.Renewals = btyd.BdW{Alpha: b.Alpha, Beta: b.Beta, C: b.C}
	} else {
		out.Renewals = btyd.SBG{Alpha: m.SBg.Alpha, Beta: m.SBg.Beta}
	}
	return out
}

// toHazard puts the weights into the order of the features.
func toHazard(h *perennialv1.RenewalHazard) *btyd.RenewalHazard {
	if h == nil {
		return nil
	}
	features := cltv.FeatureNames()
	out := &btyd.RenewalHazard{Intercept: h.Intercept, Tenure: h.Tenure, MeanBase: h.MeanBase,
		Weights: make([]float64, len(features)), Means: make([]float64, len(features))}
	for _, w := range h.Weights {
		if j := slices.Index(features, w.Feature); j >= 0 {
			out.Weights[j], out.Means[j] = w.Weight, w.Mean
		}
	}
	return out
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
