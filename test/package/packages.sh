# shellcheck shell=bash
# For package.sh: one function for each step. They run in processes of their own.
: "${root:?}" "${work:?}" "${version:?}" "${made:?}"

release_once() {
	cd "$work/first"
	packaging/release.sh "$version"
	equal "what was made" "$(cd "$made" && find . -maxdepth 3 -not -path './oci/*/*/*' -printf '%P\n' | sort)" "
oci
oci/amd64
oci/amd64/system_files
oci/arm64
oci/arm64/system_files
ocisi-$version-sysext-amd64.raw
ocisi-$version-sysext-arm64.raw
ocisi-$version-vendor.tar.xz
ocisi-$version.tar.gz
ocisi.rb
ocisi.spec"
	equal "placeholders left" "$(grep -ho '@[A-Z0-9]*@' "$made"/ocisi.{rb,spec} || true)" ""
}

# files_of TREE compares what is in it with files.txt. Each verb has a man page,
# and documents come and go: of those only the listed ones must be there.
files_of() {
	local got want
	got=$(cd "$1" && find . -type f -printf '%m %P\n' | sort)
	want=$(sort "$root/test/package/files.txt")
	equal "missing" "$(comm -13 <(echo "$got") <(echo "$want"))" ""
	equal "too much" "$(comm -23 <(echo "$got") <(echo "$want") |
		grep -vE '^644 usr/share/(man/man1/ocisi-[a-z-]+\.1\.gz|doc/ocisi/docs/[a-z-]+\.md)$' || true)" ""
	equal "neither file nor folder" "$(find "$1" -not -type f -not -type d)" ""
	equal "folders that others cannot read" "$(find "$1" -type d -not -perm 755)" ""
	equal "times" "$(find "$1" -printf '%T@\n' | sort -u | cut -d . -f 1)" "$(git -C "$work/first" log -1 --format=%ct)"
}

programs() {
	local arch program machine module
	for arch in amd64:x86-64 arm64:aarch64; do
		program=$made/oci/${arch%:*}/system_files/usr/bin/ocisi machine=${arch#*:}
		file "$program" | grep -F "$machine" | grep -F 'statically linked'
		equal "names of the place where it was built" "$(grep -cF -e "$work/" -e "$root/" -e "$(go env GOMODCACHE)/github.com" "$program" || true)" 0
	done
	# One licence at least for each module that the program names.
	for module in $(go version -m "$program" | awk '$1 == "dep" { print $2 }'); do
		grep -q "^==== $module: " "$made/oci/amd64/system_files/usr/share/licenses/ocisi/LICENSE-THIRD-PARTY" || { echo "no licence of $module"; return 1; }
	done
	equal version "$("$made/oci/amd64/system_files/usr/bin/ocisi" version)" "ocisi v$version"
}

units() {
	local tree=$work/first/packaging/systemd
	# It wants the program that ExecStart= names.
	install -D "$made/oci/amd64/system_files/usr/bin/ocisi" "$work/unit/ocisi"
	mkdir -p "$work/units"
	sed "s|=/usr/bin/ocisi|=$work/unit/ocisi|" "$tree/user/ocisi-recreate.service" > "$work/units/ocisi-recreate.service"
	cp "$tree/user/ocisi-recreate.timer" "$work/units"
	mkdir -pm 700 "$work/run"
	XDG_RUNTIME_DIR=$work/run systemd-analyze --user verify "$work/units/ocisi-recreate.timer" "$work/units/ocisi-recreate.service" 2> "$work/verify" || true
	equal "complaints" "$(grep -F ocisi "$work/verify" || true)" ""
	grep -x 'disable ocisi-recreate.timer' "$tree/user-preset/90-ocisi.preset"
	# A unit of /usr has to find /usr/bin/ocisi; 'ocisi timer' writes its own elsewhere.
	grep -E '^ExecStart=/usr/bin/ocisi ' "$tree/user/ocisi-recreate.service"
}

pages() {
	local tree=$made/oci/amd64/system_files/usr/share verb page
	for verb in $("$tree/../bin/ocisi" __complete '' 2> /dev/null | awk -F '\t' '/^[a-z]/ { print $1 }'); do
		case $verb in completion | help) continue ;; esac
		[ -f "$tree/man/man1/ocisi-$verb.1.gz" ] || { echo "no man page for $verb"; return 1; }
	done
	man --local-file --warnings=w "$tree/man/man1/ocisi.1.gz" 2>&1 > "$work/man" | tee "$work/man.err"
	equal "complaints about ocisi.1" "$(cat "$work/man.err")" ""
	grep -q setup "$work/man"
	bash -c '. "$1" && complete -p ocisi' - "$tree/bash-completion/completions/ocisi"
	head -1 "$tree/zsh/site-functions/_ocisi" | grep -x '#compdef ocisi'
	# Generated with another home, time zone and language, they are the same.
	cd "$work/first"
	mkdir -p "$work/pages-home"
	env GOCACHE="$(go env GOCACHE)" GOMODCACHE="$(go env GOMODCACHE)" GOFLAGS=-buildvcs=false CGO_ENABLED=0 \
		HOME="$work/pages-home" XDG_CONFIG_HOME="$work/pages-home/c" XDG_STATE_HOME="$work/pages-home/s" \
		TZ=Pacific/Auckland LANG=C.UTF-8 COLUMNS=40 go run -trimpath ./cmd/gendocs -dir "$work/pages" -version "v$version" \
		-date "$(date --utc --date "@$(git log -1 --format=%ct)" +%F)"
	equal "number of pages" "$(ls "$work/pages/man" | wc -l)" "$(ls "$tree/man/man1" | wc -l)"
	for page in "$work"/pages/man/*; do
		zcat "$tree/man/man1/${page##*/}.gz" | cmp - "$page"
	done
	cmp "$work/pages/completions/ocisi.bash" "$tree/bash-completion/completions/ocisi"
	cmp "$work/pages/completions/_ocisi" "$tree/zsh/site-functions/_ocisi"
	cmp "$work/pages/completions/ocisi.fish" "$tree/fish/vendor_completions.d/ocisi.fish"
}

