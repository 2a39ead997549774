package ops

import (
	"errors"
	"fmt"
)

// The exit codes of every program of Perennial. Scripts rely on them.
const (
	ExitDone  = 0 // what was asked was done
	ExitFail  = 1 // it failed, or a comparison found differences
	ExitUsage = 2 // the command line, the configuration or the input given is wrong
)

// UsageError is a mistake of whoever started the program: a flag, a setting or
// an input file. Trying again without changing it can't help.
type UsageError struct{ Err error }

// Error answers the text of the error inside.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap answers the error inside.
func (e *UsageError) Unwrap() error { return e.Err }

// Usage marks err as a mistake of whoever started the program; nil stays nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{Err: err}
}

// Usagef is [Usage] of a formatted error.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// ExitCode answers what a process that ends with err exits with.
func ExitCode(err error) int {
	var usage *UsageError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &usage):
		return ExitUsage
	default:
		return ExitFail
	}
}

// FieldError says what is wrong with one setting.
type FieldError struct {
	Field  string // dotted path such as kafka.sasl.mechanism
	Value  string // as it was given; a secret is masked
	Reason string // completes "kafka.sasl.mechanism: "
	Origin string // where the value was set, empty where it isn't known
}

// Error answers one line: field, value, reason and where it was set.
func (e *FieldError) Error() string {
	text := e.Field
	if e.Value != "" {
		text += fmt.Sprintf(" = %q", e.Value)
	}
	text += ": " + e.Reason
	if e.Origin != "" {
		text += " (set by " + e.Origin + ")"
	}
	return text
}

// Check answers a [FieldError] unless ok holds. field is relative to the struct
// whose Validate method calls it; [Load] puts the path before it. So a Validate
// method is one errors.Join of Checks.
func Check(ok bool, field string, value any, reason string) error {
	if ok {
		return nil
	}
	return &FieldError{Field: field, Value: fmt.Sprint(value), Reason: reason}
}
