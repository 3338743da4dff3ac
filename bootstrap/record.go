package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// Record remembers what was last written: SHA-256 sums by absolute path. The
// zero Record is empty.
type Record struct{ files map[string]string }

// recordFile is how a Record is stored.
type recordFile struct {
	Version int               `json:"version"`
	Files   map[string]string `json:"files"`
}

// recordVersion changes when an older ocisi would misread the file.
const recordVersion = 1

// ReadRecord reads a record. The Record can be used whatever the error: one
// that is missing (no error), unreadable or broken is empty, which costs no
// more than updates of files that count as edited from then on. The error is
// for a warning.
func ReadRecord(path string) (Record, error) {
	data, err := input.ReadPath(path, input.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading the record of written files: %w", err)
	}
	var file recordFile
	if err := json.Unmarshal(data, &file); err != nil {
		return Record{}, fmt.Errorf("reading the record of written files %s: %w", path, err)
	}
	if file.Version != recordVersion {
		return Record{}, fmt.Errorf("reading the record of written files %s: version %d is unknown", path, file.Version)
	}
	return Record{file.Files}, nil
}

// Write stores the record, and creates the folder for it. Whoever reads it at
// the same time sees the old one or the new one.
func (r Record) Write(to disk.Disk, path string) error {
	data, err := json.MarshalIndent(recordFile{recordVersion, r.files}, "", "  ")
	if err == nil {
		err = to.Write(path, append(data, '\n'), 0o644, nil)
	}
	if err != nil {
		return fmt.Errorf("writing the record of written files: %w", err)
	}
	return nil
}
