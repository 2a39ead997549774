// Package backtestreport writes what a backtest found out: as JSON, for a
// terminal, and as a page with plots.
//
//	document.go  the report as data: what --json prints
//	text.go      for a terminal
//	page.go      as a page, with page.html
//	plot.go      its plots
package backtestreport

import (
	"encoding/json"
	"math"
	"time"

	"github.com/perennial-cltv/perennial/pkg/backtest"
	"github.com/perennial-cltv/perennial/pkg/btyd/fit"
	"github.com/perennial-cltv/perennial/pkg/evaluate"
	"github.com/perennial-cltv/perennial/services/perennial/history"
)

// Number is a number that JSON has null for where it is none.
type Number float64

// MarshalJSON implements [json.Marshaler].
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// Unit is the unit of time in which parameters are told.
type Unit struct {
	Name string
	Days float64
}

// Units are those that can be asked for.
var Units = []Unit{{"day", 1}, {"week", 7}, {"month", 365.25 / 12}}

// Source says what was read.
type Source struct {
	// File is its path, Layout what was found out about how it is written.
	File, Layout string
	// Rows are its purchases, Rejected the lines that are none.
	Rows, Rejected int64
	// Currency of all amounts; empty where the file doesn't say. It has Decimals.
	Currency string
	Decimals int
}

// Document is a report.
type Document struct {
	File          string      `json:"file"`
	Layout        string      `json:"layout"`
	Rows          int64       `json:"rows"`
	Rejected      int64       `json:"rejected"`
	Currency      string      `json:"currency,omitempty"`
	Unit          string      `json:"unit"`
	Calibration   Calibration `json:"calibration"`
	Horizon       Horizon     `json:"horizon"`
	Answer        Answer      `json:"answer"`
	Models        []Method    `json:"models"`
	Spend         Spend       `json:"spend"`
	Baselines     []Method    `json:"baselines"`
	WeekEnds      []string    `json:"weekEnds"`
	ActualRepeats []Number    `json:"actualRepeats"`
	Distribution  []Number    `json:"distribution"`

	steps    []int32
	until    int32
	decimals int
}

// Calibration is the past: what the models knew.
type Calibration struct {
	From               string `json:"from"`
	To                 string `json:"to"`
	Customers          int    `json:"customers"`
	Repeaters          int    `json:"repeaters"`
	RepeatTransactions int64  `json:"repeatTransactions"`
	// Later customers came after it and are left out.
	Later int `json:"customersLater"`
}

// Horizon is the future: what they were to predict.
type Horizon struct {
	From         string `json:"from"`
	To           string `json:"to"`
	Days         int32  `json:"days"`
	Transactions int64  `json:"transactions"`
	Money        Number `json:"money"`
}

// Answer is the model that the product would have used.
type Answer struct {
	Model         string  `json:"model"`
	Reason        string  `json:"reason"`
	RehearsalDays int32   `json:"rehearsalDays,omitempty"`
	Trials        []Trial `json:"trials,omitempty"`
}

// Trial is a model on the last part of the past.
type Trial struct {
	Model string `json:"model"`
	MAE   Number `json:"mae"`
	Gini  Number `json:"gini"`
}

// Method is a model or a baseline. What it doesn't give is left out.
type Method struct {
	Name             string         `json:"name"`
	NotIdentified    []string       `json:"notIdentified,omitempty"`
	Cautions         []string       `json:"cautions,omitempty"`
	Fit              *Fit           `json:"fit,omitempty"`
	MeanAlive        *Number        `json:"meanAlive,omitempty"`
	Purchases        *Judgement     `json:"purchases,omitempty"`
	Money            *Judgement     `json:"money,omitempty"`
	Buys             *Probabilities `json:"buys,omitempty"`
	PurchaseInterval *Interval      `json:"purchaseInterval,omitempty"`
	MoneyInterval    *Interval      `json:"moneyInterval,omitempty"`
	Tracking         *Tracking      `json:"tracking,omitempty"`
	Distribution     []Number       `json:"distribution,omitempty"`
}

