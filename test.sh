#!/usr/bin/env bash
# Builds everything and runs every test. Needs the .NET SDK only: missing Debian packages are installed where that is
# possible, and a test whose program is missing is skipped with that reason (with CI=true on Linux it fails).
#
#   ./test.sh                        everything
#   ./test.sh STEP...                these steps only
#   ./test.sh --repeat N STEP...     these steps, N times one after the other; goes on after a failure
#   ./test.sh --list                 the steps
#
# The bounds of the steps, and of the whole run, grow with how slow the machine is at the time: see slowness in
# eng/lib.sh.
#
# The last line is "N passed, N failed, N skipped". Logs: artifacts/test-logs.
set -u
cd "$(dirname "$0")" || exit 2
root=$PWD
. eng/lib.sh

# The conformance suite, and those of its classes that are run once more with other ways of waiting.
suite=NativeIpc.Conformance
posix_tests() { printf " -class $suite.Posix.%s" "$@"; }
portable=$(posix_tests WaitTests PendingTests SemaphoreTests LockTests PermitTests MaximumCountTests DisposedTests \
    DisposeRaceTests OwnershipOfAllTests)
locks=NativeIpc.DistributedLock.Tests
waitv=$(posix_tests WaitTests PendingTests SemaphoreTests LockTests DisposedTests DisposeRaceTests)

# name             kind     seconds  command
#   xunit   a test executable: the folder of its project, with variables before it
#   wine    a test executable, published for Windows and run by Wine: its project, others that it starts, and its own
#           arguments
#   script  prints PASS, FAIL and SKIP lines
steps="
runner             script   120      eng/runner-test.sh
unit               xunit    300      tests/NativeIpc.Tests
abi                xunit    300      tests/NativeIpc.Abi
conformance        xunit    600      tests/$suite -namespace- $suite.PlainPosix -namespace- $suite.Windows
conformance-plain  xunit    600      NATIVEIPC_PLAIN_POSIX=1 tests/$suite -namespace $suite.PlainPosix
conformance-portable xunit  600      NATIVEIPC_PORTABLE_WAITS=1 tests/$suite$portable
conformance-waitv  xunit    600      NATIVEIPC_NO_IO_URING=1 tests/$suite$waitv
machine            xunit    900      tests/NativeIpc.Machine
models             script   110      tests/models/run.sh
storm              script   600      eng/storm.sh
faults             script   900      eng/faults.sh
peers              script   600      eng/peers.sh
interop            xunit    300      tests/NativeIpc.Interop
guides             xunit    600      tests/NativeIpc.Guides
distributed-lock   xunit    300      tests/$locks -namespace- $locks.Services
extensions         xunit    300      tests/NativeIpc.Extensions.Tests
services           xunit    400      tests/$locks -namespace $locks.Services
tool-aot           script   240      eng/tool-aot.sh
deb                script   200      eng/deb.sh
tool               xunit    900      NIPC=artifacts/nipc/nipc tests/NativeIpc.Tool.Tests
wine               wine     400      NativeIpc.Windows
wine-conformance   wine     600      NativeIpc.Conformance NativeIpc.Peer -namespace $suite.Windows
wine-tool          script   400      eng/tool-wine.sh
aot                script   400      eng/aot-smoke.sh
pack               script   420      eng/pack-test.sh
demo               script   300      eng/demo-test.sh
bench              script   300      eng/bench-test.sh
docs               script   30       eng/docs-test.sh
"
# Seconds, with the build: what is left of them bounds each step. On a machine that is busy or slow, up to the longest
# for each repetition.
whole_run=1740
longest_run=3600
repetitions=1

step_named() { say "$steps" | awk -v name="$1" '$1 == name'; }

