#!/usr/bin/env bash
# apr_proc_mutex_create gives each program that calls it a mutex of its own, whatever file name it is given, or fails.
# Guess: two programs that name the same file get the same mutex; that is what the name is for.
# Seen (APR 1.7.2 of Debian 12): with four of the five mechanisms (fcntl, sysvsem, pthread, posixsem), and by default, a
# second program is told success and holds "the" mutex beside the first one. With flock it fails, EEXIST.
. "$(dirname "$0")/lib.sh"
unpack libapr1=1.7.2-3+deb12u1 libapr1-dev=1.7.2-3+deb12u1 libuuid1
cat >mutex.c <<'C'
#include <apr_general.h>
#include <apr_proc_mutex.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
    apr_pool_t *pool;
    apr_proc_mutex_t *mutex;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_status_t status = apr_proc_mutex_create(&mutex, words[1], atoi(words[2]), pool);
    if (status == 0)
        printf("%s %s", apr_proc_mutex_name(mutex), apr_proc_mutex_trylock(mutex) == 0 ? "held" : "busy");
    else
        printf(status == EEXIST ? "EEXIST" : "another error");
    if (count > 3) {
        printf(", ");
        fflush(stdout);
        return system(words[3]);
    }
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Iroot/usr/include/apr-1.0 -D_REENTRANT -D_GNU_SOURCE -o mutex mutex.c \
    "$libraries/libapr-1.so.0" -Wl,-rpath-link,"$libraries"
export LD_LIBRARY_PATH=$libraries
two() { ./mutex "$work/lock" "$1" "./mutex $work/lock $1"; rm -f lock; }
expect 'APR_LOCK_FCNTL' 'fcntl held, fcntl held' "$(two 0)"
expect 'APR_LOCK_FLOCK' 'flock held, EEXIST' "$(two 1)"
expect 'APR_LOCK_SYSVSEM' 'sysvsem held, sysvsem held' "$(two 2)"
expect 'APR_LOCK_PROC_PTHREAD' 'pthread held, pthread held' "$(two 3)"
expect 'APR_LOCK_POSIXSEM' 'posixsem held, posixsem held' "$(two 4)"
expect 'APR_LOCK_DEFAULT' 'pthread held, pthread held' "$(two 5)"
finish
