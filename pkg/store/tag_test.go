package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func slotOf(partition, partitions int32) int {
	return int(crc16(Tag(partition, partitions)) % Slots)
}

func TestCRC16IsTheOneOfRedisCluster(t *testing.T) {
	// The check value that the Redis Cluster specification gives.
	if got := crc16("123456789"); got != 0x31C3 {
		t.Fatalf("crc16 = %#x, want 0x31c3", got)
	}
}

func TestTagsFallEvenlyOnSlots(t *testing.T) {
	for _, partitions := range []int32{1, 2, 3, 7, 8, 64, 100, 256, 1000, Slots} {
		for p := range partitions {
			if got, want := slotOf(p, partitions), int(int64(p)*Slots/int64(partitions)); got != want {
				t.Fatalf("%d of %d: tag %q is on slot %d, want %d", p, partitions, Tag(p, partitions), got, want)
			}
		}
	}
}

func TestTagsFallEvenlyOnThreeMasters(t *testing.T) {
	ends := []int{5460, 10922, 16383} // what redis-cli --cluster create gives three masters
	for _, partitions := range []int32{8, 64, 256} {
		var of [3]int
		for p := range partitions {
			slot := slotOf(p, partitions)
			for m, end := range ends {
				if slot <= end {
					of[m]++
					break
				}
			}
		}
		if spread := max(of[0], of[1], of[2]) - min(of[0], of[1], of[2]); spread > 1 {
			t.Errorf("%d partitions: masters hold %v", partitions, of)
		}
	}
}

// What is stored is found by these names: this test must never be changed.
func TestTagsNeverChange(t *testing.T) {
	for _, c := range []struct {
		partition, partitions int32
		tag                   string
	}{
		{0, 1, "0-0OT"},
		{0, 64, "0-0OT"},
		{1, 64, "1-1KQ"},
		{17, 64, "17-6JY"},
		{63, 64, "63-6cA"},
		{0, 256, "0-0OT"},
		{255, 256, "255-5ot"},
		{16383, 16384, "16383-0VD"},
	} {
		if got := Tag(c.partition, c.partitions); got != c.tag {
			t.Errorf("Tag(%d, %d) = %q, want %q", c.partition, c.partitions, got, c.tag)
		}
	}
	var all strings.Builder
	for _, partitions := range []int32{1, 8, 12, 64, 256, 1000} {
		for p := range partitions {
			fmt.Fprintln(&all, Tag(p, partitions))
		}
	}
	sum := sha256.Sum256([]byte(all.String()))
	if got := hex.EncodeToString(sum[:8]); got != "e501ef25e05f46cf" {
		t.Errorf("the tags changed: their hash is %s", got)
	}
}
