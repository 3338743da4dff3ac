package hierarchy

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// DefaultMaxAge is how old the steps of an image may be when bases are
// refreshed and the config does not say.
const DefaultMaxAge = 7 * 24 * time.Hour

// never is the MaxAge of an entry that says so; 0 is one that says nothing.
const never = time.Duration(math.MaxInt64)

// parseAge reads a whole number with h, d or w for hours, days or weeks, or
// "never".
func parseAge(s string) (time.Duration, bool) {
	if s == "never" {
		return never, true
	}
	units := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	digits := strings.TrimRight(s, "hdw")
	n, err := strconv.ParseUint(digits, 10, 16)
	unit, ok := units[s[len(digits):]]
	if err != nil || !ok || n == 0 || n > uint64(never/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func (d *decoder) age(to *time.Duration) func(ast.Node) {
	return func(n ast.Node) {
		var s string
		before := len(d.errs)
		if d.text(&s, "max_age", nil)(n); len(d.errs) > before {
			return
		}
		age, ok := parseAge(s)
		if !ok {
			d.fail(n, "max_age "+strconv.Quote(s)+" is no age", "write a number with h, d or w, as in 7d, at most 15250w, or never")
			return
		}
		*to = age
	}
}

// duration decodes a time as in 90s, 15m or 1h30m.
func (d *decoder) duration(to *time.Duration, key string) func(ast.Node) {
	return func(n ast.Node) {
		var s string
		before := len(d.errs)
		if d.text(&s, key, nil)(n); len(d.errs) > before {
			return
		}
		v, err := time.ParseDuration(s)
		if err != nil || v <= 0 {
			d.fail(n, key+" "+strconv.Quote(s)+" is no time", "write a number with s, m or h, as in 15m")
			return
		}
		*to = v
	}
}

// maxAge returns how old an entry's steps may be; 0 is any age.
func (c *Config) maxAge(e Entry) time.Duration {
	age := cmp.Or(e.MaxAge, c.MaxAge, DefaultMaxAge)
	if age == never {
		return 0
	}
	return age
}

// DefaultKeep is how many generations of a box stay when the config does not
// say.
const DefaultKeep = 1

// keep returns how many generations of an entry's box stay.
func (c *Config) keep(e Entry) int {
	for _, n := range []*int{e.Keep, c.Keep} {
		if n != nil {
			return *n
		}
	}
	return DefaultKeep
}
