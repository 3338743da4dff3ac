# shellcheck shell=bash
# For package.sh: the steps about RPM, images and goreleaser.
: "${root:?}" "${work:?}" "${version:?}" "${made:?}"

# rpmbuild_to FOLDER -bb|-bs [OPTION...] runs rpmbuild in FOLDER, without a network,
# with Fedora's macros. --nodeps: Debian's Go and make are no RPMs. Not -ba: then the RPM
# has a sum of its source RPM, and that names the folder.
rpmbuild_to() {
	mkdir -p "$1/SOURCES"
	cp "$made"/ocisi-"$version"{.tar.gz,-vendor.tar.xz} "$1/SOURCES"
	GOPROXY=off GOTOOLCHAIN=local GOFLAGS='' rpmbuild "${@:2}" --nodeps --load "$root/test/package/fedora.macros" \
		--define "_topdir $1" "$made/ocisi.spec"
}

rpm_built() {
	rpmbuild_to "$work/rpm" -bb 2>&1 | tee "$work/rpm.log"
	local rpm=$work/rpm/RPMS/x86_64/ocisi-$version-1.fc44.x86_64.rpm tree=$work/rpm/tree
	mkdir "$tree"
	rpm2cpio "$rpm" | (cd "$tree" && cpio --quiet -idm)
	# The same files as everywhere, with the same contents but for the program, whose
	# modules came from another place, which it knows.
	equal "its program" "$("$tree/usr/bin/ocisi" version)" "ocisi v$version"
	cp "$made/oci/amd64/system_files/usr/bin/ocisi" "$tree/usr/bin/ocisi"
	diff -r "$tree" "$made/oci/amd64/system_files"
	equal "files of others" "$(rpm -qlp "$rpm" | grep -E 'ublue-os|/etc/' || true)" ""
	equal "what it requires" "$(rpm -qRp "$rpm" | grep -vE '^(rpmlib\(.*|/bin/sh)' || true)" ""
	rpm -qp --recommends "$rpm" | grep distrobox
	rpm -qp --scripts "$rpm" | grep 'install-user-units ocisi-recreate.timer'
	rpm -qp --scripts "$rpm" | grep 'remove-user-units ocisi-recreate.timer'
	equal "the licence" "$(rpm -qLp "$rpm" | grep -c '/LICENSE')" 2
	equal "owners" "$(rpm -qp --qf '[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$rpm" | sort -u)" root:root
	# %check ran, and ran tests.
	grep -E '^ok[[:space:]]+github.com/klmcwhirter/ocisi/hierarchy/plan' "$work/rpm.log"
	rpmbuild_to "$work/rpm" -bs
	ls "$work/rpm/SRPMS/ocisi-$version-1.fc44.src.rpm"
}

rpm_again() {
	sleep 1 # so that a recorded time would differ
	# %check writes nothing into the RPM, and "the RPM" has run it.
	rpmbuild_to "$work/rpm-2" -bb --nocheck
	cmp "$work/rpm/RPMS/x86_64/ocisi-$version-1.fc44.x86_64.rpm" "$work/rpm-2/RPMS/x86_64/ocisi-$version-1.fc44.x86_64.rpm"
}

# buildah is an engine without a daemon; its store is in our folder, its containers
# are folders, so that it works inside a container, too.
buildah_here() {
	buildah --root "$work/store" --runroot "$work/runroot" --storage-driver vfs "$@"
}

layer() {
	local arch
	for arch in amd64 arm64; do
		buildah_here build --isolation chroot --platform "linux/$arch" --timestamp "$(git -C "$work/first" log -1 --format=%ct)" \
			-t "ocisi:$arch" -f "$work/first/packaging/oci/Containerfile" "$made/oci"
		equal "architecture" "$(buildah_here inspect --type image --format '{{.OCIv1.Architecture}}' "ocisi:$arch")" "$arch"
		image_to "ocisi:$arch" "$work/layer-$arch"
		equal "its root" "$(ls -A "$work/layer-$arch")" system_files
		diff -r "$work/layer-$arch/system_files" "$made/oci/$arch/system_files"
		files_of "$work/layer-$arch/system_files"
	done
	buildah_here inspect --type image --format '{{index .OCIv1.Config.Labels "org.opencontainers.image.source"}}' ocisi:amd64 | grep klmcwhirter/ocisi
}

# image_to IMAGE FOLDER copies the root file system of an image.
image_to() {
	local container
	container=$(buildah_here from --pull-never "$1")
	mkdir -p "$2"
	cp -a "$(buildah_here mount "$container")/." "$2"
	buildah_here rm "$container" > /dev/null
}

