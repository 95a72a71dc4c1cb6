#!/usr/bin/env bash
# Under qemu-user a robust mutex is made and locked without an error, but the death of its holder is never told.
# Guess: qemu-user passes the robust list on, or pthread_mutex_init fails, as what is not supported should.
# Seen (qemu-user-static 7.2, x86-64 on x86-64): set_robust_list is not there. glibc 2.36 notices nothing: attribute,
# mutex and lock say 0, and the lock of a process that ended stays taken, EBUSY instead of EOWNERDEAD. musl asks the
# kernel first: its pthread_mutexattr_setrobust says ENOSYS. A test of recovery that runs for another processor by
# qemu-user tests nothing, or waits for ever.
. "$(dirname "$0")/lib.sh"
unpack qemu-user-static=1:7.2+dfsg-7+deb12u18+b3
expect 'libc6, musl' '2.36, 1.2.3' "$(dpkg-query -W -f '${Version} ' libc6 musl | sed 's/-[^ ]*//g; s/ /, /; s/ $//')"
cat >robust.c <<'C'
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static const char *word(int error)
{
    return error == 0 ? "0" : error == EBUSY ? "EBUSY" : error == EOWNERDEAD ? "EOWNERDEAD"
        : error == ENOSYS ? "ENOSYS" : "another";
}
int main(void)
{
    pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    printf("robust %s, ", word(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST)));
    printf("init %s, ", word(pthread_mutex_init(mutex, &kind)));
    fflush(stdout);
    pid_t holder = fork();
    if (holder == 0) _exit(pthread_mutex_lock(mutex));
    int status;
    waitpid(holder, &status, 0);
    printf("lock %s, after its death %s", word(WEXITSTATUS(status)), word(pthread_mutex_trylock(mutex)));
    return 0;
}
C
gcc -Wall -o glibc robust.c -pthread
musl-gcc -Wall -static -o musl robust.c
expect 'Linux, glibc' 'robust 0, init 0, lock 0, after its death EOWNERDEAD' "$(./glibc)"
expect 'Linux, musl' 'robust 0, init 0, lock 0, after its death EOWNERDEAD' "$(./musl)"
qemu=root/usr/bin/qemu-x86_64-static
expect 'qemu-user, glibc' 'robust 0, init 0, lock 0, after its death EBUSY' "$($qemu ./glibc)"
expect 'qemu-user, musl' 'robust ENOSYS, init 0, lock 0, after its death EBUSY' "$($qemu ./musl)"
finish
