# shellcheck shell=bash
# For package.sh: whether the reproducibility steps must run.

# What decides how packages are built. The source of ocisi does not: the same
# compiler with the same flags makes the same program of it. cmd/gendocs writes the
# man pages, whose content the step "the man pages and completions" always compares.
reproducibility_paths=(packaging go.mod go.sum Makefile cmd/gendocs justfiles .ci test/package.sh test/package)

# since_decision REPO REV prints "run: REASON" or "skip: REASON" for HEAD of REPO.
# The steps are skipped only when no reproducibility path differs between REV and HEAD.
#
# REV auto is the newest first-parent commit that is at least 24 hours older than HEAD
# by committer date. It depends on the history alone, not on the clock or on a remote,
# and it covers changes of several commits. A fast-forward to commits that are older
# than a day and were not rebased is not covered; .ci/nightly runs all steps.
since_decision() {
	local repo=$1 rev=$2 base files
	if [ "$(git -C "$repo" rev-parse --is-shallow-repository)" != false ]; then
		echo "run: the clone is shallow"
		return
	fi
	if [ "$rev" = auto ]; then
		# --min-age is --before without git's parser for dates.
		base=$(git -C "$repo" rev-list -1 --first-parent --min-age=$(($(git -C "$repo" log -1 --format=%ct) - 24 * 3600)) HEAD)
		if [ -z "$base" ]; then
			echo "run: no commit is 24 hours older than HEAD"
			return
		fi
	elif ! base=$(git -C "$repo" rev-parse --quiet --verify "$rev^{commit}"); then
		echo "run: $rev is not a commit of this clone"
		return
	fi
	if ! files=$(git -C "$repo" diff --no-renames --name-only "$base" HEAD -- "${reproducibility_paths[@]}"); then
		echo "run: git diff failed"
		return
	fi
	base=$(git -C "$repo" log -1 --format='%h (%cs)' "$base")
	if [ -n "$files" ]; then
		echo "run: $(wc -l <<< "$files") files changed since $base: $(head -n 3 <<< "$files" | paste -sd ' ')"
	else
		echo "skip: no change since $base to ${reproducibility_paths[*]}"
	fi
}

# since_decisions checks since_decision on histories made for it.
since_decisions() {
	local repo=$work/history now=1750000000 day=86400 path
	git init --quiet --initial-branch=main "$repo"
	# commit AGE FILE changes FILE in a commit AGE seconds before now.
	commit() {
		mkdir -p "$(dirname "$repo/$2")"
		echo "$1" >> "$repo/$2"
		git -C "$repo" add .
		GIT_COMMITTER_DATE="$((now - $1)) +0000" git -C "$repo" -c user.name=test -c user.email=test@localhost commit --quiet -m "$2"
	}
	# decided REV GLOB
	decided() {
		local got
		got=$(since_decision "$repo" "$1")
		# shellcheck disable=SC2053 # a pattern
		[[ $got == $2 ]] || { echo "since $1: got '$got', wanted '$2'"; return 1; }
	}
	commit $((3 * day)) packaging/install.sh
	decided auto 'run: no commit is 24 hours older than HEAD'
	commit $((2 * day)) go.mod
	commit 7200 hierarchy/plan/plan.go
	decided auto 'skip: no change since *'
	decided HEAD~2 'run: 1 files changed since *: go.mod'
	decided HEAD~1 'skip: *'
	decided 0000000 'run: 0000000 is not a commit of this clone'
	# The last commit alone does not show the change.
	commit 3600 packaging/rpm/ocisi.spec
	commit 0 README.md
	decided auto 'run: 1 files changed since *: packaging/rpm/ocisi.spec'
	decided HEAD~1 'skip: *'
	git clone --quiet --depth 2 "file://$repo" "$work/shallow"
	repo=$work/shallow decided auto 'run: the clone is shallow'
	# A path that was renamed would never be compared again.
	for path in "${reproducibility_paths[@]}"; do
		[ -e "$root/$path" ] || { echo "no $path in this repository"; return 1; }
	done
}
