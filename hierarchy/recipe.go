package hierarchy

// Recipe is what an engine needs to build one image.
type Recipe struct {
	Ref           string            // name:tag; the tag moves when the build has succeeded, never before
	Context       string            // absolute path of the build context
	Containerfile string            // absolute path; names the file in messages and finds its ignore file
	Text          []byte            // the Containerfile's contents, parents and bases already replaced
	Args          map[string]string // build arguments
	Labels        map[string]string // put on the image
	NoCache       bool              // build every step anew
}

// Progress is what an engine tells while it pulls or builds.
type Progress struct {
	Step, Steps int    // of the Containerfile, from 1; 0 where the engine does not count
	Title       string // of the step that starts: the instruction; "" for output
	Cached      bool   // the step's result was there already
	Log         string // a line that the step printed, without its newline; "" for a step
}

// BuildError says that a step of a build failed.
type BuildError struct {
	Ref  string // of the image
	Step string // the instruction that failed; "" when the engine did not say
	Log  string // all that the step printed
	Err  error  // in the engine's words
}

func (e *BuildError) Error() string {
	if e.Step == "" {
		return e.Err.Error()
	}
	return e.Step + ": " + e.Err.Error()
}

func (e *BuildError) Unwrap() error { return e.Err }
