package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Redis is one task's keys over one connection to the primary that has them. It
// implements [task.Store] and is used by one goroutine.
type Redis struct {
	cfg        Config
	partition  int32
	partitions int32
	keys       keys
	conn       *conn
	about      server
	// Scratch space that is used anew by each call.
	args     []any
	commands [][]any
	looks    [][]any
	watched  []any
	types    []string
	texts    []string
	nums     []byte
	states   [][]byte
}

var _ task.Store = (*Redis)(nil)

// Connect connects to the primary of a task's keys. Its errors are [*task.Error]:
// KindConnection where no primary answered, KindStop where the configuration is
// wrong or the server refuses the user.
func Connect(ctx context.Context, cfg Config, partition, partitions int32) (*Redis, error) {
	op := fmt.Sprintf("connect to Redis for partition %d", partition)
	if err := errors.Join(cfg.Validate(), CheckPartitions(partitions)); err != nil {
		return nil, stop(op, err)
	}
	if partition < 0 || partition >= partitions {
		return nil, stop(op, fmt.Errorf("the topic has %d partitions", partitions))
	}
	cfg = cfg.withDefaults()
	s := &Redis{cfg: cfg, partition: partition, partitions: partitions, keys: keysOf(partition, partitions)}
	var err error
	if s.conn, s.about, err = connectPrimary(ctx, &cfg, s.keys.task); err != nil {
		failed := wrap(op, err)
		if ctx.Err() != nil {
			failed.Kind = task.KindConnection
		}
		return nil, failed
	}
	return s, nil
}

// Addr is the address of the process that this is bound to.
func (s *Redis) Addr() string { return s.conn.addr }

// RunID is what the process said of itself when the connection was made: it
// changes with each start of the server.
func (s *Redis) RunID() string { return s.about.runID }

// Close closes the connection.
func (s *Redis) Close() error {
	s.conn.close()
	return nil
}

// fail makes a *task.Error of err. What says that this process isn't the slot's
// primary, and what can't be understood, ends the connection.
func (s *Redis) fail(op string, err error) error {
	failed := wrap(op+" of partition "+strconv.Itoa(int(s.partition)), err)
	if failed.Kind == task.KindConnection {
		_ = s.conn.kill(failed.Err)
	}
	return failed
}

// Check implements [task.Store].
func (s *Redis) Check(ctx context.Context) error {
	const op = "check Redis"
	if s.conn.dead != nil {
		return s.fail(op, s.conn.dead)
	}
	if s.cfg.Embedded {
		return nil
	}
	about, err := s.conn.info(ctx)
	switch {
	case err != nil:
		return s.fail(op, err)
	case about.runID != s.about.runID:
		return s.fail(op, fmt.Errorf("the process has another run id, %s instead of %s", about.runID, s.about.runID))
	case about.replica:
		return s.fail(op, serverError("READONLY it became a replica"))
	case about.maxmemoryPolicy != "noeviction":
		return stop(op, fmt.Errorf("%s: maxmemory-policy is %q and must be noeviction", s.conn.addr, about.maxmemoryPolicy))
	case about.evictedKeys != 0:
		return stop(op, fmt.Errorf("%s: %d keys were evicted; states may be missing: rebuild, then CONFIG RESETSTAT", s.conn.addr, about.evictedKeys))
	}
	s.about = about
	return nil
}

// Read implements [task.Store].
func (s *Redis) Read(ctx context.Context) (task.Stored, error) {
	const op = "read the task"
	if err := s.conn.send(ctx, []any{"hgetall", s.keys.task}); err != nil {
		return task.Stored{}, s.fail(op, err)
	}
	stored, err := s.conn.answers.stored()
	if err != nil {
		return task.Stored{}, s.fail(op, err)
	}
	return stored, nil
}

// Open implements [task.Store].
func (s *Redis) Open(ctx context.Context, r task.OpenRequest) (task.OpenReply, error) {
	const op = "open the task"
	err := s.conn.run(ctx, openScript, []any{
		nil, nil, 1, s.keys.task, r.Token.ProducerID, r.Token.Epoch,
		r.ReadOpening, r.ReadOpening + 1, r.FoldVersion, r.Partitions,
	})
	if err != nil {
		return task.OpenReply{}, s.fail(op, err)
	}
	answers := &s.conn.answers
	if _, err = answers.array(2); err != nil {
		return task.OpenReply{}, s.fail(op, err)
	}
	verdict, err := answers.verdict()
	if err != nil {
		return task.OpenReply{}, s.fail(op, err)
	}
	before, err := answers.stored()
	if err != nil {
		return task.OpenReply{}, s.fail(op, err)
	}
	return task.OpenReply{Verdict: verdict, Before: before}, nil
}

