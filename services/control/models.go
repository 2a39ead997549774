package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/stream"
	"github.com/perennial-cltv/perennial/pkg/task"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// PublishedModel is a model as it stands in the log.
type PublishedModel struct {
	*perennialv1.ModelPublished
	// At is when Kafka took it.
	At time.Time
	// InForce says that no model of its scope has a higher number.
	InForce bool
}

// Models answers the models that were published for a tenant and are still in the
// log, by scope and number. They go to every partition, so one is read.
func Models(ctx context.Context, client *stream.Client, tenant string) ([]PublishedModel, error) {
	type place struct {
		scope  string
		number int64
	}
	found := map[place]PublishedModel{}
	whole := []stream.Span{{Partition: 0, From: -1, To: -1}}
	key := tenant + "/~model"
	err := client.Read(ctx, client.Config().Topics.Events, whole, func(_ int32, r *task.Record) error {
		if string(r.Key) != key {
			return nil
		}
		e := &perennialv1.Event{}
		if err := proto.Unmarshal(r.Value, e); err != nil {
			return nil //nolint:nilerr // the updater has put it among the dead letters
		}
		if m := e.GetModelPublished(); m != nil {
			found[place{m.Scope, m.Number}] = PublishedModel{ModelPublished: m, At: time.UnixMilli(r.Timestamp).UTC()}
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
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Number, b.Number))
	})
	for i := range models {
		models[i].InForce = i+1 == len(models) || models[i+1].Scope != models[i].Scope
	}
	return models, nil
}

// ModelParameter is a parameter of a model, by its name in the schema.
type ModelParameter struct {
	Name  string
	Value float64
}

// Process names the purchase process of a model and lists its parameters and those
// of its spend model.
func Process(m *perennialv1.ModelPublished) (name string, parameters []ModelParameter) {
	switch {
	case m.MbgNbd != nil:
		p := m.MbgNbd
		name, parameters = "MBG/NBD", []ModelParameter{{"r", p.R}, {"alpha", p.Alpha}, {"a", p.A}, {"b", p.B}}
	case m.ParetoNbd != nil:
		p := m.ParetoNbd
		name, parameters = "Pareto/NBD", []ModelParameter{{"r", p.R}, {"alpha", p.Alpha}, {"s", p.S}, {"beta", p.Beta}}
	default:
		p := m.GetBgNbd()
		name, parameters = "BG/NBD", []ModelParameter{{"r", p.GetR()}, {"alpha", p.GetAlpha()}, {"a", p.GetA()}, {"b", p.GetB()}}
	}
	if g := m.GammaGamma; g != nil {
		parameters = append(parameters, ModelParameter{"p", g.P}, ModelParameter{"q", g.Q}, ModelParameter{"gamma", g.Gamma})
	}
	return name, parameters
}
