#!/usr/bin/env bash
# Two programs that create libqb's ring buffer of one name each get one, the second in /tmp, without an error.
# Guess: qb_rb_open with QB_RB_FLAG_CREATE fails with EEXIST for a ring that exists, or opens it.
# Seen (libqb 2.0.6): the creator takes O_EXCL, and what it cannot make in /dev/shm, for whatever reason, it makes in
# /tmp. What the second creator writes is in a ring that no reader has: one that opens the name gets the first. Only the
# third creator is told EEXIST.
. "$(dirname "$0")/lib.sh"
unpack libqb-dev=2.0.6-2 libqb100=2.0.6-2
cat >ring.c <<'C'
#include <errno.h>
#include <qb/qbrb.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words)
{
    char text[100] = "";
    int create = count > 2;
    qb_ringbuffer_t *ring = qb_rb_open(words[1], 4096, QB_RB_FLAG_SHARED_PROCESS | (create ? QB_RB_FLAG_CREATE : 0), 0);
    if (!ring) return printf("%s\n", errno == EEXIST ? "EEXIST" : strerror(errno)) < 0;
    printf("%s ", strncmp(qb_rb_name_get(ring), "/tmp/", 5) == 0 ? "in /tmp," : "in /dev/shm,");
    if (create) printf("written %d\n", (int)qb_rb_chunk_write(ring, words[2], strlen(words[2])));
    else if (qb_rb_chunk_read(ring, text, sizeof text, 0) > 0) printf("read %s\n", text);
    else printf("nothing to read\n");
    fflush(stdout);
    if (create) getchar();
    qb_rb_close(ring);
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -I root/usr/include -o ring ring.c "$libraries/libqb.so.100" "-Wl,-rpath,$libraries"
name=finding-$$
trap 'rm -rf "$work" "/tmp/$name-header" "/tmp/$name-data"' EXIT
mkfifo hold-first hold-second
./ring "$name" one <hold-first >first &
exec 7>hold-first
until [ -s first ]; do sleep 0.05; done
expect 'first creator' 'in /dev/shm, written 3' "$(cat first)"
./ring "$name" two <hold-second >second &
exec 8>hold-second
until [ -s second ]; do sleep 0.05; done
expect 'second creator' 'in /tmp, written 3' "$(cat second)"
expect 'third creator' 'EEXIST' "$(./ring "$name" three)"
expect 'reader' 'in /dev/shm, read one' "$(./ring "$name")"
expect 'reader' 'in /dev/shm, nothing to read' "$(./ring "$name")"
expect 'files in /tmp' "$name-data $name-header" "$(cd /tmp && ls -d "$name"-* | paste -sd ' ')"
echo >&7
echo >&8
exec 7>&- 8>&-
wait
finish
