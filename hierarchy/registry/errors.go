package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Kind says what kept a registry from answering.
type Kind string

// The kinds of an Error.
const (
	Unreachable     Kind = "unreachable"       // no name, no connection, no trusted certificate, no answer in time
	Unauthorized    Kind = "unauthorized"      // the login is refused, or one is wanted; some registries say so of what they do not have
	NotFound        Kind = "not found"         // the registry has no such image, or none for this platform
	TooManyRequests Kind = "too many requests" // the registry has had enough for now
	Unavailable     Kind = "unavailable"       // the registry has trouble: a status of 500 or more
	Broken          Kind = "broken answer"     // what came is not what a registry says
)

// Error says why a registry did not answer. Its text does not name the
// reference.
type Error struct {
	Kind       Kind
	Registry   string
	Image      string        // name:tag in the registry
	Status     int           // of the answer; 0 when there was none
	RetryAfter time.Duration // how long the registry wants to be left alone; 0 when it did not say
	Login      string        // where the login is from: a file or a helper; "" when there was none
	Skipped    error         // why no login was found, where one may have been: a file that cannot be read
	Words      string        // the registry's or the network's own, one line; "" when there were none
	Err        error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Registry)
	switch e.Kind {
	case Unreachable:
		b.WriteString(" does not answer")
	case Unauthorized:
		if e.Login != "" {
			b.WriteString(" refuses the login from " + e.Login)
		} else {
			b.WriteString(" wants a login, or has no " + e.Image)
		}
	case NotFound:
		b.WriteString(" has no " + e.Image)
	case TooManyRequests:
		b.WriteString(" takes no more requests for now")
	case Unavailable:
		b.WriteString(" has trouble")
	default:
		b.WriteString(" does not answer as a registry does")
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", again in %s", e.RetryAfter)
	}
	if e.Words != "" {
		b.WriteString(": " + e.Words)
	}
	if e.Skipped != nil && e.Kind == Unauthorized {
		fmt.Fprintf(&b, " (%v)", e.Skipped)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// noAnswerError ends a question that takes too long.
type noAnswerError struct{ after time.Duration }

func (e *noAnswerError) Error() string { return "no answer after " + e.after.String() }

// explain turns what stopped a request into an *Error.
func (d *door) explain(ctx context.Context, t target, err error) error {
	if _, ok := errors.AsType[*CredentialsError](err); ok {
		return err
	}
	e := &Error{Kind: Broken, Registry: t.host(), Image: t.short(), Err: err, Words: oneLine(err.Error())}
	if d.login != nil {
		e.Login, e.Skipped = d.login.source, d.login.skipped
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Kind, e.Words = Unreachable, oneLine(untrusted.Error())
		return e
	}
	if said, ok := errors.AsType[*transport.Error](err); ok {
		e.Kind, e.Status, e.Words = kindOf(said.StatusCode), said.StatusCode, wordsOf(said)
		if e.Kind == TooManyRequests || e.Kind == Unavailable {
			e.RetryAfter = d.courier.comeBack()
		}
		return e
	}
	if late, ok := errors.AsType[*noAnswerError](context.Cause(ctx)); ok {
		e.Kind, e.Words, e.Err = Unreachable, late.Error(), late
		return e
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		e.Kind, e.Words = Unreachable, oneLine(failed.Err.Error())
	}
	return e
}

// broken says that an answer is not what a registry says.
func (d *door) broken(t target, err error) error {
	return &Error{Kind: Broken, Registry: t.host(), Image: t.short(), Words: oneLine(err.Error()), Err: err}
}

// noPlatform says that an index has no image that would run here.
func (d *door) noPlatform(t target, arch string) error {
	return &Error{Kind: NotFound, Registry: t.host(), Image: t.short() + " for linux/" + arch}
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Unauthorized
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusTooManyRequests:
		return TooManyRequests
	case status >= http.StatusInternalServerError:
		return Unavailable
	}
	return Broken
}

// wordsOf returns the registry's own words; else, where the kind does not say
// it, the status.
func wordsOf(e *transport.Error) string {
	for _, d := range e.Errors {
		if d.Message != "" {
			return oneLine(d.Message)
		}
		if d.Code != "" {
			return strings.ToLower(strings.ReplaceAll(string(d.Code), "_", " "))
		}
	}
	if k := kindOf(e.StatusCode); k == Unavailable || k == Broken {
		return strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode)))
	}
	return ""
}

// maxWords is how much of what a stranger says fits a message, in characters.
const maxWords = 160

// oneLine makes words of a stranger fit for a line of a terminal.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)), " ")
	if r := []rune(s); len(r) > maxWords {
		return string(r[:maxWords]) + "…"
	}
	return s
}
