package stream

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"

	"github.com/perennial-cltv/perennial/pkg/task"
)

func genBytes(t *rapid.T, name string) []byte {
	if rapid.Bool().Draw(t, name+" is null") {
		return nil
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name)
}

func genRecords(t *rapid.T) []task.Record {
	n := rapid.IntRange(1, 40).Draw(t, "records")
	records := make([]task.Record, n)
	for i := range records {
		records[i] = task.Record{
			Offset:    int64(i),
			Timestamp: rapid.Int64Range(0, 1<<45).Draw(t, "timestamp"),
			Key:       genBytes(t, "key"), Value: genBytes(t, "value"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			records[i].Headers = append(records[i].Headers, task.Header{
				Key: rapid.StringN(0, 20, 80).Draw(t, "header"), Value: genBytes(t, "header value"),
			})
		}
	}
	return records
}

func encodeAll(records []task.Record, producerID int64, epoch int16, sequence int32) []byte {
	var e encoder
	e.reset()
	for _, r := range records {
		e.add(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	return e.finish(producerID, epoch, sequence)
}

func decodeAll(set []byte, from int64, aborted ...abortedTransaction) (*chunk, error) {
	c := new(chunk)
	return c, new(decoder).decode(c, set, from, aborted)
}

// sameRecords compares, taking an empty slice of headers for none.
func sameRecords(t interface{ Fatalf(string, ...any) }, got, want []task.Record) {
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("record %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords(t)
		base := rapid.Int64Range(0, 1<<50).Draw(t, "base offset")
		set := encodeAll(records, 7, 3, 11)[sizePrefixBytes:]
		binary.BigEndian.PutUint64(set, uint64(base)) // as the broker does; the CRC doesn't cover it
		for i := range records {
			records[i].Offset = base + int64(i)
		}
		skip := rapid.IntRange(0, len(records)).Draw(t, "skip")
		c, err := decodeAll(set, base+int64(skip))
		if err != nil {
			t.Fatal(err)
		}
		sameRecords(t, c.records, records[skip:])
		if want := base + int64(len(records)); c.next != want {
			t.Fatalf("next offset %d, want %d", c.next, want)
		}
	})
}

// TestEncoderAgainstKafkaGo has kafka-go's decoder, which shares no code with
// ours, read what we write, and encodes it again to the same bytes.
func TestEncoderAgainstKafkaGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords(t)
		set := encodeAll(records, 1<<40, 5, 1<<30)
		again := encodeAll(records, 1<<40, 5, 1<<30)
		if !bytes.Equal(set, again) {
			t.Fatalf("two encodings of the same records differ")
		}
		var rs protocol.RecordSet
		if _, err := rs.ReadFrom(bytes.NewReader(set)); err != nil {
			t.Fatalf("kafka-go: %v", err)
		}
		stream := rs.Records.(*protocol.RecordStream)
		b := stream.Records[0].(*protocol.RecordBatch)
		if b.ProducerID != 1<<40 || b.ProducerEpoch != 5 || b.BaseSequence != 1<<30 {
			t.Fatalf("header is %+v", b)
		}
		var got []task.Record
		for {
			r, err := b.ReadRecord()
			if err != nil {
				break
			}
			rec := task.Record{Offset: r.Offset, Timestamp: r.Time.UnixMilli(), Key: readAll(r.Key), Value: readAll(r.Value)}
			for _, h := range r.Headers {
				rec.Headers = append(rec.Headers, task.Header{Key: h.Key, Value: h.Value})
			}
			got = append(got, rec)
		}
		// kafka-go gives an empty header value as nil or empty alike
		for _, rs := range [][]task.Record{got, records} {
			for i := range rs {
				for j := range rs[i].Headers {
					if len(rs[i].Headers[j].Value) == 0 {
						rs[i].Headers[j].Value = nil
					}
				}
			}
		}
		sameRecords(t, got, records)
	})
}

