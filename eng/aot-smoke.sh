#!/bin/bash
# Publishes tests/NativeIpc.Aot and tests/NativeIpc.Configuration with native AOT and runs them: one line per check,
# PASS, FAIL or SKIP; non-zero exit when one failed. Publishes tests/NativeIpc.Peer as well (artifacts/aot/peer), for
# the step interop.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # publish_native, run_watched: macOS has no timeout(1)
out=$root/artifacts/aot
quick=-p:NativeDebugSymbols=false # takes a seventh of the compiler's time, and nobody debugs these
failures=0
pass() { echo "PASS aot: $1"; }
fail() {
    echo "FAIL aot: $1: $(echo "$2" | tr "\n" " ")"
    failures=1
}

if ! command -v dotnet >/dev/null; then
    echo "SKIP aot: no .NET SDK"
    exit 0
fi
if [ -z "$(native_linker)" ]; then
    echo "SKIP aot: no gcc or clang to link with"
    exit 0
fi

program=$out/NativeIpc.Aot/NativeIpc.Aot
rm -rf "$out"
mkdir -p "$out"
if ! publish_native 'tests/NativeIpc.Aot tests/NativeIpc.Peer tests/NativeIpc.Configuration' "$out" \
    "$out/publish.log" $quick; then
    sed 's/^/    /' "$out/publish.log" >&2
    fail "published without a warning of trimmer or AOT compiler" "see $out/publish.log"
    exit 1
fi
pass "published without a warning of trimmer or AOT compiler"

# Own folders, and where it is allowed own System V objects and an own /dev/shm: whatever is in them afterwards was left
# behind.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -m 0700 "$work/runtime" "$work/tmp"
run='
export XDG_RUNTIME_DIR=$1/runtime TMPDIR=$1/tmp
"$2"
code=$?
{
    ls -A "$1/runtime"
    ls -A /dev/shm 2>/dev/null | grep "aot-"
    [ -n "$3" ] && tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem
} >"$1/left"
exit $code
'
if [ "$(uname)" = Linux ] && unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm' 2>/dev/null; then
    run_watched "$(patient 120)" "$work/log" \
        unshare --ipc --mount sh -c "mount -t tmpfs tmpfs /dev/shm; $run" sh "$work" "$program" isolated
else
    run_watched "$(patient 120)" "$work/log" sh -c "$run" sh "$work" "$program" ''
fi
code=$?

while IFS= read -r line; do
    case $line in
    "ok "*) pass "${line#ok }" ;;
    "skip "*) name=${line#skip } && echo "SKIP aot: $name" ;;
    esac
done <"$work/log"
if [ "$code" = 0 ] && tail -1 "$work/log" | grep -qx 'all ok'; then pass "ran to its end"; else
    sed 's/^/    /' "$work/log" >&2
    fail "ran to its end" "exit code $code"
fi
if [ -s "$work/left" ]; then
    fail "left nothing behind" "$(tr '\n' ' ' <"$work/left")"
else
    pass "left nothing behind"
fi

# What the step interop starts beside programs of other runtimes and languages
if mv "$out/NativeIpc.Peer" "$out/peer" && [ -x "$out/peer/NativeIpc.Peer" ]; then
    pass "the peer of the step interop"
else
    fail "the peer of the step interop" "see $out/publish.log"
fi

# Options that .NET's generator binds, with the JIT and with native AOT.
configuration() { # NAME COMMAND...
    local name=$1
    shift
    run_watched "$(patient 120)" "$work/log" "$@"
    code=$?
    if [ "$code" = 0 ] && tail -1 "$work/log" | grep -qx 'all ok'; then
        pass "$name: $(grep -c '^ok ' "$work/log") checks"
    else
        sed 's/^/    /' "$work/log" >&2
        fail "$name" "exit code $code"
    fi
}

# The program as ./test.sh has built it, and as native file. Built here only when it is not there.
project=NativeIpc.Configuration
built=$root/tests/$project/bin/Release/net10.0/$project.dll
[ -f "$built" ] ||
    building tree dotnet build "$root/tests/$project" -c Release -nologo -v q >"$out/$project.log" 2>&1 ||
    sed 's/^/    /' "$out/$project.log" >&2
both() { # NAME [ARGUMENT]
    local name=$1
    shift
    configuration "$name, JIT" dotnet "$built" "$@"
    configuration "$name, native AOT" "$out/$project/$project" "$@"
}
both 'options are bound by the generator'
both 'a host opens what a configuration names' host
exit $failures
