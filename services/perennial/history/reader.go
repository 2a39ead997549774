package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxRecord bounds one record, bytes. A longer one is answered as a bad record
// of one line and read over.
const MaxRecord = 1 << 20

// Record is one line of a file, or several where a quoted field goes on.
type Record struct {
	// Line is the number of its first line, from 1.
	Line int64
	// Offset is where it begins, End where the next one does.
	Offset, End int64
	// Raw is the text without its line ending; cut for a record that is too
	// long. Valid until the next record is read.
	Raw []byte
	// Fields are the columns, unquoted.
	Fields []string
	// Err says why it can't be cut into columns.
	Err error
}

// Reader cuts a file into records, in bounded memory whatever the file holds. A
// byte order mark at the start, empty lines, and CR before LF are dropped.
type Reader struct {
	src       io.Reader
	delimiter byte
	buf       []byte // unread text is buf[at:]
	at        int
	offset    int64 // of buf[at]
	line      int64 // number of the line that begins there
	ended     bool  // src has no more
	srcErr    error
	fields    []string
	// columns is how many a record has, 0 where that isn't known. A record that
	// goes over several lines and has another number was joined by a stray quote.
	columns int
}

// NewReader reads src from its beginning.
func NewReader(src io.Reader, delimiter byte) *Reader {
	return &Reader{src: src, delimiter: delimiter, line: 1, buf: make([]byte, 0, 64<<10)}
}

// Err answers the error that ended the reading, other than the end of the file.
func (r *Reader) Err() error { return r.srcErr }

// Next answers the next record that isn't empty; false at the end.
func (r *Reader) Next() (Record, bool) {
	if r.offset == 0 && r.fill(3) && bytes.HasPrefix(r.buf[r.at:], []byte("\xef\xbb\xbf")) {
		r.advance(3)
	}
	for {
		rec, ok := r.next()
		if !ok || len(bytes.TrimSpace(rec.Raw)) > 0 || rec.Err != nil {
			return rec, ok
		}
	}
}

// next answers the next record, empty or not.
func (r *Reader) next() (Record, bool) {
	want := 1
	for r.fill(want) || len(r.buf) > r.at {
		text := r.buf[r.at:]
		length, next, err := r.cut(text)
		switch {
		case err == nil && (length >= MaxRecord || r.joined(text[:length])):
			return r.giveUp(text), true
		case err == nil:
			return r.take(length, next, nil), true
		case len(text) >= MaxRecord || r.ended:
			return r.giveUp(text), true
		}
		want = len(text) + 64<<10
	}
	return Record{}, false
}

// errUnfinished says that the text ends within the record.
var errUnfinished = errors.New("unfinished")

// errQuote says that it ends within quotes.
var errQuote = errors.New("a quote is opened and never closed")

// cut finds the record at the start of text and leaves its columns in r.fields.
// length is without the line ending, next with it. At the end of the file the
// last record needs no line ending.
func (r *Reader) cut(text []byte) (length, next int, err error) {
	if r.delimiter == Whitespace {
		return r.cutBlanks(text)
	}
	r.fields = r.fields[:0]
	for at := 0; ; {
		field, end, err := r.field(text, at)
		if err != nil {
			return 0, 0, err
		}
		r.fields = append(r.fields, field)
		switch {
		case end < len(text) && text[end] == r.delimiter:
			at = end + 1
		case end < len(text): // a line feed
			return end, end + 1, nil
		case r.ended:
			return end, end, nil
		default:
			return 0, 0, errUnfinished
		}
	}
}

// field reads the column that begins at text[at] and answers where it ends: at a
// delimiter, a line feed, or the end of text.
func (r *Reader) field(text []byte, at int) (string, int, error) {
	if at >= len(text) || text[at] != '"' {
		end := at
		for end < len(text) && text[end] != r.delimiter && text[end] != '\n' {
			end++
		}
		return string(bytes.TrimSpace(text[at:end])), end, nil
	}
	var b strings.Builder
	for i := at + 1; ; {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return "", 0, errQuote
		}
		b.Write(text[i : i+n])
		i += n + 1
		if i < len(text) && text[i] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		// What stands between the closing quote and the delimiter belongs to
		// the column, as in spreadsheets: "a"b is ab.
		end := i
		for end < len(text) && text[end] != r.delimiter && text[end] != '\n' {
			end++
		}
		b.Write(bytes.TrimSpace(text[i:end]))
		return b.String(), end, nil
	}
}

// cutBlanks is cut for columns divided by blanks.
func (r *Reader) cutBlanks(text []byte) (length, next int, err error) {
	length = bytes.IndexByte(text, '\n')
	next = length + 1
	if length < 0 {
		if !r.ended {
			return 0, 0, errUnfinished
		}
		length, next = len(text), len(text)
	}
	r.fields = append(r.fields[:0], strings.Fields(string(text[:length]))...)
	return length, next, nil
}

// take answers the record of the given lengths and goes on behind it.
func (r *Reader) take(length, next int, err error) Record {
	raw := bytes.TrimSuffix(r.buf[r.at:r.at+length], []byte("\r"))
	rec := Record{Line: r.line, Offset: r.offset, End: r.offset + int64(next), Raw: raw, Fields: r.fields, Err: err}
	r.advance(next)
	return rec
}

// joined answers whether the record was put together by a stray quote.
func (r *Reader) joined(record []byte) bool {
	return r.columns > 0 && len(r.fields) != r.columns && bytes.IndexByte(record, '\n') >= 0
}

// giveUp answers the first line of text as a bad record: one stray quote must
// not swallow the lines after it.
func (r *Reader) giveUp(text []byte) Record {
	if line := bytes.IndexByte(text, '\n'); line >= 0 && line < MaxRecord {
		return r.take(line, line+1, errQuote) // nothing but a quote goes over lines
	}
	if len(text) < MaxRecord { // the end of the file, within quotes
		return r.take(len(text), len(text), errQuote)
	}
	rec := Record{
		Line: r.line, Offset: r.offset, Raw: bytes.Clone(text[:200]),
		Err: fmt.Errorf("longer than %d bytes", MaxRecord),
	}
	for {
		if end := bytes.IndexByte(r.buf[r.at:], '\n'); end >= 0 {
			r.advance(end + 1)
			break
		}
		r.advance(len(r.buf) - r.at)
		if !r.fill(1) {
			break
		}
	}
	rec.End = r.offset
	return rec
}

// advance goes on n bytes further.
func (r *Reader) advance(n int) {
	r.line += int64(bytes.Count(r.buf[r.at:r.at+n], []byte("\n")))
	r.at += n
	r.offset += int64(n)
}

// fill reads until at least want unread bytes are there, and answers whether
// they are.
func (r *Reader) fill(want int) bool {
	for len(r.buf)-r.at < want && !r.ended {
		if r.at > 0 && cap(r.buf)-len(r.buf) < want {
			r.buf = append(r.buf[:0], r.buf[r.at:]...)
			r.at = 0
		}
		if cap(r.buf)-len(r.buf) < 4096 {
			r.buf = append(make([]byte, 0, 2*cap(r.buf)), r.buf...)
		}
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if err != nil {
			r.ended = true
			if !errors.Is(err, io.EOF) {
				r.srcErr = err
			}
		}
	}
	return len(r.buf)-r.at >= want
}
