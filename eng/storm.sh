#!/bin/bash
# The storm: eight processes lock, count and unlock; one after the other is killed, and nothing may hang, get lost or go untold. One line per
# check, PASS, FAIL or SKIP; non-zero exit when one failed.
#
#     NATIVEIPC_STORM_KILLS=2000 ./test.sh storm      # the full length; 150 kills per back end otherwise
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # run_watched
kills=${NATIVEIPC_STORM_KILLS:-150}
out=$root/artifacts/storm

if [ "$(uname)" != Linux ]; then
    echo "SKIP storm: the lock of a killed holder is taken over on Linux and Windows only, and the storm runs on Linux"
    exit 0
fi
linker=
for candidate in clang gcc; do command -v $candidate >/dev/null && linker=$candidate; done
if [ -z "$linker" ]; then
    echo "SKIP storm: no gcc or clang to link native AOT with"
    exit 0
fi
rm -rf "$out"
mkdir -p "$out"
if ! dotnet publish "$root/tests/NativeIpc.Storm" -c Release --ucr -nologo -v q -p:CppCompilerAndLinker=$linker -o "$out/bin" >"$out/publish.log" 2>&1; then
    tail -n 20 "$out/publish.log" | sed 's/^/    /'
    echo "FAIL storm: published with native AOT: see $out/publish.log"
    exit 1
fi

failed=0
for type in posix systemv; do
    run_watched $((60 + kills / 4)) "$out/$type.log" "$out/bin/NativeIpc.Storm" run $type "$kills"
    code=$?
    cat "$out/$type.log"
    [ $code = 0 ] || failed=1
    [ $code != 124 ] || echo "FAIL storm: the watchdog ended $type"
    [ $code -le 1 ] || [ $code = 124 ] || echo "FAIL storm: $type ended with $code"
done
exit $failed
