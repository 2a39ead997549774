package stream

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// errOldBroker: the broker doesn't speak what this package needs.
var errOldBroker = errors.New("the broker is older than Kafka 2.3")

const (
	fetchVersion = 11
	// correlationID may be constant: a connection has one request at a time.
	correlationID = 1
	// readCommitted leaves out records of open and of aborted transactions.
	readCommitted = 1
	// maxAnswerBytes bounds what is believed of an answer's size.
	maxAnswerBytes = 512 << 20
)

// direct sends a message to a broker of the caller's choice as it is. The
// transport would answer Metadata from its cache, and would open a connection
// for each partition of a ListOffsets.
type direct struct {
	protocol.Message
	broker   int32 // -1 for any
	clientID string
	version  int16
}

// Broker is protocol.BrokerMessage.
func (d *direct) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if d.broker < 0 {
		return protocol.Broker{ID: -1}, nil
	}
	if b, ok := cluster.Brokers[d.broker]; ok {
		return b, nil
	}
	return protocol.Broker{}, kafka.BrokerNotAvailable
}

// Required is protocol.RawExchanger. It is told the versions that were agreed
// on for the connection.
func (d *direct) Required(versions map[protocol.ApiKey]int16) bool {
	d.version = versions[d.ApiKey()]
	return true
}

// RawExchange is protocol.RawExchanger.
func (d *direct) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	response, err := protocol.RoundTrip(rw, d.version, correlationID, d.clientID, d.Message)
	if err != nil {
		return nil, err
	}
	return &directResponse{response}, nil
}

// directResponse hides an answer's type, by which the transport would believe
// that the request was of its own making.
type directResponse struct{ protocol.Message }

// fetchRequest asks the leader of one partition for record batches. Its answer
// is read here, so that the batches come as they are on the wire.
type fetchRequest struct {
	clientID  string
	topic     string
	partition int32
	offset    int64
	waitMs    int32
	maxBytes  int32
	// into takes the answer; the request owns it until it is answered.
	into    *chunk
	version int16
}

// fetchResponse is the answer. set aliases into.raw of the request.
type fetchResponse struct {
	code                    kafka.Error
	logStart, highWatermark int64
	aborted                 []abortedTransaction
	set                     []byte
}

// ApiKey is protocol.Message.
func (r *fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch } //nolint:revive // kafka-go's spelling

// ApiKey is protocol.Message.
func (r *fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch } //nolint:revive // kafka-go's spelling

// Broker is protocol.BrokerMessage: the partition's leader.
func (r *fetchRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	topic, ok := cluster.Topics[r.topic]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoTopic(r.topic)
	}
	partition, ok := topic.Partitions[r.partition]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoPartition(r.topic, r.partition)
	}
	leader, ok := cluster.Brokers[partition.Leader]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoLeader(r.topic, r.partition)
	}
	return leader, nil
}

// Required is protocol.RawExchanger.
func (r *fetchRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange is protocol.RawExchanger.
func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if r.version < fetchVersion {
		return nil, fmt.Errorf("%w: it fetches at version %d, %d is needed", errOldBroker, r.version, fetchVersion)
	}
	if _, err := rw.Write(r.encode()); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, fmt.Errorf("answer to a fetch: %w", err)
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < 4 || n > maxAnswerBytes {
		return nil, fmt.Errorf("answer to a fetch has size %d", n)
	}
	if cap(r.into.raw) < n {
		r.into.raw = make([]byte, n+n/8)
	}
	r.into.raw = r.into.raw[:n]
	if _, err := io.ReadFull(rw, r.into.raw); err != nil {
		return nil, fmt.Errorf("answer to a fetch: %w", err)
	}
	return parseFetchResponse(r.into.raw, r.topic, r.partition)
}

// encode writes the request, header version 1 and body version 11 (Kafka
// protocol guide, "Fetch API"). It is no part of a fetch session.
func (r *fetchRequest) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, 4, 128)
	b = be.AppendUint16(b, uint16(protocol.Fetch))
	b = be.AppendUint16(b, fetchVersion)
	b = be.AppendUint32(b, correlationID)
	b = appendString(b, r.clientID)
	b = be.AppendUint32(b, ^uint32(0)) // replica: a consumer
	b = be.AppendUint32(b, uint32(r.waitMs))
	b = be.AppendUint32(b, 1) // min bytes
	b = be.AppendUint32(b, uint32(r.maxBytes))
	b = append(b, readCommitted)
	b = be.AppendUint32(b, 0)          // session id
	b = be.AppendUint32(b, ^uint32(0)) // session epoch
	b = be.AppendUint32(b, 1)          // topics
	b = appendString(b, r.topic)
	b = be.AppendUint32(b, 1) // partitions
	b = be.AppendUint32(b, uint32(r.partition))
	b = be.AppendUint32(b, ^uint32(0)) // leader epoch
	b = be.AppendUint64(b, uint64(r.offset))
	b = be.AppendUint64(b, ^uint64(0)) // log start, of a follower
	b = be.AppendUint32(b, uint32(r.maxBytes))
	b = be.AppendUint32(b, 0) // forgotten topics
	b = appendString(b, "")   // rack
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// parseFetchResponse reads an answer of version 11 for one partition.
func parseFetchResponse(b []byte, topic string, partition int32) (*fetchResponse, error) {
	p := answer{b: b}
	p.skip(4 + 4) // correlation id, throttle time
	code := kafka.Error(p.int16())
	p.skip(4) // session id
	if code != 0 {
		return &fetchResponse{code: code}, p.err()
	}
	if n := p.int32(); n != 1 && !p.short {
		return nil, fmt.Errorf("answer to a fetch of topic %s has %d topics", topic, n)
	}
	if name := p.string(); name != topic && !p.short {
		return nil, fmt.Errorf("answer to a fetch of topic %s is about %s", topic, name)
	}
	if n := p.int32(); n != 1 && !p.short {
		return nil, fmt.Errorf("answer to a fetch of topic %s has %d partitions", topic, n)
	}
	if i := p.int32(); i != partition && !p.short {
		return nil, fmt.Errorf("answer to a fetch of topic %s partition %d is about partition %d", topic, partition, i)
	}
	r := &fetchResponse{code: kafka.Error(p.int16())}
	r.highWatermark = p.int64()
	p.skip(8) // last stable offset
	r.logStart = p.int64()
	for n := p.int32(); n > 0 && !p.short; n-- {
		r.aborted = append(r.aborted, abortedTransaction{producerID: p.int64(), firstOffset: p.int64()})
	}
	slices.SortFunc(r.aborted, func(a, b abortedTransaction) int { return cmp.Compare(a.firstOffset, b.firstOffset) })
	p.skip(4) // preferred replica
	if n := p.int32(); n > 0 {
		r.set = p.take(int(n))
	}
	return r, p.err()
}

// answer reads the fields of an answer; after a short read it gives zeros.
type answer struct {
	b     []byte
	short bool
}

func (a *answer) err() error {
	if a.short {
		return fmt.Errorf("answer to a fetch: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

func (a *answer) take(n int) []byte {
	if n < 0 || n > len(a.b) {
		a.short, a.b = true, nil
		return nil
	}
	v := a.b[:n]
	a.b = a.b[n:]
	return v
}

func (a *answer) skip(n int) { a.take(n) }

func (a *answer) int16() int16 {
	if v := a.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (a *answer) int32() int32 {
	if v := a.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (a *answer) int64() int64 {
	if v := a.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (a *answer) string() string { return string(a.take(int(a.int16()))) }
