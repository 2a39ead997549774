package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/perennial-cltv/perennial/pkg/cltv"
)

func decodePolicy(b []byte, p *cltv.Policy) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | varint:
			p.Number = c.int64()
		case 2<<3 | delimited:
			err = c.ownText(&p.Currency, "currency")
		case 3<<3 | delimited:
			err = c.ownText(&p.TimeZone, "time_zone")
		case 4<<3 | delimited:
			err = decodeZoneOffset(c.data, &p.ZoneOffsets)
		case 5<<3 | varint:
			p.HorizonDays = c.int32()
		case 6<<3 | varint:
			p.DiscountPPM = c.int32()
		case 7<<3 | varint:
			p.MarginPPM = c.int32()
		case 8<<3 | varint:
			p.MinuteCostMinor = c.int64()
		case 9<<3 | varint:
			p.TicketCostMinor = c.int64()
		case 10<<3 | varint:
			p.ChurnHorizonDays = c.int32()
		case 11<<3 | varint:
			p.BandPPM = append(p.BandPPM, c.int32())
		case 11<<3 | delimited:
			err = decodePacked(c.data, &p.BandPPM, "band_ppm")
		case 12<<3 | varint:
			p.RescoreDays = c.int32()
		case 13<<3 | varint:
			p.ClockMode = cltv.ClockMode(c.int32())
		case 14<<3 | varint:
			p.KeepTransactions = c.int32()
		case 15<<3 | varint:
			p.KeepCalls = c.int32()
		case 16<<3 | varint:
			p.KeepRefunds = c.int32()
		case 17<<3 | varint:
			p.KeepMarks = c.int32()
		case 18<<3 | delimited:
			err = decodeMapEntry(c.data, &p.MarginByProduct, "margin_by_product")
		case 19<<3 | varint:
			p.FinancialYearMonth = c.int32()
		case 20<<3 | varint:
			p.GraceDays = c.int32()
		case 21<<3 | delimited:
			var v cltv.Valuation
			err = within("valuations", decodeValuation(c.data, &v))
			p.Valuations = append(p.Valuations, v)
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func decodeZoneOffset(b []byte, to *[]cltv.ZoneOffset) *DecodeError {
	var z cltv.ZoneOffset
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			z.FromUnix = c.int64()
		case 2<<3 | varint:
			z.OffsetSeconds = c.int32()
		}
	}
	if c.bad {
		return &DecodeError{Field: "zone_offsets", Reason: Malformed}
	}
	*to = append(*to, z)
	return nil
}

// decodePacked appends packed varints.
func decodePacked(b []byte, to *[]int32, field string) *DecodeError {
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return &DecodeError{Field: field, Reason: Malformed}
		}
		*to, b = append(*to, int32(v)), b[n:]
	}
	return nil
}

func appendPolicy(b []byte, p *cltv.Policy) []byte {
	b = appendInt(b, 1, p.Number)
	b = appendText(b, 2, p.Currency)
	b = appendText(b, 3, p.TimeZone)
	for _, z := range p.ZoneOffsets {
		var at int
		b, at = openMessage(b, 4)
		b = appendInt(b, 1, z.FromUnix)
		b = appendInt(b, 2, int64(z.OffsetSeconds))
		b = closeMessage(b, at)
	}
	b = appendInt(b, 5, int64(p.HorizonDays))
	b = appendInt(b, 6, int64(p.DiscountPPM))
	b = appendInt(b, 7, int64(p.MarginPPM))
	b = appendInt(b, 8, p.MinuteCostMinor)
	b = appendInt(b, 9, p.TicketCostMinor)
	b = appendInt(b, 10, int64(p.ChurnHorizonDays))
	b = appendPacked(b, 11, p.BandPPM)
	b = appendInt(b, 12, int64(p.RescoreDays))
	b = appendInt(b, 13, int64(p.ClockMode))
	b = appendInt(b, 14, int64(p.KeepTransactions))
	b = appendInt(b, 15, int64(p.KeepCalls))
	b = appendInt(b, 16, int64(p.KeepRefunds))
	b = appendInt(b, 17, int64(p.KeepMarks))
	b = appendMap(b, 18, p.MarginByProduct)
	b = appendInt(b, 19, int64(p.FinancialYearMonth))
	b = appendInt(b, 20, int64(p.GraceDays))
	for i := range p.Valuations {
		v := &p.Valuations[i]
		var at int
		b, at = openMessage(b, 21)
		b = appendText(b, 1, v.Segment)
		b = appendInt(b, 2, int64(v.Method))
		b = appendInt(b, 3, int64(v.YearlyChurnPPM))
		b = appendPacked(b, 4, v.RetentionPPM)
		b = appendText(b, 5, v.Formula)
		b = closeMessage(b, at)
	}
	return b
}

func decodeValuation(b []byte, v *cltv.Valuation) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.ownText(&v.Segment, "segment")
		case 2<<3 | varint:
			v.Method = cltv.ValueMethod(c.int32())
		case 3<<3 | varint:
			v.YearlyChurnPPM = c.int32()
		case 4<<3 | varint:
			v.RetentionPPM = append(v.RetentionPPM, c.int32())
		case 4<<3 | delimited:
			err = decodePacked(c.data, &v.RetentionPPM, "retention_ppm")
		case 5<<3 | delimited:
			err = c.ownText(&v.Formula, "formula")
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

// appendPacked writes packed varints.
func appendPacked(b []byte, field int, values []int32) []byte {
	if len(values) == 0 {
		return b
	}
	b, at := openMessage(b, field)
	for _, v := range values {
		b = protowire.AppendVarint(b, uint64(int64(v)))
	}
	return closeMessage(b, at)
}
