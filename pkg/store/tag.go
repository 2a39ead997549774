package store

import (
	"fmt"
	"strconv"
	"sync"
)

// Slots is the number of hash slots of a Redis Cluster.
const Slots = 16384

// Tag returns the hash tag of a task's keys, without the braces: the partition
// and three letters that put it on slot partition·16384/partitions. So the tasks
// fall evenly on the slots, hence on any masters that share them evenly. Partition
// 0 has the same tag whatever the number of partitions: there that number can be
// asked, and a wrong one is found out.
//
// Data is stored under these names. They never change. It panics where partition
// is outside of [0, partitions), or [CheckPartitions] refuses their number.
func Tag(partition, partitions int32) string {
	if err := CheckPartitions(partitions); err != nil || partition < 0 || partition >= partitions {
		panic(fmt.Sprintf("store: no tag for partition %d of %d", partition, partitions))
	}
	slot := uint16(int64(partition) * Slots / int64(partitions))
	prefix := strconv.Itoa(int(partition)) + "-"
	// CRC16 starts at 0, so it is linear: crc(prefix+suffix) is crc(prefix+zeros)
	// xor crc(suffix). The suffix is looked up by what it has to add.
	suffix := suffixes()[(slot^crc16(prefix+"\x00\x00\x00"))%Slots]
	return prefix + string(suffix[:])
}

// CheckPartitions refuses a number of partitions that can't have a slot each.
func CheckPartitions(partitions int32) error {
	if partitions < 1 || partitions > Slots {
		return fmt.Errorf("%d partitions: must be 1 to %d, a slot each", partitions, Slots)
	}
	return nil
}

// suffixes holds, by the lower 14 bits of its CRC16, the first three-letter string
// with that sum, in the order of the alphabet below.
var suffixes = sync.OnceValue(func() *[Slots][3]byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var table [Slots][3]byte
	for i := range alphabet {
		for j := range alphabet {
			for k := range alphabet {
				s := [3]byte{alphabet[i], alphabet[j], alphabet[k]}
				if at := &table[crc16(string(s[:]))%Slots]; at[0] == 0 {
					*at = s
				}
			}
		}
	}
	return &table
})

// crc16 is CRC-16/XMODEM, by which Redis Cluster computes slots: polynomial
// 0x1021, start 0, most significant bit first.
func crc16(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
