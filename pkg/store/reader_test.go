package store_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/redistest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

// fill commits n customers of each tenant to the tasks that they belong to.
func fill(t *testing.T, config store.Config, n int, tenants ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	by := map[int32][]task.StateWrite{}
	for _, tenant := range tenants {
		for i := range n {
			key := store.StateKey(tenant, fmt.Sprint(i))
			p := task.Murmur2Partition([]byte(key), parts)
			by[p] = append(by[p], task.StateWrite{Key: key, Value: []byte("state of " + key)})
			all[key] = "state of " + key
		}
	}
	for p := range int32(parts) {
		s := connect(t, config, p)
		c := take(t, s, 7+int64(p))
		c.States = by[p]
		c.Sums = []task.SumWrite{{Tenant: tenants[0], Dimension: "tenant", ID: "all", Value: []byte{byte(p)}}}
		v, err := s.Commit(t0, c)
		wantVerdict(t, task.OK, v, err)
	}
	return all
}

func testReader(t *testing.T, config store.Config) {
	if _, err := store.NewReader(t0, config); !errors.Is(err, store.ErrNoTasks) {
		t.Fatalf("nothing is there, but: %v", err)
	}
	all := fill(t, config, 3000, "acme", "acme2", "b")
	r, err := store.NewReader(t0, config)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Partitions() != parts {
		t.Fatalf("%d partitions", r.Partitions())
	}
	tasks, err := r.Tasks(t0)
	if err != nil || len(tasks) != parts {
		t.Fatalf("%d tasks, %v", len(tasks), err)
	}
	for p, stored := range tasks {
		if stored.Token.ProducerID != 7+int64(p) || stored.Partitions != parts || stored.Batch != 1 {
			t.Errorf("partition %d: %+v", p, stored)
		}
		contents, err := r.Contents(t0, int32(p))
		if err != nil || len(contents.Sums) != 1 || contents.Sums[0].Value[0] != byte(p) {
			t.Errorf("partition %d: %+v, %v", p, contents, err)
		}
	}

	scan := func(tenant string) map[string]string {
		found := map[string]string{}
		for p := range r.Partitions() {
			before, after, err := r.Scan(t0, p, tenant, func(key string, value []byte) error {
				if _, twice := found[key]; twice {
					t.Errorf("%s came twice", key)
				}
				found[key] = string(value)
				return nil
			})
			if err != nil || before != after || before.NextOffset != 1 {
				t.Fatalf("partition %d: %+v, %+v, %v", p, before, after, err)
			}
		}
		return found
	}
	if !maps.Equal(scan(""), all) {
		t.Error("the scan differs from what was written")
	}
	maps.DeleteFunc(all, func(key, _ string) bool { return !strings.HasPrefix(key, "acme/") })
	if !maps.Equal(scan("acme"), all) {
		t.Error("the scan of one tenant differs from what was written")
	}
	if found := scan("ac*"); len(found) != 0 {
		t.Errorf("a pattern was taken for a tenant: %d states", len(found))
	}
	enough := errors.New("enough")
	if _, _, err := r.Scan(t0, 0, "", func(string, []byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the callback's error became %v", err)
	}

	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 200 {
				id := fmt.Sprint(i * (g + 1))
				state, position, err := r.State(t0, "acme2", id)
				if err != nil || string(state) != "state of acme2/"+id || position.NextOffset != 1 {
					t.Errorf("%s: %q, %+v, %v", id, state, position, err)
				}
			}
		})
	}
	wait.Wait()
	if state, _, err := r.State(t0, "acme", "nobody"); err != nil || state != nil {
		t.Errorf("nobody: %q, %v", state, err)
	}
	_, err = r.Task(t0, parts)
	wantKind(t, task.KindStop, err)
}

func TestReader(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	testReader(t, server.Config())

	// A reader reconnects, since it owns nothing.
	r, err := store.NewReader(t0, server.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server.Kill()
	_, _, err = r.State(t0, "acme", "1")
	wantKind(t, task.KindConnection, err)
	server.Restart()
	// The first connection for another partition never was; the broken one is gone.
	for _, id := range []string{"1", "2", "3"} {
		if state, _, err := r.State(t0, "acme", id); err != nil || string(state) != "state of acme/"+id {
			t.Errorf("after the restart: %q, %v", state, err)
		}
	}
}

func TestReaderOfACluster(t *testing.T) {
	testReader(t, redistest.StartCluster(t, 3, 0).Config())
}
