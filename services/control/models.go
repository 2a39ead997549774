package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// PublishedModel is a model as it stands in the log.
type PublishedModel struct {
	*perennialv1.ModelPublished
	// At is when Kafka took it.
	At time.Time
	// InForce says that customers of its scope are scored by it, and not by a model of a higher number.
	InForce bool
	// Refused says why the updater didn't take it; nil: it did.
	Refused error
}

// OfContracts says whether a model is of contracts, and not of purchases.
func OfContracts(m *perennialv1.ModelPublished) bool { return m.GetSBg() != nil || m.GetBdW() != nil }

// Models answers the models that were published for a tenant and are still in the
// log, those of purchases first, by scope and number, as the updater takes them: of
// two contents under one number the one that counts. They go to every partition, so
// one is read.
func Models(ctx context.Context, client *stream.Client, tenant string) ([]PublishedModel, error) {
	type place struct {
		contracts bool
		scope     string
		number    int64
	}
	found, inForce := map[place]PublishedModel{}, map[place]int64{}
	var params *cltv.Params
	var tables cltv.Tables
	whole := []stream.Span{{Partition: 0, From: -1, To: -1}}
	key := tenant + "/~model"
	err := client.Read(ctx, client.Config().Topics.Events, whole, func(_ int32, r *task.Record) error {
		if string(r.Key) != key {
			return nil
		}
		var ev cltv.Event
		m := PublishedModel{ModelPublished: modelIn(r.Value, &ev), At: time.UnixMilli(r.Timestamp).UTC()}
		if m.ModelPublished == nil {
			return nil // the updater has put it among the dead letters
		}
		at := place{OfContracts(m.ModelPublished), m.Scope, m.Number}
		next, changed, err := params.With(&ev, &tables)
		if err != nil {
			m.Refused = err
		}
		if params = next; changed {
			inForce[place{at.contracts, at.scope, 0}] = m.Number
		}
		if _, known := found[at]; !known || changed {
			found[at] = m
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the models of tenant %s: %w", tenant, err)
	}
	models := make([]PublishedModel, 0, len(found))
	for _, m := range found {
		models = append(models, m)
	}
	slices.SortFunc(models, func(a, b PublishedModel) int {
		if x, y := OfContracts(a.ModelPublished), OfContracts(b.ModelPublished); x != y {
			if y {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Number, b.Number))
	})
	for i := range models {
		m := &models[i]
		number, ok := inForce[place{OfContracts(m.ModelPublished), m.Scope, 0}]
		m.InForce = ok && number == m.Number && m.Refused == nil
	}
	return models, nil
}

// modelIn reads a record with a model as a person and as the updater reads it; nil: it
// holds none that can be read.
func modelIn(value []byte, ev *cltv.Event) *perennialv1.ModelPublished {
	e := &perennialv1.Event{}
	if proto.Unmarshal(value, e) != nil || wire.DecodeEvent(value, ev) != nil {
		return nil
	}
	return e.GetModelPublished()
}

// ModelParameter is a parameter of a model, by its name in the schema.
type ModelParameter struct {
	Name  string
	Value float64
}

// Process names the process of a model and lists its parameters, those of its spend
// model, and those of its hazards.
func Process(m *perennialv1.ModelPublished) (name string, parameters []ModelParameter) {
	switch {
	case m.MbgNbd != nil:
		p := m.MbgNbd
		name, parameters = "MBG/NBD", []ModelParameter{{"r", p.R}, {"alpha", p.Alpha}, {"a", p.A}, {"b", p.B}}
	case m.ParetoNbd != nil:
		p := m.ParetoNbd
		name, parameters = "Pareto/NBD", []ModelParameter{{"r", p.R}, {"alpha", p.Alpha}, {"s", p.S}, {"beta", p.Beta}}
	case m.SBg != nil:
		name, parameters = "sBG", []ModelParameter{{"alpha", m.SBg.Alpha}, {"beta", m.SBg.Beta}}
	case m.BdW != nil:
		name, parameters = "BdW", []ModelParameter{{"alpha", m.BdW.Alpha}, {"beta", m.BdW.Beta}, {"c", m.BdW.C}}
	default:
		p := m.GetBgNbd()
		name, parameters = "BG/NBD", []ModelParameter{{"r", p.GetR()}, {"alpha", p.GetAlpha()}, {"a", p.GetA()}, {"b", p.GetB()}}
	}
	if g := m.GammaGamma; g != nil {
		parameters = append(parameters, ModelParameter{"p", g.P}, ModelParameter{"q", g.Q}, ModelParameter{"gamma", g.Gamma})
	}
	for _, h := range []struct {
		name   string
		hazard *perennialv1.RenewalHazard
	}{{"leaving", m.Leaving}, {"involuntary", m.Involuntary}} {
		if h.hazard == nil {
			continue
		}
		parameters = append(parameters, ModelParameter{h.name + ".intercept", h.hazard.Intercept}, ModelParameter{h.name + ".tenure", h.hazard.Tenure})
		for _, w := range h.hazard.Weights {
			parameters = append(parameters, ModelParameter{h.name + "." + w.Feature, w.Weight})
		}
	}
	for i, ppm := range m.ReturnPpm {
		parameters = append(parameters, ModelParameter{fmt.Sprintf("return_ppm[%d]", i), float64(ppm)})
	}
	return name, parameters
}
