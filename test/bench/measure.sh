#!/bin/bash
# measure.sh - the benchmark itself, as an ordinary user of a host whose engines
# hold nothing of worth. Progress goes to stderr, the table to stdout.
#
# The hierarchy: bench-base on a base from the registry, bench-tools on it, three
# languages on that, and a thin layer with the user on each language. Steps are
# small, so that what is measured is the way to the engine and back.
set -euo pipefail
export LC_ALL=C
runs=${BENCH_RUNS:-15} builds=${BENCH_BUILDS:-5} starts=${BENCH_STARTS:-3} copies=${BENCH_COPIES:-3}
base=ghcr.io/ublue-os/debian-toolbox:latest
images=(bench-base bench-tools bench-go bench-python bench-zig bench-go-dx bench-python-dx bench-zig-dx)
leaf=bench-go # without a box
work=$HOME/ocisi-bench

say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }

# ---- what is built, for each of the programs

recipes() {
	local language
	echo 'shared by all' > images/motd
	printf 'FROM %s\nCOPY motd /etc/motd\nRUN echo base > /bench-base\n' "$base" > images/Containerfile.bench-base
	printf 'FROM bench-base:latest\nRUN echo one > /bench-one\nRUN echo two > /bench-two\n' > images/Containerfile.bench-tools
	for language in go python zig; do
		printf 'FROM bench-tools:latest\nRUN echo %s > /bench-language\nRUN echo more > /bench-more\n' "$language" \
			> "images/Containerfile.bench-$language"
	done
	cp "images/Containerfile.$leaf" leaf
	cat > images/Containerfile.img-dx <<-'END'
		ARG IMG
		ARG TAG=latest
		FROM ${IMG}:${TAG}
		ARG USER
		ARG UID
		ARG GID
		RUN echo "$USER $UID $GID" > /bench-user && touch /.containersetupdone
	END
}

# parent IMAGE, file IMAGE, arguments IMAGE: what ocisi finds out by itself
parent() {
	case $1 in
	bench-base) ;;
	bench-tools) echo bench-base ;;
	*-dx) echo "${1%-dx}" ;;
	*) echo bench-tools ;;
	esac
}

file() {
	case $1 in
	*-dx) echo Containerfile.img-dx ;;
	*) echo "Containerfile.$1" ;;
	esac
}

arguments() {
	[[ $1 != *-dx ]] || echo "IMG=${1%-dx} TAG=latest USER=$(id -un) UID=$(id -u) GID=$(id -g)"
}

# config MANAGER BOXES: ocisi's, in MANAGER.yaml; BOXES is true or false
config() {
	local image
	{
		printf 'manager: %s\nimages:\n' "$1"
		for image in "${images[@]}"; do
			printf -- '- {name: %s, path: images, enabled: true' "$image"
			[[ $image != *-dx ]] || printf ', distrobox: %s-%s, assemble: %s' "$image" "$1" "$2"
			printf '}\n'
		done
	} > "$1.yaml"
}

# bake_file: the same for bake. It tags otherwise, so that ocisi's images stay ocisi's.
bake_file() {
	local image arg
	printf 'group "default" { targets = [%s] }\n' "$(printf '"%s", ' "${images[@]}")"
	for image in "${images[@]}"; do
		printf 'target "%s" {\n  context = "images"\n  dockerfile = "%s"\n  tags = ["by-bake/%s:latest"]\n' "$image" "$(file "$image")" "$image"
		[[ -z $(parent "$image") ]] || printf '  contexts = { "%s" = "target:%s" }\n' "$(parent "$image")" "$(parent "$image")"
		printf '  args = {\n'
		for arg in $(arguments "$image"); do
			printf '    %s = "%s"\n' "${arg%%=*}" "${arg#*=}"
		done
		printf '  }\n}\n'
	done
}

# chain PREFIX COMMAND...: one build after the other, tagged PREFIX…
chain() {
	local prefix=$1 image arg args
	shift
	for image in "${images[@]}"; do
		args=()
		for arg in $(arguments "$image"); do
			args+=(--build-arg "$arg")
		done
		"$@" "${args[@]}" --tag "$prefix$image:latest" --file "images/$(file "$image")" images
	done
}

# edit: another step at the end of the leaf's Containerfile, each time
edits=0
edit() {
	edits=$((edits + 1))
	{ cat leaf; echo "RUN echo edit $edits > /bench-edit"; } > "images/Containerfile.$leaf"
}

# wipe: nothing in docker but the base
wipe() {
	docker ps --all --quiet --filter name=bench- | xargs --no-run-if-empty docker rm --force --volumes
	docker images --format '{{.Repository}}:{{.Tag}}' | { grep --invert-match --regexp "$base" --regexp '<none>' || true; } | xargs --no-run-if-empty docker rmi --force
	docker image prune --force
	docker builder prune --all --force
} > /dev/null

