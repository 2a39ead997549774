package task

// Do names what a machine asks for.
type Do uint8

// The actions. Each names the fields of Action that it reads and the field of
// Reply that its outcome goes to; every one may set Reply.Err.
const (
	// Sleep: nothing is to be done before Until. Done is called with the zero
	// Reply then, or earlier, which does no harm.
	Sleep Do = iota
	// Connect: close the Store, take a new one.
	Connect
	// Check the store.
	Check
	// Read the task: Stored.
	Read
	// InitProducer: Token.
	InitProducer
	// Open with Open: Opened.
	Open
	// AwaitReplicas.
	AwaitReplicas
	// ReadContents: Contents.
	ReadContents
	// Fetch Topic from Offset: Fetched.
	Fetch
	// Load Keys: Loaded.
	Load
	// ProduceAll of Produce, each one on its own, at once or in any order: Errs,
	// one for each.
	ProduceAll
	// CommitBatch of Commit: Verdict.
	CommitBatch
	// ReadPosition: Position.
	ReadPosition
	// DueHead of Bucket, N at most: Customers.
	DueHead
	// DueTrim of Bucket by N, with Token and Opening: Verdict.
	DueTrim
	// Append Records to Partition of the input, stamped Timestamp.
	Append
	// BeginRebuild with Token and Opening: Verdict.
	BeginRebuild
	// RebuildPut of Commit: Verdict.
	RebuildPut
	// FinishRebuild of Commit: Verdict.
	FinishRebuild
	// CommitOffset tells Kafka's group that the input before Offset is done.
	CommitOffset
)

var doNames = [...]string{
	"sleep", "connect", "check", "read", "init producer", "open", "await replicas", "contents", "fetch", "load",
	"produce", "commit", "position", "due head", "due trim", "append", "begin rebuild", "rebuild put", "finish rebuild",
	"commit offset",
}

func (d Do) String() string { return doNames[d] }

// Action is one thing to be done. It and what it points to belong to the
// machine and are valid until Done.
type Action struct {
	Do        Do
	Until     int64 // Unix milliseconds
	Topic     Topic
	Partition int32
	Offset    int64
	Token     Token
	Opening   int64
	Open      OpenRequest
	Keys      []string
	Produce   []Produce
	Commit    *Commit
	Bucket    DueBucket
	N         int
	Timestamp int64 // Unix milliseconds
	Records   []Out
}

// Reply is what came of an action; see Do for which field belongs to which.
type Reply struct {
	Err       error
	Stored    Stored
	Token     Token
	Opened    OpenReply
	Contents  Contents
	Fetched   Fetched
	Loaded    LoadReply
	Errs      []error
	Verdict   Verdict
	Position  Position
	Customers []string
}
