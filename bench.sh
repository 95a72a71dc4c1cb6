#!/usr/bin/env bash
# Measures the library beside C, and beside Qt 6.8, Boost, Python and what .NET itself has where they are installed, and
# writes the tables: bench/RESULTS.md, bench/results.tsv and the one in bench/README.md. bench/README.md says what each
# workload measures.
#
#   ./bench.sh [OPTION...] [PREFIX...]    PREFIX: only the workloads that begin so (posix. lock. cancel); channels:
#                                         those of rings and topics
#     -r, --rounds N     rounds (5; of channels alone 11); slow workloads and slow peers are in the first of them only
#     -m, --minutes N    no further round begins when it would end later than that (15)
#     -p, --peers LIST   of c,qt,boost,py,net,jit,aot,rivals,net11,musl,iceoryx (jit and aot are ours; rivals are ours
#                        beside Redis and PostgreSQL, where they are installed; net11 and musl are ours on those: .NET
#                        11 comes from NuGet, musl needs Debian's packages musl-tools and libssl3; iceoryx needs iceoryx
#                        and libiceoryx-posh-dev); c is the base of the ratios
#     --worst-of N       the table, and what is compared with later, is of each row the worst of this run and of the
#                        last N - 1 whole ones, which bench/runs keeps: for runs that are hours apart
#     --compare          measures, names what has become slower than bench/results.tsv says by more than the noise, and
#                        fails if anything has; writes nothing. What seems slower is measured twice more, and named if
#                        it is so each time. A table of another machine gives ratios and counts only
#     --tables           measures nothing: the tables of the last whole run here, also if that was to compare
#     --quick            one round of c, jit and rivals, as short as it can be: shows that everything runs, says
#                        nothing about speed, writes nothing
#     --list             the workloads of ours
#     --help
#
# Takes about a quarter of an hour. A table is written only if all workloads and all peers of ours were measured. Raw
# values: artifacts/bench.
set -u
cd "$(dirname "$0")" || exit 2
root=$PWD
. eng/lib.sh

rounds='' minutes=15 worst_of=1 compare='' tables='' quick='' whole=yes
peers=c,qt,boost,py,net,jit,aot,rivals,net11,musl,iceoryx
usage() { sed -n '2,/^set -u/p' bench.sh | sed '$d; s/^# \{0,1\}//'; }
prefixes=()
arguments=("$@")
while [ $# != 0 ]; do
    case $1 in
        -r | --rounds) rounds=${2:?"$1 needs a number"}; shift ;;
        -m | --minutes) minutes=${2:?"$1 needs a number"}; shift ;;
        -p | --peers) peers=${2:?"$1 needs a list"} whole=; shift ;;
        --worst-of) worst_of=${2:?"$1 needs a number"}; shift ;;
        --compare) compare=yes ;;
        --tables) tables=yes ;;
        --quick) quick=yes peers=c,jit,rivals rounds=1 whole= ;;
        --list) list=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) say "There is no option '$1'." >&2; usage >&2; exit 2 ;;
        channels) prefixes+=(ring. topic.); whole=; : "${rounds:=11}" ;;
        *) prefixes+=("$1"); whole= ;;
    esac
    shift
done
: "${rounds:=5}"
for number in "$rounds" "$minutes" "$worst_of"; do
    case $number in '' | *[!0-9]* | 0) say "'$number' is no number of rounds, minutes or runs." >&2; exit 2 ;; esac
done
for name in ${peers//,/ }; do
    case $name in
        c | qt | boost | py | net | jit | aot | rivals | net11 | musl | iceoryx) ;;
        *) say "There is no peer '$name'." >&2; exit 2 ;;
    esac
done

[ -z "$compare" ] || [ -f bench/results.tsv ] ||
    { say 'There is no bench/results.tsv to compare with; ./bench.sh writes it.' >&2; exit 2; }
[ "$(uname -s)" = Linux ] || { say 'The yardsticks run on Linux only.' >&2; exit 2; }
for program in dotnet gcc; do command -v $program >/dev/null || { say "'$program' is missing." >&2; exit 2; }; done

# Names, limits and leftovers of our own, where that is allowed.
if [ -z "${NATIVEIPC_BENCH_INSIDE:-}" ]; then
    if [ "$(id -u)" = 0 ] && unshare --ipc --mount true 2>/dev/null; then
        NATIVEIPC_BENCH_INSIDE=yes exec \
            unshare --ipc --mount --propagation private -- "$root/bench.sh" ${arguments[@]+"${arguments[@]}"}
    fi
    say 'Not root: this runs in the /dev/shm and the IPC name space that all programs share.' >&2
    NATIVEIPC_BENCH_INSIDE=no
