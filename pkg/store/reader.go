package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// Reader reads what the owners wrote, without owning anything. It may be used by
// many goroutines; calls for one partition wait for one another. A connection that
// broke is made anew by the next call: a reader has nothing that it must not lose.
type Reader struct {
	cfg        Config
	partitions int32
	shards     []readerShard
}

// readerShard is the connection for one partition.
type readerShard struct {
	mu    sync.Mutex
	store *Redis
}

// ErrNoTasks says that Redis holds no task at all: nothing was ever opened there,
// or partition 0 lost its keys.
var ErrNoTasks = errors.New("redis has no task of partition 0: no updater has opened one there yet, or it lost its keys")

// NewReader connects and learns from partition 0's task how many partitions there
// are. Errors are [*task.Error] of Connect's kinds, or wrap ErrNoTasks.
func NewReader(ctx context.Context, cfg Config) (*Reader, error) {
	// Partition 0 has the same keys whatever the number of partitions.
	first, err := Connect(ctx, cfg, 0, 1)
	if err != nil {
		return nil, err
	}
	stored, err := first.Read(ctx)
	switch {
	case err == nil && !stored.Exists:
		err = ErrNoTasks
	case err == nil:
		if bad := CheckPartitions(stored.Partitions); bad != nil {
			err = stop("read the number of partitions", bad)
		}
	}
	if err != nil {
		return nil, errors.Join(err, first.Close())
	}
	first.partitions = stored.Partitions
	r := &Reader{cfg: cfg, partitions: stored.Partitions, shards: make([]readerShard, stored.Partitions)}
	r.shards[0].store = first
	return r, nil
}

// Partitions is the number of tasks.
func (r *Reader) Partitions() int32 { return r.partitions }

// Close closes all connections.
func (r *Reader) Close() error {
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.Lock()
		if shard.store != nil {
			_ = shard.store.Close()
			shard.store = nil
		}
		shard.mu.Unlock()
	}
	return nil
}

// with calls f with the connection for a partition, connecting where there is none.
func (r *Reader) with(ctx context.Context, partition int32, f func(s *Redis) error) error {
	if partition < 0 || partition >= r.partitions {
		return stop("read", fmt.Errorf("partition %d of %d", partition, r.partitions))
	}
	shard := &r.shards[partition]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.store == nil {
		s, err := Connect(ctx, r.cfg, partition, r.partitions)
		if err != nil {
			return err
		}
		shard.store = s
	}
	err := f(shard.store)
	if shard.store.conn.dead != nil {
		shard.store = nil
	}
	return err
}

// Task reads a task's hash.
func (r *Reader) Task(ctx context.Context, partition int32) (task.Stored, error) {
	var stored task.Stored
	err := r.with(ctx, partition, func(s *Redis) (err error) {
		stored, err = s.Read(ctx)
		return err
	})
	return stored, err
}

// Tasks reads all tasks' hashes, by partition.
func (r *Reader) Tasks(ctx context.Context) ([]task.Stored, error) {
	tasks := make([]task.Stored, r.partitions)
	for p := range r.partitions {
		var err error
		if tasks[p], err = r.Task(ctx, p); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// StateKey is the key of a customer's state and of its records.
func StateKey(tenant, customer string) string { return tenant + "/" + customer }

// PartitionOf returns the partition that has a customer.
func (r *Reader) PartitionOf(tenant, customer string) int32 {
	return task.Murmur2Partition([]byte(StateKey(tenant, customer)), r.partitions)
}

// State reads a customer's state, nil where there is none, and its task's position
// at that moment.
func (r *Reader) State(ctx context.Context, tenant, customer string) ([]byte, task.Position, error) {
	var state []byte
	var position task.Position
	err := r.with(ctx, r.PartitionOf(tenant, customer), func(s *Redis) error {
		reply, err := s.Load(ctx, []string{StateKey(tenant, customer)})
		if err == nil && reply.States[0] != nil {
			state = copied(reply.States[0])
		}
		position = reply.Position
		return err
	})
	return state, position, err
}

// Contents reads parameters, sums and due buckets of a task.
func (r *Reader) Contents(ctx context.Context, partition int32) (task.Contents, error) {
	var contents task.Contents
	err := r.with(ctx, partition, func(s *Redis) (err error) {
		contents, err = s.Contents(ctx)
		return err
	})
	return contents, err
}

// Scan calls each with the states of a task, all or those of one tenant where tenant
// isn't empty, in no order and each customer once. The value is valid during the
// call. It returns the task's position before and after: where they are equal, and
// the task wasn't being rebuilt, what was seen is the task at that position; where
// they differ the walk mixes several moments and is worth repeating.
func (r *Reader) Scan(ctx context.Context, partition int32, tenant string, each func(key string, value []byte) error) (before, after task.Position, err error) {
	err = r.with(ctx, partition, func(s *Redis) error {
		if before, err = s.Position(ctx); err != nil {
			return err
		}
		if err = s.scan(ctx, tenant, each); err != nil {
			return err
		}
		after, err = s.Position(ctx)
		return err
	})
	return before, after, err
}

// scanCount is about how many states one step of a scan looks at: some 100 µs of
// the server's time.
const scanCount = "500"

// scan walks over the hash of states.
func (s *Redis) scan(ctx context.Context, tenant string, each func(key string, value []byte) error) error {
	op := "scan states"
	args := []any{"hscan", s.keys.states, "0", "count", scanCount}
	if tenant != "" {
		args = append(args, "match", globEscape(tenant)+"/*")
	}
	seen := map[string]struct{}{} // a walk meets a field twice where the hash is resized meanwhile
	for {
		if err := s.conn.send(ctx, args); err != nil {
			return s.fail(op, err)
		}
		answers := &s.conn.answers
		if _, err := answers.array(2); err != nil {
			return s.fail(op, err)
		}
		cursor, err := answers.text()
		if err != nil {
			return s.fail(op, err)
		}
		n, err := answers.array(-1)
		if err != nil {
			return s.fail(op, err)
		}
		for range n / 2 {
			key, err := answers.text()
			if err != nil {
				return s.fail(op, err)
			}
			value, err := answers.bytes()
			if err != nil {
				return s.fail(op, err)
			}
			if _, twice := seen[key]; twice {
				continue
			}
			seen[key] = struct{}{}
			if err := each(key, value); err != nil {
				return err
			}
		}
		if cursor == "0" {
			return nil
		}
		args[2] = cursor
	}
}

// globEscape keeps what is special in a Redis pattern from being so.
var globEscape = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace
