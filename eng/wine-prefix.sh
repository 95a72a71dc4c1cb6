# shellcheck shell=sh
# To be read by a script ("."): the environment in which Windows programs run under Wine here, in a Wine prefix of our
# own, which is made the first time. Ends the script with 125 when it cannot be made.
#
# A self-contained .NET 10 program runs under Wine 8 as it is. What is set here, and why:
#   - the version of Windows: Wine 8 says Windows 7, which .NET 10 does not support.
#   - no crash debugger: Wine's (winedbg) makes a program that crashed end with 0, so that a test run that died would
#     pass. Without it the exit code is the low byte of the exception's number: 82 for an unhandled .NET exception.
#   - WINEDEBUG=-all: Wine's remarks would be mixed into standard error; with it, Debian's wine also leaves out its hint
#     about wine32.
#   - no DISPLAY: nothing here has a window, and Wine must not show itself on somebody's screen.
#   - mscoree, mshtml and winemenubuilder are off while the prefix is made, or Wine would offer to download Mono and
#     Gecko and write menu entries into the user's home. Never while a program runs: without mscoree Wine's loader
#     refuses System.Runtime.dll.
#   - InvariantGlobalization (Directory.Build.props) stays on: Wine 8 has no icu.dll.
#   - ahead of others, where this user may say so (root): each call into Windows is a message to Wine's server, so its
#     programs mostly wait for the processor, and what runs beside them would make them take several times as long.
folder=${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc
renice -n -5 -p $$ >/dev/null 2>&1 || :
export WINEPREFIX="$folder/wine" WINEDEBUG=-all WINEARCH=win64
unset DISPLAY WAYLAND_DISPLAY WINEDLLOVERRIDES

make_prefix() {
    set -e
    rm -rf "$WINEPREFIX"
    # wineboot says that a 32-bit rundll32 is missing, which is true and does not matter.
    WINEDLLOVERRIDES='mscoree=d;mshtml=d;winemenubuilder.exe=d' wineboot -i
    wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f
    wine reg add 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug' /v Debugger /d false /f
    wineserver -w # which writes the registry
    : > "$mark"
}

# Once, also when several runs begin together. The number in the mark grows with each change to make_prefix.
mark=$WINEPREFIX/nativeipc-2
if [ ! -e "$mark" ]; then
    mkdir -p "$folder"
    exec 9> "$folder/wine.lock"
    flock 9
    # Without the descriptor of the lock, which wineserver would keep; and not before ||, where set -e has no effect.
    if [ ! -e "$mark" ]; then make_prefix < /dev/null > "$folder/wine-boot.log" 2>&1 9>&- & wait $! || :; fi
    exec 9>&-
    [ -e "$mark" ] ||
        { echo "wine-prefix: no Wine prefix could be made:" >&2; tail -5 "$folder/wine-boot.log" >&2; exit 125; }
fi