fi
out=$root/artifacts/bench
mkdir -p "$out" || exit 2
exec 9>"$out/.lock"
flock -n 9 || { say 'Another bench.sh is running here; they would measure each other.' >&2; exit 2; }
[ "$NATIVEIPC_BENCH_INSIDE" = no ] || mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 2
own=$(mktemp -d "${TMPDIR:-/tmp}/nativeipc-bench.XXXXXX") || exit 2
# The key files of System V on tmpfs, where a user's runtime folder is. On ext4 without a journal each new file is
# looked for past all inodes that were freed in the last minutes, one by one: hundreds of microseconds, for whoever
# comes after others (perf: find_inode_bit and recently_deleted are 90 % of C's time).
keys=$(mktemp -d /dev/shm/nativeipc-bench.XXXXXX) || exit 2
trap 'rm -rf "$own" "$keys"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_RUNTIME_DIR=$keys
ulimit -n "$(ulimit -Hn)"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 \
    UseSharedCompilation=false
[ -z "$quick" ] || export YARD_QUICK=1

report=$out/report/NativeIpc.BenchReport
table() { # RUNS: shows the tables, and leaves them in $out
    local earlier=()
    if [ "$worst_of" != 1 ]; then
        mapfile -t earlier < <(find bench/runs -name '*.tsv' ! -name "$when.tsv" 2>/dev/null | sort |
            tail -n $((worst_of - 1)))
        [ ${#earlier[@]} = 0 ] || about="$about The worst of this run and those of $(
            basename -s .tsv -a "${earlier[@]}" | paste -sd ' ')."
    fi
    "$report" report "$1" "$root/bench" "$out" "$machine" "$about" ${earlier[@]+"${earlier[@]}"}
}
write_tables() {
    cp "$out/RESULTS.md" "$out/results.tsv" "$root/bench/"
    mkdir -p bench/runs && cp "$out/whole.tsv" "bench/runs/$when.tsv"
    find bench/runs -name '*.tsv' | sort -r | tail -n +4 | xargs -r rm --
    awk -v table="$out/targets.md" '
        /<!-- table: begin/ { print; while ((getline line < table) > 0) print line; inside = 1 }
        /<!-- table: end/ { inside = 0 }
        !inside || /<!-- table: end/ { if (!/<!-- table: begin/) print }' "$root/bench/README.md" >"$own/README.md" &&
        cp "$own/README.md" "$root/bench/README.md"
    say 'Written: bench/RESULTS.md, bench/results.tsv, bench/README.md, bench/runs.'
}

# ---- building: each peer gets its command, or a reason why it is left out ----
names=() missing=()
want() { case ",$peers," in *",$1,"*) ;; *) return 1 ;; esac; }
peer() { names+=("$1"); printf -v "command_$1" '%s' "$2"; }
without() { missing+=("$1"); say "Without $1."; }
built() { # LOG COMMAND...
    local log=$out/$1.log
    shift
    "$@" >"$log" 2>&1 || { say "It does not build: $*" >&2; tail -n 20 "$log" >&2; exit 2; }
}
publish() {
    built "$1" building tree dotnet publish "$root/bench/NativeIpc.Yardstick" -c Release -nologo -v q -o "$out/$1" \
        "${@:2}"
}
# Programs for the JIT, all by one start of MSBuild, in one process: a third of what they take one by one. Each is
# restored just before it is built, as another one may be of the same project. One compiler for all, which ends with the
# folder for temporary files that is its own.
programs=()
program() { # FOLDER PROJECT [PROPERTY]: one more of them
    local properties="Configuration=Release;PublishDir=$out/$1/;PublishAot=false;SelfContained=false${3:+;$3}"
    programs+=("<MSBuild Projects=\"$root/bench/$2/$2.csproj\" Targets=\"Restore\" \
        Properties=\"$properties;MSBuildRestoreSessionId=$1\" />"
        "<MSBuild Projects=\"$root/bench/$2/$2.csproj\" Targets=\"Publish\" Properties=\"$properties\" />")
}
publish_programs() {
    say '<Project><Target Name="Publish">' "${programs[@]}" '</Target></Project>' >"$own/programs.proj"
    built programs building tree dotnet msbuild "$own/programs.proj" -nologo -v:q -m:1 -t:Publish \
        ${TMPDIR:+-p:UseSharedCompilation=true}
    end_compiler
}