func readAll(b protocol.Bytes) []byte {
	if b == nil {
		return nil
	}
	out, err := protocol.ReadAll(b)
	if err != nil {
		panic(err)
	}
	return append([]byte{}, out...)
}

// TestDecoderReadsCompression reads batches that kafka-go packed.
func TestDecoderReadsCompression(t *testing.T) {
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			var records []protocol.Record
			var want []task.Record
			for i := range 500 {
				value := bytes.Repeat([]byte{byte(i)}, i)
				records = append(records, protocol.Record{
					Key: protocol.NewBytes([]byte("key")), Value: protocol.NewBytes(value), Headers: []protocol.Header{{Key: "h", Value: []byte{1}}},
				})
				want = append(want, task.Record{Offset: int64(i), Key: []byte("key"), Value: value, Headers: []task.Header{{Key: "h", Value: []byte{1}}}})
			}
			var buf bytes.Buffer
			rs := protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(codec), Records: protocol.NewRecordReader(records...)}
			if _, err := rs.WriteTo(&buf); err != nil {
				t.Fatal(err)
			}
			c, err := decodeAll(buf.Bytes()[sizePrefixBytes:], 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.records {
				c.records[i].Timestamp = 0
			}
			sameRecords(t, c.records, want)
		})
	}
}

// TestEncoderWritesWhatKafkaGoWrites compares byte for byte.
func TestEncoderWritesWhatKafkaGoWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords(t)
		slices.SortFunc(records, func(a, b task.Record) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
		var theirs []protocol.Record
		for i := range records {
			r := &records[i]
			r.Timestamp = r.Timestamp>>3 + 1 // they take 0 for none, and count in nanoseconds
			out := protocol.Record{Time: time.UnixMilli(r.Timestamp)}
			if r.Key != nil {
				out.Key = protocol.NewBytes(r.Key)
			}
			if r.Value != nil {
				out.Value = protocol.NewBytes(r.Value)
			}
			for j := range r.Headers {
				if r.Headers[j].Value == nil { // they write null as empty
					r.Headers[j].Value = []byte{}
				}
				out.Headers = append(out.Headers, protocol.Header(r.Headers[j]))
			}
			theirs = append(theirs, out)
		}
		var want bytes.Buffer
		rs := protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(theirs...)}
		if _, err := rs.WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		if got := encodeAll(records, noProducerID, -1, -1); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("wrote\n%x, want\n%x", got, want.Bytes())
		}
	})
}

