# shellcheck shell=bash
# For package.sh: steps that pass or fail, and tools that are installed on the way.

passed=0 failed=0

# need PROGRAM:PACKAGE... installs the packages whose program is missing.
need() {
	local missing=() pair
	for pair; do
		command -v "${pair%%:*}" > /dev/null || missing+=("${pair#*:}")
	done
	[ ${#missing[@]} = 0 ] && return
	[ -n "$(ls /var/lib/apt/lists/*_Packages* 2> /dev/null)" ] || apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# step WHAT COMMAND... runs a check; the first command of it that fails, fails it
# and shows what it printed.
step() {
	local what=$1 start=$SECONDS
	# In a process of its own, not in a condition: there set -e would not count.
	set +e
	(
		set -euo pipefail
		"${@:2}"
	) > "$work/log" 2>&1
	local status=$?
	set -e
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		printf 'ok    %s (%d s)\n' "$what" $((SECONDS - start))
	else
		failed=$((failed + 1))
		printf 'FAIL  %s (%d s)\n' "$what" $((SECONDS - start))
		tail -n 40 "$work/log" | sed 's/^/      /'
	fi
}

# equal WHAT GOT WANT
equal() {
	[ "$2" = "$3" ] && return
	printf '%s: got, then wanted:\n%s\n---\n%s\n' "$1" "$2" "$3"
	return 1
}

# sums FOLDER prints kind, mode and sum of every file below it.
sums() {
	(cd "$1" && find . -printf '%P %y %m\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
