package box

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// bring makes the new box, and starts and checks it.
func (j *job) bring(ctx context.Context, c *change) error {
	name := j.spec.Box.Name
	j.say("creating box %s", name)
	log, err := j.distroboxCreate(ctx)
	if err != nil {
		return &StepError{Box: name, Step: "create", Log: log, Err: err}
	}
	// Old versions report success when the engine failed, and all of them when
	// a container of that name was there.
	made, found, err := j.store.Container(ctx, name)
	switch {
	case err != nil:
		err = fmt.Errorf("looking for the new box: %w", err)
	case !found || made.ID == c.old.ID:
		err = errors.New("distrobox reports success, but there is no box")
	case !j.isNew(made):
		err = &TakenError{Manager: j.spec.Manager, Root: j.spec.rootful(), Name: name, ID: made.ID}
	case made.ImageID != j.spec.ImageID:
		err = fmt.Errorf("made from image %s instead of %s", made.ImageID, j.spec.ImageID)
	case made.Labels[hierarchy.LabelSpec] != j.spec.Box.Spec():
		err = errors.New("made without ocisi's labels")
	}
	if err == nil {
		err = j.hasShell(ctx, made)
	}
	if err != nil {
		return &StepError{Box: name, Step: "check", Log: log, Err: err}
	}
	j.out.After = made
	if err := j.start(ctx, made, j.spec.Box.Check); err != nil {
		return err
	}
	j.out.After.Running = true
	j.lookForLocale(ctx, made)
	return nil
}

// hasShell refuses a box that would not survive its first start: one whose image
// says that it is complete, and lacks the user's shell.
func (j *job) hasShell(ctx context.Context, c hierarchy.StoredBox) error {
	shell := path.Base(j.d.Shell)
	if j.d.Shell == "" || len(j.spec.Box.AdditionalPackages) > 0 { // which make distrobox install it, too
		return nil
	}
	for _, file := range []string{"/usr/bin/" + shell, "/bin/" + shell, "/usr/local/bin/" + shell, j.d.Shell} {
		if found, err := j.store.Exists(ctx, c.ID, file); found || err != nil {
			return err
		}
	}
	if complete, err := j.store.Exists(ctx, c.ID, "/.containersetupdone"); !complete || err != nil {
		return err
	}
	return &CheckError{Box: c.Name, What: "shell", Want: shell}
}

var userLine = regexp.MustCompile(`(?m)^uid=(\d+)(?:\(([^)]*)\))?`) // of id, POSIX

// start enters a box, which starts it and waits for its set-up, and checks that
// it is the user's. check, when there is one, must succeed in it.
func (j *job) start(ctx context.Context, c hierarchy.StoredBox, check []string) (err error) {
	defer func() {
		if se, ok := errors.AsType[*StepError](err); ok {
			se.Container = j.lastWords(ctx, c)
		}
	}()
	fail := func(step, log string, err error) error {
		return &StepError{Box: c.Name, Step: step, Log: log, Err: err}
	}
	j.say("starting box %s", c.Name)
	out, log, err := j.enter(ctx, c, j.d.start(), "id")
	if err != nil {
		return fail("start", log, err)
	}
	j.say("box %s: checking user, home and uid", c.Name)
	m := userLine.FindStringSubmatch(out)
	if m == nil {
		m = make([]string, 3)
	}
	if err := j.isUsers(c.Name, m[2], m[1]); err != nil {
		return fail("check", log, err)
	}
	if home, known := j.homeOf(c); known {
		out, log, err = j.enter(ctx, c, shortTimeout, "printenv", "HOME")
		if got := out[strings.LastIndexByte(out, '\n')+1:]; err == nil && !sameDir(got, home) {
			err = &CheckError{Box: c.Name, What: "home", Want: home, Got: got}
		}
		if err != nil {
			return fail("check", log, err)
		}
	}
	if len(check) == 0 {
		return nil
	}
	command := strings.Join(check, " ")
	j.say("box %s: checking with %s", c.Name, command)
	if _, log, err = j.enter(ctx, c, j.d.start(), check...); err != nil {
		return fail("check", log, &CheckError{Box: c.Name, What: "box.check", Want: command, Got: log, Err: err})
	}
	return nil
}

