package kafkatest

import "testing"

// PID is the process id of a running broker, for those who measure what it uses.
func (c *Cluster) PID(t testing.TB, broker int) int {
	t.Helper()
	if c.brokers[broker].process == nil {
		t.Fatalf("broker %d isn't running", broker)
	}
	return c.brokers[broker].process.Process.Pid
}
