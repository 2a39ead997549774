package task

import "context"

// Token is who owns a task: the producer id and epoch that Kafka gave to the
// task's transactional id. A later owner has a greater epoch, or another id.
type Token struct {
	ProducerID int64
	Epoch      int16
}

// Position is what Redis says of a task each time it is read.
type Position struct {
	Token      Token
	Opening    int64
	NextOffset int64
}

// Stored is a task as Redis has it. Exists is false where Redis knows nothing
// of the task; all else is zero then.
type Stored struct {
	Exists bool
	Position
	// Batch counts commits.
	Batch int64
	// LastCRC is the CRC-32C of the record before NextOffset (see RecordCRC).
	// It means nothing while NextOffset is 0.
	LastCRC uint32
	// CheckpointOffset is the NextOffset of the last complete checkpoint.
	CheckpointOffset int64
	FoldVersion      int32
	Partitions       int32
	// Rebuilding is true from the start of a rebuild to its last write.
	Rebuilding bool
	// Clocks are the tenants' clocks, Unix seconds.
	Clocks map[string]int64
}

// Verdict is how Redis answered a fenced request.
type Verdict uint8

// The verdicts.
const (
	// OK: done.
	OK Verdict = iota + 1
	// Dup: this very commit is in already.
	Dup
	// Rewind: Redis stands elsewhere than the owner believes.
	Rewind
	// Fenced: somebody else owns the task.
	Fenced
	// Stale: the opening number is no longer the one that was read; read again.
	Stale
	// SameProducer: the stored producer id is the caller's and its epoch not
	// lower; initialise the producer again.
	SameProducer
	// NewerFold: the task was folded by a newer version of the arithmetic.
	NewerFold
	// OtherPartitions: the task belongs to a topic with another number of
	// partitions.
	OtherPartitions
)

// OpenRequest asks for a task.
type OpenRequest struct {
	Token Token
	// ReadOpening is the opening number that was read before the token was made.
	ReadOpening int64
	FoldVersion int32
	Partitions  int32
}

// OpenReply answers it. Before is the task as OPEN found it, before it wrote.
// On OK the task's opening number is Before.Opening + 1. A task that didn't
// exist is created with Rebuilding set.
type OpenReply struct {
	Verdict Verdict
	Before  Stored
}

// Contents is what an owner holds in memory of its task beside the states.
type Contents struct {
	Position Position
	// Parameters by tenant: encoded perennial.v1.TenantParameters.
	Parameters map[string][]byte
	Sums       []SumWrite
	Due        []DueBucket
}

// LoadReply is the states for the keys of the request, in its order, nil where
// there is none, read in one transaction together with the position.
type LoadReply struct {
	Position Position
	States   [][]byte
}

// StateWrite sets one state. Key is <tenant>/<customer>. Value nil deletes.
type StateWrite struct {
	Key   string
	Value []byte
}

// SumWrite sets one vector of partial sums to its absolute value.
type SumWrite struct {
	Tenant, Dimension, ID string
	Value                 []byte
}

// DueBucket is the customers of a tenant that must be looked at on a day, as
// days since 1970-01-01 in UTC.
type DueBucket struct {
	Tenant string
	Day    int32
}

// DueWrite appends customers to a bucket.
type DueWrite struct {
	DueBucket
	Customers []string
}

// ClockWrite sets a tenant's clock, Unix seconds.
type ClockWrite struct {
	Tenant string
	Unix   int64
}

// ParametersWrite sets a tenant's encoded parameters.
type ParametersWrite struct {
	Tenant string
	Value  []byte
}

// Commit is one batch's effect, applied wholly or not at all.
type Commit struct {
	Token   Token
	Opening int64
	// Batch is the number of commits before this one.
	Batch int64
	// From is the offset at which the batch begins, To the one after its end.
	From, To int64
	// LastCRC is that of the record before To.
	LastCRC    uint32
	States     []StateWrite
	Sums       []SumWrite
	Parameters []ParametersWrite
	Clocks     []ClockWrite
	Due        []DueWrite
	// CheckpointOffset is set to this value unless it is negative.
	CheckpointOffset int64
}

