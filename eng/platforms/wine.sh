#!/usr/bin/env bash
# wine.sh 10: the Windows suites under the Wine of Debian 13, with nothing that Wine 8 needs: event sources, finalizers
#     and a collection for each MiB.
# wine.sh 8: the same under this machine's Wine, with what it needs (tests/NativeIpc.Conformance/README.md).
. "$(dirname "$0")/lib.sh"
command -v x86_64-w64-mingw32-gcc >/dev/null || unable "'x86_64-w64-mingw32-gcc' is missing (eng/debian-packages.txt)"
projects="NativeIpc.Conformance NativeIpc.Peer"
[ -n "$short" ] || projects="$projects NativeIpc.Windows"
# A run of the tests that has been here before has published what is built.
is_new() { # PROJECT
    local file
    for file in NativeIpc "$1"; do
        [ "$root/artifacts/win-x64/$file.dll" -nt "$root/tests/$1/bin/Release/net10.0/$file.dll" ] || return
    done
}
# shellcheck disable=SC2086 # words
for project in $projects; do
    is_new "$project" && continue
    "$root/eng/wine-publish.sh" $projects >"$out/publish.log" 2>&1 || { tail -n 20 "$out/publish.log" >&2; exit 1; }
    break
done
rm -rf "$out/win"
cp -al "$root/artifacts/win-x64" "$out/win"
export NATIVEIPC_PEER="Z:${out//\//\\}\\win\\NativeIpc.Peer.exe"
windows() { printf 'Z:%s' "${1//\//\\}"; }
if [ "$1" = 8 ]; then
    command -v wine >/dev/null || unable "'wine' is missing (eng/debian-packages.txt)"
    export DOTNET_GCgen0size=40000000
    wine=("$root/eng/wine-run.sh")
else
    debian trixie wine wine64
    # One prefix, which the server of one run must have for itself.
    exec 7>"$cache/trixie-wine.lock"
    flock 7
    # sed -i writes a new file, so that the published one stays as it is.
    sed -i 's/\("System.Diagnostics.Tracing.EventSource.IsSupported": \)false/\1true/' "$out"/win/*.runtimeconfig.json
    cat >"$out/wine" <<-'END'
	#!/bin/sh
	# In the Debian: makes the prefix once, and runs a program in it. With a small environment: what is in this machine's
	# is meant for other programs than those of another Debian.
	[ -n "$NATIVEIPC_CLEAN" ] || exec env -i NATIVEIPC_CLEAN=1 PATH=/usr/bin:/bin HOME=/root XDG_RUNTIME_DIR=/tmp \
	    WINEPREFIX=/root/wine WINEDEBUG=-all WINEARCH=win64 DOTNET_GCgen0size=100000 \
	    NATIVEIPC_PEER="$NATIVEIPC_PEER" NATIVEIPC_SLOWNESS="$NATIVEIPC_SLOWNESS" \
	    NATIVEIPC_STRESS_SECONDS="$NATIVEIPC_STRESS_SECONDS" NATIVEIPC_RACE_ROUNDS="$NATIVEIPC_RACE_ROUNDS" "$0" "$@"
	if [ ! -e $WINEPREFIX/ready ]; then
	    rm -rf $WINEPREFIX
	    { WINEDLLOVERRIDES='mscoree=d;mshtml=d;winemenubuilder.exe=d' wineboot -i
	      wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f
	      wine reg add 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug' /v Debugger /d false /f
	      wineserver -w; } </dev/null >/tmp/wineboot.log 2>&1 || exit 125
	    touch $WINEPREFIX/ready
	fi
	wine "$@"
	code=$?
	timeout 30 wineserver -k
	exit $code
	END
    chmod 755 "$out/wine"
    wine=(inside "$debian" "$out/wine")
fi
facts "${wine[@]}" "$out/win/NativeIpc.Peer.exe"
export xml_folder
xml_folder=$(windows "$out/results")
only=(-namespace NativeIpc.Conformance.Windows)
if [ -n "$short" ]; then
    only=()
    for class in Lock Semaphore Event Wait Crash Segment Lifetime; do only+=(-class "*.Windows.${class}Tests"); done
fi
if [ "$1" = 8 ] && [ -z "$short" ]; then
    # In two parts, since a garbage collection can be the program's end.
    events=(-class 'NativeIpc.Conformance.Windows.Event*' -class 'NativeIpc.Conformance.Windows.Any*')
    suite events 400 "${wine[@]}" "$out/win/NativeIpc.Conformance.exe" "${events[@]}"
    only+=("${events[@]/#-class/-class-}")
fi
suite conformance 600 "${wine[@]}" "$out/win/NativeIpc.Conformance.exe" "${only[@]}"
[ -n "$short" ] || suite windows 400 "${wine[@]}" "$out/win/NativeIpc.Windows.exe"
