package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// keys are the names of one task's keys.
type keys struct {
	task, states, parameters, due, sumKeys string
	// sumPrefix and listPrefix precede <tenant>/<dimension> and <tenant>/<day>.
	sumPrefix, listPrefix string
}

func keysOf(partition, partitions int32) keys {
	braced := "{" + Tag(partition, partitions) + "}:"
	return keys{
		task:       braced + "task",
		states:     braced + "c",
		parameters: braced + "m",
		due:        braced + "due",
		sumKeys:    braced + "keys",
		sumPrefix:  braced + "r:",
		listPrefix: braced + "d:",
	}
}

// Fields of the task's hash.
const (
	fieldProducer   = "producer"
	fieldEpoch      = "epoch"
	fieldOpening    = "opening"
	fieldBatch      = "batch"
	fieldOffset     = "offset"
	fieldCRC        = "crc"
	fieldCheckpoint = "checkpoint"
	fieldFold       = "fold"
	fieldPartitions = "partitions"
	fieldRebuilding = "rebuilding"
	// fieldClock precedes a tenant.
	fieldClock = "clock:"
)

func (k *keys) sum(tenant, dimension string) string {
	return k.sumPrefix + tenant + "/" + dimension
}

// parseSum is the inverse of sum: neither a tenant nor a dimension has a slash.
func (k *keys) parseSum(key string) (tenant, dimension string, err error) {
	rest, ours := strings.CutPrefix(key, k.sumPrefix)
	tenant, dimension, found := strings.Cut(rest, "/")
	if !ours || !found {
		return "", "", fmt.Errorf("%q isn't the name of a key of sums", key)
	}
	return tenant, dimension, nil
}

// bucketName is the member of the sorted set of due buckets.
func bucketName(b task.DueBucket) string {
	return b.Tenant + "/" + strconv.Itoa(int(b.Day))
}

func parseBucket(name string) (task.DueBucket, error) {
	tenant, day, found := strings.Cut(name, "/")
	n, err := strconv.ParseInt(day, 10, 32)
	if !found || err != nil {
		return task.DueBucket{}, fmt.Errorf("%q isn't the name of a due bucket", name)
	}
	return task.DueBucket{Tenant: tenant, Day: int32(n)}, nil
}
