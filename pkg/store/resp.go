package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// replies is the raw answer of the server, RESP2, to one pipeline. go-redis copies
// the bytes into it and parses nothing, so that a load of 500 states costs no
// allocation per state.
type replies struct {
	buf []byte
	at  int
}

var errProtocol = errors.New("an answer that isn't RESP2 or not the one expected")

// Write implements io.Writer for go-redis.
func (r *replies) Write(p []byte) (int, error) {
	r.buf = append(r.buf, p...)
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom: io.Copy then needs no buffer of its own.
func (r *replies) ReadFrom(src io.Reader) (int64, error) {
	start := len(r.buf)
	for {
		if len(r.buf) == cap(r.buf) {
			r.buf = append(r.buf, 0)[:len(r.buf)]
		}
		n, err := src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return int64(len(r.buf) - start), err
		}
	}
}

// reset forgets the answers; slices taken from them die with it.
func (r *replies) reset() { r.buf, r.at = r.buf[:0], 0 }

// line takes the next line: its type and what follows.
func (r *replies) line() (kind byte, rest []byte, err error) {
	end := bytes.IndexByte(r.buf[r.at:], '\n')
	if end < 2 || r.buf[r.at+end-1] != '\r' {
		return 0, nil, fmt.Errorf("%w: no line at byte %d of %d", errProtocol, r.at, len(r.buf))
	}
	line := r.buf[r.at : r.at+end-1]
	r.at += end + 1
	return line[0], line[1:], nil
}

// number parses a decimal number without an allocation.
func number(b []byte) (int64, error) {
	digits, negative := b, false
	if len(b) > 0 && b[0] == '-' {
		digits, negative = b[1:], true
	}
	if len(digits) == 0 || len(digits) > 18 { // longer ones may not fit
		return strconv.ParseInt(string(b), 10, 64)
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: %q isn't a number", errProtocol, b)
		}
		n = 10*n + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, nil
}

// header takes a line of the given type and returns its number; -1 is a nil. An
// error of the server is returned as serverError.
func (r *replies) header(want byte) (int64, error) {
	kind, rest, err := r.line()
	switch {
	case err != nil:
		return 0, err
	case kind == '-':
		return 0, serverError(rest)
	case kind != want:
		return 0, fmt.Errorf("%w: type %q where %q was expected", errProtocol, kind, want)
	}
	n, err := number(rest)
	if err != nil || (want != ':' && n < -1) {
		return 0, fmt.Errorf("%w: length %q", errProtocol, rest)
	}
	return n, nil
}

// array takes the head of an array, which must have n items unless n is negative.
func (r *replies) array(n int) (int, error) {
	got, err := r.header('*')
	if err != nil {
		return 0, err
	}
	// Each item takes at least three bytes, which bounds what is believed.
	if got < 0 || (n >= 0 && got != int64(n)) || got > int64(len(r.buf)-r.at)/3 {
		return 0, fmt.Errorf("%w: an array of %d items where %d were expected", errProtocol, got, n)
	}
	return int(got), nil
}

// bytes takes a bulk string; nil where there is none. It aliases the buffer.
func (r *replies) bytes() ([]byte, error) {
	n, err := r.header('$')
	if err != nil || n < 0 {
		return nil, err
	}
	if n > int64(len(r.buf)-r.at)-2 {
		return nil, fmt.Errorf("%w: a string of %d bytes is cut off", errProtocol, n)
	}
	end := r.at + int(n)
	value := r.buf[r.at:end:end]
	if r.buf[end] != '\r' || r.buf[end+1] != '\n' {
		return nil, fmt.Errorf("%w: no line end after a string", errProtocol)
	}
	r.at = end + 2
	return value, nil
}

// text takes a bulk string as a string of its own.
func (r *replies) text() (string, error) {
	b, err := r.bytes()
	return string(b), err
}

// integer takes an integer.
func (r *replies) integer() (int64, error) { return r.header(':') }

// status takes a status such as OK or QUEUED.
func (r *replies) status() error {
	kind, rest, err := r.line()
	switch {
	case err != nil:
		return err
	case kind == '-':
		return serverError(rest)
	case kind != '+':
		return fmt.Errorf("%w: type %q where a status was expected", errProtocol, kind)
	}
	return nil
}

// statuses takes n statuses. An error among them, as the answer to a command that
// was to be queued, says more than the EXECABORT that follows.
func (r *replies) statuses(n int) error {
	for range n {
		if err := r.status(); err != nil {
			return err
		}
	}
	return nil
}

// word takes a status and returns its text.
func (r *replies) word() ([]byte, error) {
	start := r.at
	if err := r.status(); err != nil {
		return nil, err
	}
	return r.buf[start+1 : r.at-2], nil
}

// isNil takes a nil array, if that comes next.
func (r *replies) isNil() bool {
	if !bytes.HasPrefix(r.buf[r.at:], []byte("*-1\r\n")) {
		return false
	}
	r.at += len("*-1\r\n")
	return true
}

// noErrors passes over n answers, and returns the first error among them.
func (r *replies) noErrors(n int) error {
	for range n {
		if r.at < len(r.buf) && r.buf[r.at] == '-' {
			return r.status()
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
	return nil
}

// texts takes an array of bulk strings.
func (r *replies) texts() ([]string, error) {
	n, err := r.array(-1)
	if err != nil {
		return nil, err
	}
	list := make([]string, n)
	for i := range list {
		if list[i], err = r.text(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// skip passes over one answer of any type.
func (r *replies) skip() error {
	for left := 1; left > 0; left-- {
		if r.at >= len(r.buf) {
			return fmt.Errorf("%w: cut off", errProtocol)
		}
		switch r.buf[r.at] {
		case '$':
			if _, err := r.bytes(); err != nil {
				return err
			}
		case '*':
			n, err := r.header('*')
			if err != nil {
				return err
			}
			if n > int64(len(r.buf)-r.at)/3 {
				return fmt.Errorf("%w: an array of %d items is cut off", errProtocol, n)
			}
			left += int(max(n, 0))
		default:
			if _, _, err := r.line(); err != nil {
				return err
			}
		}
	}
	return nil
}
