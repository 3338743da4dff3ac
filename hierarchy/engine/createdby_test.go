package engine

import (
	"strings"
	"testing"
)

// What the engines were seen to write: docker 28.5 with BuildKit and with its
// first builder, podman 5.8, and what is on registries.
func TestCreatedBy(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for text, want := range map[string]string{
		"RUN /bin/sh -c apt-get update # buildkit":                                      "RUN apt-get update",
		"RUN /bin/sh -c apt-get update   &&     apt-get install -y zig # buildkit":      "RUN apt-get update && apt-get install -y zig",
		"RUN |2 A=b C=d /bin/sh -c make # buildkit":                                     "RUN make",
		"RUN |2 A=b and more C= /bin/sh -c make /bin/sh -c x # buildkit":                "RUN make /bin/sh -c x",
		"RUN |1 WHO=me /bin/bash -o pipefail -c echo one\necho two > /two\n # buildkit": "RUN echo one echo two > /two",
		"RUN /bin/bash -euo pipefail -c true # buildkit":                                "RUN true",
		"RUN |1 WHO=me /bin/echo hello world # buildkit":                                "RUN /bin/echo hello world",
		"RUN /bin/echo hello world # buildkit":                                          "RUN /bin/echo hello world",
		"RUN |0 /bin/sh -c x # buildkit":                                                "RUN x",
		"COPY f /x/f # buildkit":                                                        "COPY f /x/f",
		"ADD rootfs.tar.xz / # buildkit":                                                "ADD rootfs.tar.xz /",
		"COPY /bin/sh -c # buildkit":                                                    "COPY /bin/sh -c",
		"WORKDIR /some/where":                                                           "WORKDIR /some/where",
		"ENV A=b":                                                                       "ENV A=b",
		"/bin/sh -c #(nop) COPY file:" + hash + " in /x/f      ":                        "COPY file:0123456789ab in /x/f",
		"/bin/sh -c #(nop) ADD dir:" + hash + " in / ":                                  "ADD dir:0123456789ab in /",
		"/bin/sh -c #(nop)  CMD [\"bash\"]":                                             `CMD ["bash"]`,
		"/bin/sh -c apt-get update":                                                     "RUN apt-get update",
		"|1 WHO=me /bin/sh -c rm /a":                                                    "RUN rm /a",
		"|1 X=y z /bin/sh -c rm /a":                                                     "RUN rm /a",
		"|1 WHO=me /bin/sh -c --mount=type=cache,target=/var/cache/x      echo $WHO":    "RUN --mount=type=cache,target=/var/cache/x echo $WHO",
		`|1 WHO=me /bin/sh -c ["/bin/echo", "hello world"]`:                             `RUN ["/bin/echo", "hello world"]`,
		"|1 WHO=me /bin/sh -c <<E\necho one\necho two > /two":                           "RUN <<E echo one echo two > /two",
		"KIWI 10.2.12": "KIWI 10.2.12",
		"# debian.sh --arch 'amd64' out/ 'bookworm' '@1763337600'": "# debian.sh --arch 'amd64' out/ 'bookworm' '@1763337600'",
		"bazel build ...":        "bazel build ...",
		" ":                      "",
		"RUN dnf -y install gcc": "RUN dnf -y install gcc",
		"/usr/bin/env sh":        "/usr/bin/env sh",
	} {
		if got := createdBy(text); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", text, got, want)
		}
	}
}
