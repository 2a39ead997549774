package store

import (
	"errors"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// serverError is an error that Redis answered, without its leading minus sign.
type serverError string

func (e serverError) Error() string { return string(e) }

// errClosed is what a call after Close fails with.
var errClosed = errors.New("the connection was closed")

// kindOf says what an error asks of its caller. Whatever isn't an answer of the
// server leaves the outcome open: that is the connection's end.
func kindOf(err error) task.ErrorKind {
	var answer serverError
	if !errors.As(err, &answer) {
		return task.KindConnection
	}
	text := string(answer)
	if _, cause, found := strings.Cut(text, "EXECABORT Transaction discarded because of: "); found {
		text = cause // it was refused when it was to be run, and not when a command was queued
	}
	code, _, _ := strings.Cut(text, " ")
	switch code {
	case "LOADING", "READONLY", "MOVED", "ASK", "CLUSTERDOWN", "MASTERDOWN", "UNBLOCKED":
		// Not, or no longer, the primary of this slot.
		return task.KindConnection
	case "BUSY", "TRYAGAIN", "NOREPLICAS":
		// A foreign script runs, the slot is on its way, or min-replicas-to-write
		// isn't met: refused before anything was done.
		return task.KindRetry
	}
	// OOM, WRONGTYPE, NOPERM, NOAUTH, WRONGPASS, MISCONF, unknown commands: waiting
	// doesn't help.
	return task.KindStop
}

// wrap makes err a *task.Error of its kind.
func wrap(op string, err error) *task.Error {
	kind := kindOf(err)
	if kind == task.KindStop && strings.Contains(err.Error(), "OOM command not allowed") {
		err = &explained{"Redis's memory is full: raise maxmemory or add a master", err}
	}
	return &task.Error{Kind: kind, Op: op, Err: err}
}

// stop makes an error that an operator must see to.
func stop(op string, err error) *task.Error {
	return &task.Error{Kind: task.KindStop, Op: op, Err: err}
}

// broken makes an error that ends the connection.
func broken(op string, err error) *task.Error {
	return &task.Error{Kind: task.KindConnection, Op: op, Err: err}
}

// explained is an error with what it means.
type explained struct {
	meaning string
	err     error
}

func (e *explained) Error() string { return e.meaning + " (" + e.err.Error() + ")" }

func (e *explained) Unwrap() error { return e.err }