sources=$root/bench/peers
program jit NativeIpc.Yardstick
program report NativeIpc.BenchReport
if [ -z "$tables${list:-}" ]; then
    # Two whose start is measured
    if want jit; then
        program start-jit/empty NativeIpc.Start Empty=true
        program start-jit/whole NativeIpc.Start
    fi
    if want rivals; then program rivals NativeIpc.Rivals; fi
fi
publish_programs
if [ -n "$tables" ]; then
    [ -s "$out/whole.tsv" ] || { say 'No whole run was made here.' >&2; exit 2; }
    { read -r machine; read -r about; read -r when; } <"$out/about"
    table "$out/whole.tsv" && write_tables
    exit
fi
[ -z "${list:-}" ] || { "$out/jit/NativeIpc.Yardstick" --list; exit; }
if want c; then
    built c gcc -O2 -Wall -Wextra -I "$root/include" -o "$out/yard_c" "$sources/yard.c" -lpthread -lrt
    peer c "$out/yard_c"
    export NATIVEIPC_YARD_C=$out/yard_c # the other side of some rings of ours
fi
if want qt; then
    trixie=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}/trixie
    if [ "$(id -u)" != 0 ]; then without 'Qt: building inside its folder needs root'
    elif [ ! -x "$trixie/usr/bin/g++" ]; then without 'Qt 6.8: eng/peers.sh installs it'
    else
        triplet=$(basename "$(dirname "$(find "$trixie/usr/lib" -maxdepth 2 -name libQt6Core.so.6 | head -n 1)")")
        inside=/tmp/nativeipc-bench-$$
        mkdir -p "$trixie$inside"
        cp "$sources/yard.h" "$sources/workloads.h" "$sources/yard_qt.cpp" "$trixie$inside/"
        built qt chroot "$trixie" g++ -std=c++17 -O2 -fPIC -Wall -Wextra \
            "-I/usr/include/$triplet/qt6" "-I/usr/include/$triplet/qt6/QtCore" \
            -o "$inside/yard_qt" "$inside/yard_qt.cpp" -lQt6Core
        cp "$trixie$inside/yard_qt" "$out/"
        rm -rf "${trixie:?}$inside"
        loader=$(find "$trixie/usr/lib/$triplet" -maxdepth 1 -name 'ld-linux-*.so.*' | head -n 1)
        peer qt "$loader --library-path $trixie/usr/lib/$triplet $out/yard_qt"
    fi
fi
if want boost; then
    if ! command -v g++ >/dev/null || [ ! -d /usr/include/boost/interprocess ]; then
        without 'Boost: g++ or libboost-dev is missing'
    else
        built boost g++ -std=c++17 -O2 -Wall -Wextra -o "$out/yard_boost" "$sources/yard_boost.cpp" -lpthread -lrt
        peer boost "$out/yard_boost"
    fi
fi
if want iceoryx; then
    headers=$(find /usr/include/iceoryx -maxdepth 1 -name 'v2*' 2>/dev/null | head -n 1)
    if ! command -v g++ >/dev/null || ! command -v iox-roudi >/dev/null || [ -z "$headers" ]; then
        without 'iceoryx: g++, iceoryx or libiceoryx-posh-dev is missing'
    else
        built iceoryx g++ -std=c++17 -O2 -Wall -Wextra -isystem "$headers" -o "$out/yard_iceoryx" \
            "$sources/yard_iceoryx.cpp" -liceoryx_posh -liceoryx_hoofs -liceoryx_platform -lpthread
        peer iceoryx "$out/yard_iceoryx"
    fi
fi
if want py; then
    if command -v /usr/bin/python3 >/dev/null; then
        peer py "/usr/bin/python3 $sources/yard.py"
    else
        without 'Python: python3 is missing'
    fi
fi
! want net || peer net "$out/jit/NativeIpc.Yardstick --builtin"

# The library as its package has it, with machine code, for the program whose start is measured.
if want jit; then
    built ahead building tree dotnet build "$root/src/NativeIpc" -c Release -nologo -v q -m:1 -p:_IsPacking=true \
        -p:AheadOnly=x64 '-t:Build;CompileAhead'
    cp "$root/src/NativeIpc/obj/Release/net10.0/ahead/x64/NativeIpc.dll" "$out/start-jit/whole/" || exit 2
    peer jit "env YARD_START=$out/start-jit $out/jit/NativeIpc.Yardstick"
