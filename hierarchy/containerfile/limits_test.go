package containerfile_test

import (
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	double := "ARG A=0123456789abcdef\n" + strings.Repeat("ARG A=${A}${A}\n", 40)
	for in, want := range map[string]string{
		strings.Repeat("#\n", 1<<18):                        "the file is larger than 256 KiB",
		"FROM x\n" + strings.Repeat("ONBUILD ", 30_000):     "more than 1000 ONBUILD",
		"FROM x\n" + strings.Repeat("onBuild \\\n", 20_000): "more than 1000 ONBUILD",
		double + "FROM $A\n":                                "line 12: a value with variables is longer than 16 KiB",
		"ARG A=x\nFROM " + strings.Repeat("$A", 10_000):     "line 2: a value with variables is longer than 16 KiB",
	} {
		if _, err := containerfile.Parse([]byte(in), nil); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", in, err, want)
		}
	}
	// What a COPY reads is not known then.
	for _, in := range []string{
		"FROM x\nENV A=0123456789abcdef\n" + strings.Repeat("ENV A=${A}${A}\n", 40) + "COPY $A /\n",
		"FROM x\nENV A=x\nCOPY " + strings.Repeat("$A", 10_000) + " /\n",
	} {
		f, err := containerfile.Parse([]byte(in), nil)
		if err != nil || !f.Whole {
			t.Errorf("%.40q: %+v, %v", in, f, err)
		}
	}
}
