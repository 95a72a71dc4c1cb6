#!/usr/bin/env bash
# Builds everything and runs every test. Needs the .NET SDK only: missing Debian packages are installed where that is
# possible, and a test whose program is missing is skipped with that reason (with CI=true on Linux it fails).
#
#   ./test.sh                        everything
#   ./test.sh STEP...                these steps only
#   ./test.sh --repeat N STEP...     these steps, N times one after the other; goes on after a failure
#   ./test.sh --jobs N [STEP...]     N steps at a time; otherwise two for each processor (at most 4), as steps wait.
#                                    From 2 on, one of Wine runs beside them
#   ./test.sh --long [STEP...]       with repeats and samples at their full length
#   ./test.sh --no-build [STEP...]   what is built already
#   ./test.sh --list                 the steps
#
# On Linux as root each step has an IPC namespace and a /dev/shm of its own, so that steps can run side by side.
# Elsewhere one runs at a time. The bounds of the steps, and of the whole run, grow with how slow the machine is at the
# time: see slowness in eng/lib.sh.
#
# The last line is "N passed, N failed, N skipped". Logs and reports (TRX): artifacts/test-logs.
set -u
cd "$(dirname "$0")" || exit 2
root=$PWD
. eng/lib.sh

# name   kind  seconds  needs  command
#   kind    dotnet  a test project, run by dotnet test when the solution is built: variables, its name, and filters by
#                   trait
#           wine    a test project, published for Windows and run by Wine: its name, other programs, and filters
#           script  prints PASS, FAIL and SKIP lines
#   needs   steps that end before it begins, and build; +wine: one such step at a time; -: nothing
# In this order they begin: the steps of Wine, which run one by one, and the longest first. models fills what the others
# leave of the processors. What builds for itself begins beside the build.
# Under Wine 8 a garbage collection can be the end of a program, so the suite runs there in two parts
# (eng/wine-suite.sh).
events='-class NativeIpc.Conformance.Windows.Event* -class NativeIpc.Conformance.Windows.Any*'
no_events=${events//-class/-class-}
suite=NativeIpc.Conformance locks=NativeIpc.DistributedLock.Tests
rings=NativeIpc.Channels.Rings rings_peer=NativeIpc.Channels.Peer
named=NativeIpc.NamedObjects.Tests named_peers='NativeIpc.NamedObjects.Peer samples/dotnet/BusOnWindowsApi'
steps="
runner               script 120 +wine                  eng/runner-test.sh
wine-publish         script 400 -                      eng/wine-publish.sh
tool-aot             script 240 -                      eng/tool-aot.sh
unit                 dotnet 300 -                      NativeIpc.Tests
peers                script 600 -                      eng/peers.sh
wine                 wine   400 wine-publish,+wine     NativeIpc.Windows
wine-conformance     wine   600 wine,+wine             $suite NativeIpc.Peer -trait Needs=Windows $no_events
wine-events          wine   400 wine,+wine             $suite NativeIpc.Peer -trait Needs=Windows $events
wine-tool            script 400 wine,+wine             eng/tool-wine.sh
platforms            script 600 build,peers,wine       eng/platforms-test.sh
storm                script 600 wine-publish,+wine     eng/storm.sh
machine              dotnet 900 -                      NativeIpc.Machine
aot                  script 400 build                  eng/aot-smoke.sh
tool                 dotnet 900 tool-aot,peers         NIPC=$root/artifacts/nipc/nipc NativeIpc.Tool.Tests
pack                 script 900 build,tool-aot         eng/pack-test.sh
conformance          dotnet 600 -                      $suite --filter-not-trait Needs=Windows Calls=plain
models               script 900 -                      tests/models/run.sh
guides               dotnet 600 tool-aot,peers         NIPC=$root/artifacts/nipc/nipc NativeIpc.Guides
demo                 script 600 build,wine-publish     eng/demo-test.sh
services             dotnet 400 -                      $locks --filter-trait Needs=service
interop              dotnet 300 peers,aot              NativeIpc.Interop
bench                script 300 build                  eng/bench-test.sh
instructions         script 400 build                  eng/instructions.sh
walks                script 400 pack,peers             eng/walks.py
site                 script 300 build                  eng/site-test.sh
faults               script 900 build                  eng/faults.sh
distributed-lock     dotnet 300 -                      $locks --filter-not-trait Needs=service
extensions           dotnet 300 -                      NativeIpc.Extensions.Tests
named-objects        dotnet 300 -                      $named
named-objects-wine   wine   400 wine-conformance,+wine $named $named_peers -trait- Needs=Linux
rings-wine           wine   300 wine-conformance,+wine $rings $rings_peer -trait Needs=Windows
channels             dotnet 300 -                      NativeIpc.Channels.Tests
rings                dotnet 300 -                      $rings
analyzers            dotnet 300 -                      NativeIpc.Analyzers.Tests
conformance-plain    dotnet 600 -                      NATIVEIPC_PLAIN_POSIX=1 $suite --filter-trait Calls=plain
conformance-portable dotnet 600 -                      NATIVEIPC_PORTABLE_WAITS=1 $suite --filter-trait Waits=portable
conformance-waitv    dotnet 600 -                      NATIVEIPC_NO_IO_URING=1 $suite --filter-trait Waits=waitv
deb                  script 200 tool-aot               eng/deb.sh
peers-here           script 120 build,peers            eng/peers-here.py
abi                  dotnet 300 -                      NativeIpc.Abi
docs                 script 30  interop,rings,tool,wine eng/docs-test.sh
"
# Seconds, with the build: what is left of them bounds each step. On a machine that is busy or slow, up to the longest
# for each repetition.
usual_run=1740
longest_run=3600
repetitions=1
jobs=
build=yes
long=

step_named() { say "$steps" | awk -v name="$1" '$1 == name'; }
wrong() { say "$1" >&2; exit 2; }
number() { case $2 in '' | *[!0-9]* | 0*) wrong "$1 takes a number from 1." ;; esac; }

