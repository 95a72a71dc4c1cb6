#!/usr/bin/env bash
# apr_shm_create with a file name (Apache's scoreboard and many modules) makes a POSIX object with a hashed name, and
# no file.
# Guess: a System V segment with ftok(FILE, 1), beside FILE, as APR's documents and older builds have it; or a mapping
# of FILE itself.
# Seen (APR 1.7.2 of Debian 12): FILE never comes to be; /dev/shm/ShM.HASH has eight bytes more than asked for, its
# own length in front, and the caller's data from byte 8. A program that opens the segment from another language needs
# the hashed name and the eight bytes.
. "$(dirname "$0")/lib.sh"
unpack libapr1=1.7.2-3+deb12u1 libapr1-dev=1.7.2-3+deb12u1 libuuid1
cat >make.c <<'C'
#include <apr_general.h>
#include <apr_shm.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words)
{
    apr_pool_t *pool;
    apr_shm_t *segment;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (count < 3 || apr_shm_create(&segment, 1000, words[1], pool) != APR_SUCCESS) return 1;
    strcpy(apr_shm_baseaddr_get(segment), "hello");
    int result = system(words[2]);
    apr_shm_destroy(segment);
    return result;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Iroot/usr/include/apr-1.0 -D_REENTRANT -D_GNU_SOURCE -o make make.c \
    "$libraries/libapr-1.so.0" -Wl,-rpath-link,"$libraries"
look='ls /dev/shm | sed "s/[0-9a-f]\{8\}/HASH/g"; stat -c %s /dev/shm/*
    od -A n -t u8 -N 8 /dev/shm/* | tr -d " "
    tail -c +9 /dev/shm/* | head -c 5; echo; ls FILE 2>/dev/null; tail -n +2 /proc/sysvipc/shm'
said=$(LD_LIBRARY_PATH=$libraries ./make "$work/FILE" "$look" | paste -sd' ')
expect 'name, size, first eight bytes, data, file, System V segments' 'ShM.HASHHHASH 1008 1008 hello' "$said"
finish