# same_bytes makes the release again: another folder, nothing compiled or
# downloaded yet, another clock, language, mask and home. One architecture is half
# of the time.
same_bytes() {
	local cache
	cache=$(go env GOMODCACHE)
	git clone --quiet --no-hardlinks "file://$work/first" "$work/elsewhere/in a folder/second"
	cd "$work/elsewhere/in a folder/second"
	mkdir "$work/home"
	# The modules from where the first build has put them: no network.
	(
		umask 077
		env HOME="$work/home" GOCACHE="$work/cache" GOMODCACHE="$work/modules" GOFLAGS="-modcacherw -buildvcs=auto" \
			GOPROXY="file://$cache/cache/download" GOSUMDB=off \
			TZ=Pacific/Auckland LANG=C.UTF-8 ARCHES=amd64 packaging/release.sh "$version"
	)
	equal "second build" "$(sums bin/release)" "$(sums "$made" | grep -v arm64)"
	files_of bin/release/oci/amd64/system_files
}

# same_program is for who verifies a release: the one line gives its bytes.
same_program() {
	local want
	want=$(sha256sum < "$made/oci/amd64/system_files/usr/bin/ocisi")
	tar -xzf "$made/ocisi-$version.tar.gz" -C "$work"
	cp -r "$work/first" "$work/copy"
	date >> "$work/copy/README.md" # a clone with changes stamps +dirty, a release does not
	for place in first "ocisi-$version" copy; do
		make --no-print-directory -C "$work/$place" build VERSION="v$version"
		equal "$place" "$(sha256sum < "$work/$place/bin/ocisi")" "$want"
	done
	# Without a version, two clones are the same too, and say which commit they are.
	make --no-print-directory -C "$work/first" build
	make --no-print-directory -C "$work/elsewhere/in a folder/second" build
	cmp "$work/first/bin/ocisi" "$work/elsewhere/in a folder/second/bin/ocisi"
	go version -m "$work/first/bin/ocisi" | grep "vcs.revision=$(git -C "$work/first" rev-parse HEAD)"
	equal "stamp of the tag" "$("$work/first/bin/ocisi" version)" "ocisi v$version"
}

sysexts() {
	local pair arch
	for pair in amd64:x86-64 arm64:arm64; do
		arch=${pair%:*}
		fsck.erofs --extract="$work/sysext-$arch" --overwrite "$made/ocisi-$version-sysext-$arch.raw"
		equal "its identity" "$(cat "$work/sysext-$arch/usr/lib/extension-release.d/extension-release.ocisi")" "ID=_any
ARCHITECTURE=${pair#*:}"
		rm -r "$work/sysext-$arch/usr/lib/extension-release.d"
		equal "below /" "$(ls -A "$work/sysext-$arch")" usr
		diff -r "$work/sysext-$arch" "$made/oci/$arch/system_files"
		equal "its root" "$(dump.erofs --path=/ "$made/ocisi-$version-sysext-$arch.raw" | grep -o 'Access: [0-9]*')" "Access: 0755"
	done
	# With a policy's contexts, the files have labels.
	printf '/.*\tsystem_u:object_r:usr_t:s0\n' > "$work/contexts"
	FILE_CONTEXTS=$work/contexts "$work/first/packaging/sysext/build.sh" "$made/oci/amd64/system_files" amd64 "$work/labelled.raw"
	dump.erofs --path=/usr/bin/ocisi "$work/labelled.raw" | grep -E 'Xattr size: [1-9]'
}

# formula runs both blocks as brew would, as an ordinary user, with test/package/brew.rb
# in brew's place.
formula() {
	ruby -wc "$made/ocisi.rb"
	equal "its sum" "$(sha256sum < "$made/ocisi-$version.tar.gz" | cut -d ' ' -f 1)" "$(sed -n 's/^ *sha256 "\(.*\)"/\1/p' "$made/ocisi.rb")"
	mkdir -p "$work/brew/source" "$work/brew/prefix" "$work/brew/test"
	tar -xzf "$made/ocisi-$version.tar.gz" -C "$work/brew/source" --strip-components 1
	ruby "$root/test/package/brew.rb" "$made/ocisi.rb" install "$work/brew/source" "$work/brew/prefix"
	equal "what is installed" "$(cd "$work/brew/prefix" && find . -type f -not -path './share/man/man1/ocisi-*' -printf '%P\n' | sort)" "bin/ocisi
etc/bash_completion.d/ocisi
share/fish/vendor_completions.d/ocisi.fish
share/man/man1/ocisi.1
share/ocisi/just/ocisi.just
share/ocisi/systemd/user/ocisi-recreate.service
share/ocisi/systemd/user/ocisi-recreate.timer
share/zsh/site-functions/_ocisi"
	cp "$root/test/package/brew.rb" "$work/brew" # nobody may not look into root's home
	chmod 755 "$work"
	chown nobody "$work/brew/test"
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		env -i PATH=/usr/bin:/bin HOME="$work/brew/test" ruby "$work/brew/brew.rb" "$made/ocisi.rb" test "$work/brew/test" "$work/brew/prefix"
	ruby -wc "$root/packaging/homebrew/ocisi.Brewfile"
}
