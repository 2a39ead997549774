package wire

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

// parameters merges a parameter record into d. What it keeps is copied, because
// parameters outlive the buffer by far.
func (d *decoder) parameters(kind cltv.Kind, b []byte) *DecodeError {
	ev := d.ev
	switch kind {
	case cltv.KindModelPublished:
		if ev.Model == nil {
			ev.Model = new(cltv.Model)
		}
		return decodeModel(b, ev.Model, &d.until)
	case cltv.KindThresholdsSet:
		if ev.Thresholds == nil {
			ev.Thresholds = new(cltv.Thresholds)
		}
		return decodeThresholds(b, ev.Thresholds)
	case cltv.KindUnitCostsSet:
		if ev.UnitCosts == nil {
			ev.UnitCosts = new(cltv.UnitCosts)
		}
		return decodeUnitCosts(b, ev.UnitCosts)
	case cltv.KindPolicySet:
		if ev.Policy == nil {
			ev.Policy = new(cltv.Policy)
		}
		return decodePolicy(b, ev.Policy)
	default:
		return nil
	}
}

func appendParameters(b []byte, ev *cltv.Event) []byte {
	switch {
	case ev.Model != nil:
		return appendModel(b, ev.Model)
	case ev.Thresholds != nil:
		return appendThresholds(b, ev.Thresholds)
	case ev.UnitCosts != nil:
		return appendUnitCosts(b, ev.UnitCosts)
	case ev.Policy != nil:
		return appendPolicy(b, ev.Policy)
	}
	return b
}

// decodeModel merges all but TrainedTo, which the caller sets from trained once
// the message has ended.
func decodeModel(b []byte, m *cltv.Model, trained *stamp) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			m.Number = c.int64()
		case 2<<3 | delimited:
			err = c.ownText(&m.ModelID, "model_id")
		case 3<<3 | delimited:
			err = c.ownText(&m.Scope, "scope")
		case 4<<3 | delimited:
			err = decodeFloats(c.data, "bg_nbd", &m.BGNBD.R, &m.BGNBD.Alpha, &m.BGNBD.A, &m.BGNBD.B)
		case 5<<3 | delimited:
			err = decodeFloats(c.data, "gamma_gamma", &m.P, &m.Q, &m.Gamma)
		case 6<<3 | varint:
			m.Customers = c.int64()
		case 7<<3 | varint:
			m.Repeaters = c.int64()
		case 8<<3 | delimited:
			err = trained.decode(c.data, "trained_to")
		case 9<<3 | delimited:
			err = c.ownText(&m.Reason, "reason")
		case 10<<3 | delimited:
			err = decodeFloats(c.data, "mbg_nbd", &m.MBGNBD.R, &m.MBGNBD.Alpha, &m.MBGNBD.A, &m.MBGNBD.B)
		case 11<<3 | delimited:
			err = decodeFloats(c.data, "pareto_nbd", &m.ParetoNBD.R, &m.ParetoNBD.Alpha, &m.ParetoNBD.S, &m.ParetoNBD.Beta)
		case 12<<3 | delimited:
			err = decodeFloats(c.data, "s_bg", &m.SBG.Alpha, &m.SBG.Beta)
		case 13<<3 | delimited:
			err = decodeFloats(c.data, "bd_w", &m.BdW.Alpha, &m.BdW.Beta, &m.BdW.C)
		case 14<<3 | delimited:
			err = decodeHazard(c.data, "leaving", &m.Leaving)
		case 15<<3 | delimited:
			err = decodeHazard(c.data, "involuntary", &m.Involuntary)
		case 16<<3 | varint:
			m.ReturnPPM = append(m.ReturnPPM, c.int32())
		case 16<<3 | delimited:
			err = decodePacked(c.data, &m.ReturnPPM, "return_ppm")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func appendModel(b []byte, m *cltv.Model) []byte {
	b = appendInt(b, 1, m.Number)
	b = appendText(b, 2, m.ModelID)
	b = appendText(b, 3, m.Scope)
	b = appendFloats(b, 4, m.BGNBD.R, m.BGNBD.Alpha, m.BGNBD.A, m.BGNBD.B)
	b = appendFloats(b, 5, m.P, m.Q, m.Gamma)
	b = appendInt(b, 6, m.Customers)
	b = appendInt(b, 7, m.Repeaters)
	b = appendTime(b, 8, m.TrainedTo)
	b = appendText(b, 9, m.Reason)
	b = appendFloats(b, 10, m.MBGNBD.R, m.MBGNBD.Alpha, m.MBGNBD.A, m.MBGNBD.B)
	b = appendFloats(b, 11, m.ParetoNBD.R, m.ParetoNBD.Alpha, m.ParetoNBD.S, m.ParetoNBD.Beta)
	b = appendFloats(b, 12, m.SBG.Alpha, m.SBG.Beta)
	b = appendFloats(b, 13, m.BdW.Alpha, m.BdW.Beta, m.BdW.C)
	b = appendHazard(b, 14, m.Leaving)
	b = appendHazard(b, 15, m.Involuntary)
	return appendPacked(b, 16, m.ReturnPPM)
}

