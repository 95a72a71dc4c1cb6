#!/usr/bin/env bash
# Runs a step of test.sh, and writes to a file what it left in the system: objects, key files and files in its folders
# ($TMPDIR and $XDG_RUNTIME_DIR) that were not there before and that no living process uses.
#
#     [unshare ...] eng/inside.sh UNSHARED FILE COMMAND...     UNSHARED: not empty in namespaces of the step's own
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh"
unshared=$1 left=$2
shift 2
[ -z "$unshared" ] || mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 125

before=$(snapshot "$TMPDIR" "$XDG_RUNTIME_DIR")
"$@"
code=$?
LC_ALL=C comm -13 <(say "$before") <(snapshot "$TMPDIR" "$XDG_RUNTIME_DIR") |
    while read -r line; do is_in_use "$line" || say "$line"; done >"$left"
[ -s "$left" ] || rm -f "$left"
exit $code