// restamp makes a batch's CRC right again.
func restamp(b []byte) []byte {
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

func oneBatch(base int64, n int, change func(b []byte)) []byte {
	var records []task.Record
	for i := range n {
		records = append(records, task.Record{Timestamp: 1000 + int64(i), Key: []byte("k"), Value: fmt.Appendf(nil, "v%d", i)})
	}
	b := bytes.Clone(encodeAll(records, 9, 0, 0)[sizePrefixBytes:])
	binary.BigEndian.PutUint64(b, uint64(base))
	if change != nil {
		change(b)
	}
	return restamp(b)
}

func offsetsOf(c *chunk) []int64 {
	var offsets []int64
	for _, r := range c.records {
		offsets = append(offsets, r.Offset)
	}
	return offsets
}

func TestDecodeGapsOfCompaction(t *testing.T) {
	// The last records of the first batch are gone; its header still says 10.
	set := oneBatch(100, 2, func(b []byte) { binary.BigEndian.PutUint32(b[atLastDelta:], 9) })
	c, err := decodeAll(set, 100)
	if err != nil || c.next != 110 || fmt.Sprint(offsetsOf(c)) != "[100 101]" {
		t.Fatalf("offsets %v, next %d, error %v", offsetsOf(c), c.next, err)
	}
	// All of it is gone but the header.
	empty := oneBatch(110, 0, func(b []byte) { binary.BigEndian.PutUint32(b[atLastDelta:], 4) })
	c, err = decodeAll(append(set, empty...), 103)
	if err != nil || c.next != 115 || len(c.records) != 0 {
		t.Fatalf("offsets %v, next %d, error %v", offsetsOf(c), c.next, err)
	}
}

func TestDecodeLogAppendTime(t *testing.T) {
	c, err := decodeAll(oneBatch(0, 2, func(b []byte) {
		b[atAttributes+1] |= flagLogAppendTime
		binary.BigEndian.PutUint64(b[atMaxTimestamp:], 777)
	}), 0)
	if err != nil || c.records[0].Timestamp != 777 || c.records[1].Timestamp != 777 {
		t.Fatalf("%+v, %v", c.records, err)
	}
}

func TestDecodeTransactions(t *testing.T) {
	transactional := func(b []byte) { b[atAttributes+1] |= flagTransactional }
	control := func(b []byte) { b[atAttributes+1] |= flagTransactional | flagControl }
	other := func(b []byte) {
		transactional(b)
		binary.BigEndian.PutUint64(b[atProducerID:], 4)
	}
	var set []byte
	for _, b := range [][]byte{
		oneBatch(0, 2, nil),           // plain
		oneBatch(2, 2, transactional), // aborted
		oneBatch(4, 1, other),         // somebody else's, committed
		oneBatch(5, 1, control),       // the abort
		oneBatch(6, 1, transactional), // the next transaction, committed
		oneBatch(7, 1, control),
	} {
		set = append(set, b...)
	}
	c, err := decodeAll(set, 0, abortedTransaction{producerID: 9, firstOffset: 2})
	if err != nil || c.next != 8 || fmt.Sprint(offsetsOf(c)) != "[0 1 4 6]" {
		t.Fatalf("offsets %v, next %d, error %v", offsetsOf(c), c.next, err)
	}
}

func TestDecodeCutOff(t *testing.T) {
	first, second := oneBatch(0, 3, nil), oneBatch(3, 3, nil)
	set := append(bytes.Clone(first), second...)
	for n := range len(set) {
		c, err := decodeAll(set[:n], 0)
		if err != nil {
			t.Fatalf("at %d: %v", n, err)
		}
		want := int64(0)
		if n >= len(first) {
			want = 3
		}
		if c.next != want || int64(len(c.records)) != want {
			t.Fatalf("at %d: %d records, next %d, want %d", n, len(c.records), c.next, want)
		}
	}
}

// TestDecodeFindsEveryFlippedBit: the CRC covers all but the base offset, the
// length and the leader epoch.
func TestDecodeFindsEveryFlippedBit(t *testing.T) {
	whole := oneBatch(5, 3, nil)
	for bit := atMagic * 8; bit < len(whole)*8; bit++ {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if c, err := decodeAll(b, 0); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d flipped: %d records, error %v", bit, len(c.records), err)
		}
	}
}

// TestDecodePassesBombs: what unpacks to more than anybody can hold must not stop
// the partition. One record without key and value stands for the batch.
func TestDecodePassesBombs(t *testing.T) {
	var packed bytes.Buffer
	w := compress.Zstd.Codec().NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 80 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := append(oneBatch(7, 0, nil), packed.Bytes()...)
	binary.BigEndian.PutUint32(b[atBatchLength:], uint32(len(b)-atLeaderEpoch))
	binary.BigEndian.PutUint32(b[atLastDelta:], 2)
	b[atAttributes+1] |= byte(compress.Zstd)
	set := append(restamp(b), oneBatch(10, 1, nil)...)
	c, err := decodeAll(set, 7)
	if err != nil || c.next != 10 || len(c.records) != 1 {
		t.Fatalf("80 MiB of zeros: offsets %v, next %d, error %v", offsetsOf(c), c.next, err)
	}
	r := &c.records[0]
	if r.Offset != 9 || r.Key != nil || r.Value != nil || len(r.Headers) != 1 || r.Headers[0].Key != unreadableKey {
		t.Fatalf("stands for the batch: %+v", r)
	}
	if c, err = decodeAll(set, c.next); err != nil || fmt.Sprint(offsetsOf(c)) != "[10]" {
		t.Fatalf("after it: offsets %v, error %v", offsetsOf(c), err)
	}
}

