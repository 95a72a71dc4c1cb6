#!/usr/bin/env bash
# A process with musl can have 256 named semaphores open, whatever its limit of descriptors says.
# Guess: sem_open keeps one descriptor or none for each, so that only RLIMIT_NOFILE or memory bounds their number.
# Seen (musl 1.2.3; glibc 2.36 beside it): the 257th sem_open fails with EMFILE ("too many open files" to most readers),
# although the process has three descriptors open and may have 1,024. glibc opens all 600. POSIX asks for 256 at least
# (_POSIX_SEM_NSEMS_MAX); raising `ulimit -n`, the usual remedy for EMFILE, changes nothing.
. "$(dirname "$0")/lib.sh"
unpack musl=1.2.3-1 musl-dev=1.2.3-1
cat >open.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
    char name[32];
    int count;
    for (count = 0; count < 600; count++) {
        sprintf(name, "/finding%d", count);
        if (sem_open(name, O_CREAT, 0600, 1) == SEM_FAILED) break;
    }
    printf("%d open, errno %s, next descriptor %d", count, count == 600 ? "none" : errno == EMFILE ? "EMFILE" : "another",
        dup(0));
    while (count-- > 0) {
        sprintf(name, "/finding%d", count);
        sem_unlink(name);
    }
    return 0;
}
C
gcc -Wall -o glibc open.c -pthread
gcc -Wall -nostdinc -isystem root/usr/include/x86_64-linux-musl -nostdlib -static -no-pie -o musl \
    root/usr/lib/x86_64-linux-musl/crt1.o open.c -Lroot/usr/lib/x86_64-linux-musl -lc -lgcc
ulimit -S -n 1024
expect 'glibc' '600 open, errno none, next descriptor 3' "$(./glibc </dev/null)"
expect 'musl' '256 open, errno EMFILE, next descriptor 3' "$(./musl </dev/null)"
ulimit -S -n 4096
expect 'musl, ulimit -n raised' '256 open, errno EMFILE, next descriptor 3' "$(./musl </dev/null)"
finish
