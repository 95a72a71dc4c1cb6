#!/usr/bin/env bash
# Makes each system call of each use of an object fail, one at a time, with each error that its man page names; then
# with a clean-up that fails as well. Looks after each whether descriptors, mappings, names, segments, sets and key
# files are as before. Takes some minutes.
#
#   ./faults.sh                           all of it
#   ./faults.sh all posix.segment.lock    the scenarios whose names begin so
#   ./faults.sh list                      the scenarios
#   ./faults.sh trace NAME                the calls of one
#   ./faults.sh one NAME CALL ERROR       one case, and its calls: ./faults.sh one posix.segment.create 4 ENOSPC
set -u
cd "$(dirname "$0")" || exit 2
case ${1:-} in -h | --help) sed -n '2,/^set -u/p' faults.sh | sed '$d; s/^# \{0,1\}//'; exit 0 ;; esac
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build tests/NativeIpc.Faults -c Release -nologo -v q || exit
[ $# != 0 ] || set -- all
exec eng/faults.sh "$@"