while [ $# != 0 ]; do
    case $1 in
        -h | --help | --list) sed -n '2,/^set -u/p' test.sh | sed '$d; s/^# \{0,1\}//'; say "$steps"; exit 0 ;;
        --repeat)
            number "$1" "${2:-}"
            [ $# -gt 2 ] || wrong "--repeat takes steps as well; ./test.sh --list names them."
            repetitions=$2
            shift 2
            ;;
        --no-build) build=; shift ;;
        --long) long=yes; shift ;;
        --jobs) number "$1" "${2:-}"; jobs=$2; shift 2 ;;
        *) break ;;
    esac
done
# Everything takes at most ten times as long then.
[ -z "$long" ] || { export NATIVEIPC_LONG=1; usual_run=$((usual_run * 10)) longest_run=$((longest_run * 10)); }
whole_run=$usual_run
for name; do
    [ -n "$(step_named "$name")" ] || wrong "There is no step '$name'; ./test.sh --list names them."
done

logs=$root/artifacts/test-logs
rm -rf "$logs"
mkdir -p "$logs"
own=$(mktemp -d "${TMPDIR:-/tmp}/nativeipc-test.XXXXXX") || exit 2
watched='' running='' waiting=''
end_all() {
    local word
    for word in $running; do kill -TERM "${word%%:*}" 2>/dev/null; done
    wait
    end_watched
    rm -rf "$own"
}
trap end_all EXIT
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

# How slow the machine is now: that lengthens the whole run, the steps, and the watchdogs inside the tests. Measured
# once a minute.
measured=-60
measure() {
    [ $((SECONDS - measured)) -ge 60 ] || return 0
    slowness=$(slowness)
    measured=$SECONDS
    local scaled=$((usual_run * slowness))
    [ "$scaled" -lt "$longest_run" ] || scaled=$longest_run
    scaled=$((scaled * repetitions))
    [ "$scaled" -le "$whole_run" ] || whole_run=$scaled
    export NATIVEIPC_SLOWNESS=$slowness
}

