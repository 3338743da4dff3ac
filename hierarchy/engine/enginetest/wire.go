package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
)

// built ends the stream of a build for a program.
type built struct {
	Event *event
	ID    string
	Error string
}

func (a *api) serveBuild(w http.ResponseWriter, r *http.Request) {
	var rec recipe
	if err := json.NewDecoder(r.Body).Decode(&rec); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	enc := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	id, err := a.store.build(r.Context(), rec, func(e event) {
		_ = enc.Encode(built{Event: &e})
		_ = flush.Flush()
	})
	switch a.watch.ask(a.store.name+" "+r.Method+" "+r.URL.Path, true) {
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Cut:
		panic(http.ErrAbortHandler)
	case Fail:
		err = errors.New("the engine has failed, as the test wants")
	case Pass:
	}
	end := built{ID: id}
	if err != nil {
		end.Error = err.Error()
	}
	_ = enc.Encode(end)
}

// call asks the server from within a program. A refusal is an error with the
// server's message.
func call(ctx context.Context, socket, method, path string, body any) (io.ReadCloser, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer func() { _ = resp.Body.Close() }()
		var m struct{ Message string }
		if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
			return nil, err
		}
		return nil, errors.New(m.Message)
	}
	return resp.Body, nil
}
