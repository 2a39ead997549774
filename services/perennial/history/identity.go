package history

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// Identities gives ids to records that bring none: kind, hash of the line's
// text, and how often the same text came before. So the same file imported
// again, whole or with lines added, gives the same ids, and two equal lines stay
// two events. It holds 12 bytes or so a line.
type Identities struct {
	kind Kind
	seen map[uint64]uint32
}

// NewIdentities starts at the beginning of a file.
func NewIdentities(kind Kind) *Identities { return &Identities{kind, map[uint64]uint32{}} }

// Next answers the id of a record by its text. Every record of the file must be
// given, in order, also those that aren't imported.
func (i *Identities) Next(raw []byte) string {
	sum := sha256.Sum256(raw)
	// Two texts that share these 64 bits count each other's occurrences, and so
	// still get ids of their own.
	key := binary.BigEndian.Uint64(sum[:])
	i.seen[key]++
	return fmt.Sprintf("%s:%s:%d", i.kind, hex.EncodeToString(sum[:8]), i.seen[key])
}

// Prefix is a running hash of a file's records, by which a resumed import knows
// that what it has done is still what the file says.
type Prefix struct{ h hash.Hash }

// NewPrefix starts at the beginning of a file.
func NewPrefix() Prefix { return Prefix{sha256.New()} }

// Add adds a record.
func (p Prefix) Add(rec Record) {
	_ = binary.Write(p.h, binary.BigEndian, []int64{rec.Offset, rec.End}) // a hash takes everything
	_, _ = p.h.Write(rec.Raw)
}

// Sum answers the hash of what was added so far, in hexadecimal.
func (p Prefix) Sum() string { return hex.EncodeToString(p.h.Sum(nil)) }
