package importer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/perennial-cltv/perennial/services/perennial/history"
)

// rejectedFile takes the records that can't be imported. It comes into being
// with the first of them.
type rejectedFile struct {
	path string
	keep int64 // how much of the file is from runs before
	file *os.File
	csv  *csv.Writer
}

// openRejected goes on after keep bytes: what a run that crashed wrote behind
// them comes again.
func openRejected(path string, keep int64) (*rejectedFile, error) {
	r := &rejectedFile{path: path, keep: keep}
	if keep > 0 {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rejectedFile) open() (err error) {
	if r.file, err = os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("putting bad lines aside: %w", err)
	}
	if err := r.file.Truncate(r.keep); err != nil {
		return fmt.Errorf("putting bad lines aside: %w", err)
	}
	if _, err := r.file.Seek(r.keep, io.SeekStart); err != nil {
		return fmt.Errorf("putting bad lines aside: %w", err)
	}
	r.csv = csv.NewWriter(r.file)
	return nil
}

// add puts a record aside.
func (r *rejectedFile) add(rec history.Record, reason error) error {
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
		if err := r.csv.Write([]string{"line", "reason", "record"}); err != nil {
			return fmt.Errorf("putting bad lines aside: %w", err)
		}
	}
	if err := r.csv.Write([]string{strconv.FormatInt(rec.Line, 10), reason.Error(), string(rec.Raw)}); err != nil {
		return fmt.Errorf("putting line %d aside: %w", rec.Line, err)
	}
	return nil
}

// flush writes what was added and answers the length of the file.
func (r *rejectedFile) flush() (int64, error) {
	if r.file == nil {
		return r.keep, nil
	}
	r.csv.Flush()
	if err := r.csv.Error(); err != nil {
		return 0, fmt.Errorf("putting bad lines aside: %w", err)
	}
	return r.file.Seek(0, io.SeekCurrent)
}

func (r *rejectedFile) close() error {
	if r.file == nil {
		return nil
	}
	_, err := r.flush()
	return errors.Join(err, r.file.Close())
}
