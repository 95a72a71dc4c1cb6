#!/bin/bash
# Tests ./demo.sh: one line per check, PASS, FAIL or SKIP; non-zero exit when one failed.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # building, run_watched: macOS has no timeout(1)

# Where it is allowed: own System V objects and an own /dev/shm, so that everything in them is ours.
if [ "${1:-}" != --here ] && [ "$(uname)" = Linux ] &&
    unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm' 2>/dev/null; then
    exec unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm && exec "$0" --here isolated' "$0"
fi
isolated=${2:-}

set -m # each job gets a process group, and does not ignore SIGINT
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
runtime=$work/runtime
mkdir -m 0700 "$runtime" "$work/tmp" "$work/elsewhere"
export XDG_RUNTIME_DIR=$runtime TMPDIR=$work/tmp
failures=0
log=$work/log
demo=$root/demo.sh
# What ./demo.sh builds and runs. It serves where ./demo.sh itself was tested already, which looks at each start whether
# all is built.
built=$root/samples/dotnet/Transfer/bin/Release/net10.0/Transfer

pass() { echo "PASS demo: $1"; }
fail() {
    echo "FAIL demo: $1: $(echo "$2" | tr "\n" " ")"
    sed 's/^/    /' "$log" >&2
    failures=1
}

# What is left of anything that ran since the last call: key files, POSIX objects, System V objects (those only where
# all of them are ours).
leftovers() {
    ls -A "$runtime"
    ls -A "$work/tmp" | grep '^nativeipc-demo-'
    ls -A /dev/shm 2>/dev/null | grep 'demo 100% '
    [ -n "$isolated" ] && tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem
}

# Waits up to $1 seconds until the rest of the line succeeds.
within() {
    local tries=$(($1 * 10))
    shift
    while [ "$tries" -gt 0 ]; do
        "$@" && return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    return 1
}

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
ended() { ! kill -0 "$1" 2>/dev/null; }
receiver() { sed -n 's/.*: process \([0-9]*\) receives.*/\1/p' "$log" | tail -1; }
receiving() { [ -n "$(receiver)" ]; }
sender() { sed -n 's/.* from process \([0-9]*\) through.*/\1/p' "$log" | head -1; }

# check NAME WANTED_EXIT_CODE WANTED_TEXT ARGUMENTS...
check() {
    local name=$1 code=$2 text=$3 found left
    shift 3
    run_watched "$(patient 300)" "$log" "$demo" "$@"
    found=$?
    left=$(leftovers)
    if [ "$found" != "$code" ]; then fail "$name" "exit code $found instead of $code"
    elif ! grep -q -- "$text" "$log"; then fail "$name" "the output lacks \"$text\""
    elif grep -q "$(printf '\033')" "$log"; then fail "$name" "escape codes in the output, which is no terminal"
    elif [ -n "$left" ]; then fail "$name" "left behind: $left"
    else pass "$name"; fi
}

# start ARGUMENTS...: in the background, until the receiver has begun. Sets $job, which is also the process group.
start() {
    : >"$log"
    "$demo" "$@" >"$log" 2>&1 &
    job=$!
    within 120 receiving
}

# finish NAME SECONDS WANTED_EXIT_CODES (a pattern): how a started demo must end.
finish() {
    local name=$1 seconds=$2 codes=$3 found left
    if ! within "$seconds" ended "$job"; then
        kill -KILL -- "-$job"
        wait "$job" 2>/dev/null
        fail "$name" "still running after $seconds s"
        return
    fi
    wait "$job" 2>/dev/null
    found=$?
    left=$(leftovers)
    if ! [[ $found =~ ^($codes)$ ]]; then fail "$name" "exit code $found"
    elif [ -n "$left" ]; then fail "$name" "left behind: $left"
    else pass "$name"; fi
}

if ! command -v dotnet >/dev/null; then
    echo "SKIP demo: no .NET SDK"
    exit 0
fi
children=dotnet
if command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null; then
    children="dotnet c"
else
    echo "SKIP demo: C half: no C compiler"
fi

head -c 100003 /dev/urandom >"$work/small file"
: >"$work/empty"
dd if=/dev/zero of="$work/endless" bs=1 count=0 seek=1099511627776 2>/dev/null # macOS has no truncate(1)

# Once and locked; ./demo.sh finds all built then, whatever other steps build meanwhile.
building tree dotnet build "$root/samples/dotnet/Transfer" -c Release -nologo -v q >"$log" 2>&1 ||
    fail "the demo builds" "$(tail -n 5 "$log")"
