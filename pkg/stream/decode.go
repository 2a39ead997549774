package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/segmentio/kafka-go/compress"

	"github.com/perennial-cltv/perennial/pkg/task"
)

const (
	codecMask         = 0x07
	flagLogAppendTime = 0x08
	flagTransactional = 0x10
	flagControl       = 0x20

	// minRecordBytes is a record without key, value and headers.
	minRecordBytes = 7
	// maxInflatedBytes bounds what one compressed batch may unpack to. One that
	// exceeds it is passed over: see decode.
	maxInflatedBytes = 64 << 20
	// unreadableKey is the header of the record that stands for such a batch.
	unreadableKey = "perennial.unreadable"
	// enoughInflatedBytes ends the decoding of an answer whose compressed batches
	// unpacked to that much: the rest is fetched again.
	enoughInflatedBytes = 8 << 20
	// maxHeaderNames bounds the names that are kept as shared strings.
	maxHeaderNames = 512
)

// abortedTransaction says from which offset on a producer's records belong to
// a transaction that was aborted, until that producer's next control record.
type abortedTransaction struct {
	producerID  int64
	firstOffset int64
}

// chunk is the decoded records of one answer, and the memory they alias.
type chunk struct {
	raw     []byte
	records []task.Record
	headers []task.Header
	// inflated is what compressed batches unpacked to, bytes.
	inflated int
	// next is the offset after the last batch that was decoded.
	next                    int64
	logStart, highWatermark int64
}

func (c *chunk) reset() {
	clear(c.records)
	clear(c.headers)
	c.records, c.headers = c.records[:0], c.headers[:0]
	c.next, c.logStart, c.highWatermark, c.inflated = 0, 0, 0, 0
}

// decoder turns record sets into records. The names of headers are shared
// between records; everything else aliases the bytes decoded.
type decoder struct {
	names map[string]string
}

// decode appends to c the records of set from offset from on: those of control
// batches and of aborted transactions left out. aborted is in the order of
// offsets. It sets c.next to the offset after the last whole batch, or to from
// where set has none at or after it; what follows the last whole batch is cut
// off by the broker and is not an error. Neither is what it leaves for another
// time because what came before took much memory.
//
// A batch that unpacks to more than maxInflatedBytes, which a broker lets in, must
// not stop the partition: one record without key and value stands for it, with its
// last offset, and whoever reads it finds that it can't be used.
//
// After an error c has what came before it.
func (d *decoder) decode(c *chunk, set []byte, from int64, aborted []abortedTransaction) error {
	c.next = from
	var open map[int64]bool // producers whose records are of an aborted transaction
	for len(set) >= atMagic+1 && c.inflated < enoughInflatedBytes {
		base := int64(binary.BigEndian.Uint64(set))
		if magic := set[atMagic]; magic != 2 {
			return fmt.Errorf("batch at offset %d: %w: format %d, only 2 is read", base, ErrCorrupt, magic)
		}
		length := int64(int32(binary.BigEndian.Uint32(set[atBatchLength:]))) + atLeaderEpoch
		if length < batchHeaderBytes {
			return fmt.Errorf("batch at offset %d: %w: length %d", base, ErrCorrupt, length)
		}
		if length > int64(len(set)) {
			return nil
		}
		batch := set[:length]
		set = set[length:]
		if got, want := crc32.Checksum(batch[atAttributes:], castagnoli), binary.BigEndian.Uint32(batch[atCRC:]); got != want {
			return fmt.Errorf("batch at offset %d: %w: CRC %08x, its header says %08x", base, ErrCorrupt, got, want)
		}
		last := base + int64(int32(binary.BigEndian.Uint32(batch[atLastDelta:])))
		if base < 0 || last < base {
			return fmt.Errorf("batch at offset %d: %w: last offset %d", base, ErrCorrupt, last)
		}
		producerID := int64(binary.BigEndian.Uint64(batch[atProducerID:]))
		for len(aborted) > 0 && aborted[0].firstOffset <= last {
			if open == nil {
				open = make(map[int64]bool)
			}
			open[aborted[0].producerID] = true
			aborted = aborted[1:]
		}
		attributes := binary.BigEndian.Uint16(batch[atAttributes:])
		switch {
		case attributes&flagControl != 0:
			delete(open, producerID)
		case attributes&flagTransactional != 0 && open[producerID], last < from:
		default:
			if err := d.decodeBatch(c, batch, base, last, from); err != nil {
				return fmt.Errorf("batch at offset %d: %w", base, err)
			}
		}
		c.next = max(c.next, last+1)
	}
	return nil
}

