package wire

import (
	"testing"

	"google.golang.org/protobuf/proto"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// codec is one message of the task with its oracle.
type codec[D any, G proto.Message] struct {
	decode func([]byte, *D) error
	append func([]byte, *D) []byte
	mapped func(G) (D, bool)
}

var (
	tenantCodec     = codec[TenantParameters, *perennialv1.TenantParameters]{DecodeTenantParameters, AppendTenantParameters, mapTenant}
	checkpointCodec = codec[Checkpoint, *perennialv1.Checkpoint]{DecodeCheckpoint, AppendCheckpoint, mapCheckpoint}
	openingCodec    = codec[Opening, *perennialv1.Opening]{DecodeOpening, AppendOpening, mapOpening}
)

func (c codec[D, G]) message() G {
	var g G
	return g.ProtoReflect().New().Interface().(G)
}

// check holds the decoder against the generated code, on any bytes.
func (c codec[D, G]) check(t *testing.T, b []byte) {
	t.Helper()
	m := c.message()
	wantErr := proto.Unmarshal(b, m)
	want, inRange := c.mapped(m)
	var got D
	err := c.decode(b, &got)
	switch accept := wantErr == nil && inRange; {
	case accept != (err == nil):
		t.Fatalf("generated code: %v, in range: %v; decoder: %v\n%x", wantErr, inRange, err, b)
	case accept && !same(got, want):
		t.Fatalf("decoded\n%+v, generated code says\n%+v\n%x", got, want, b)
	}
}

func (c codec[D, G]) properties(t *testing.T) {
	for seed := range uint64(3_000) {
		f := filler{Rand: random(seed)}
		m := c.message()
		f.fill(m.ProtoReflect())
		b := append(marshal(t, m), f.unknown()...)
		f.fill(m.ProtoReflect())
		b = append(b, marshal(t, m)...)
		c.check(t, b)
		b[f.IntN(len(b))] ^= byte(1 << f.IntN(8))
		c.check(t, b)
		c.check(t, b[:f.IntN(len(b))])

		f.canonical = true
		m, back := c.message(), c.message()
		f.fill(m.ProtoReflect())
		var d D
		if err := c.decode(marshal(t, m), &d); err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(c.append(nil, &d), back); err != nil || !proto.Equal(m, back) {
			t.Fatalf("seed %d: wrote\n%v (%v), want\n%v", seed, back, err, m)
		}
	}
}

func TestTenantParameters(t *testing.T) { tenantCodec.properties(t) }
func TestCheckpoint(t *testing.T)       { checkpointCodec.properties(t) }
func TestOpening(t *testing.T)          { openingCodec.properties(t) }

func (c codec[D, G]) fuzz(f *testing.F) {
	for seed := range uint64(8) {
		m := c.message()
		filler{Rand: random(seed)}.fill(m.ProtoReflect())
		f.Add(marshal(f, m))
	}
	f.Fuzz(c.check)
}

func FuzzDecodeTenantParameters(f *testing.F) { tenantCodec.fuzz(f) }
func FuzzDecodeCheckpoint(f *testing.F)       { checkpointCodec.fuzz(f) }
func FuzzDecodeOpening(f *testing.F)          { openingCodec.fuzz(f) }
