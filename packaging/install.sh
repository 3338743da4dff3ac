#!/bin/bash
# install.sh PROGRAM [DESTDIR] - lay out below DESTDIR/usr what every package of
# ocisi has: this is the one list of it. 'make install' calls it; so does the RPM.
# With SOURCE_DATE_EPOCH nothing is of another time than that, so that the same
# source makes the same package. VERSION, as v1.2.3, is what man pages name.
set -euo pipefail
program=$1 usr=${2-}/usr
cd "$(dirname "$0")/.."
umask 022

generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
# For this machine, also when the program is for another; as it was compiled.
env -u GOARCH CGO_ENABLED=0 go run -trimpath ./cmd/gendocs -dir "$generated" -version "${VERSION:-(devel)}" \
	-date "$(date --utc --date "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%F)"

# put MODE FOLDER FILE... copies files to a folder below usr.
put() {
	install -d "$usr/$2"
	install -p -m "$1" -t "$usr/$2" "${@:3}"
}

put 755 bin "$program"
mv "$generated/completions/ocisi.bash" "$generated/completions/ocisi" # bash looks for the program's name
put 644 share/bash-completion/completions "$generated/completions/ocisi"
put 644 share/zsh/site-functions "$generated/completions/_ocisi"
put 644 share/fish/vendor_completions.d "$generated/completions/ocisi.fish"
put 644 share/man/man1 "$generated"/man/*.1
# The other justfiles are of users; the program has them in it.
put 644 share/ocisi/just justfiles/ocisi.just justfiles/60-custom.just
put 644 share/ocisi/homebrew packaging/homebrew/ocisi.Brewfile
put 644 lib/systemd/user packaging/systemd/user/*.service packaging/systemd/user/*.timer
put 644 lib/systemd/user-preset packaging/systemd/user-preset/*.preset
packaging/licences.sh > "$generated/LICENSE-THIRD-PARTY"
put 644 share/licenses/ocisi LICENSE "$generated/LICENSE-THIRD-PARTY"
put 644 share/doc/ocisi README.md CHANGELOG.md
put 644 share/doc/ocisi/docs docs/*.md

gzip --force --no-name -9 "$usr"/share/man/man1/ocisi*.1
# Folders, too, and the one that holds them; never those of the running system.
if [ -n "${SOURCE_DATE_EPOCH-}" ] && [ "$(realpath "$usr")" != /usr ]; then
	find "$usr" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
	touch --date "@$SOURCE_DATE_EPOCH" "$(dirname "$usr")"
fi