# strangers: an archive of 500 images, none of which is ocisi's: four layers that
# all share and one of their own. Both engines can load it.
strangers() {
	local i id layers='' diffs='' manifest=''
	mkdir -p strangers
	layer() { # NAME: sets $id
		echo "$1" > stranger
		tar --create --file "strangers/$1.tar" --mtime=@0 --sort=name stranger
		id=$(sha256sum "strangers/$1.tar" | cut -d' ' -f1)
	}
	for i in a b c d; do
		layer "$i"
		layers+="\"$i.tar\"," diffs+="\"sha256:$id\","
	done
	for ((i = 0; i < 500; i++)); do
		layer "$i"
		echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":{\"stranger\":\"$i\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$diffs\"sha256:$id\"]}}" > "strangers/$i.json"
		manifest+="${manifest:+,}{\"Config\":\"$i.json\",\"RepoTags\":[\"stranger/$i:latest\"],\"Layers\":[$layers\"$i.tar\"]}"
	done
	echo "[$manifest]" > strangers/manifest.json
	tar --create --file strangers.tar --directory strangers .
	rm -r strangers
}

# ---- timing

# timed NAME COMMAND...: one run; a failure ends the benchmark with what was said
timed() {
	local name=$1 begun=$EPOCHREALTIME ended
	shift
	if ! "$@" > log 2>&1; then
		say "failed: $*"
		cat log >&2
		exit 1
	fi
	ended=$EPOCHREALTIME
	echo $((${ended/./} - ${begun/./})) >> "times/$name"
}

# race COUNT CASE...: runs them by turns, so that what else the machine does
# strikes all alike. CASE is a function; before_CASE, when there is one, is not
# in its time.
race() {
	local count=$1 i case
	shift
	say "$* ($count runs)"
	for ((i = 0; i < count; i++)); do
		for case in "$@"; do
			if declare -F "before_$case" > /dev/null; then "before_$case" > /dev/null 2>&1; fi
			timed "$case" "$case"
		done
	done
}

# middle: the median of the numbers on stdin
middle() { sort --general-numeric-sort | awk '{ t[NR] = $1 } END { print (t[int((NR + 1) / 2)] + t[int((NR + 2) / 2)]) / 2 }'; }

# row WHAT CASE PEER WHAT-THE-PEER-IS: medians and minima in ms, and the median
# of the ratios turn by turn, which an unsteady machine disturbs less than the
# ratio of the medians
row() {
	local case times=()
	for case in "$2" "$3"; do
		times+=("$(middle < "times/$case")" "$(sort --numeric-sort "times/$case" | head -n 1)")
	done
	times+=("$(paste "times/$2" "times/$3" | awk '{ print $1 / $2 }' | middle)")
	echo "${times[*]}" | awk -v what="$1" -v peer="$4" -v n="$(wc -l < "times/$2")" \
		'{ printf "| %s | %.1f | %.1f | %s | %.1f | %.1f | %.3f | %d |\n", what, $1 / 1000, $2 / 1000, peer, $3 / 1000, $4 / 1000, $5, n }'
}

# state MANAGER: ocisi's images and boxes, by ID
state() {
	"$1" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep '^\(localhost/\)\?bench-' | sort
	"$1" ps --all --no-trunc --format '{{.Names}} {{.ID}}' --filter name=bench- | sort
}

# unchanged MANAGER: fails when they are not what they were
unchanged() {
	state "$1" > state.now
	diff state."$1" state.now >&2 || { say "$1: a run with nothing to do did something"; exit 1; }
}

# ---- the cases

ocisi_cold() { ocisi process --yes --file "$work/docker.yaml"; }
bake_cold() { docker buildx bake --file bake.hcl; }
chain_cold() { chain '' docker buildx build; }
before_ocisi_cold() { wipe; }
before_bake_cold() { wipe; }
before_chain_cold() { wipe; }

ocisi_noop() { ocisi process --yes --file "$work/docker.yaml"; }
bake_noop() { docker buildx bake --file bake.hcl; }
ocisi_offline() { unshare --map-current-user --net ocisi process --yes --file "$work/docker.yaml"; }
ocisi_crowded() { ocisi_noop; }
ocisi_alone() { ocisi_noop; }

ocisi_leaf() { ocisi process --yes --file "$work/docker.yaml" "$leaf"; }
bake_leaf() { docker buildx bake --file bake.hcl "$leaf"; }
before_ocisi_leaf() { edit; }
before_bake_leaf() { edit; }

ocisi_podman() { ocisi process --yes --file "$work/podman.yaml"; }
chain_podman() { chain localhost/by-podman/ podman build --layers; }
podman_crowded() { ocisi_podman; }

