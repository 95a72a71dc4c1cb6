#!/usr/bin/env bash
# Wine's named memory ("CreateFileMapping" without a file) is a removed file on the disk of /tmp.
# Guess: it is what Linux has for that: an object in /dev/shm, or memfd_create; so it is memory, and /dev/shm bounds it.
# Seen (Wine 8.0): the pages that two Windows programs share are those of .../server-*/tmpmap-* in /tmp, which has no
# name any more: it takes space of /tmp's file system, is written back to its disk, and no tool for shared memory shows
# it. /dev/shm stays empty.
. "$(dirname "$0")/lib.sh"
expect 'wine64' '8.0~repack-4' "$(dpkg-query -W -f '${Version}' wine64)"
cat >map.c <<'C'
#include <stdio.h>
#include <windows.h>
int main(void)
{
    HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x100000, "Local\\finding");
    char *memory = mapping ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0) : NULL;
    printf("%lu\n", memory ? GetCurrentProcessId() : 0);
    fflush(stdout);
    getchar();
    return 0;
}
C
x86_64-w64-mingw32-gcc -Wall -o finding-map.exe map.c
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY
wine() { exec /usr/lib/wine/wine64 ./finding-map.exe 2>log; }
trap '/usr/lib/wine/wineserver64 --kill 2>/dev/null || true; rm -rf "$work"' EXIT
coproc wine
read -r line <&"${COPROC[0]}"
expect 'the program' mapped "$([ "${line%$'\r'}" != 0 ] && echo mapped)"
large() { # the mappings of 1 MiB that can be written and are shared: device, path
    perl -ane '($from, $to) = map { hex } split /-/, $F[0]; print join(" ", @F[3, 5 .. $#F]), "\n"
        if $to - $from == 0x100000 && $F[1] =~ /rw.s/' "/proc/$COPROC_PID/maps"
}
device=$(printf '%02x:%02x' "$(stat -c %Hd /tmp)" "$(stat -c %Ld /tmp)")
expect 'its memory' "DEVICE /tmp/FOLDER/tmpmap-NUMBER (deleted)" \
    "$(large | sed -E "s/^$device /DEVICE /; s|/tmp/.*/|/tmp/FOLDER/|; s/tmpmap-[0-9a-f]+/tmpmap-NUMBER/")"
expect 'files in /dev/shm' '' "$(ls /dev/shm)"
echo >&"${COPROC[1]}"
finish
