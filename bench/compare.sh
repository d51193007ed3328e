#!/bin/sh
# Compares the benchmarks of the working tree with those of the commit BASE:
#
#	make bench-compare BASE=REV [BENCH=REGEXP] [PKG='./bridge ./server'] [ROUNDS=6] [BENCHTIME=0.3s]
#
# Both are built first. Then they run in turn, so that what else the machine does,
# or how warm it is, is the same for both. What only one of them has is left out.
set -eu

: "${BENCH:=.}" "${PKG:=./bridge ./process ./server}" "${ROUNDS:=6}" "${BENCHTIME:=0.3s}" "${GO:=go}"
: "${BENCHSTAT:=golang.org/x/perf/cmd/benchstat@latest}"

complain() {
	echo "bench-compare: $1" >&2
	exit 2
}

[ -n "${BASE:-}" ] || complain "compared with what? make bench-compare BASE=REV"
case $ROUNDS in '' | *[!0-9]* | 0) complain "ROUNDS=$ROUNDS is no number of rounds" ;; esac
cd "$(dirname "$0")/.."
git rev-parse --git-dir >/dev/null 2>&1 || complain "not in a git repository, so there is no BASE"
commit=$(git rev-parse --quiet --verify "$BASE^{commit}") || complain "BASE=$BASE is no commit"

running=
finish() {
	trap '' INT TERM HUP
	[ -z "$running" ] || kill "$running" 2>/dev/null || true
	wait
	git worktree remove --force "$dir/tree" 2>/dev/null || true
	rm -rf "$dir"
	git worktree prune
}
dir=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export TMPDIR="$dir" # what is killed may leave something

# background runs a command such that a signal need not wait for its end.
background() {
	"$@" &
	running=$!
	wait "$running"
	running=
}

# build makes a test binary of each package below the directory $1, named $2.
build() {
	for package in $PKG; do
		[ -d "$1/$package" ] || continue
		background "$GO" test -C "$1" -c -o "$dir/$2$(echo "$package" | tr ./ __).test" "$package"
	done
}

# measure appends a round of what build made, in the same way, to a file.
measure() {
	for package in $PKG; do
		binary=$dir/$2$(echo "$package" | tr ./ __).test
		[ -x "$binary" ] || continue
		background in_directory "$1/$package" "$binary" -test.run '^$' -test.bench "$BENCH" -test.benchtime "$BENCHTIME" >>"$dir/$2" || {
			tail -n 20 "$dir/$2" >&2
			echo "bench-compare: the benchmarks of $package fail ($2)" >&2
			exit 1
		}
	done
}

in_directory() {
	cd "$1"
	shift
	exec "$@"
}

background env GOBIN="$dir" "$GO" install "$BENCHSTAT"
git worktree add --quiet --detach "$dir/tree" "$commit"
build "$dir/tree" base
build "$PWD" this
round=1
while [ "$round" -le "$ROUNDS" ]; do
	echo "round $round of $ROUNDS" >&2
	measure "$dir/tree" base
	measure "$PWD" this
	round=$((round + 1))
done
"$dir/benchstat" "$BASE=$dir/base" "working tree=$dir/this"
