package engine

import (
	"strings"
	"testing"
)

func TestOutputBuffer(t *testing.T) {
	t.Parallel()
	var b outputBuffer
	piece := []byte(strings.Repeat("x", 1<<20))
	for range outputMax >> 20 {
		if _, err := b.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Write([]byte("x")); err == nil || b.Len() != outputMax {
		t.Errorf("%d bytes, error %v", b.Len(), err)
	}
}
