package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// Record contains the SHA-256 sums of the files that were last written, by absolute
// path. The zero Record is empty.
type Record struct{ files map[string]string }

// recordFile is the JSON form of a Record.
type recordFile struct {
	Version int               `json:"version"`
	Files   map[string]string `json:"files"`
}

// recordVersion is the version of the format. It changes if it becomes incompatible.
const recordVersion = 1

// ReadRecord reads a record. The result is valid even after an error: a record that
// does not exist (no error), is unreadable or invalid is empty. Files that differ from
// the shipped ones then count as edited. The error is meant for a warning.
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

// Write writes the record atomically, and creates its directory.
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