# In a subshell of its own. Prints what is to be said of the step; the last line has its three counts.
run_step() { # NAME KIND SECONDS COMMAND...
    local folder=$own/$begun name=$1 kind=$2 limit=$3 log="$logs/$1$round.log" trx="$logs/$1$round.trx"
    local left start=$SECONDS reason code results counts took command variables=()
    shift 3
    if [ "$kind" = wine ] && reason=$(why_no_wine wine x86_64-w64-mingw32-gcc) && [ -n "$reason" ]; then
        coloured 33 "$name: skipped"
        say "  SKIP $name: $reason"
        say "0 0 1"
        return
    fi

    left=$((whole_run - SECONDS))
    limit=$((limit * slowness * (${NATIVEIPC_LONG:+9} + 1)))
    [ "$limit" -lt "$left" ] || limit=$left
    if [ "$limit" -lt 1 ]; then
        coloured 31 "$name: not run"
        fail "$name" "no time is left of the $((whole_run / 60)) minutes of a run"
        say "0 1 0"
        return
    fi

    while [ "${1#*=}" != "$1" ]; do variables+=("$1"); shift; done
    case $kind in
        dotnet)
            command=(dotnet test --test-modules "tests/$1/bin/Release/net10.0/$1.dll" --root-directory "$root"
                --no-progress --no-ansi --results-directory "$logs" --report-xunit-trx
                --report-xunit-trx-filename "${trx##*/}" "${@:2}")
            ;;
        wine) command=(eng/wine-suite.sh "$trx" "$@") ;;
        script) command=("$@") ;;
    esac
    # Folders of the step's own: one that any user can use, as /tmp, and a runtime folder as Qt wants it.
    mkdir "$folder" "$folder/tmp" "$folder/runtime"
    chmod 755 "$folder"
    chmod 1777 "$folder/tmp"
    chmod 700 "$folder/runtime"
    run_watched "$limit" "$log" env TMPDIR="$folder/tmp" XDG_RUNTIME_DIR="$folder/runtime" \
        ${variables[@]+"${variables[@]}"} ${separate[@]+"${separate[@]}"} \
        eng/inside.sh "${separate[0]:-}" "$logs/$name$round.left" "${command[@]}"
    code=$?
    times >"$folder.times"
    if [ -s "$trx" ]; then results=$(read_tests "$trx" "$log"); else results=$(read_lines "$log"); fi
    counts=$(say "$results" | awk '$1 == "counts" { print $2, $3, $4 }')
    # shellcheck disable=SC2086 # three numbers
    set -- ${counts:-0 0 0}
    took="$((SECONDS - start)) s, $(processor_seconds "$folder.times") s of processors"
    coloured "$([ "$2" = 0 ] && [ "$code" = 0 ] && say 32 || say 31)" \
        "$name: $1 passed, $2 failed, $3 skipped ($took)"
    say "$results" | grep -E '^(SKIP|FAIL) ' | sed 's/^/  /'
    passed=$1 failed=$2 skipped=$3
    if [ "$code" = 124 ]; then fail "$name" "the watchdog ended it after $limit s" "$log"
    elif [ $(($1 + $2 + $3)) = 0 ]; then fail "$name" "it ran no test and ended with $code" "$log"
    elif [ "$code" != 0 ] && [ "$2" = 0 ]; then fail "$name" "it ended with $code although no test failed" "$log"
    elif [ "$2" != 0 ]; then say "  log: ${log#"$root"/}"
    fi
    [ ! -s "$logs/$name$round.left" ] || fail "$name" "it left these in the system" "$logs/$name$round.left"
    case $name in
        storm) grep '^storm ' "$log" | sed 's/^/  /' ;;
        peers) sed 's/^/  /' "$log" ;;
        interop) cat artifacts/interop-matrix.md ;;
        wine) grep '^C, Windows: ' "$log"; cat artifacts/windows-matrix.md ;;
    esac 2>/dev/null
    say "$passed $failed $skipped" # of this step alone
}

if ! command -v dotnet >/dev/null; then
    fail build 'the .NET SDK is missing (global.json names the version): https://dotnet.microsoft.com/download'
    finish
fi

[ "$(uname -s)" != Linux ] || install_packages eng/debian-packages.txt "$logs/packages.log"

# No build server outlives a step, keeps its output open or lives in the folder that goes at the end. The first build
# has a compiler's server, which spares a start for each project, and ends it.
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
# NuGet's locks lie in the folder for temporary files, which each step has of its own: without locks that they share,
# steps that restore at once on a new machine read a package that another is still unpacking.
export NUGET_SCRATCH=$own/nuget
# What takes processor time and buys nothing in runs of seconds: profiles of code that is about to be compiled again
# (a quarter of the step unit), and the compiler's garbage collector for servers.
export DOTNET_TieredPGO=0 DOTNET_gcServer=0
# A python3 that is a script, as pyenv's, takes ten times as long to start as Python itself, which is started hundreds
# of times (a quarter of the step rings).
python=$(command -v python3) && [ "$(head -c 2 "$python" | tr -d '\0')" = '#!' ] &&
    python=$("$python" -c 'import sys; print(sys.executable)') && export PATH="${python%/*}:$PATH"
measure
[ "$slowness" = 1 ] || say "This machine is busy or slow: bounds are up to $slowness times longer."

chmod 755 "$own"
separate=()
if [ "$(uname -s) $(id -u)" = 'Linux 0' ] &&
    unshare --ipc --mount --propagation private mount -t tmpfs tmpfs /dev/shm 2>/dev/null; then
    separate=(unshare --ipc --mount --propagation private)
    [ -n "$jobs" ] || jobs=$(($(nproc) * 2))
    [ "$jobs" -le 4 ] || jobs=4
