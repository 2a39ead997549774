package control

import (
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perennial-cltv/perennial/pkg/cltv"
	"github.com/perennial-cltv/perennial/pkg/formula"
	"github.com/perennial-cltv/perennial/pkg/intake"
	"github.com/perennial-cltv/perennial/pkg/wire"
	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// Kinds of parameters, as people name them on the command line.
const (
	KindModel      = "model"
	KindThresholds = "thresholds"
	KindUnitCosts  = "unit-costs"
	KindPolicy     = "policy"
)

// Parameter is a parameter record of any kind.
type Parameter interface {
	proto.Message
	GetNumber() int64
}

// Load reads a parameter of a kind from a file that has it in the JSON mapping
// of the schema. For a model, "cdnow" names the published one. The time zone of a
// policy is resolved into its offsets.
func Load(kind, name string) (Parameter, error) {
	var p Parameter
	switch kind {
	case KindModel:
		if name == "cdnow" {
			return CDNOW(0), nil
		}
		p = &perennialv1.ModelPublished{}
	case KindThresholds:
		p = &perennialv1.ThresholdsSet{}
	case KindUnitCosts:
		p = &perennialv1.UnitCostsSet{}
	case KindPolicy:
		p = &perennialv1.PolicySet{}
	default:
		return nil, fmt.Errorf("no parameters are called %q", kind)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if policy, ok := p.(*perennialv1.PolicySet); ok && len(policy.ZoneOffsets) == 0 {
		if policy.ZoneOffsets, err = ZoneOffsets(policy.TimeZone); err != nil {
			return nil, fmt.Errorf("%s: time_zone: %w", name, err)
		}
	}
	return p, nil
}

// ZoneOffsets resolves the name of a time zone for a policy; UTC needs none.
func ZoneOffsets(name string) ([]*perennialv1.ZoneOffset, error) {
	if name == "" || name == cltv.DefaultTimeZone {
		return nil, nil
	}
	resolved, err := intake.ZoneOffsets(name)
	if err != nil {
		return nil, err
	}
	offsets := make([]*perennialv1.ZoneOffset, len(resolved))
	for i, z := range resolved {
		offsets[i] = &perennialv1.ZoneOffset{FromUnix: z.FromUnix, OffsetSeconds: z.OffsetSeconds}
	}
	return offsets, nil
}

// SetNumber numbers a parameter.
func SetNumber(p Parameter, number int64) {
	switch p := p.(type) {
	case *perennialv1.ModelPublished:
		p.Number = number
	case *perennialv1.ThresholdsSet:
		p.Number = number
	case *perennialv1.UnitCostsSet:
		p.Number = number
	case *perennialv1.PolicySet:
		p.Number = number
	}
}

// InForce answers the number of what is in force in place of p; 0: nothing is.
func InForce(p Parameter, now *wire.TenantParameters) int64 {
	switch p := p.(type) {
	case *perennialv1.ModelPublished:
		for _, m := range now.Models {
			if m.Scope == p.Scope && m.OfContracts() == OfContracts(p) {
				return m.Number
			}
		}
	case *perennialv1.ThresholdsSet:
		if now.Thresholds != nil {
			return now.Thresholds.Number
		}
	case *perennialv1.UnitCostsSet:
		if now.UnitCosts != nil {
			return now.UnitCosts.Number
		}
	case *perennialv1.PolicySet:
		if now.Policy != nil {
			return now.Policy.Number
		}
	}
	return 0
}

// KeepsCurrency refuses a policy in another currency than the one in force: what
// is kept of a tenant's money are minor units, which would become those of the
// other. A policy that leaves its currency out is in the default one.
func KeepsCurrency(p Parameter, now *wire.TenantParameters) error {
	policy, ok := p.(*perennialv1.PolicySet)
	if !ok || now.Policy == nil {
		return nil
	}
	is, becomes := now.Policy.WithDefaults().Currency, cltv.Policy{Currency: policy.Currency}.WithDefaults().Currency
	if is != becomes {
		return fmt.Errorf("currency = %q: the tenant's money is in %s, and what is known of it would be taken for %s", policy.Currency, is, becomes)
	}
	return nil
}

// Publish answers the record that brings p into force, or why the updater would
// refuse it.
func Publish(tenant string, p Parameter, at time.Time) (*perennialv1.Event, error) {
	var e *perennialv1.Event
	switch p := p.(type) {
	case *perennialv1.ModelPublished:
		e = Model(tenant, p, at)
	case *perennialv1.ThresholdsSet:
		e = Thresholds(tenant, p, at)
	case *perennialv1.UnitCostsSet:
		e = UnitCosts(tenant, p, at)
	case *perennialv1.PolicySet:
		e = Policy(tenant, p, at)
	}
	if p.GetNumber() < 1 {
		return nil, fmt.Errorf("number = %d: must be above zero", p.GetNumber())
	}
	value, err := proto.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	var ev cltv.Event
	if err := wire.DecodeEvent(value, &ev); err != nil {
		return nil, err
	}
	var none *cltv.Params
	if _, _, err := none.With(&ev, &cltv.Tables{Formulas: formula.Compile}); err != nil {
		return nil, err
	}
	return e, nil
}