func (j *job) isUsers(name, user, uid string) error {
	wanted := strconv.Itoa(j.d.UID)
	switch {
	case j.d.User == "":
	case user != j.d.User:
		return &CheckError{Box: name, What: "user", Want: j.d.User, Got: user}
	case uid != wanted:
		return &CheckError{Box: name, What: "uid", Want: wanted, Got: uid}
	}
	return nil
}

// homeOf returns the home that a box must have, unless that is not known: it was
// made to have one of its own, and the spec says another one by now.
func (j *job) homeOf(c hierarchy.StoredBox) (string, bool) {
	same := func(b hierarchy.Box) bool {
		keys, ok := hierarchy.SpecChanges(c.Labels[hierarchy.LabelSpec], b.Spec())
		for _, key := range keys {
			ok = ok && key != "home"
		}
		return ok
	}
	switch {
	case j.d.Home == "":
		return "", false
	case same(hierarchy.Box{Name: c.Name}):
		return j.d.Home, true
	case same(j.spec.Box):
		w := words{home: j.d.Home}
		return filepath.Clean(w.expand("home", j.spec.Box.Home)), true
	}
	return "", false
}

// lookForLocale tells of a box that does not have the host's language: programs
// complain and speak English, no more.
func (j *job) lookForLocale(ctx context.Context, c hierarchy.StoredBox) {
	wanted := normalLocale(j.d.Lang)
	if wanted == "" || wanted == "c" || wanted == "posix" || wanted == "c.utf8" {
		return
	}
	out, err := j.store.Exec(ctx, c.ID, "locale", "-a")
	if err != nil || strings.TrimSpace(out) == "" { // no glibc, most likely
		return
	}
	for one := range strings.FieldsSeq(out) {
		if normalLocale(one) == wanted {
			return
		}
	}
	j.say("box %s lacks the locale %s; programs in it will speak English", c.Name, j.d.Lang)
}

// normalLocale makes one of the ways to write a locale: glibc lists de_DE.UTF-8
// as de_DE.utf8.
func normalLocale(name string) string {
	language, charset, _ := strings.Cut(strings.ToLower(name), ".")
	charset, modifier, modified := strings.Cut(charset, "@")
	charset = strings.ReplaceAll(charset, "-", "")
	if charset != "" {
		language += "." + charset
	}
	if modified {
		language += "@" + modifier
	}
	return language
}

// lastWords returns what the container itself printed last.
func (j *job) lastWords(ctx context.Context, c hierarchy.StoredBox) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shortTimeout)
	defer cancel()
	text, _ := j.store.Logs(ctx, c.ID, traceLines) // it is a comment on another error
	all := withoutTrace(text)
	return strings.Join(all[max(len(all)-logLines, 0):], "\n")
}

const (
	logLines   = 20
	traceLines = 300 // distrobox 1 prints each command of its set-up
)

var failedTest = regexp.MustCompile(`^\+ \[ [1-9]\d* -ne 0 \]$`)

// withoutTrace returns the lines of a container's log without those by which a
// shell tells what it does, but for the command that failed: distrobox 1 tests
// the status of each in its own way.
func withoutTrace(text string) []string {
	var all []string
	command := ""
	for line := range strings.Lines(text) {
		switch line = cleanLine(line); {
		case line == "":
		case failedTest.MatchString(line) && command != "":
			all, command = append(all, command), ""
		case strings.HasPrefix(line, "+ "):
			command = line
		default:
			all = append(all, line)
		}
	}
	return all
}

func (d *Distrobox) start() time.Duration {
	if d.Start > 0 {
		return d.Start
	}
	return startTimeout
}