// decodeBatch appends the records of one data batch whose header was checked.
func (d *decoder) decodeBatch(c *chunk, batch []byte, base, last, from int64) error {
	attributes := binary.BigEndian.Uint16(batch[atAttributes:])
	body := batch[batchHeaderBytes:]
	if codec := attributes & codecMask; codec != 0 {
		var err error
		if body, err = inflate(codec, body); errors.Is(err, errInflated) {
			c.inflated += maxInflatedBytes
			c.records = append(c.records, task.Record{
				Offset: last, Timestamp: int64(binary.BigEndian.Uint64(batch[atMaxTimestamp:])),
				Headers: []task.Header{{Key: unreadableKey, Value: []byte(err.Error())}},
			})
			return nil
		}
		if err != nil {
			return err
		}
		c.inflated += len(body)
	}
	count := int64(int32(binary.BigEndian.Uint32(batch[atCount:])))
	if count < 0 || count > int64(len(body)/minRecordBytes) {
		return fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, count, len(body))
	}
	baseTimestamp := int64(binary.BigEndian.Uint64(batch[atBaseTimestamp:]))
	r := reader{b: body}
	for i := range count {
		size := r.varint()
		if size < 0 || size > int64(len(r.b)) {
			return fmt.Errorf("%w: record %d has length %d", ErrCorrupt, i, size)
		}
		after := r.b[size:]
		r.b = r.b[:size]
		r.skip(1) // attributes, unused
		timestamp := baseTimestamp + r.varint()
		if attributes&flagLogAppendTime != 0 {
			timestamp = int64(binary.BigEndian.Uint64(batch[atMaxTimestamp:]))
		}
		offset := base + r.varint()
		key, value := r.bytes(), r.bytes()
		headers := d.headers(c, &r)
		if r.bad || len(r.b) != 0 || offset < base || offset > last {
			return fmt.Errorf("%w: record %d is malformed", ErrCorrupt, i)
		}
		r.b = after
		if offset >= from {
			c.records = append(c.records, task.Record{Offset: offset, Timestamp: timestamp, Key: key, Value: value, Headers: headers})
		}
	}
	if len(r.b) != 0 {
		return fmt.Errorf("%w: %d bytes after its last record", ErrCorrupt, len(r.b))
	}
	return nil
}

func (d *decoder) headers(c *chunk, r *reader) []task.Header {
	n := r.varint()
	if n == 0 || r.bad {
		return nil
	}
	if n < 0 || n > int64(len(r.b)/2) {
		r.bad = true
		return nil
	}
	at := len(c.headers)
	for range n {
		name := r.bytes()
		value := r.bytes()
		if r.bad {
			return nil
		}
		c.headers = append(c.headers, task.Header{Key: d.name(name), Value: value})
	}
	return c.headers[at:len(c.headers):len(c.headers)]
}

// name is b as a string, without copying what was seen before.
func (d *decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(d.names) < maxHeaderNames && len(b) <= 64 {
		if d.names == nil {
			d.names = make(map[string]string)
		}
		d.names[s] = s
	}
	return s
}

// errInflated: a batch is a bomb.
var errInflated = fmt.Errorf("the batch unpacks to more than %d bytes", maxInflatedBytes)

// inflate unpacks the records of a batch. Codecs: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
func inflate(codec uint16, b []byte) ([]byte, error) {
	c := compress.Compression(codec).Codec()
	if c == nil {
		return nil, fmt.Errorf("%w: compression %d is unknown", ErrCorrupt, codec)
	}
	r := c.NewReader(bytes.NewReader(b))
	defer r.Close() //nolint:errcheck // reading reports what matters
	out := bytes.NewBuffer(make([]byte, 0, 4*len(b)))
	n, err := io.Copy(out, io.LimitReader(r, maxInflatedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, c.Name(), err)
	}
	if n > maxInflatedBytes {
		return nil, fmt.Errorf("%w: %s, %d bytes", errInflated, c.Name(), len(b))
	}
	return out.Bytes(), nil
}

// reader takes a record apart. After a short read it is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) skip(n int) {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

func (r *reader) varint() int64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // one byte: most of them
		v := int64(r.b[0])
		r.b = r.b[1:]
		return v>>1 ^ -(v & 1)
	}
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes reads a length and as many bytes; nil for length -1.
func (r *reader) bytes() []byte {
	n := r.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
