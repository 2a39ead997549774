package task

import "testing"

// The hashes are those of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
func TestMurmur2EqualsJava(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, Java has %d", key, got, want)
		}
	}
}

func TestMurmur2PartitionClearsTheSign(t *testing.T) {
	// toPositive(-973932308) = 1173551340; Java's modulo then takes over.
	if got := Murmur2Partition([]byte("21"), 1000); got != 340 {
		t.Errorf("partition = %d, want 340", got)
	}
	for _, partitions := range []int32{1, 2, 7, 64} {
		for n := range 5000 {
			key := []byte{byte(n), byte(n >> 8), 'x'}
			if p := Murmur2Partition(key[:n%4], partitions); p < 0 || p >= partitions {
				t.Fatalf("key %x on %d partitions: partition %d", key[:n%4], partitions, p)
			}
		}
	}
}
