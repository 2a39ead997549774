package history

import (
	"os"
	"path/filepath"
	"testing"
)

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if s, err := LoadState(path); err != nil || s != (State{}) {
		t.Fatalf("without a file: %+v, %v", s, err)
	}
	want := State{Import: "transactions", Offset: 7, Prefix: "ab", Published: 3, Rejected: 1, Later: 2, RejectedBytes: 40}
	for range 2 { // also over an older one
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := LoadState(path); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadState(path); err == nil {
		t.Error("half a state was taken for one")
	}
	if err := want.Save(filepath.Join(path, "nowhere")); err == nil {
		t.Error("a state was saved where nothing can be")
	}
}