fi
if want aot; then
    linker=gcc
    publish aot --ucr -p:CppCompilerAndLinker=$linker
    for kind in empty whole; do
        built "start-aot-$kind" building tree dotnet publish "$root/bench/NativeIpc.Start" -c Release -nologo -v q \
            -o "$out/start-aot/$kind" "-p:Empty=$([ $kind = whole ] || say true)" -p:PublishAot=true --ucr \
            -p:CppCompilerAndLinker=$linker
    done
    peer aot "env YARD_START=$out/start-aot $out/aot/NativeIpc.Yardstick"
fi

# The same program on another runtime, and on another C library beside C on that: only what is hot.
if want net11; then
    if newer=$(eng/newer-dotnet.sh 11.0.0 2>"$out/newer-dotnet.log"); then
        peer net11 "env DOTNET_ROOT=$newer DOTNET_ROLL_FORWARD=LatestMajor $out/jit/NativeIpc.Yardstick"
    else
        without ".NET 11: $(tail -n 1 "$out/newer-dotnet.log")"
    fi
fi
if want musl; then
    if [ "$NATIVEIPC_BENCH_INSIDE" = no ]; then
        without 'musl: only root can give it its libraries'
    elif ! libraries=$(eng/musl-libraries.sh 2>"$out/musl-libraries.log"); then
        without "musl: $(tail -n 1 "$out/musl-libraries.log")"
    else
        publish musl -p:PublishAot=false -r linux-musl-x64 --self-contained
        # musl has no sem_clockwait; nothing that is measured here calls it. The kernel's headers are beside glibc's.
        built cmusl musl-gcc -O2 -Wall -Wextra -static -I "$root/include" -idirafter /usr/include \
            -idirafter /usr/include/x86_64-linux-gnu '-Dsem_clockwait(s,c,t)=sem_timedwait(s,t)' '-DY_PEER="cmusl"' \
            -o "$out/yard_musl" "$sources/yard.c"
        mount --bind "$libraries" /etc/ld-musl-x86_64.path || exit 2
        peer cmusl "$out/yard_musl"
        # ICU is built for glibc.
        peer musl "env DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 $out/musl/NativeIpc.Yardstick"
    fi
fi

! want rivals || peer rivals "$out/rivals/NativeIpc.Rivals"

# ---- running: one group at a time by every peer, so that what the machine does meanwhile falls on all of them ----
# Group, rounds that it is in at most, seconds that a peer has for it.
groups='
posix.try_pair  99 30
posix.wait_pair 99 30
sysv.pair       99 30
lock.           99 60
pp.posix.       99 60
pp.crowd.       99 60
pp.sysv.        99 60
contend.        99 90
event.          99 60
any.            99 60
posix.sem.      99 60
sysv.sem.       99 60
posix.shm4k.    99 60
sysv.shm4k.     99 60
posix.shm64m.   3  90
sysv.shm64m.    2  90
copy.           3  90
rand.           3  60
scale.posix.    3  120
scale.sysv.     2  120
rss.            3  60
alloc.          1  60
start           99 60
first           1  60
limiter.        99 30
object.limiter. 1  30
named.          99 60
object.named.   1  30
dlock.          3  90
takeover.       1  120
ring.64         99 60
ring.trip.x     99 60
ring.trip.1     99 60
ring.trip.as    99 60
ring.4k         99 60
ring.1m         99 60
ring.idle       1  60
topic.          99 60
load.           99 60
cancel          1  120
async           1  120
'
# A start for each group would be most of what the shortest run takes.
[ -z "$quick" ] || groups=$(awk 'NF { words = words "," $1; limit += $3 } END { print substr(words, 2), 99, limit }' \
    <<<"$groups")
slow_peers=,py,net,boost, # two rounds: no target but the accessor's is a ratio to them
platforms=,net11,musl,cmusl, # in these groups only, three rounds
hot=' posix.try_pair posix.wait_pair sysv.pair lock. pp.posix. posix.sem. sysv.sem. posix.shm4k. sysv.shm4k. event. '
chosen() { # GROUP: prints the prefixes of it that were asked for
    [ ${#prefixes[@]} != 0 ] || { say "$1"; return; }
    local prefix
    for prefix in "${prefixes[@]}"; do
        case $1 in "$prefix"*) say "$1"; return ;; esac
        case $prefix in "$1"*) say "$prefix" ;; esac
    done
}

