package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 9, 10, 123456789, 999999999999999999, 1000000000000000000, math.MaxInt64, math.MinInt64} {
		if got, err := number([]byte(strconv.FormatInt(n, 10))); err != nil || got != n {
			t.Errorf("%d became %d, %v", n, got, err)
		}
	}
	for _, s := range []string{"", "-", "x", "1x", "--1", "9223372036854775808", " 1", "1.0"} {
		if n, err := number([]byte(s)); err == nil {
			t.Errorf("%q became %d", s, n)
		}
	}
}

// An answer may come in any pieces; what is read of it must be what was sent.
func TestRepliesAreReadFromPieces(t *testing.T) {
	const text = "*3\r\n$3\r\na\r\n\r\n$-1\r\n$0\r\n\r\n"
	for size := 1; size <= len(text); size++ {
		var r replies
		for piece := range strings.SplitSeq(text, "") {
			if size%2 == 0 {
				if _, err := r.ReadFrom(strings.NewReader(piece)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := r.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := func() (list [][]byte, err error) {
			n, err := r.array(3)
			for range n {
				var b []byte
				if b, err = r.bytes(); err != nil {
					return nil, err
				}
				list = append(list, b)
			}
			return list, err
		}()
		if err != nil || string(list[0]) != "a\r\n" || list[1] != nil || list[2] == nil || len(list[2]) != 0 {
			t.Fatalf("%q, %v", list, err)
		}
	}
}

// Whatever a server sends, no reader of its answers panics or reads beyond them.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		"", "+OK\r\n", "-ERR x\r\n", ":1\r\n", "$-1\r\n", "$3\r\nabc\r\n", "*2\r\n$1\r\na\r\n:5\r\n", "*-1\r\n", "$99999999999\r\n",
		"*2\r\n$6\r\noffset\r\n$2\r\n12\r\n", "*4\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n", "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$0\r\n\r\n:7\r\n",
		"*1000000000\r\n", "\n", "\r\n", "*2\r\n*0\r\n*1\r\n$3\r\na/1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &conn{addr: "127.0.0.1:1"}
		r := &c.answers
		for name, read := range map[string]func() error{
			"stored":     func() error { _, err := r.stored(); return err },
			"position":   func() error { _, err := r.position(); return err },
			"names":      func() error { _, err := r.names(); return err },
			"verdict":    func() error { _, err := r.verdict(); return err },
			"firstOfTwo": func() error { _, err := r.firstOfTwo(); return err },
			"hash":       func() error { return r.hash(func(string, []byte) {}) },
			"slots":      func() error { _, _, _, err := c.slotRange(); return err },
			"skip":       r.skip,
			"status":     r.status,
		} {
			r.buf, r.at = bytes.Clone(data), 0
			err := read()
			if r.at > len(r.buf) {
				t.Fatalf("%s read to %d of %d", name, r.at, len(r.buf))
			}
			var answer serverError
			if errors.As(err, &answer) && !bytes.Contains(data, []byte("-")) && !strings.HasPrefix(string(answer), "ERR the task's hash") {
				t.Fatalf("%s made up an answer: %v", name, err)
			}
		}
	})
}

func TestKeysAreParsedAsTheyAreMade(t *testing.T) {
	k, other := keysOf(3, 8), keysOf(4, 8)
	tenant, dimension, err := k.parseSum(k.sum("acme", "lead_source"))
	if err != nil || tenant != "acme" || dimension != "lead_source" {
		t.Errorf("%q, %q, %v", tenant, dimension, err)
	}
	for _, key := range []string{"", "x", k.sumPrefix, k.sumPrefix + "acme", other.sum("a", "b")} {
		if _, _, err := k.parseSum(key); err == nil {
			t.Errorf("%q was taken for a key of sums", key)
		}
	}
	for _, name := range []string{"", "acme", "acme/", "acme/x", "acme/99999999999"} {
		if b, err := parseBucket(name); err == nil {
			t.Errorf("%q became %+v", name, b)
		}
	}
	for _, name := range []string{"acme/0", "acme/-2147483648", "a-b/20000"} {
		if b, err := parseBucket(name); err != nil || bucketName(b) != name {
			t.Errorf("%q became %+v, %v", name, b, err)
		}
	}
	if !strings.HasPrefix(k.task, fmt.Sprintf("{%s}:", Tag(3, 8))) {
		t.Error(k.task)
	}
}
