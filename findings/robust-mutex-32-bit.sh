#!/usr/bin/env bash
# A robust mutex that a 32-bit and a 64-bit program share excludes them from each other, until one dies with it: then
# the other one waits for ever.
# Guess: the lock word is first in both layouts and the kernel marks it, so the other width gets EOWNERDEAD; or the
# first use of a mutex of the other size, 24 or 40 bytes, is EINVAL.
# Seen (glibc 2.36, Linux on x86-64): try and unlock work both ways without an error. After the death of a holder of the
# maker's width, programs of that width get EOWNERDEAD, and those of the other one EBUSY; after the death of one of the
# other width, all get EBUSY. The kind of the mutex is not where the other width looks, so it is not robust for it.
. "$(dirname "$0")/lib.sh"
unpack libc6-i386=2.36-9+deb12u14 libc6-dev-i386=2.36-9+deb12u14 lib32gcc-12-dev=12.2.0-14+deb12u1 \
    lib32gcc-s1=12.2.0-14+deb12u1
cat >mutex.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int count, char **words)
{
    const char *verb = words[count - 1];
    pthread_mutexattr_t robust;
    int result, file = shm_open("/lock", O_CREAT | O_RDWR, 0600);
    if (ftruncate(file, 4096) != 0) return 1;
    pthread_mutex_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (strcmp(verb, "init") == 0) {
        memset(lock, 0, 4096);
        pthread_mutexattr_init(&robust);
        pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(lock, &robust);
    }
    result = pthread_mutex_trylock(lock);
    printf("%s", result == 0 ? "taken" : result == EBUSY ? "EBUSY" : result == EOWNERDEAD ? "EOWNERDEAD" : "?");
    if (strcmp(verb, "hold") == 0) {
        fflush(stdout);
        if (system(words[1]) != 0) return 1;
    }
    if (result == 0 && strcmp(verb, "die") != 0) pthread_mutex_unlock(lock);
    return 0;
}
C
libraries=$work/root/lib32
sed -i "s|GROUP.*|GROUP ( $libraries/libc.so.6 $work/root/usr/lib32/libc_nonshared.a )|" root/usr/lib32/libc.so
gcc -Wall -o wide mutex.c -pthread
gcc -m32 -o narrow mutex.c -isystem root/usr/include/x86_64-linux-gnu -isystem /usr/include/x86_64-linux-gnu \
    -B root/usr/lib32/ -B root/usr/lib/gcc/x86_64-linux-gnu/12/32/ -Lroot/usr/lib/gcc/x86_64-linux-gnu/12/32 \
    "-L$libraries" -Lroot/usr/lib32 "-Lroot/lib32" "-Wl,--dynamic-linker,$libraries/ld-linux.so.2" \
    "-Wl,-rpath,$libraries"
for width in 'wide narrow' 'narrow wide'; do
    read -r one other <<<"$width"
    expect "$one makes it" 'taken' "$("./$one" init)"
    expect "$other takes it and gives it back" 'taken' "$("./$other" try)"
    expect "$other while $one has it" 'takenEBUSY' "$("./$one" "./$other try" hold)"
    expect "$one dies with it" 'taken' "$("./$one" die)"
    expect "$other then" 'EBUSY' "$("./$other" try)"
    expect "$one then" 'EOWNERDEAD' "$("./$one" try)"
    expect "$one makes it again, $other dies with it" 'takentaken' "$("./$one" init)$("./$other" die)"
    expect "$one and $other then" 'EBUSY EBUSY' "$("./$one" try) $("./$other" try)"
done
finish
