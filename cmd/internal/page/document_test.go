package page_test

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// grown is an image with layers on top of its parent's.
func grown(ref string, parent layers.Image, more ...layers.Layer) layers.Image {
	for i := range more {
		more[i].DiffID = fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", ref, i)))
	}
	return layers.Image{Ref: ref, Parents: append([]string{parent.Ref}, parent.Parents...), Layers: append(slices.Clone(parent.Layers), more...)}
}

func run(by string, bytes int64) layers.Layer { return layers.Layer{By: by, Size: bytes} }

// realistic is a hierarchy as somebody has it, in two stores.
func realistic() layers.Document {
	base := grown("ghcr.io/ublue-os/fedora-toolbox:latest", layers.Image{},
		run("ADD fedora-43-x86_64.tar.xz / # buildkit", 189_345_792), run("COPY toolbox-packages / # buildkit", 4_096),
		run("RUN /bin/sh -c dnf -y upgrade && dnf clean all # buildkit", 412_331_008), run("RUN /bin/sh -c rm -rf /var/cache/* # buildkit", 1_536))
	base.Layers[2].Estimated = true
	dev := grown("docker.io/library/fedora-dev:43", base,
		run("RUN dnf -y install git gcc make ripgrep just neovim", 538_214_912), run("COPY etc/ /etc/", 12_288), run("COPY profile.d/ /etc/profile.d/", 3_072))
	python := grown("docker.io/library/fedora-python:3.14", dev, run("RUN dnf -y install python3.14 python3.14-devel uv", 221_904_384))
	pythonDx := grown("docker.io/library/fedora-python-dx:3.14", python, run("COPY bin/ /usr/local/bin/", 81_920), run("RUN uv tool install ruff pyright", 148_903_424))
	data := grown("docker.io/library/fedora-data:3.14", python, run("RUN uv pip install --system pandas polars duckdb jupyterlab", 1_104_221_184))
	zig := grown("docker.io/library/fedora-zig:0.14.0", dev, run("ARG ZIG_VERSION=0.14.0", 0), run("RUN curl -fsSL https://ziglang.org/download/${ZIG_VERSION}/… | tar -xJ -C /opt", 301_772_800))
	zigDx := grown("docker.io/library/fedora-zig-dx:0.14.0", zig, run("RUN ln -s /opt/zig/zig /usr/local/bin/", 2_048), run("RUN install-zls ${ZIG_VERSION}", 38_912_000))
	debian := grown("ghcr.io/ublue-os/debian-toolbox:latest", layers.Image{},
		run("ADD rootfs.tar.xz / # buildkit", 124_190_720), run("RUN apt-get update && apt-get -y install sudo …", 287_113_216))
	node := grown("docker.io/library/debian-node:24", debian, run("RUN apt-get update && apt-get -y install nodejs npm", 402_653_184))
	pythonDx.Boxes = []layers.Box{{Name: "python-dx", Box: "python-dx", Written: 61_341_696}, {Name: "python-dx-old-1", Box: "python-dx", Generation: 1, Written: 112_201_728}}
	zigDx.Boxes = []layers.Box{{Name: "zig-14-dx", Box: "zig-14-dx", Written: 8_421_376}}
	data.Boxes = []layers.Box{{Name: "data", Box: "data", Written: 934_281_216}}
	inPodman := func(ims ...layers.Image) []layers.Image {
		for i := range ims {
			ims[i].Copies = []int64{ims[i].Layers[0].Size}
			ims[i].Boxes = nil
		}
		return ims
	}
	d := layers.NewDocument([]layers.Store{
		{Manager: "docker", Report: layers.Analyze([]layers.Image{base, dev, python, pythonDx, data, zig, zigDx, debian, node})},
		{Manager: "podman", Report: layers.Analyze(inPodman(base, dev, zig, zigDx))},
	})
	d.Advice = []layers.Advice{
		{Rule: "two-managers", Images: []string{dev.Ref, zig.Ref}, Bytes: d.Twice, Text: "Four images are in docker's store and in podman's.", Do: "Give them the same manager in ocisi.yaml, then: ocisi clean --manager podman"},
		{Rule: "cache", Manager: "docker", Images: []string{node.Ref}, Chain: d.Stores[0].Images[8].Layers[2].ChainID, Bytes: 48_300_032, Text: "debian-node:24 keeps apt's package lists in a layer.", Do: "Add: rm -rf /var/lib/apt/lists/* at the end of the same RUN."},
		{Rule: "heavy-dx", Manager: "docker", Images: []string{pythonDx.Ref}, Text: "The thin layer of fedora-python-dx:3.14 is not light.", Do: "Move “uv tool install” into Containerfile.fedora-python, where its siblings share it."},
	}
	return d
}

// large is a store of n layers: images of up to 60 layers that grow from each other.
func large(n int) layers.Document {
	var images []layers.Image
	for made := 0; made < n; {
		var parent layers.Image
		if i := len(images); i > 0 && len(images[i/2].Layers) < 60 {
			parent = images[i/2]
		}
		more := make([]layers.Layer, min(3+len(images)%11, n-made))
		for j := range more {
			more[j] = run(fmt.Sprintf("RUN step %d of image %d", j, len(images)), int64(1+(made+j)*7919%997)*40_000)
		}
		made += len(more)
		images = append(images, grown(fmt.Sprintf("example.org/image-%04d:1", len(images)), parent, more...))
	}
	return layers.NewDocument([]layers.Store{{Manager: "podman", Report: layers.Analyze(images)}})
}