// decodeHazard merges a RenewalHazard.
func decodeHazard(b []byte, field string, to **cltv.Hazard) *DecodeError {
	if *to == nil {
		*to = new(cltv.Hazard)
	}
	h := *to
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | fixed64:
			h.Intercept = math.Float64frombits(c.num)
		case 2<<3 | fixed64:
			h.Tenure = math.Float64frombits(c.num)
		case 3<<3 | fixed64:
			h.MeanBase = math.Float64frombits(c.num)
		case 4<<3 | delimited:
			w, err := decodeWeight(c.data)
			if err != nil {
				return within(field, within("weights", err))
			}
			h.Weights = append(h.Weights, w)
		}
	}
	return endOf(&c, field)
}

func decodeWeight(b []byte) (w cltv.HazardWeight, err *DecodeError) {
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | delimited:
			if err := c.ownText(&w.Feature, "feature"); err != nil {
				return w, err
			}
		case 2<<3 | fixed64:
			w.Weight = math.Float64frombits(c.num)
		case 3<<3 | fixed64:
			w.Mean = math.Float64frombits(c.num)
		}
	}
	return w, c.end()
}

func appendHazard(b []byte, field int, h *cltv.Hazard) []byte {
	if h == nil {
		return b
	}
	b, at := openMessage(b, field)
	b = appendFloat(b, 1, h.Intercept)
	b = appendFloat(b, 2, h.Tenure)
	b = appendFloat(b, 3, h.MeanBase)
	for _, w := range h.Weights {
		var each int
		b, each = openMessage(b, 4)
		b = appendText(b, 1, w.Feature)
		b = appendFloat(b, 2, w.Weight)
		b = appendFloat(b, 3, w.Mean)
		b = closeMessage(b, each)
	}
	return closeMessage(b, at)
}

// decodeFloats merges a message whose fields 1, 2, … are doubles.
func decodeFloats(b []byte, field string, to ...*float64) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		if i := c.key>>3 - 1; c.key&7 == fixed64 && i < uint64(len(to)) {
			*to[i] = math.Float64frombits(c.num)
		}
	}
	return endOf(&c, field)
}

// appendFloats writes such a message, unless all are zero.
func appendFloats(b []byte, field int, values ...float64) []byte {
	if !slices.ContainsFunc(values, func(v float64) bool { return math.Float64bits(v) != 0 }) {
		return b
	}
	b, at := openMessage(b, field)
	for i, v := range values {
		b = appendFloat(b, i+1, v)
	}
	return closeMessage(b, at)
}

func decodeThresholds(b []byte, t *cltv.Thresholds) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			t.Number = c.int64()
		case 2<<3 | delimited:
			tier, err := decodeTier(c.data)
			if err != nil {
				return within("tiers", err)
			}
			t.Tiers = append(t.Tiers, tier)
		}
	}
	return c.end()
}

func decodeTier(b []byte) (tier cltv.Tier, err *DecodeError) {
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | delimited:
			if err := c.ownText(&tier.Name, "name"); err != nil {
				return tier, err
			}
		case 2<<3 | varint:
			tier.FromMinor = c.int64()
		}
	}
	return tier, c.end()
}

func appendThresholds(b []byte, t *cltv.Thresholds) []byte {
	b = appendInt(b, 1, t.Number)
	for _, tier := range t.Tiers {
		var at int
		b, at = openMessage(b, 2)
		b = appendText(b, 1, tier.Name)
		b = appendInt(b, 2, tier.FromMinor)
		b = closeMessage(b, at)
	}
	return b
}

func decodeUnitCosts(b []byte, u *cltv.UnitCosts) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			u.Number = c.int64()
		case 2<<3 | varint:
			u.DefaultMinor = c.int64()
		case 3<<3 | delimited:
			err = decodeMapEntry(c.data, &u.ByCampaign, "by_campaign")
		case 4<<3 | delimited:
			err = decodeMapEntry(c.data, &u.ByLeadSource, "by_lead_source")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

// decodeMapEntry merges one entry of a map<string, int64> or map<string, int32>.
func decodeMapEntry[T int32 | int64](b []byte, to *map[string]T, field string) *DecodeError {
	var (
		key   string
		value T
	)
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | delimited:
			if err := c.ownText(&key, "key"); err != nil {
				return within(field, err)
			}
		case 2<<3 | varint:
			value = T(c.int64())
		}
	}
	if c.bad {
		return &DecodeError{Field: field, Reason: Malformed}
	}
	if *to == nil {
		*to = make(map[string]T)
	}
	(*to)[key] = value
	return nil
}

func appendUnitCosts(b []byte, u *cltv.UnitCosts) []byte {
	b = appendInt(b, 1, u.Number)
	b = appendInt(b, 2, u.DefaultMinor)
	b = appendMap(b, 3, u.ByCampaign)
	return appendMap(b, 4, u.ByLeadSource)
}

// appendMap writes the entries in the order of their keys, so that equal maps
// give equal bytes. Key and value are written even where they are zero, as the
// generated code does.
func appendMap[T int32 | int64](b []byte, field int, m map[string]T) []byte {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		var at int
		b, at = openMessage(b, field)
		b = appendKey(b, 1, delimited)
		b = protowire.AppendString(b, key)
		b = appendKey(b, 2, varint)
		b = protowire.AppendVarint(b, uint64(int64(m[key])))
		b = closeMessage(b, at)
	}
	return b
}
