package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// State is how far an import got: everything before Offset is in Kafka, or was
// put aside. It is kept in a file beside the input.
type State struct {
	// Import names what was asked for: kind, columns, tenant and the like. An
	// import that asks for something else doesn't go on from here.
	Import string `json:"import"`
	// Offset is where the next record begins.
	Offset int64 `json:"offset"`
	// Prefix is the hash of the file up to Offset.
	Prefix string `json:"prefix"`
	// Published, Rejected and Later count records so far; Later are those after
	// --until.
	Published int64 `json:"published"`
	Rejected  int64 `json:"rejected"`
	Later     int64 `json:"later"`
	// RejectedBytes is the length of the file of rejected records.
	RejectedBytes int64 `json:"rejected_bytes"`
}

// LoadState reads a state; the zero State where there is no such file.
func LoadState(path string) (State, error) {
	var s State
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("reading how far the import got: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s isn't the state of an import: %w", path, err)
	}
	return s, nil
}

// Save writes the state so that a crash leaves either the old or the new one.
func (s State) Save(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("saving how far the import got: %w", err)
	}
	_, err = temporary.Write(append(b, '\n'))
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("saving how far the import got: %w", err), os.Remove(temporary.Name()))
	}
	return nil
}
