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

// Kind is the kind of a failure.
type Kind string

// The kinds of an Error.
const (
	Unreachable     Kind = "unreachable"       // no DNS entry, connection, trusted certificate or response in time
	Unauthorized    Kind = "unauthorized"      // login required or refused; some registries also answer so for a missing image
	NotFound        Kind = "not found"         // no such image, or none for this platform
	TooManyRequests Kind = "too many requests" // status 429
	Unavailable     Kind = "unavailable"       // a status of 500 or more
	Broken          Kind = "broken answer"     // the response is not that of a registry
)

// Error reports why a lookup failed. Its text does not contain the reference.
type Error struct {
	Kind       Kind
	Registry   string
	Image      string        // name:tag in the registry
	Status     int           // of the response; 0: none
	RetryAfter time.Duration // from the response; 0: none
	Login      string        // source of the login: a file or a credential helper; "": none
	Skipped    error         // why a possible login was not found: a file that cannot be read
	Words      string        // message of the registry or the network, one line; may be ""
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
			b.WriteString(" requires a login, or has no " + e.Image)
		}
	case NotFound:
		b.WriteString(" has no " + e.Image)
	case TooManyRequests:
		b.WriteString(" returned 429 (too many requests)")
	case Unavailable:
		b.WriteString(" is unavailable")
	default:
		b.WriteString(" is not a registry, or is broken")
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; retry in %s", e.RetryAfter)
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

// timeoutError is the cause of a context that ended after the timeout of the client.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return "no answer after " + e.after.String() }

// explain returns the error of a request as an [*Error].
func (rc *repoClient) explain(ctx context.Context, t target, err error) error {
	if _, ok := errors.AsType[*CredentialsError](err); ok {
		return err
	}
	e := &Error{Kind: Broken, Registry: t.host(), Image: t.short(), Err: err, Words: oneLine(err.Error())}
	if rc.login != nil {
		e.Login, e.Skipped = rc.login.source, rc.login.skipped
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Kind, e.Words = Unreachable, oneLine(untrusted.Error())
		return e
	}
	if te, ok := errors.AsType[*transport.Error](err); ok {
		e.Kind, e.Status, e.Words = kindOf(te.StatusCode), te.StatusCode, messageOf(te)
		if e.Kind == TooManyRequests || e.Kind == Unavailable {
			e.RetryAfter = rc.transport.retryAfter()
		}
		return e
	}
	if late, ok := errors.AsType[*timeoutError](context.Cause(ctx)); ok {
		e.Kind, e.Words, e.Err = Unreachable, late.Error(), late
		return e
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		e.Kind, e.Words = Unreachable, oneLine(failed.Err.Error())
	}
	return e
}

// broken returns the error of an invalid response.
func (rc *repoClient) broken(t target, err error) error {
	return &Error{Kind: Broken, Registry: t.host(), Image: t.short(), Words: oneLine(err.Error()), Err: err}
}

// noPlatform returns the error of an index without an image for this platform.
func (rc *repoClient) noPlatform(t target, arch string) error {
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

// messageOf returns the message of the registry or, if the kind does not imply it, the
// status.
func messageOf(e *transport.Error) string {
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

// maxMessage is the maximum length of a message of a registry, in characters.
const maxMessage = 160

// oneLine returns text from outside as one printable line.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)), " ")
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage]) + "…"
	}
	return s
}
