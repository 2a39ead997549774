package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/perennial-cltv/perennial/pkg/store"
	"github.com/perennial-cltv/perennial/pkg/store/storetest"
	"github.com/perennial-cltv/perennial/pkg/task"
)

func memoryServer() *storetest.Server {
	m := store.NewMemory(storetest.Partitions)
	return &storetest.Server{
		Connect: func(partition int32) (task.Store, error) { return m.Connect(context.Background(), partition) },
		Damage: func(partition int32) map[string]storetest.Damage {
			damage := storetest.Damage{Do: func() { m.SetDamaged(partition, true) }, Undo: func() { m.SetDamaged(partition, false) }}
			return map[string]storetest.Damage{"due": damage}
		},
		SetFull: m.SetFull, SetEvicting: m.SetEvicting, Wipe: m.Wipe,
	}
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) *storetest.Server { return memoryServer() })
}

// scene is a task in a Memory with one owner.
type scene struct {
	t     *testing.T
	m     *store.Memory
	s     task.Store
	token task.Token
	next  task.Commit
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, m: store.NewMemory(4)}
	s.open(1)
	return s
}

// open takes the task with a producer id of its own.
func (s *scene) open(producer int64) {
	s.t.Helper()
	var err error
	if s.s, err = s.m.Connect(t0, 2); err != nil {
		s.t.Fatal(err)
	}
	stored, err := s.s.Read(t0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = task.Token{ProducerID: producer}
	reply, err := s.s.Open(t0, task.OpenRequest{Token: s.token, ReadOpening: stored.Opening, FoldVersion: 1, Partitions: 4})
	if err != nil || reply.Verdict != task.OK {
		s.t.Fatalf("open: %d, %v", reply.Verdict, err)
	}
	s.next = task.Commit{Token: s.token, Opening: stored.Opening + 1, Batch: stored.Batch, From: stored.NextOffset, To: stored.NextOffset + 1, CheckpointOffset: -1}
	if !stored.Exists {
		finish := s.next
		finish.To = 0
		if v, err := s.s.FinishRebuild(t0, &finish); err != nil || v != task.OK {
			s.t.Fatalf("finish: %d, %v", v, err)
		}
	}
}

var t0 = context.Background()

// write commits one state.
func (s *scene) write(customer, state string) {
	s.t.Helper()
	s.next.States = []task.StateWrite{{Key: customer, Value: []byte(state)}}
	if v, err := s.s.Commit(t0, &s.next); err != nil || v != task.OK {
		s.t.Fatalf("commit: %d, %v", v, err)
	}
	s.next.Batch++
	s.next.From, s.next.To = s.next.To, s.next.To+1
}

func (s *scene) wantStates(want ...string) {
	s.t.Helper()
	var got []string
	for customer, state := range s.m.States(2) {
		got = append(got, customer+"="+string(state))
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("states %q, want %q", got, want)
	}
}

func (s *scene) wantBroken() {
	s.t.Helper()
	_, err := s.s.Position(t0)
	var e *task.Error
	if !errors.As(err, &e) || e.Kind != task.KindConnection {
		s.t.Fatalf("the connection lives: %v", err)
	}
}

func TestMemoryRestoresASnapshotAsOftenAsAsked(t *testing.T) {
	s := newScene(t)
	s.write("a", "1")
	first := s.m.Snapshot()
	s.write("a", "2")
	s.write("b", "1")
	second := s.m.Snapshot()
	s.wantStates("a=2", "b=1")
	for range 2 {
		s.m.Restore(first)
		s.wantBroken()
		s.wantStates("a=1")
		s.open(2)
		s.write("c", "1")
		s.wantStates("a=1", "c=1")
	}
	s.m.Restore(second)
	s.wantStates("a=2", "b=1")
	s.m.Wipe()
	s.wantBroken()
	s.wantStates()
}

func TestMemoryFailoverLosesWhatTheReplicaLacks(t *testing.T) {
	s := newScene(t)
	s.write("a", "1")
	if err := s.s.AwaitReplicas(t0); err != nil {
		t.Fatal(err)
	}
	s.write("a", "2")
	s.m.Failover()
	s.wantBroken()
	s.wantStates("a=1")
	s.open(2)
	s.m.Replicate()
	s.write("b", "1")
	s.m.StallReplica(true)
	s.m.Replicate()
	var e *task.Error
	if err := s.s.AwaitReplicas(t0); !errors.As(err, &e) || e.Kind != task.KindRetry {
		t.Fatalf("a stalled replica: %v", err)
	}
	s.m.Failover()
	s.wantStates("a=1")
}

func TestMemoryThatIsDownRefusesConnections(t *testing.T) {
	s := newScene(t)
	s.m.SetDown(true)
	s.wantBroken()
	var e *task.Error
	if _, err := s.m.Connect(t0, 2); !errors.As(err, &e) || e.Kind != task.KindConnection {
		t.Fatalf("connected to a server that is down: %v", err)
	}
	s.m.SetDown(false)
	s.open(2)
	s.m.Break()
	s.wantBroken()
}

// Whoever keeps what Load returned beyond the next call must notice.
func TestMemoryOverwritesLoadedStates(t *testing.T) {
	s := newScene(t)
	s.write("a", "1")
	reply, err := s.s.Load(t0, []string{"a"})
	if err != nil || string(reply.States[0]) != "1" {
		t.Fatalf("load: %q, %v", reply.States, err)
	}
	if _, err := s.s.Position(t0); err != nil || string(reply.States[0]) == "1" {
		t.Fatalf("the state is still %q (%v)", reply.States[0], err)
	}
	s.wantStates("a=1")
}