case ${1:-} in
    -h | --help | --list) sed -n '2,/^set -u/p' test.sh | sed '$d; s/^# \{0,1\}//'; say "$steps"; exit 0 ;;
    --repeat)
        case ${2:-} in '' | *[!0-9]* | 0*) say "--repeat takes a number from 1." >&2; exit 2 ;; esac
        [ $# -gt 2 ] || { say "--repeat takes steps as well; ./test.sh --list names them." >&2; exit 2; }
        repetitions=$2
        shift 2
        ;;
esac
for name in "$@"; do
    [ -n "$(step_named "$name")" ] || { say "There is no step '$name'; ./test.sh --list names them." >&2; exit 2; }
done

logs=$root/artifacts/test-logs
rm -rf "$logs" "$root/artifacts/interop-matrix.md"
mkdir -p "$logs"
own=$(mktemp -d "${TMPDIR:-/tmp}/nativeipc-test.XXXXXX") || exit 2
watched=
trap 'end_watched; rm -rf "$own"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

passed=0 failed=0 skipped=0
add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

finish() {
    say ''
    say "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
    exit
}

fail() { # NAME REASON [LOG]
    coloured 31 "  FAIL $1: $2"
    [ -z "${3:-}" ] || { tail -n 30 "$3" | sed 's/^/    | /'; say "    log: ${3#"$root"/}"; }
    add 0 1 0
}

# Publishes projects for Windows and runs the first one under Wine.
wine_step() { # XML PROJECT... ARGUMENT...
    local xml=$1 projects=()
    shift
    while [ $# != 0 ] && [ "${1#-}" = "$1" ]; do projects+=("$1"); shift; done
    eng/wine-publish.sh "${projects[@]}" || return

    # So much memory (hexadecimal) that no garbage collection comes while the suite runs: under Wine 8 it can be its
    # end, see the conformance suite's README.md.
    local -x DOTNET_GCgen0size=40000000
    NATIVEIPC_PEER=$(windows_path "$root/artifacts/win-x64/NativeIpc.Peer.exe") \
        eng/wine-run.sh "artifacts/win-x64/${projects[0]}.exe" -noColor -noAutoReporters \
        -result-xml "$(windows_path "$xml")" "$@"
}

windows_path() { say "Z:${1//\//\\}"; }

# How slow the machine is now: that lengthens the whole run, the steps, and the watchdogs inside the tests.
measure() {
    slowness=$(slowness)
    local scaled=$((1740 * slowness))
    [ "$scaled" -lt "$longest_run" ] || scaled=$longest_run
    scaled=$((scaled * repetitions))
    [ "$scaled" -le "$whole_run" ] || whole_run=$scaled
    export NATIVEIPC_SLOWNESS=$slowness
}

run_step() { # NAME KIND SECONDS COMMAND...
    local name=$1 kind=$2 limit=$3 log="$logs/$1$round.log" xml="$logs/$1$round.xml"
    local left start=$SECONDS reason code results counts
    shift 3
    if [ "$kind" = wine ] && reason=$(why_no_wine wine x86_64-w64-mingw32-gcc) && [ -n "$reason" ]; then
        coloured 33 "$name: skipped"
        say "  SKIP $name: $reason"
        add 0 0 1
        return
    fi

    measure
    left=$((whole_run - SECONDS))
    limit=$((limit * slowness))
    [ "$limit" -lt "$left" ] || limit=$left
    if [ "$limit" -lt 1 ]; then
        coloured 31 "$name: not run"
        fail "$name" "no time is left of the $((whole_run / 60)) minutes of a run"
        return
    fi
    local command=("$@")
    if [ "$kind" = wine ]; then
        command=(wine_step "$xml" "$@")
    elif [ "$kind" = xunit ]; then
        local variables=()
        while [ "${1#*=}" != "$1" ]; do variables+=("$1"); shift; done
        local project=$1
        shift
        command=(env ${variables[@]+"${variables[@]}"} "$project/bin/Release/net10.0/${project##*/}"
            -noColor -noAutoReporters -result-xml "$xml" "$@")
    fi

    run_watched "$limit" "$log" "${command[@]}"
    code=$?
    if [ -s "$xml" ]; then results=$(read_xunit "$xml"); else results=$(read_lines "$log"); fi
    counts=$(say "$results" | awk '$1 == "counts" { print $2, $3, $4 }')
    # shellcheck disable=SC2086 # three numbers
    set -- ${counts:-0 0 0}
    coloured "$([ "$2" = 0 ] && [ "$code" = 0 ] && say 32 || say 31)" \
        "$name: $1 passed, $2 failed, $3 skipped ($((SECONDS - start)) s)"
    say "$results" | grep -E '^(SKIP|FAIL) ' | sed 's/^/  /'
    add "$1" "$2" "$3"
    if [ "$code" = 124 ]; then fail "$name" "the watchdog ended it after $limit s" "$log"
    elif [ $(($1 + $2 + $3)) = 0 ]; then fail "$name" "it ran no test and ended with $code" "$log"
    elif [ "$code" != 0 ] && [ "$2" = 0 ]; then fail "$name" "it ended with $code although no test failed" "$log"
    elif [ "$2" != 0 ]; then say "  log: ${log#"$root"/}"
    fi
}

if ! command -v dotnet >/dev/null; then
    fail build 'the .NET SDK is missing (global.json names the version): https://dotnet.microsoft.com/download'
    finish
fi

[ "$(uname -s)" != Linux ] || install_packages eng/debian-packages.txt "$logs/packages.log"

# No build server outlives a step, keeps its output open or lives in the folder that goes at the end. The first build
# has a compiler's server, which spares a start for each project, and ends it.
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
start=$SECONDS
measure
[ "$slowness" = 1 ] || say "This machine is busy or slow: bounds are up to $slowness times longer."
if ! run_watched $((900 * slowness)) "$logs/build.log" dotnet build NativeIpc.slnx -c Release -nologo -v q; then
    coloured 31 'build: failed'
    fail build 'the solution does not build' "$logs/build.log"
    finish
fi
end_marked
# The analyzers have seen everything; what the steps publish and pack anew is the same source. The step pack asks for
# them where it needs one.
export UseSharedCompilation=false RunAnalyzers=false
coloured 32 "build: done ($((SECONDS - start)) s)"

# Folders of this run's own: one that any user can use, as /tmp, and a runtime folder as Qt wants it.
mkdir "$own/tmp" "$own/runtime"
chmod 755 "$own"
chmod 1777 "$own/tmp"
chmod 700 "$own/runtime"
export TMPDIR=$own/tmp XDG_RUNTIME_DIR=$own/runtime
snapshot "$TMPDIR" "$XDG_RUNTIME_DIR" "$root" >"$logs/before.txt"

run_steps() { # STEP...: all of them when none is named
    local name kind limit command
    while read -r name kind limit command; do
        [ -n "$name" ] || continue
        # shellcheck disable=SC2086 # words of a command
        run_step "$name" "$kind" "$limit" $command
        [ "$name" != storm ] || grep '^storm ' "$logs/storm$round.log" | sed 's/^/  /'
        [ "$name" != peers ] || sed 's/^/  /' "$logs/peers$round.log"
        [ "$name" != interop ] || [ ! -f artifacts/interop-matrix.md ] || cat artifacts/interop-matrix.md
        [ "$name" != wine ] || [ ! -s "$logs/wine$round.xml" ] || eng/windows-matrix.sh "$logs/wine$round.xml" ||
            fail wine 'the matrix of the Windows peer could not be made'
    done <<<"$(if [ $# = 0 ]; then say "$steps"; else for name in "$@"; do step_named "$name"; done; fi)"
}

round=
if [ "$repetitions" = 1 ]; then
    run_steps "$@"
else
    for ((number = 1; number <= repetitions; number++)); do
        say "Round $number of $repetitions"
        round=-$number
        run_steps "$@"
    done
fi

# Whatever is new and used by no living process is a leftover.
snapshot "$TMPDIR" "$XDG_RUNTIME_DIR" "$root" >"$logs/after.txt"
LC_ALL=C comm -13 "$logs/before.txt" "$logs/after.txt" |
    while read -r line; do is_in_use "$line" || say "$line"; done >"$logs/leftovers.txt"
if [ -s "$logs/leftovers.txt" ]; then
    coloured 31 'leftovers: found'
    fail leftovers 'the tests left these in the system' "$logs/leftovers.txt"
else
    coloured 32 'leftovers: none'
fi
finish
