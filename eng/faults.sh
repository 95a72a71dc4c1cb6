#!/bin/bash
# Each system call of each use of an object fails once, and nothing may be left. A sample: ./faults.sh runs all of it.
# Prints PASS, FAIL or SKIP; non-zero exit when something was left.
#
#     NATIVEIPC_FAULTS_SEED=7 ./test.sh faults     # another choice of errors
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
program=$root/tests/NativeIpc.Faults/bin/Release/net10.0/NativeIpc.Faults
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "SKIP faults: system calls are made to fail on Linux x86-64 only"
    exit 0
fi

# Nothing of the runtime's own in the folder for temporary files.
export DOTNET_EnableDiagnostics=0
if [ $# = 0 ] && [ -n "${NATIVEIPC_LONG:-}" ]; then set -- all; fi
if [ $# = 0 ]; then set -- sample "${NATIVEIPC_FAULTS_SEED:-1}"; fi
"$program" "$@"
code=$?
[ $code -le 1 ] || echo "FAIL faults: it ended with $code"
exit $code
