#!/usr/bin/env bash
# chattr +i works on /dev/shm: the segment or semaphore can be opened by nobody any more, and removed by nobody, root
# included, while those who have it go on.
# Guess: tmpfs has no such attributes, and chattr says "Operation not supported".
# Seen (Linux 6.18, e2fsprogs 1.47): for root, shm_open for writing and sem_open fail, with EPERM, and shm_unlink, which
# glibc tells as EACCES; shm_open for reading works. A descriptor of before still gives new writable mappings, and
# ftruncate on it is allowed.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
unpack e2fsprogs=1.47.0-2+b2
cat >use.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static const char *said(int good)
{
    return good ? "works" : errno == EPERM ? "EPERM" : errno == EACCES ? "EACCES" : "?";
}
int main(int count, char **words)
{
    int file = shm_open("/segment", O_CREAT | O_RDWR, 0600);
    if (count < 2 || file < 0 || ftruncate(file, 4096) != 0) return 1;
    if (sem_open("/lock", O_CREAT, 0600, 1) == SEM_FAILED || system(words[1]) != 0) return 1;
    printf("shm_open %s, ", said(shm_open("/segment", O_RDWR, 0) >= 0));
    printf("for reading %s, ", said(shm_open("/segment", O_RDONLY, 0) >= 0));
    printf("sem_open of another process %s, ", system("./open") == 0 ? "works" : "fails");
    printf("shm_unlink %s, ", said(shm_unlink("/segment") == 0));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    printf("new map of the old descriptor %s, ", said(map != MAP_FAILED));
    map[0] = 'x';
    printf("its ftruncate %s\n", said(ftruncate(file, 8192) == 0));
    return 0;
}
C
cat >open.c <<'C'
#include <fcntl.h>
#include <semaphore.h>
int main(void)
{
    return sem_open("/lock", 0) == SEM_FAILED;
}
C
gcc -Wall -o use use.c && gcc -Wall -o open open.c
chattr=$work/root/usr/bin/chattr
expect 'chattr +i' 'shm_open EPERM, for reading works, sem_open of another process fails, shm_unlink EACCES, '`
    `'new map of the old descriptor works, its ftruncate works' \
    "$(./use "$chattr +i /dev/shm/segment /dev/shm/sem.lock")"
expect 'rm by root' 'refused' "$(rm -f /dev/shm/segment 2>/dev/null && echo removed || echo refused)"
"$chattr" -i /dev/shm/segment /dev/shm/sem.lock
expect 'rm after chattr -i' 'removed' "$(rm -f /dev/shm/segment && echo removed || echo refused)"
finish
