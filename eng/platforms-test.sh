#!/usr/bin/env bash
# The platforms of ./platforms.sh that fit into a run of the tests: Windows by Wine 10, another glibc, the next .NET; of
# each suite a part. One line PASS per suite, FAIL per test that failed, SKIP per platform that could not be had.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
names='wine-10 glibc-2.41 dotnet-11'
why=
[ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || why='the other platforms are run on Linux x64'
[ "$(id -u)" = 0 ] || why=${why:-'only root can make the folders and name spaces of other platforms'}
command -v debootstrap >/dev/null || why=${why:-"'debootstrap' is missing here (eng/debian-packages.txt)"}
if [ -n "$why" ]; then
    for name in $names; do echo "SKIP platforms: $name: $why"; done
    exit 0
fi
# shellcheck disable=SC2086 # words
NATIVEIPC_BUILT=1 "$root/platforms.sh" --no-rows --short $names
code=$?
for name in $names; do
    lines=$root/artifacts/platforms/$name/lines.txt
    sed -n "s/^FAIL /FAIL platforms: $name: /p; s/^UNABLE\t/SKIP platforms: $name: /p" "$lines"
    awk -F'\t' -v name="$name" \
        '$1 == "RAN" && $4 == 0 { print "PASS platforms: " name ": " $2 ", " $3 " tests" }' "$lines"
done
exit $code
