#!/bin/bash
# Publishes nipc as one native file into artifacts/nipc and looks at it: one line per check, PASS, FAIL or SKIP;
# non-zero exit when one failed. The step "tool" of test.sh then drives this file. Prints how long it takes to start,
# beside ipcs; that is measured, not judged.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # publish_native
out=$root/artifacts/nipc
failures=0
pass() { echo "PASS tool-aot: $1"; }
fail() {
    echo "FAIL tool-aot: $1: $(echo "$2" | tr "\n" " ")"
    failures=1
}

if [ -z "$(native_linker)" ]; then
    echo "SKIP tool-aot: no gcc or clang to link with"
    exit 0
fi

rm -rf "$out"
mkdir -p "$out"
if ! publish_native src/NativeIpc.Tool "$out" "$out/publish.log"; then
    sed 's/^/    /' "$out/publish.log" >&2
    fail "published without a warning of trimmer or AOT compiler" "see $out/publish.log"
    exit 1
fi
pass "published without a warning of trimmer or AOT compiler"

nipc=$out/nipc
extra=$(find "$out" -type f ! -name nipc ! -name 'nipc.dbg' ! -name '*.dSYM' ! -name '*.xml' ! -name '*.pdb' \
    ! -name publish.log)
if [ -n "$extra" ]; then fail "one file is enough" "$extra"; else pass "one file is enough"; fi
if said=$("$nipc" key safe aot-smoke --json 2>&1) && echo "$said" | grep -q '"nativeKey": "/aot-smoke"'; then
    pass "JSON without reflection"
else
    fail "JSON without reflection" "$said"
fi
if said=$("$nipc" list 2>&1); then pass "list"; else fail "list" "$said"; fi

# Started without standard descriptors, the program must not print into an object (only native AOT: in the JIT the
# runtime takes these numbers). One that it makes goes again when its key cannot be printed, so another program's is
# written.
if [ "$(uname)" = Linux ]; then
    object=aot-closed-$$
    for closed in '<&- >&-' '<&- >&- 2>&-'; do
        what="nothing is printed into an object of a process started with $closed"
        head -c 64 /dev/zero >"/dev/shm/$object"
        sh -c "exec \"\$@\" $closed" sh "$nipc" read "posix:/$object" 2>/dev/null
        code=$?
        content=$(od -An -v -tx1 "/dev/shm/$object" 2>&1 | tr -d ' \n0')
        if [ -e "/dev/shm/$object" ] && [ -z "$content" ] && [ $code -gt 0 ] && [ $code -lt 128 ]; then
            pass "$what"
        else
            fail "$what" "exit code $code, the segment has: $content"
        fi
        rm -f "/dev/shm/$object"
        what="what is made goes again when its key cannot be printed: $closed"
        sh -c "exec \"\$@\" $closed" sh "$nipc" create shm "posix:/$object" 64 2>/dev/null
        code=$?
        if [ ! -e "/dev/shm/$object" ] && [ $code = 7 ]; then pass "$what"; else fail "$what" "exit code $code"; fi
        rm -f "/dev/shm/$object"
    done
fi

# The median of 21 starts each, in milliseconds, in turns.
milliseconds() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do
        for command in "$nipc --version" "$nipc list" ipcs; do
            start=${EPOCHREALTIME/./}
            $command >/dev/null 2>&1
            echo "$command $((${EPOCHREALTIME/./} - start))"
        done
    done
}
if [ -n "${EPOCHREALTIME:-}" ]; then
    times=$(milliseconds)
    for command in "$nipc --version" "$nipc list" ipcs; do
        echo "$times" | awk -v name="$command" 'index($0, name " ") == 1 { print $NF }' | sort -n |
            awk -v name="${command#"$out"/}" '
                { t[NR] = $1 }
                END { printf "start: %-15s %.1f ms\n", name, t[int((NR + 1) / 2)] / 1000 }'
    done
fi
echo "size: $(du -h "$nipc" | cut -f1)"
exit $failures