else
    jobs=1
fi
snapshot_processes "$root" >"$own/processes"

begin() { # NAME NEEDS COMMAND...
    local name=$1 used=none
    case $2 in *+wine*) used=+wine ;; esac
    shift 2
    begun=$((begun + 1))
    (
        trap 'end_watched; exit 143' TERM
        trap - EXIT INT
        "$@" >"$own/$begun.said" 2>&1
    ) &
    running="$running $!:$name:$used:$begun"
    waiting=$(say " $waiting " | sed "s/ $name / /")
}

end() { # WORD of a running step
    local number=${1##*:} counts
    wait "${1%%:*}"
    sed '$d' "$own/$number.said"
    counts=$(tail -n 1 "$own/$number.said")
    # shellcheck disable=SC2086 # three numbers
    add $counts
    rm -rf "${own:?}/$number"
    running=$(say " $running " | sed "s/ $1 / /")
    case "$1 $counts" in *:build:*' 0 0 0') ;; *:build:*) finish ;; esac
}

build_solution() { # AHEAD: true or false
    run_watched $((900 * slowness)) "$logs/build.log" dotnet build NativeIpc.slnx -c Release -nologo -v q \
        -p:NativeIpcAsserts=true "-p:NativeIpcAhead=$1" -p:UseSharedCompilation=true
}

# In a subshell as well, with the same last line.
build_all() {
    local start=$SECONDS ahead=false built=
    [ "$(uname -sm)" != 'Linux x86_64' ] || ! getconf GNU_LIBC_VERSION >/dev/null 2>&1 || ahead=true
    build_solution $ahead && built=yes
    # tests/Ahead.targets is for speed alone, and the other packages may be here without a network.
    if [ -z "$built" ] && [ $ahead = true ] && grep -qE 'error NU1(101|102|301)' "$logs/build.log"; then
        say 'build: NuGet does not give all packages; once more without the compiler of tests/Ahead.targets'
        build_solution false && built=yes
    fi
    if [ -z "$built" ]; then
        coloured 31 'build: failed'
        fail build 'the solution does not build' "$logs/build.log"
        say '0 1 0'
        return
    fi
    times >"$own/build.times"
    coloured 32 "build: done ($((SECONDS - start)) s, $(processor_seconds "$own/build.times") s of processors)"
    end_marked
    say '0 0 0'
}

begun=0
if [ -z "$build" ]; then say 'build: none'; else begin build - build_all; fi
# The analyzers have seen everything; what the steps publish and pack anew is the same source. The step pack asks for
# them where it needs one.
export UseSharedCompilation=false RunAnalyzers=false
# The index of this run's peers: runs of other trees write the one in the cache as well.
case " $* " in '  ' | *' peers '*) export NATIVEIPC_PEERS=${NATIVEIPC_PEERS:-$root/artifacts/peers.tsv} ;; esac

# The programs for Windows, all at once.
case " $* " in '  ' | *' wine-publish '*) export NATIVEIPC_WINDOWS_PUBLISHED=yes ;; esac

# Runs the chosen steps, as many at a time as there is room for.
run_steps() { # STEP...: all of them when none is named
    local name kind limit needs command word
    waiting=$(say "$steps" | awk -v chosen=" $* " 'NF && (chosen == "  " || index(chosen, " " $1 " ")) { print $1 }' |
        tr '\n' ' ')
    while [ -n "${waiting// /}${running// /}" ]; do
        while read -r name kind limit needs command; do
            case " $waiting " in *" ${name:-none} "*) ;; *) continue ;; esac
            [ "$kind" != dotnet ] || needs=build,$needs
            can_begin "$needs" && has_room "$needs" || continue
            measure
            # shellcheck disable=SC2086 # words of a command
            begin "$name" "$needs" run_step "$name" "$kind" "$limit" $command
        done <<<"$steps"
        for word in $running; do
            kill -0 "${word%%:*}" 2>/dev/null || end "$word"
        done
        sleep 0.2
    done
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

# Processes of this build that are new. What else it left, each step has said.
snapshot_processes "$root" | LC_ALL=C comm -13 "$own/processes" - >"$logs/leftovers.txt"
if [ -s "$logs/leftovers.txt" ]; then
    coloured 31 'leftovers: found'
    fail leftovers 'the tests left these in the system' "$logs/leftovers.txt"
else
    coloured 32 'leftovers: none'
fi
finish
