package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// names are the keys of a task that aren't always there: those of sums, sorted,
// and the due buckets.
type names struct {
	sums []string
	due  []task.DueBucket
}

// namesArgs reads the names.
func (s *Redis) namesArgs() [][]any {
	return [][]any{{"smembers", s.keys.sumKeys}, {"zrange", s.keys.due, 0, -1}}
}

// names takes the answer to namesArgs.
func (r *replies) names() (names, error) {
	sums, err := r.texts()
	if err != nil {
		return names{}, err
	}
	slices.Sort(sums)
	members, err := r.texts()
	if err != nil {
		return names{}, err
	}
	due := make([]task.DueBucket, len(members))
	for i, member := range members {
		if due[i], err = parseBucket(member); err != nil {
			return names{}, damaged("a due bucket", member, err)
		}
	}
	return names{sums: sums, due: due}, nil
}

// Contents implements [task.Store].
func (s *Redis) Contents(ctx context.Context) (task.Contents, error) {
	const op = "read the contents"
	// Which keys there are must be known before they can be read in a transaction.
	// An owner finds them unchanged; a reader beside an owner tries again.
	for range 10 {
		if err := s.conn.multi(ctx, s.namesArgs()...); err != nil {
			return task.Contents{}, s.fail(op, err)
		}
		known, err := s.conn.answers.names()
		if err != nil {
			return task.Contents{}, s.fail(op, err)
		}
		contents, changed, err := s.contentsOf(ctx, known.sums)
		if err != nil {
			return task.Contents{}, s.fail(op, err)
		}
		if !changed {
			return contents, nil
		}
	}
	return task.Contents{}, &task.Error{Kind: task.KindRetry, Op: op, Err: errors.New("new keys came up each time")}
}

// contentsOf reads everything in one transaction; changed says that there are other
// keys of sums than the given.
func (s *Redis) contentsOf(ctx context.Context, sums []string) (c task.Contents, changed bool, err error) {
	commands := append(s.namesArgs(), s.positionArgs(), []any{"hgetall", s.keys.parameters})
	for _, key := range sums {
		commands = append(commands, []any{"hgetall", key})
	}
	if err := s.conn.multi(ctx, commands...); err != nil {
		return c, false, err
	}
	answers := &s.conn.answers
	known, err := answers.names()
	if err != nil {
		return c, false, err
	}
	c.Due = known.due
	if c.Position, err = answers.position(); err != nil {
		return c, false, err
	}
	c.Parameters = map[string][]byte{}
	err = answers.hash(func(tenant string, value []byte) { c.Parameters[tenant] = value })
	if err != nil {
		return c, false, err
	}
	for _, key := range sums {
		tenant, dimension, err := s.keys.parseSum(key)
		if err != nil {
			return c, false, damaged("the name of sums", key, err)
		}
		err = answers.hash(func(id string, value []byte) {
			c.Sums = append(c.Sums, task.SumWrite{Tenant: tenant, Dimension: dimension, ID: id, Value: value})
		})
		if err != nil {
			return c, false, err
		}
	}
	return c, !slices.Equal(known.sums, sums), nil
}

// hash takes the answer to HGETALL; the values are copies.
func (r *replies) hash(each func(field string, value []byte)) error {
	n, err := r.array(-1)
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return fmt.Errorf("%w: a hash of %d strings", errProtocol, n)
	}
	for range n / 2 {
		field, err := r.text()
		if err != nil {
			return err
		}
		value, err := r.bytes()
		if err != nil {
			return err
		}
		each(field, append(make([]byte, 0, len(value)), value...))
	}
	return nil
}

// unlinkChunk is the most keys that one step of a rebuild's beginning deletes.
const unlinkChunk = 500

// BeginRebuild implements [task.Store]. The states, parameters and clocks go, too.
func (s *Redis) BeginRebuild(ctx context.Context, t task.Token, opening int64) (task.Verdict, error) {
	const op = "begin a rebuild"
	if err := s.conn.multi(ctx, s.namesArgs()...); err != nil {
		return 0, s.fail(op, err)
	}
	known, err := s.conn.answers.names()
	if err != nil {
		return 0, s.fail(op, err)
	}
	doomed := append([]string{s.keys.states, s.keys.parameters}, known.sums...)
	for _, bucket := range known.due {
		doomed = append(doomed, s.keys.listPrefix+bucketName(bucket))
	}
	// The names go last: what an interrupted beginning left can be found by them.
	doomed = append(doomed, s.keys.sumKeys, s.keys.due)
	for chunk := range slices.Chunk(doomed, unlinkChunk) {
		args := []any{nil, nil, 1 + len(chunk), s.keys.task}
		for _, key := range chunk {
			args = append(args, key)
		}
		args = append(args, t.ProducerID, t.Epoch, opening)
		verdict, err := s.verdictOf(ctx, rebuildBeginScript, args)
		if err != nil {
			return 0, s.fail(op, err)
		}
		if verdict != task.OK {
			return verdict, nil
		}
	}
	return task.OK, nil
}
