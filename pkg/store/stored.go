package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// verdict takes a script's verdict.
func (r *replies) verdict() (task.Verdict, error) {
	n, err := r.integer()
	if err != nil {
		return 0, err
	}
	if n < int64(task.OK) || n > int64(task.OtherPartitions) {
		return 0, fmt.Errorf("%w: verdict %d", errProtocol, n)
	}
	return task.Verdict(n), nil
}

// firstOfTwo takes an array of two integers and returns the first.
func (r *replies) firstOfTwo() (int64, error) {
	if _, err := r.array(2); err != nil {
		return 0, err
	}
	first, err := r.integer()
	if err != nil {
		return 0, err
	}
	_, err = r.integer()
	return first, err
}

// position takes the answer to positionArgs. Of a task that doesn't exist all is
// zero.
func (r *replies) position() (task.Position, error) {
	if _, err := r.array(4); err != nil {
		return task.Position{}, err
	}
	var values [4]int64
	for i := range values {
		b, err := r.bytes()
		if err != nil {
			return task.Position{}, err
		}
		if b == nil {
			continue
		}
		if values[i], err = number(b); err != nil {
			return task.Position{}, damaged("the position", string(b), err)
		}
	}
	return task.Position{
		Token:      task.Token{ProducerID: values[0], Epoch: int16(values[1])},
		Opening:    values[2],
		NextOffset: values[3],
	}, nil
}

// damaged says that a task's hash holds what no script writes: an operator's hand.
// As an answer of the server it stops the task.
func damaged(what, value string, err error) error {
	return fmt.Errorf("%w: %w", serverError(fmt.Sprintf("ERR the task's hash is damaged: %s is %q", what, value)), err)
}

// stored takes the answer to HGETALL of a task's hash.
func (r *replies) stored() (task.Stored, error) {
	fields, err := r.texts()
	if err != nil {
		return task.Stored{}, err
	}
	if len(fields)%2 != 0 {
		return task.Stored{}, fmt.Errorf("%w: a hash of %d strings", errProtocol, len(fields))
	}
	var s task.Stored
	if len(fields) == 0 {
		return s, nil
	}
	s.Exists = true
	for i := 0; i < len(fields); i += 2 {
		if err := setField(&s, fields[i], fields[i+1]); err != nil {
			return task.Stored{}, damaged(fields[i], fields[i+1], err)
		}
	}
	return s, nil
}

// setField puts one field of a task's hash into s.
func setField(s *task.Stored, name, value string) error {
	if tenant, isClock := strings.CutPrefix(name, fieldClock); isClock {
		unix, err := strconv.ParseInt(value, 10, 64)
		if s.Clocks == nil {
			s.Clocks = map[string]int64{}
		}
		s.Clocks[tenant] = unix
		return err
	}
	bits := 64
	switch name {
	case fieldEpoch:
		bits = 16
	case fieldFold, fieldPartitions:
		bits = 32
	case fieldCRC:
		crc, err := strconv.ParseUint(value, 10, 32)
		s.LastCRC = uint32(crc)
		return err
	}
	n, err := strconv.ParseInt(value, 10, bits)
	if err != nil {
		return err
	}
	switch name {
	case fieldProducer:
		s.Token.ProducerID = n
	case fieldEpoch:
		s.Token.Epoch = int16(n)
	case fieldOpening:
		s.Opening = n
	case fieldBatch:
		s.Batch = n
	case fieldOffset:
		s.NextOffset = n
	case fieldCheckpoint:
		s.CheckpointOffset = n
	case fieldFold:
		s.FoldVersion = int32(n)
	case fieldPartitions:
		s.Partitions = int32(n)
	case fieldRebuilding:
		s.Rebuilding = n != 0
	}
	return nil
}