failures=0
measure() { # RUNS ROUNDS: what was chosen, by all peers
    local runs=$1 rounds=$2 round begin group word most limit selected i name command mark code
    : >"$runs"
    for ((round = 1; round <= rounds; round++)); do
        begin=$SECONDS
        while read -r group most limit; do
            [ -n "$group" ] && [ "$round" -le "$most" ] || continue
            selected=$(for word in ${group//,/ }; do chosen "$word"; done | sort -u)
            [ -n "$selected" ] || continue
            for ((i = 0; i < ${#names[@]}; i++)); do
                name=${names[(i + round) % ${#names[@]}]} # another one first each round
                case $slow_peers in *",$name,"*) [ "$round" -le 2 ] || continue ;; esac
                case $platforms in *",$name,"*) [[ $round -le 3 && $hot == *" $group "* ]] || continue ;; esac
                command=command_$name
                # The rivals' are ours too, with the JIT: their rows are no other's.
                mark="$round\t${name/#rivals/jit}\t"
                # shellcheck disable=SC2086 # words of a command, and prefixes
                timeout "$limit" ${!command} $selected 2>"$own/error" 9>&- </dev/null | sed "s/^/$mark/" >>"$runs"
                code=${PIPESTATUS[0]}
                [ "$code" != 0 ] || continue
                say "$name failed in $selected ($code):" >&2
                tail -n 5 "$own/error" >&2
                case $name in
                    c | jit | aot | rivals | net11 | musl) failures=$((failures + 1)) ;;
                    *) missing+=("$name's $selected in round $round, which failed") ;;
                esac
            done
        done <<<"$groups"
        ran=$round
        say "Round $round of $rounds: $((SECONDS - begin)) s" >&2
        if [ "$round" -lt "$rounds" ] && [ $((SECONDS + SECONDS - begin)) -gt $((minutes * 60)) ]; then
            say "No time is left for another one (--minutes $minutes)." >&2
            return
        fi
    done
}
runs=$out/runs.tsv
measure "$runs" "$rounds"
rounds=$ran

# ---- the tables ----
library=$(getconf GNU_LIBC_VERSION 2>/dev/null || say 'another C library')
runtime=$(dotnet --list-runtimes | awk '$1 == "Microsoft.NETCore.App" { v = $2 } END { print v }')
processor=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
idle=$(cat /sys/devices/system/cpu/cpuidle/current_driver /sys/devices/system/cpu/cpuidle/current_governor 2>/dev/null |
    paste -s -d /)
machine="$(uname -sr), $library, .NET $runtime, $(nproc) cores ($processor), idle cores: ${idle:-unknown}"
when=$(date +%FT%H%M)
about="$(date +%F), $machine, rounds: $rounds."
for reason in ${missing[@]+"${missing[@]}"}; do about="$about Without $reason."; done
[ -z "$quick" ] || about="$about Quick: the numbers mean nothing."
if [ -n "$whole" ] && [ "$failures" = 0 ]; then
    printf '%s\n' "$machine" "$about" "$when" >"$out/about" && cp "$runs" "$out/whole.tsv"
fi
table "$runs" || exit 2
if [ "$failures" != 0 ]; then
    say "$failures times a yardstick of C or of ours failed; see above. Nothing was written." >&2
    exit 1
fi
if [ -n "$compare" ]; then
    minutes=60 again=()
    for ((time = 1; time <= 2; time++)); do
        slower=$("$report" compare bench/results.tsv "$out/results.tsv" ${again[@]+"${again[@]}"}) && break
        prefixes=()
        while read -r group _; do
            [ -z "$group" ] || ! grep -qF "slower: $group" <<<"$slower" || prefixes+=("$group")
        done <<<"$groups"
        say "$slower" "Again, time $time of 2: ${prefixes[*]}"
        measure "$out/again-$time.tsv" "$rounds"
        "$report" results "$machine" "$out/again-$time-results.tsv" "$out/again-$time.tsv" || exit 2
        again+=("$out/again-$time-results.tsv")
        # Further rounds of the run, for --tables
        [ -z "$whole" ] || awk -F'\t' -v OFS='\t' -v before=$((time * rounds)) '{ $1 += before } 1' \
            "$out/again-$time.tsv" >>"$out/whole.tsv"
        [ -z "$whole" ] || sed -i "2s/ rounds: [^.]*/ rounds: $rounds, $((time * rounds)) more of what seemed slower/" \
            "$out/about"
    done
    "$report" compare bench/results.tsv "$out/results.tsv" ${again[@]+"${again[@]}"}
    exit
fi
[ -z "$whole" ] || write_tables