docker_all() {
	say 'docker, cold'
	config docker false
	race "$builds" ocisi_cold bake_cold chain_cold
	wipe
	config docker true
	timed first ocisi_noop
	timed first bake_noop
	state docker > state.docker
	race "$runs" ocisi_noop bake_noop
	unchanged docker

	sudo systemctl stop ocisi-registry
	race "$runs" ocisi_offline
	sudo systemctl start ocisi-registry
	unchanged docker

	race "$builds" ocisi_leaf bake_leaf
	cp leaf "images/Containerfile.$leaf"
	timed first ocisi_noop

	state docker > state.docker
	race "$runs" ocisi_alone
	say '500 foreign images in docker'
	docker load --quiet --input strangers.tar > /dev/null
	race "$runs" ocisi_crowded
	unchanged docker
}

podman_all() {
	say 'podman, first run'
	config podman true
	podman pull --quiet "$base" > /dev/null
	timed first ocisi_podman
	timed first chain_podman
	state podman > state.podman
	race "$runs" ocisi_podman chain_podman
	unchanged podman
	say '500 foreign images in podman'
	podman load --quiet --input strangers.tar > /dev/null
	race "$runs" podman_crowded
	unchanged podman
}

# fresh MANAGER IMAGE: a new box; first MANAGER: its first enter
fresh() {
	"$1" rm --force --volumes bench-first || true
	DBX_CONTAINER_MANAGER=$1 DBX_CONTAINER_ALWAYS_PULL=0 distrobox create --yes --name bench-first --image "$2"
}
first() { DBX_CONTAINER_MANAGER=$1 distrobox enter --name bench-first --no-tty -- true < /dev/null; }
before_docker_ready() { fresh docker debian-dx:bookworm; }
before_docker_stock() { fresh docker "$base"; }
before_podman_ready() { fresh podman localhost/debian-dx:bookworm; }
before_podman_stock() { fresh podman "$base"; }
docker_ready() { first docker; }
docker_stock() { first docker; }
podman_ready() { first podman; }
podman_stock() { first podman; }

first_all() {
	local manager
	say 'first starts: building the shipped Debian image'
	ocisi setup --yes --no-build > /dev/null
	for manager in docker podman; do
		printf -- '- {name: debian, path: %s, tag: bookworm, enabled: true, manager: %s}\n' ~/.config/ocisi/debian "$manager" ~/.config/ocisi/debian "$manager" \
			| sed '2s/name: debian/name: debian-dx/; 2s/enabled/assemble: false, enabled/' > "first-$manager.yaml"
		timed first ocisi process --file "$work/first-$manager.yaml"
		race "$starts" "${manager}_ready" "${manager}_stock"
		"$manager" rm --force --volumes bench-first > /dev/null
	done
}

# The price of fuse-overlayfs, by which podman need not copy images: the same in a
# container of a store of its own.
files='mkdir /t && cd /t && seq 2000 | split --lines 1 --suffix-length 4 && rm -rf /t'
read='find /usr/lib /usr/share -type f | head -n 3000 | tr "\n" "\0" | xargs -0 cat > /dev/null'
programs='seq 100 | xargs -n 1 /bin/true'
by_fuse() { CONTAINERS_STORAGE_CONF=$work/fuse.conf podman "$@"; }
native_files() { podman exec --user root bench-store sh -c "$files"; }
native_read() { podman exec --user root bench-store sh -c "$read"; }
native_programs() { podman exec --user root bench-store sh -c "$programs"; }
fuse_files() { by_fuse exec --user root bench-store sh -c "$files"; }
fuse_read() { by_fuse exec --user root bench-store sh -c "$read"; }
fuse_programs() { by_fuse exec --user root bench-store sh -c "$programs"; }

fuse_all() {
	say 'fuse-overlayfs beside native overlay'
	cat > fuse.conf <<-END
		[storage]
		driver = "overlay"
		graphroot = "$HOME/ocisi-bench-store"
		runroot = "$XDG_RUNTIME_DIR/ocisi-bench"
		[storage.options.overlay]
		mount_program = "/usr/bin/fuse-overlayfs"
	END
	podman save --quiet localhost/debian-dx:bookworm | by_fuse load --quiet > /dev/null
	podman run --detach --name bench-store --userns keep-id localhost/debian-dx:bookworm sleep infinity > /dev/null
	by_fuse run --detach --name bench-store --userns keep-id localhost/debian-dx:bookworm sleep infinity > /dev/null
	race "$builds" native_files fuse_files native_read fuse_read native_programs fuse_programs
	podman rm --force --time 0 bench-store > /dev/null
	by_fuse rm --force --time 0 bench-store > /dev/null
}