// Fit is the parameters of a model.
type Fit struct {
	LogLikelihood   Number      `json:"logLikelihood"`
	DropoutEvidence *Number     `json:"dropoutEvidence,omitempty"`
	Parameters      []Parameter `json:"parameters"`
}

// Parameter is one of them, with its 80 % interval.
type Parameter struct {
	Name  string `json:"name"`
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// Judgement is how good numbers and their order are.
type Judgement struct {
	Predicted   *Number `json:"predicted,omitempty"`
	Actual      *Number `json:"actual,omitempty"`
	BiasPercent *Number `json:"biasPercent,omitempty"`
	MAE         *Number `json:"mae,omitempty"`
	RMSE        *Number `json:"rmse,omitempty"`
	Correlation *Number `json:"correlation,omitempty"`
	DecileMAPE  *Number `json:"decileMapePercent,omitempty"`
	Spearman    Number  `json:"spearman"`
	Gini        Number  `json:"gini"`
	TopHitRate  Number  `json:"topFifthHitRate"`
	Deciles     []Group `json:"deciles,omitempty"`
}

// Group is a tenth of the customers, highest prediction first; means.
type Group struct {
	Customers int    `json:"customers"`
	Predicted Number `json:"predicted"`
	Actual    Number `json:"actual"`
}

// Probabilities is how good the probabilities of any purchase are.
type Probabilities struct {
	Rate             Number  `json:"rate"`
	Mean             Number  `json:"mean"`
	Brier            Number  `json:"brier"`
	CalibrationError Number  `json:"calibrationError"`
	AUC              Number  `json:"auc"`
	Groups           []Group `json:"groups"`
}

// Interval is the share that an interval was to hold, and held.
type Interval struct {
	Expected Number `json:"expected"`
	Covered  Number `json:"covered"`
}

// Tracking is the accumulated repeat transactions by week.
type Tracking struct {
	CutErrorPercent Number   `json:"cutErrorPercent"`
	EndErrorPercent Number   `json:"endErrorPercent"`
	HorizonMAPE     Number   `json:"horizonMapePercent"`
	Expected        []Number `json:"expected"`
}

// Spend is the model of what customers pay.
type Spend struct {
	Name          string   `json:"name"`
	NotIdentified []string `json:"notIdentified,omitempty"`
	Cautions      []string `json:"cautions,omitempty"`
	Fit           *Fit     `json:"fit,omitempty"`
	Correlation   *Number  `json:"correlation,omitempty"`
	WithoutMoney  int      `json:"repeatersWithoutMoney,omitempty"`
}

// New makes the report of a result whose day 0 is 1970-01-01.
func New(r *backtest.Result, source Source, unit Unit) *Document {
	d := &Document{
		File: source.File, Layout: source.Layout, Rows: source.Rows, Rejected: source.Rejected, Currency: source.Currency, Unit: unit.Name,
		Calibration: Calibration{
			From: date(r.FirstDay), To: date(r.Window.Until), Customers: r.Customers, Repeaters: r.Repeaters,
			RepeatTransactions: r.RepeatTransactions, Later: r.Later,
		},
		Horizon: Horizon{
			From: date(r.Window.Until + 1), To: date(r.Window.Until + r.Window.HorizonDays), Days: r.Window.HorizonDays,
			Transactions: r.HorizonTransactions, Money: Number(r.HorizonMoney),
		},
		Answer:        Answer{Model: r.Choice.Model, Reason: r.Choice.Reason, RehearsalDays: r.Choice.RehearsalDays},
		Spend:         Spend{Name: "Gamma–Gamma", NotIdentified: r.Spend.NotIdentified, Cautions: r.Spend.Cautions, WithoutMoney: r.Spend.WithoutMoney},
		ActualRepeats: numbers(r.ActualRepeats), Distribution: numbers(r.Distribution),
		steps: r.Steps, until: r.Window.Until, decimals: source.Decimals,
	}
	for _, t := range r.Choice.Trials {
		d.Answer.Trials = append(d.Answer.Trials, Trial{t.Model, Number(t.MAE), Number(t.Gini)})
	}
	if report := r.Spend.Report; report != nil && len(r.Spend.NotIdentified) == 0 {
		d.Spend.Fit = fitOf(report, 0, 1)
	}
	if report := r.Spend.Report; report != nil {
		d.Spend.Correlation = number(report.SpendCorrelation)
	}
	for _, step := range r.Steps {
		d.WeekEnds = append(d.WeekEnds, date(step))
	}
	for i := range r.Methods {
		m := methodOf(&r.Methods[i], r.RepeatTransactions, 7/unit.Days)
		if r.Methods[i].Baseline {
			d.Baselines = append(d.Baselines, m)
		} else {
			d.Models = append(d.Models, m)
		}
	}
	return d
}

// Chosen is the method of the answer; nil where there is none.
func (d *Document) Chosen() *Method {
	for i := range d.Models {
		if d.Models[i].Name == d.Answer.Model {
			return &d.Models[i]
		}
	}
	return nil
}

func methodOf(m *backtest.Method, transactions int64, perWeek float64) Method {
	out := Method{
		Name: m.Name, NotIdentified: m.NotIdentified, Cautions: m.Cautions,
		Purchases: judgementOf(m.Purchases), Money: judgementOf(m.Money), Distribution: numbers(m.Distribution),
		PurchaseInterval: intervalOf(m.PurchaseInterval), MoneyInterval: intervalOf(m.MoneyInterval),
	}
	if m.Report != nil && len(m.NotIdentified) == 0 {
		out.Fit, out.MeanAlive = fitOf(m.Report, transactions, perWeek), number(m.MeanAlive)
		out.Fit.DropoutEvidence = number(m.Report.DropoutEvidence)
	}
	if b := m.Buys; b != nil {
		out.Buys = &Probabilities{Number(b.Rate), Number(b.Mean), Number(b.Brier), Number(b.CalibrationError), Number(b.AUC), groups(b.Groups)}
	}
	if t := m.Tracking; t != nil {
		out.Tracking = &Tracking{Number(t.CutErrorPercent), Number(t.EndErrorPercent), Number(t.HorizonMAPE), numbers(t.Expected)}
	}
	return out
}

// ofTime are the parameters that have the unit of time.
var ofTime = map[string]bool{"Alpha": true, "Beta": true}

// fitOf tells a fit in weeks in a unit of which a week has perWeek. The likelihood
// is a density over the times of the transactions, so it changes with their unit.
func fitOf(r *fit.Report, transactions int64, perWeek float64) *Fit {
	f := &Fit{LogLikelihood: Number(r.LogLikelihood - float64(transactions)*math.Log(perWeek))}
	for _, p := range r.Parameters {
		scale := 1.0
		if ofTime[p.Name] {
			scale = perWeek
		}
		low, high := p.Interval(backtest.Level)
		f.Parameters = append(f.Parameters, Parameter{p.Name, Number(p.Value * scale), Number(low * scale), Number(high * scale)})
	}
	return f
}

func judgementOf(j *backtest.Judgement) *Judgement {
	if j == nil {
		return nil
	}
	out := &Judgement{Spearman: Number(j.Order.Spearman), Gini: Number(j.Order.Gini), TopHitRate: Number(j.Order.TopHitRate)}
	if !j.OrderOnly {
		e := &j.Errors
		out.Predicted, out.Actual, out.BiasPercent = number(e.Predicted), number(e.Actual), number(e.BiasPercent)
		out.MAE, out.RMSE, out.Correlation, out.DecileMAPE = number(e.MAE), number(e.RMSE), number(e.Correlation), number(j.DecileMAPE)
		out.Deciles = groups(j.Deciles)
	}
	return out
}

func intervalOf(i *backtest.Interval) *Interval {
	if i == nil {
		return nil
	}
	return &Interval{Number(i.Expected), Number(i.Covered)}
}

func groups(in []evaluate.Group) []Group {
	out := make([]Group, 0, len(in))
	for _, g := range in {
		out = append(out, Group{g.Customers, Number(g.Predicted), Number(g.Actual)})
	}
	return out
}

func numbers(in []float64) []Number {
	var out []Number
	for _, v := range in {
		out = append(out, Number(v))
	}
	return out
}

func number(v float64) *Number {
	n := Number(v)
	return &n
}

func date(day int32) string { return history.DateOf(day).Format(time.DateOnly) }
