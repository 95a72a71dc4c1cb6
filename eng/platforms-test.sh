#!/usr/bin/env bash
# The platforms of ./platforms.sh that fit into a run of the tests: Windows by Wine 10, another glibc, the next .NET; of
# each suite a part. One line PASS per suite, FAIL per test that failed, SKIP per platform that could not be had, which
# with CI=true is FAIL.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
names='wine-10 glibc-2.41 dotnet-11'
if [ "$(uname -s) $(uname -m)" != 'Linux x86_64' ]; then
    for name in $names; do echo "SKIP platforms: $name: the other platforms are run on Linux x64"; done
    exit 0
fi
missing=SKIP
[ "${CI:-}" != true ] || missing=FAIL
why=
[ "$(id -u)" = 0 ] || why='only root can make the folders and name spaces of other platforms'
unshare --ipc --mount --pid --fork true 2>/dev/null || why=${why:-'name spaces cannot be made here'}
command -v debootstrap >/dev/null || why=${why:-"'debootstrap' is missing here (eng/debian-packages.txt)"}
if [ -n "$why" ]; then
    for name in $names; do echo "$missing platforms: $name: $why"; done
    [ $missing = SKIP ]
    exit
fi
# shellcheck disable=SC2086 # words
NATIVEIPC_BUILT=1 "$root/platforms.sh" --no-rows --short $names
code=$?
for name in $names; do
    lines=$root/artifacts/platforms/$name/lines.txt
    sed -n "s/^FAIL /FAIL platforms: $name: /p; s/^UNABLE\t/$missing platforms: $name: /p" "$lines"
    awk -F'\t' -v name="$name" \
        '$1 == "RAN" && $4 == 0 { print "PASS platforms: " name ": " $2 ", " $3 " tests" }' "$lines"
done
exit $code
