#!/usr/bin/env bash
# wine.sh 10: the Windows suites under the Wine of Debian 13, with nothing that Wine 8 needs: event sources, finalizers
#     and a collection for each MiB.
# wine.sh 8: the same under this machine's Wine, with what it needs (tests/NativeIpc.Conformance/README.md).
. "$(dirname "$0")/lib.sh"
command -v x86_64-w64-mingw32-gcc >/dev/null || unable "'x86_64-w64-mingw32-gcc' is missing (eng/debian-packages.txt)"
"$root/eng/wine-publish.sh" NativeIpc.Conformance NativeIpc.Peer NativeIpc.Windows >"$out/publish.log" 2>&1 ||
    { tail -n 20 "$out/publish.log" >&2; exit 1; }
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
only=()
[ -z "$short" ] || only=(-class- '*DisposeRaceTests' -class- '*RaceTests')
suite conformance 600 "${wine[@]}" "$out/win/NativeIpc.Conformance.exe" -namespace NativeIpc.Conformance.Windows \
    ${only[@]+"${only[@]}"}
[ -n "$short" ] || suite windows 400 "${wine[@]}" "$out/win/NativeIpc.Windows.exe"
