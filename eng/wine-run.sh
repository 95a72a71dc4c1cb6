#!/bin/sh
# Runs a Windows program under Wine, in the prefix of eng/wine-prefix.sh. Standard input, output, error and the exit
# code are the program's.
#
#     eng/wine-run.sh EXE [ARGUMENT...]
#
# An exit code has eight bits here: a multiple of 256 would come out as 0. Neither xunit nor our programs end with such
# a code.
set -eu
[ $# -gt 0 ] || { echo "usage: $0 EXE [ARGUMENT...]" >&2; exit 2; }

. "$(dirname "$0")/wine-prefix.sh"

# A watchdog, 124 as the exit code: under Wine 8 an xunit run hangs some time after a test has failed or called
# Assert.Skip.
status=0
timeout -k 10 "${NATIVEIPC_WINE_TIMEOUT:-$((600 * ${NATIVEIPC_SLOWNESS:-1}))}" wine "$@" || status=$?
[ $status -ne 124 ] ||
    echo "wine-run: ended by the watchdog after ${NATIVEIPC_WINE_TIMEOUT:-$((600 * ${NATIVEIPC_SLOWNESS:-1}))} s" >&2

# The services of Wine hold our standard output for some seconds longer, and whoever reads it to its end waits for them.
# Another run in the same prefix keeps them, so this is bounded.
timeout 60 wineserver -w || :
exit $status
