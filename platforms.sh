#!/usr/bin/env bash
# Runs the test suites on other platforms than this machine's own: other C libraries, runtimes, Wine, processors and
# sandboxes. Writes the rows of docs/platforms.md from what these runs say of themselves.
#
#   ./platforms.sh              all of them, one after the other
#   ./platforms.sh NAME...      these only
#   ./platforms.sh --list       the names, each with what it is
#   ./platforms.sh --no-rows    leaves docs/platforms.md as it is; may stand before names
#   ./platforms.sh --short      a part of each suite, as eng/platforms-test.sh runs it; the rows say "part"
#
# For each platform the last line is "NAME: N passed, N failed, N skipped"; a failure ends the command with 1. Needs the
# .NET SDK, Debian on x64, root, and the network for packages: Debian's and NuGet's. What is fetched and built stays in
# the folder that eng/peers.sh names (~/.cache/nativeipc), what is run in artifacts/platforms: logs, results, rows.
# NATIVEIPC_BUILT=1 says that the solution is built already (Release), NATIVEIPC_PUBLISHED=1 that what is there of the
# programs for musl and arm64 is, too.
set -u
cd "$(dirname "$0")" || exit 2
root=$PWD
. eng/lib.sh

# name             recipe in eng/platforms, with its arguments; what it is
platforms="
dotnet-11         dotnet.sh 11.0.0           # .NET 11 on this machine's C library
glibc-2.31        glibc.sh bullseye          # Debian 11's C library
glibc-2.36        glibc.sh bookworm          # Debian 12's C library
glibc-2.41        glibc.sh trixie            # Debian 13's C library
glibc-2.43        glibc.sh sid               # the C library of Debian's unstable
glibc-mixed       glibc.sh --peers sid       # suite on this machine's C library, its peers on unstable's
glibc-mixed-2.31  glibc.sh --peers bullseye # the same, its peers on Debian 11's
glibc-mixed-2.41  glibc.sh --peers trixie  # the same, its peers on Debian 13's
musl              musl.sh                    # musl, .NET's runtime for it
wine-10           wine.sh 10                 # Windows x64 by Debian 13's Wine, without the work-arounds for Wine 8
wine-8            wine.sh 8                  # Windows x64 by Debian 12's Wine, with them
qt-6.11           qt.sh                      # Qt of Debian's unstable as a peer, and its answers about keys
containers        containers.sh              # sandboxes and containers: writes docs/containers.md as well
arm64-4k          arm64.sh arm64             # native AOT in an emulated machine, pages of 4 KiB
arm64-16k         arm64.sh arm64-16k         # the same with pages of 16 KiB
arm64-clr         arm64.sh arm64 clr         # the conformance suite there, with the JIT compiler
arm64-count       arm64.sh arm64 count       # instructions of hot operations, ours and C's: writes bench/README.md
"
list() { grep -v '^$' <<<"$platforms"; }
recipe_of() { awk -v name="$1" '$1 == name { sub(/ *#.*/, ""); $1 = ""; print substr($0, 2) }' <<<"$platforms"; }

writes_rows=1
export NATIVEIPC_PLATFORMS_SHORT='' NATIVEIPC_PLATFORMS_NO_ROWS=''
while [ $# != 0 ]; do
    case $1 in
        -h | --help) sed -n '2,/^set -u/p' platforms.sh | sed '$d; s/^# \{0,1\}//'; list; exit 0 ;;
        --list) list; exit 0 ;;
        --no-rows) writes_rows=; NATIVEIPC_PLATFORMS_NO_ROWS=1 ;;
        --short) NATIVEIPC_PLATFORMS_SHORT=1 ;;
        -*) say "There is no option '$1'; ./platforms.sh --help names them." >&2; exit 2 ;;
        *) break ;;
    esac
    shift
done
[ $# != 0 ] || set -- $(list | awk '{ print $1 }')
for name; do
    [ -n "$(recipe_of "$name")" ] || { say "There is no platform '$name'; ./platforms.sh --list." >&2; exit 2; }
done
[ "$(uname -s) $(uname -m) $(id -u)" = 'Linux x86_64 0' ] && command -v apt-get debootstrap dotnet >/dev/null ||
    { say 'This needs root, a Debian on x64 with debootstrap, and the .NET SDK.' >&2; exit 2; }

export NATIVEIPC_SLOWNESS=${NATIVEIPC_SLOWNESS:-$(slowness)}
# What is run, before it changes; "+" when it is more than the commit, but for what this command writes itself.
commit=$(git rev-parse --short=8 HEAD 2>/dev/null) || commit=-
[ "$commit" = - ] || [ -z "$(git status --porcelain -- . ':!docs/platforms.md' ':!docs/containers.md' \
    ':!bench/README.md')" ] || commit=$commit+
if [ -z "${NATIVEIPC_BUILT:-}" ]; then
    dotnet build NativeIpc.slnx -c Release -nologo -v q -p:RunAnalyzers=false || exit 1
fi

ended=0 passed=0 failed=0 skipped=0
for name; do
    start=$SECONDS
    out=$root/artifacts/platforms/$name
    rm -rf "$out/results"
    mkdir -p "$out/results" "$out/tmp" "$out/runtime"
    chmod 1777 "$out/tmp"
    chmod 700 "$out/runtime"
    say "$name: runs ..."
    # shellcheck disable=SC2046 # a script and its arguments
    set -- $(recipe_of "$name")
    platform=$name out=$out "eng/platforms/$1" "${@:2}" >"$out/lines.txt" 2>"$out/errors.txt" </dev/null
    code=$?
    grep -E '^(FAIL|SKIP) ' "$out/lines.txt" | sed 's/^/  /'
    # A recipe that ends badly without a failed test has failed all the same.
    if [ $code != 0 ] && ! grep -q '^FAIL ' "$out/lines.txt"; then
        say "FAIL $name: the recipe ended with $code" | tee -a "$out/lines.txt" | sed 's/^/  /'
        say "RAN	recipe	0	1	0" >>"$out/lines.txt"
        tail -n 20 "$out/errors.txt" | sed 's/^/    | /'
    fi
    counts=$(awk -F'\t' '$1 == "RAN" { p += $3; f += $4; s += $5 } END { print p + 0, f + 0, s + 0 }' "$out/lines.txt")
    read -r p f s <<<"$counts"
    if [ "$p" = 0 ] && [ "$f" = 0 ] && grep -q '^UNABLE' "$out/lines.txt"; then
        say "$name: not run: $(sed -n 's/^UNABLE\t//p' "$out/lines.txt")"
        [ "${CI:-}" != true ] || ended=1
        continue
    fi
    [ $((p + f)) != 0 ] || { f=1; say "  FAIL $name: it ran no test"; }
    [ "$f" = 0 ] || ended=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ -z "$writes_rows" ] || python3 eng/platforms/table.py row docs/platforms.md "$name" "$out/lines.txt" "$commit" ||
        ended=1
    coloured "$([ "$f" = 0 ] && say 32 || say 31)" \
        "$name: $p passed, $f failed, $s skipped ($((SECONDS - start)) s)"
done
say ''
say "$passed passed, $failed failed, $skipped skipped"
exit $ended