// Store is one task's keys in Redis, over one connection to one Redis process.
// It never reconnects: after ErrConnection every call fails with it, and the
// owner starts again with a new Store. A Store is used by one goroutine.
//
// Errors are *Error; its Kind says what to do.
type Store interface {
	// Check refuses a Redis that may lose keys: a maxmemory-policy other than
	// noeviction, or evicted keys.
	Check(ctx context.Context) error
	// Read reads the task hash.
	Read(ctx context.Context) (Stored, error)
	// Open takes the task if nobody did since ReadOpening was read.
	Open(ctx context.Context, r OpenRequest) (OpenReply, error)
	// AwaitReplicas returns once every configured replica has what this
	// connection wrote, or an error of KindRetry.
	AwaitReplicas(ctx context.Context) error
	// Contents reads parameters, sums and due buckets with the position, in one
	// transaction.
	Contents(ctx context.Context) (Contents, error)
	// Load reads states with the position, in one transaction.
	Load(ctx context.Context, keys []string) (LoadReply, error)
	// Position reads the position alone.
	Position(ctx context.Context) (Position, error)
	// Commit applies a batch. OK, Dup, Rewind or Fenced.
	Commit(ctx context.Context, c *Commit) (Verdict, error)

	// DueHead returns up to n customers from the head of a bucket.
	DueHead(ctx context.Context, b DueBucket, n int) ([]string, error)
	// DueTrim removes the first n; a bucket left empty vanishes. OK or Fenced or Rewind.
	DueTrim(ctx context.Context, t Token, opening int64, b DueBucket, n int) (Verdict, error)

	// BeginRebuild sets Rebuilding and deletes what the task's key set names.
	// It, RebuildPut and FinishRebuild answer OK or Fenced.
	BeginRebuild(ctx context.Context, t Token, opening int64) (Verdict, error)
	// RebuildPut writes the states, sums, parameters, clocks and due entries of
	// c, whatever stood there, and neither batch nor offset.
	RebuildPut(ctx context.Context, c *Commit) (Verdict, error)
	// FinishRebuild writes batch, offset (c.To), CRC, checkpoint offset, and
	// clears Rebuilding.
	FinishRebuild(ctx context.Context, c *Commit) (Verdict, error)

	Close() error
}

// ErrorKind says what an error of Store or Log asks of its caller.
type ErrorKind uint8

// The kinds of errors.
const (
	// KindConnection: the connection is gone or the server isn't the one it was;
	// the outcome of a write is unknown. Take a new Store; open again.
	KindConnection ErrorKind = iota + 1
	// KindRetry: nothing was done; try the same again after a pause.
	KindRetry
	// KindStop: an operator must act (eviction on, memory full, wrong type,
	// no permission). The task stops until then and says why.
	KindStop
	// KindUnknown: the outcome of a produce is unknown: send the same again.
	KindUnknown
	// KindFenced: a newer owner exists.
	KindFenced
	// KindOffsetOutOfRange: the log doesn't have the offset asked for.
	KindOffsetOutOfRange
)

// Error is an error with what it asks for.
type Error struct {
	Kind ErrorKind
	// Op is what was being done, with partition and offset where known.
	Op  string
	Err error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a Kafka partition. Its slices are valid until the
// next Fetch of the same partition.
type Record struct {
	Offset int64
	// Timestamp is Unix milliseconds.
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Topic is the role of a topic in a task.
type Topic uint8

// The topics of a task. All have the same number of partitions.
const (
	// Input is customer.events.v1.
	Input Topic = iota
	// Updates is cltv.updates.v1.
	Updates
	// Churn is churn.risk.v1.
	Churn
	// State is cltv.state.v1.
	State
	// DeadLetters is customer.events.v1.dlq.
	DeadLetters
	// NumTopics counts them.
	NumTopics
)

// Fetched is a stretch of a partition.
type Fetched struct {
	Records []Record
	// NextOffset is where to go on: after the last record, or further where the
	// log has gaps (compaction).
	NextOffset int64
	// LogStart and HighWatermark bound what the partition has.
	LogStart, HighWatermark int64
}

// Out is one record to be produced.
type Out struct {
	Key, Value []byte
	Headers    []Header
}

// Produce is one numbered batch for one partition. The same Produce always
// gives the same bytes.
type Produce struct {
	Topic     Topic
	Partition int32
	Token     Token
	// Sequence is the number of the first record.
	Sequence int32
	// Timestamp of every record, Unix milliseconds.
	Timestamp int64
	Records   []Out
}

// Log is Kafka as a task sees it. Errors are *Error.
type Log interface {
	// InitProducer makes a new token for the partition's transactional id.
	InitProducer(ctx context.Context, partition int32) (Token, error)
	// Fetch returns records from offset on; none where it waited a little and
	// nothing came. KindOffsetOutOfRange where the log doesn't have the offset
	// (an offset equal to the high watermark is in range).
	Fetch(ctx context.Context, t Topic, partition int32, offset int64) (Fetched, error)
	// Produce sends a numbered batch with acks=all and returns once Kafka
	// answered. KindUnknown: send the same again. KindFenced: drop the task.
	Produce(ctx context.Context, p *Produce) error
	// Append adds records to the task's own input partition without a token;
	// repeating it is harmless by the nature of those records.
	Append(ctx context.Context, partition int32, timestamp int64, records []Out) error
}