// AwaitReplicas implements [task.Store].
func (s *Redis) AwaitReplicas(ctx context.Context) error {
	const op = "await the replicas"
	if s.conn.dead != nil {
		return s.fail(op, s.conn.dead)
	}
	if s.cfg.Replicas > 0 {
		n := strconv.Itoa(s.cfg.Replicas)
		err := s.await(ctx, s.cfg.Replicas, func(millis string) ([]any, func() (int64, error)) {
			return []any{"wait", n, millis}, s.conn.answers.integer
		})
		if err != nil {
			return s.awaitError(op, "replicas", err)
		}
	}
	if s.cfg.AwaitAOF && s.about.appendOnly && (s.about.major > 7 || s.about.major == 7 && s.about.minor >= 2) {
		err := s.await(ctx, 1, func(millis string) ([]any, func() (int64, error)) {
			return []any{"waitaof", "1", "0", millis}, s.conn.answers.firstOfTwo
		})
		if err != nil {
			return s.awaitError(op, "append-only files", err)
		}
	}
	return nil
}

// errTooFew says how many acknowledged.
type errTooFew struct{ got, want int64 }

func (e errTooFew) Error() string { return fmt.Sprintf("%d of %d acknowledged in time", e.got, e.want) }

func (s *Redis) awaitError(op, what string, err error) error {
	var few errTooFew
	if errors.As(err, &few) {
		return &task.Error{Kind: task.KindRetry, Op: op, Err: fmt.Errorf("%s: %w", what, few)}
	}
	return s.fail(op, err)
}

// await repeats a waiting command until it answers want or more, or the time is
// over. Each waits for less than a request's time limit.
func (s *Redis) await(ctx context.Context, want int, command func(millis string) ([]any, func() (int64, error))) error {
	end := time.Now().Add(s.cfg.ReplicaTimeout)
	for {
		left := max(time.Until(end), time.Millisecond) // 0 would wait for ever
		slice := min(left, s.cfg.Timeout/2)
		args, answer := command(strconv.FormatInt(max(slice.Milliseconds(), 1), 10))
		if err := s.conn.send(ctx, args); err != nil {
			return err
		}
		got, err := answer()
		switch {
		case err != nil:
			return err
		case got >= int64(want):
			return nil
		case slice == left:
			return errTooFew{got, int64(want)}
		}
	}
}

// positionArgs reads the position.
func (s *Redis) positionArgs() []any {
	return []any{"hmget", s.keys.task, fieldProducer, fieldEpoch, fieldOpening, fieldOffset}
}

// Position implements [task.Store].
func (s *Redis) Position(ctx context.Context) (task.Position, error) {
	const op = "read the position"
	if err := s.conn.send(ctx, s.positionArgs()); err != nil {
		return task.Position{}, s.fail(op, err)
	}
	position, err := s.conn.answers.position()
	if err != nil {
		return task.Position{}, s.fail(op, err)
	}
	return position, nil
}

// loadChunk is the most states that one HMGET asks for: one command shouldn't keep
// others waiting for long.
const loadChunk = 1000

// Load implements [task.Store]. The states are valid until the next call.
func (s *Redis) Load(ctx context.Context, customers []string) (task.LoadReply, error) {
	const op = "load states"
	commands := [][]any{s.positionArgs()}
	chunks := (len(customers) + loadChunk - 1) / loadChunk
	s.args = s.args[:0]
	for chunk := range chunks {
		start := len(s.args)
		s.args = append(s.args, "hmget", s.keys.states)
		end := min((chunk+1)*loadChunk, len(customers))
		for i := chunk * loadChunk; i < end; i++ {
			s.args = append(s.args, &customers[i])
		}
		commands = append(commands, s.args[start:len(s.args):len(s.args)])
	}
	if err := s.conn.multi(ctx, commands...); err != nil {
		return task.LoadReply{}, s.fail(op, err)
	}
	answers := &s.conn.answers
	position, err := answers.position()
	if err != nil {
		return task.LoadReply{}, s.fail(op, err)
	}
	s.states = s.states[:0]
	for range chunks {
		n, err := answers.array(-1)
		if err != nil {
			return task.LoadReply{}, s.fail(op, err)
		}
		for range n {
			state, err := answers.bytes()
			if err != nil {
				return task.LoadReply{}, s.fail(op, err)
			}
			s.states = append(s.states, state)
		}
	}
	if len(s.states) != len(customers) {
		return task.LoadReply{}, s.fail(op, fmt.Errorf("%w: %d states for %d customers", errProtocol, len(s.states), len(customers)))
	}
	return task.LoadReply{Position: position, States: s.states}, nil
}

// DueHead implements [task.Store].
func (s *Redis) DueHead(ctx context.Context, b task.DueBucket, n int) ([]string, error) {
	op := "read due bucket " + bucketName(b)
	if n <= 0 {
		return nil, nil
	}
	if err := s.conn.send(ctx, []any{"lrange", s.keys.listPrefix + bucketName(b), 0, n - 1}); err != nil {
		return nil, s.fail(op, err)
	}
	customers, err := s.conn.answers.texts()
	if err != nil {
		return nil, s.fail(op, err)
	}
	return customers, nil
}
