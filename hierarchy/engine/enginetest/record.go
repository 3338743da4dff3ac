package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// record is a file that lines are added to.
type record struct {
	mu   sync.Mutex
	file string
}

// add appends a line. One write appends, so programs may do the same.
func (c *record) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = appendLine(c.file, fmt.Sprintf(format, args...))
}

func (c *record) lines() []string {
	data, err := os.ReadFile(c.file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	return errors.Join(err, f.Close())
}

// seed reads a value; a missing file is an empty one.
func seed[T any](file string) (T, error) {
	var st T
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return st, err
}