# A copy of 1 GB that nothing packs, beside the engines' own programs in a pipe.
copy_docker() { copied bench-big-docker podman; }
copy_podman() { copied bench-big-podman docker; }
pipe_docker() { docker save bench-big-docker:latest | podman load --quiet; }
pipe_podman() { podman save --quiet localhost/bench-big-podman:latest | docker load --quiet; }
before_copy_docker() { podman rmi --force localhost/bench-big-docker:latest docker.io/library/bench-big-docker:latest || true; podman image prune --force; sync; }
before_copy_podman() { docker rmi --force bench-big-podman:latest localhost/bench-big-podman:latest || true; docker image prune --force; sync; }
before_pipe_docker() { before_copy_docker; }
before_pipe_podman() { before_copy_podman; }

# copied IMAGE TO: a copy by ocisi, and the most memory that it had, in kB
copied() {
	local pid
	ocisi copy --file "$work/copy.yaml" "$1" --to "$2" &
	pid=$!
	while sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" > peak.now 2> /dev/null && [[ -s peak.now ]]; do
		mv peak.now peak.last
		sleep 0.05
	done
	cat peak.last >> "times/$1.peak"
	wait "$pid"
}

copy_all() {
	say 'copies of 1 GB'
	printf 'FROM %s\nRUN head -c 1000000000 /dev/urandom > /bench-big\n' "$base" | tee images/Containerfile.bench-big-docker > images/Containerfile.bench-big-podman
	printf -- '- {name: bench-big-%s, path: images, enabled: true, manager: %s}\n' docker docker podman podman > copy.yaml
	timed first ocisi process --file "$work/copy.yaml"
	race "$copies" copy_docker pipe_docker copy_podman pipe_podman
	before_copy_docker > /dev/null 2>&1
	before_copy_podman > /dev/null 2>&1
	docker rmi --force bench-big-docker:latest > /dev/null
	podman rmi --force localhost/bench-big-podman:latest > /dev/null
}

copy_table() {
	echo '| case | ocisi, ms | fastest | beside it | ms | fastest | ratio | turns |'
	echo '|---|---:|---:|---|---:|---:|---:|---:|'
	row 'an image of 1 GB from docker to rootless podman' copy_docker pipe_docker 'docker save, podman load in a pipe'
	row 'an image of 1 GB from rootless podman to docker' copy_podman pipe_podman 'podman save, docker load in a pipe'
	echo
	echo "Most memory that ocisi had in a copy: $(cat times/bench-big-*.peak | sort --numeric-sort | tail -n 1) kB"
}

table() {
	echo '| case | ocisi, ms | fastest | beside it | ms | fastest | ratio | turns |'
	echo '|---|---:|---:|---|---:|---:|---:|---:|'
	[[ -n ${BENCH_FIRST:-} ]] || builds_table
	row "docker: first enter of a box of ocisi's Debian image" docker_ready docker_stock 'of a box of the base that it is built on'
	row "rootless podman: first enter of a box of ocisi's Debian image" podman_ready podman_stock 'of a box of the base that it is built on'
	echo
	echo '| in a container of rootless podman | fuse-overlayfs, ms | fastest | beside it | ms | fastest | ratio | turns |'
	echo '|---|---:|---:|---|---:|---:|---:|---:|'
	row '2000 small files, written and removed' fuse_files native_files 'native overlay'
	row '3000 files, read' fuse_read native_read 'native overlay'
	row '100 programs, started' fuse_programs native_programs 'native overlay'
}

builds_table() {
	row 'docker: nothing changed, 8 images and 3 boxes' ocisi_noop bake_noop 'docker buildx bake of the images, all cached'
	row 'the same without any network, the registry down' ocisi_offline bake_noop 'the same, with network'
	row 'docker: one leaf changed, without a box' ocisi_leaf bake_leaf 'docker buildx bake of that target alone'
	row 'docker: cold tree, 8 images, no boxes' ocisi_cold bake_cold 'docker buildx bake'
	row 'the same' ocisi_cold chain_cold 'docker buildx build, one after the other'
	row 'docker: nothing changed, beside 500 foreign images' ocisi_crowded ocisi_alone 'ocisi without them'
	row 'rootless podman: nothing changed, 8 images and 3 boxes' ocisi_podman chain_podman 'podman build --layers of the images, one after the other, all cached'
	row 'rootless podman: nothing changed, beside 500 foreign images' podman_crowded ocisi_podman 'ocisi without them'
}

main() {
	rm -rf "$work"
	mkdir -p "$work/images" "$work/times"
	cd "$work"
	recipes
	strangers
	bake_file > bake.hcl
	docker pull --quiet "$base" > /dev/null
	if [[ -n ${BENCH_COPY:-} ]]; then
		copy_all
		copy_table
		return
	fi
	if [[ -z ${BENCH_FIRST:-} ]]; then
		docker_all
		podman_all
		copy_all
	fi
	first_all
	fuse_all
	table
	if [[ -z ${BENCH_FIRST:-} ]]; then
		echo
		copy_table
	fi
}

main