# custom_image builds, on a base that has of Bluefin what matters here, each
# Containerfile of docs/packaging.md.
custom_image() {
	local base=$work/base n
	install -D "$(command -v busybox)" "$base/usr/bin/busybox"
	for applet in sh cat mkdir rm ls test; do ln -s busybox "$base/usr/bin/$applet"; done
	ln -s usr/bin "$base/bin"
	install -d "$base/usr/share/ublue-os/just" "$base/usr/share/ublue-os/homebrew/preinstall.d" "$base/tmp"
	# An image that has recipes of its own keeps them.
	echo 'import "/usr/share/bluebuild/justfiles/theirs.just"' > "$base/usr/share/ublue-os/just/60-custom.just"
	printf 'FROM scratch\nCOPY . /\n' > "$work/Containerfile.base"
	buildah_here build --isolation chroot -t ghcr.io/projectbluefin/bluefin:stable -f "$work/Containerfile.base" "$base"
	buildah_here tag ocisi:amd64 ghcr.io/klmcwhirter/ocisi:latest

	awk -v dir="$work" '/^```/ { if (open) { open = 0 } else if ($0 == "```dockerfile") { open = 1; n++ } ; next }
		open { print > (dir "/Containerfile.custom" n) }' "$root/docs/packaging.md"
	for n in 1 2; do
		buildah_here build --isolation chroot --pull-never -t "custom:$n" -f "$work/Containerfile.custom$n" "$work/unit"
		image_to "custom:$n" "$work/custom$n"
		equal "60-custom.just" "$(cat "$work/custom$n/usr/share/ublue-os/just/60-custom.just")" 'import "/usr/share/bluebuild/justfiles/theirs.just"
import "/usr/share/ocisi/just/ocisi.just"'
		cmp "$work/custom$n/usr/share/ocisi/just/ocisi.just" "$work/first/justfiles/ocisi.just"
	done
	equal "more or less of them" "$(ls "$work"/Containerfile.custom*)" "$work/Containerfile.custom1
$work/Containerfile.custom2"
	# The first has ocisi in the image, the second lets Homebrew bring it.
	cmp "$work/custom1/usr/bin/ocisi" "$made/oci/amd64/system_files/usr/bin/ocisi"
	[ ! -e "$work/custom1/usr/share/ublue-os/homebrew/preinstall.d/ocisi.Brewfile" ]
	[ ! -e "$work/custom2/usr/bin/ocisi" ]
	cmp "$work/custom2/usr/share/ublue-os/homebrew/preinstall.d/ocisi.Brewfile" "$work/first/packaging/homebrew/ocisi.Brewfile"
}

# archives makes what goreleaser makes of a tag, all but what needs the internet.
archives() {
	cd "$work/first"
	mkdir -p "$work/bin"
	go build -modfile=.ci/release.mod -o "$work/bin/goreleaser" github.com/goreleaser/goreleaser/v2
	"$work/bin/goreleaser" check
	"$work/bin/goreleaser" release --clean --skip=sign,sbom,publish
	local arch folder
	for arch in amd64 arm64; do
		folder=ocisi_${version}_linux_$arch
		tar -xzf "dist/$folder.tar.gz" -C "$work"
		equal "owners" "$(tar -tvzf "dist/$folder.tar.gz" | awk '{ print $2 }' | sort -u)" root/root
		cmp "$work/$folder/ocisi" "$made/oci/$arch/system_files/usr/bin/ocisi"
		equal "files" "$(cd "$work/$folder" && find . -type f -not -path './man/man1/ocisi-*' -printf '%m %P\n' | sort -k 2)" "644 CHANGELOG.md
644 LICENSE
644 LICENSE-THIRD-PARTY
644 README.md
644 completions/_ocisi
644 completions/ocisi.bash
644 completions/ocisi.fish
644 just/ocisi.just
644 man/man1/ocisi.1
755 ocisi
644 systemd/user/ocisi-recreate.service
644 systemd/user/ocisi-recreate.timer"
		[ -f "$work/$folder/man/man1/ocisi-setup.1" ]
	done
	(cd "$made" && cp ./*.tar.gz ./*.tar.xz ./*.raw ocisi.spec ocisi.rb ../../dist)
	(cd dist && sha256sum --check checksums.txt)
	equal "sums" "$(wc -l < dist/checksums.txt)" 8
	# The same archives again.
	cp -r dist "$work/dist"
	sleep 1
	"$work/bin/goreleaser" release --clean --skip=sign,sbom,publish
	cmp dist/checksums.txt "$work/dist/checksums.txt"
}