check "a large file that is there anyway" 0 "nothing is left behind"
check "a small file" 0 "$(sha256 <"$work/small file" | cut -c1-64), and nothing is left behind" "$work/small file"
cd "$work/elsewhere" || exit 1
check "a file named relative to another folder" 0 "nothing is left behind" "../small file"
cd "$root" || exit 1
demo=$built
check "an empty file" 0 "nothing is left behind" "$work/empty"
check "a missing file is an error" 2 "no such file" "$work/none"
CC=/nonexistent check "without a C compiler the C half is skipped" 0 "The C half is skipped" \
    --type posix "$work/small file"

for child in $children; do
    check "a corrupted copy is noticed ($child)" 1 "MISMATCH" --child "$child" --corrupt "$work/small file"
    for type in posix systemv; do
        case=" ($type, $child)"
        demo=$built
        [ "$case" != " (posix, dotnet)" ] || demo=$root/demo.sh

        start --type "$type" --child "$child" "$work/endless"
        kill -KILL "$(receiver)"
        finish "a killed receiver fails the transfer$case" 30 1

        start --type "$type" --child "$child" "$work/endless"
        kill -INT -- "-$job"
        finish "Ctrl-C$case" 30 '130|1'

        start --type "$type" --child "$child" "$work/endless"
        kill -INT "$(sender)"
        finish "SIGINT to the sender alone$case" 30 130

        start --type "$type" --child "$child" "$work/endless"
        kill -TERM "$(sender)"
        finish "SIGTERM to the sender alone$case" 30 130
    done

    demo=$built
    # Nothing can clean up behind SIGKILL, but the receiver must not wait for ever.
    start --type posix --child "$child" "$work/endless"
    orphan=$(receiver)
    kill -KILL "$(sender)"
    if within 30 ended "$orphan"; then pass "a receiver whose sender was killed ends ($child)"; else
        fail "a receiver whose sender was killed ends ($child)" "still running"
        kill -KILL "$orphan"
    fi
    wait "$job" 2>/dev/null
    number=$(sed -n 's/.*receives through .* \([0-9a-f]*-[0-9]*\)d$/\1/p' "$log")
    [ -n "$number" ] && rm -f /dev/shm/*"demo 100% $number"[def]
    rm -rf "$work"/tmp/nativeipc-demo-*
done

if command -v script >/dev/null && [ "$(uname)" = Linux ]; then
    TERM=xterm-256color COLUMNS=100 script -qec "'$root/demo.sh' --type posix '$work/small file'" "$work/typescript" \
        >"$log" 2>&1 </dev/null
    code=$?
    if [ $code = 0 ] && grep -q "$(printf '\033')" "$work/typescript"; then
        pass "a bar on a terminal"
    else
        fail "a bar on a terminal" "exit code $code, or no escape codes"
    fi
else
    echo "SKIP demo: a bar on a terminal: no script(1)"
fi

# Windows, as far as Wine goes: both processes are the self-contained program.
if ! command -v wine >/dev/null; then
    echo "SKIP demo: on Windows: no Wine"
elif ! [ -d "$root/src/NativeIpc/Windows" ]; then
    echo "SKIP demo: on Windows: the library has no Windows back end yet"
elif ! building windows dotnet publish "$root/samples/dotnet/Transfer" -c Release -r win-x64 --self-contained -nologo \
    -v q --artifacts-path "$root/artifacts/win-x64-build" -o "$work/win" >"$log" 2>&1; then
    if grep -qE 'error NU1(101|102|301)' "$log"; then
        echo "SKIP demo: on Windows: the win-x64 runtime cannot be had from a package source"
    else
        fail "on Windows" "cannot be published"
    fi
else
    export WINEPREFIX=$work/wine WINEDEBUG=-all
    trap 'wineserver -k 2>/dev/null; rm -rf "$work"' EXIT
    run_watched "$(patient 300)" /dev/null wine wineboot -i
    for case in "0 nothing is left behind" "1 MISMATCH"; do
        code=${case%% *} text=${case#* }
        corrupt=
        [ "$code" = 1 ] && corrupt=--corrupt
        run_watched "$(patient 300)" "$log" wine "$work/win/Transfer.exe" $corrupt "$work/small file"
        found=$?
        name="on Windows (Wine): $text"
        if [ "$found" = "$code" ] && grep -q "$text" "$log" && grep -q 'windows to .NET' "$log"; then
            pass "$name"
        else
            fail "$name" "exit code $found"
        fi
    done
fi

exit $failures
