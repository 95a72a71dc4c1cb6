#!/bin/bash
# Counts the instructions of the ten hottest operations, native AOT, and compares them with bench/instructions.tsv: a
# count is the same on a busy machine, where a time says nothing. One line per operation, PASS, FAIL or SKIP; non-zero
# exit when one takes over 2 % more.
#
#   eng/instructions.sh             compares
#   eng/instructions.sh --write     writes bench/instructions.tsv instead
#
# Counted is what runs outside the kernel (valgrind --tool=callgrind), in the method Harness.Counted only.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # publish_native, run_watched
table=$root/bench/instructions.tsv out=$root/artifacts/instructions
write='' program=$out/bin/NativeIpc.Yardstick
[ "${1:-}" != --write ] || write=yes
# Operation, and how often: enough that what is done once for all does not show.
operations='
posix.try_pair 20000
posix.wait_pair 20000
lock.posix 20000
event.pair 20000
sysv.pair 5000
lock.sysv 5000
posix.sem.open_close 500
sysv.sem.open 500
posix.shm4k.attach_detach 500
posix.shm4k.create_destroy 500
'
most=2 # per cent

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
    echo 'SKIP instructions: counted on Linux x64 only'
    exit 0
fi
if ! command -v valgrind >/dev/null || [ -z "$(native_linker)" ]; then
    echo 'SKIP instructions: no valgrind, or no gcc or clang to link with'
    exit 0
fi
mkdir -p "$out"
work=$(mktemp -d /dev/shm/nativeipc-count.XXXXXX) || exit 1 # as long everywhere: paths count
trap 'rm -rf "$work"' EXIT
# The names stay, by which callgrind knows what to count; of the rest valgrind 3.19 cannot read the version.
if ! publish_native bench/NativeIpc.Yardstick "$out/bin" "$out/publish.log" -p:StripSymbols=false ||
    ! strip --strip-debug "$program"; then
    tail -n 20 "$out/publish.log" >&2
    echo "FAIL instructions: the yardstick is published: see $out/publish.log"
    exit 1
fi
compiler=$(sed -n 's|.*"path": "microsoft.dotnet.ilcompiler/\(.*\)",|\1|p' \
    "$root/artifacts/native/obj/NativeIpc.Yardstick/project.assets.json")
counted_with=$(awk -F'\t' '$1 == "# compiler" { print $2 }' "$table" 2>/dev/null)

# The collector reserves more address space than valgrind has, unless it is given a limit.
count() { # OPERATION N: prints instructions of one operation
    YARD_COUNTED=$2 DOTNET_GCHeapHardLimit=4000000 XDG_RUNTIME_DIR=$work run_watched "$(patient 60)" "$work/log" \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        '--toggle-collect=*Harness__Counted*' "$program" "$1" || return
    awk -v n="$2" '/Collected : [1-9]/ { printf "%.1f\n", $NF / n; found = 1 } END { exit !found }' "$work/log"
}

failures=0
[ -z "$write" ] || {
    echo '# Instructions of one operation, native AOT, outside the kernel: eng/instructions.sh --write'
    printf '# compiler\t%s\n' "$compiler"
} >"$work/table"
while read -r operation n; do
    [ -n "$operation" ] || continue
    if ! now=$(count "$operation" "$n"); then
        tail -n 20 "$work/log" >&2
        echo "FAIL instructions: $operation: valgrind counted nothing"
        failures=1
        continue
    fi
    if [ -n "$write" ]; then
        printf '%s\t%s\n' "$operation" "$now" >>"$work/table"
        echo "PASS instructions: $operation: $now"
        continue
    fi
    last=$(awk -F'\t' -v name="$operation" '$1 == name { print $2 }' "$table")
    if [ "$compiler" != "$counted_with" ]; then
        echo "SKIP instructions: $operation: $now, the table was counted with compiler $counted_with, not $compiler"
    elif awk -v now="$now" -v last="$last" -v most="$most" 'BEGIN { exit !(now <= last * (1 + most / 100)) }'; then
        echo "PASS instructions: $operation: $now, by the table $last"
    else
        echo "FAIL instructions: $operation: $now, by the table $last: over $most % more." \
            "Where that is worth it, write the table anew: eng/instructions.sh --write"
        failures=1
    fi
done <<<"$operations"
[ -z "$write" ] || [ "$failures" != 0 ] || mv "$work/table" "$table"
exit $failures
