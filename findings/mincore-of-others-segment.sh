#!/usr/bin/env bash
# mincore says of another user's segment that all of it is in memory, though nothing is.
# Guess: a page that nobody has touched is 0 for everyone who may map the segment; or mincore fails with EPERM.
# Seen (Linux 6.18): who may not write the segment, and does not own it, gets a 1 for each page, and no error. A tool
# that asks how much of a segment is used thus needs the right to write it.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
chmod 755 "$work"
cat >look.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
    unsigned char pages[4];
    int file = shm_open("/segment", O_RDONLY, 0);
    void *map = mmap(NULL, 4 * 4096, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED || mincore(map, 4 * 4096, pages) != 0) return 1;
    for (int page = 0; page < 4; page++) printf("%d", pages[page] & 1);
    return 0;
}
C
gcc -Wall -o look look.c
as() { setpriv --reuid "$1" --clear-groups ./look; }
truncate -s 16384 /dev/shm/segment
printf x | dd of=/dev/shm/segment bs=1 seek=4096 conv=notrunc status=none
chown 51234 /dev/shm/segment
chmod 644 /dev/shm/segment
expect 'root' '0100' "$(./look)"
expect 'owner' '0100' "$(as 51234)"
expect 'one who may read it' '1111' "$(as 51235)"
chmod 666 /dev/shm/segment
expect 'one who may write it' '0100' "$(as 51235)"
finish
