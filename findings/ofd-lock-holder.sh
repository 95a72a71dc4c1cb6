#!/usr/bin/env bash
# The holder of an open file description lock (F_OFD_SETLK) is hidden from lsof and from lslocks 2.38.
# Guess: lsof marks the descriptor with W, as for flock() and F_SETLK, and lslocks names the process.
# Seen (lsof 4.95, util-linux 2.38.1 and 2.41): /proc/locks has -1 for the process. So lsof shows the file open without
# a lock, and lslocks 2.38 says "(undefined)" and -1. The kernel does tell, elsewhere: the line "lock:" of
# /proc/PID/fdinfo/FD, which lslocks 2.41 reads. F_SETLK of the same program is told by all of them.
. "$(dirname "$0")/lib.sh"
unpack lsof=4.95.0-1 util-linux=2.38.1-5+deb12u3
mv root bookworm
unpack_pool u/util-linux/util-linux_2.41-5 u/util-linux/libsmartcols1_2.41-5 g/glibc/libc6_2.41-12 \
    u/util-linux/libmount1_2.41-5 u/util-linux/libblkid1_2.41-5 libs/libselinux/libselinux1_3.8.1-1 \
    p/pcre2/libpcre2-8-0_10.46-1~deb13u1
libraries=$work/root/usr/lib/x86_64-linux-gnu
lslocks_2_41() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/lslocks" "$@"; }
cat >lock.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct flock lock = { .l_type = F_WRLCK };
    int descriptor = open("locked", O_RDWR | O_CREAT, 0600);
    (void)argv;
    puts(fcntl(descriptor, argc > 1 ? F_OFD_SETLK : F_SETLK, &lock) == 0 ? "locked" : "failed");
    fflush(stdout);
    getchar();
    return 0;
}
C
gcc -Wall -o lock lock.c
row() {
    awk -v path="$work/locked" -v inode="$(stat -c %i locked)" \
        '$2 == type && ($3 == path || $4 == inode) { print $1 }' type="$1"
}
for kind in POSIX OFDLCK; do
    [ $kind = POSIX ] && arguments='' || arguments=ofd
    coproc ./lock $arguments
    read -r line <&"${COPROC[0]}"
    named() { if [ "$1" = "$COPROC_PID" ]; then echo named; else echo "${1:-none}"; fi; }
    expect "$kind: the program" locked "$line"
    [ $kind = POSIX ] && told='named named W' || told='-1 named none'
    expect "$kind: lslocks 2.38, lslocks 2.41, lsof" "$told" \
        "$(named "$(bookworm/usr/bin/lslocks -rno PID,TYPE,PATH,INODE | row $kind)") $(
        named "$(lslocks_2_41 -rno PID,TYPE,PATH,INODE | row $kind)") $(
        bookworm/usr/bin/lsof -a -p "$COPROC_PID" -F l -- locked | sed -n 's/^l *//p' | grep . || echo none)"
    expect "$kind: fdinfo of the process" "lock: 1: $kind" \
        "$(awk '/^lock:/ { print $1, $2, $3 }' /proc/"$COPROC_PID"/fdinfo/3)"
    process=$COPROC_PID
    echo >&"${COPROC[1]}"
    while kill -0 "$process" 2>/dev/null; do sleep 0.05; done
done
finish