// TestDecodeStopsAtEnough: many small batches that unpack to much more are decoded
// a part at a time, and none is lost.
func TestDecodeStopsAtEnough(t *testing.T) {
	const batches, unpacked = 40, 1 << 20
	var set []byte
	for i := range int64(batches) {
		var packed bytes.Buffer
		w := compress.Gzip.Codec().NewWriter(&packed)
		record := encodeAll([]task.Record{{Value: make([]byte, unpacked)}}, 9, 0, 0)[sizePrefixBytes+batchHeaderBytes:]
		if _, err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b := append(oneBatch(i, 0, nil), packed.Bytes()...)
		binary.BigEndian.PutUint32(b[atBatchLength:], uint32(len(b)-atLeaderEpoch))
		binary.BigEndian.PutUint32(b[atCount:], 1)
		binary.BigEndian.PutUint32(b[atLastDelta:], 0)
		b[atAttributes+1] |= byte(compress.Gzip)
		set = append(set, restamp(b)...)
	}
	for from := int64(0); from < batches; {
		c, err := decodeAll(set, from)
		if err != nil || len(c.records) == 0 || c.records[0].Offset != from || c.next != from+int64(len(c.records)) {
			t.Fatalf("from %d: offsets %v, next %d, error %v", from, offsetsOf(c), c.next, err)
		}
		if bytes := len(c.records) * unpacked; bytes > enoughInflatedBytes+unpacked {
			t.Fatalf("from %d: %d bytes at once", from, bytes)
		}
		from = c.next
	}
}

// FuzzDecode: whatever the bytes, no panic, and nothing outside the bounds that
// the header gives. The CRC is made right so that the records are reached.
func FuzzDecode(f *testing.F) {
	f.Add(oneBatch(0, 3, nil), int64(0))
	f.Add(oneBatch(90, 2, func(b []byte) { b[atAttributes+1] |= byte(compress.Lz4) }), int64(91))
	f.Add(append(oneBatch(0, 1, nil), oneBatch(1, 0, nil)...), int64(1))
	f.Fuzz(func(t *testing.T, set []byte, from int64) {
		if from < 0 {
			return
		}
		if len(set) > batchHeaderBytes {
			if n := int64(int32(binary.BigEndian.Uint32(set[atBatchLength:]))) + atLeaderEpoch; n > batchHeaderBytes && n <= int64(len(set)) {
				restamp(set[:n])
			}
		}
		c, err := decodeAll(set, from)
		if c.next < from {
			t.Fatalf("next offset %d before %d", c.next, from)
		}
		for _, r := range c.records {
			if r.Offset < from || err == nil && r.Offset >= c.next {
				t.Fatalf("offset %d outside [%d, %d)", r.Offset, from, c.next)
			}
		}
	})
}

// FuzzFetchResponse: whatever a broker answers, no panic.
func FuzzFetchResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x01z"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseFetchResponse(b, "t", 0)
		if r == nil && err == nil {
			t.Fatal("neither answer nor error")
		}
	})
}

func benchRecords() (key, value []byte) { return []byte("acme/customer-00042"), make([]byte, 100) }

func BenchmarkEncode(b *testing.B) {
	key, value := benchRecords()
	var e encoder
	b.ReportAllocs()
	for b.Loop() {
		e.reset()
		for i := range 1000 {
			e.add(int64(1_700_000_000_000+i), key, value, nil)
		}
		e.finish(1, 0, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

func BenchmarkDecode(b *testing.B) {
	key, value := benchRecords()
	var e encoder
	e.reset()
	for i := range 1000 {
		e.add(int64(1_700_000_000_000+i), key, value, nil)
	}
	set := e.finish(1, 0, 0)[sizePrefixBytes:]
	var d decoder
	c := new(chunk)
	b.ReportAllocs()
	for b.Loop() {
		c.reset()
		if err := d.decode(c, set, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
