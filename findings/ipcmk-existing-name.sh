#!/usr/bin/env bash
# ipcmk 2.41 "creates" a POSIX segment that exists already: it says so, ends with 0, and gives it the new size.
# Guess: a name that is taken is an error, as a key that is taken would be, and what it names stays as it was.
# Seen (util-linux 2.41): `ipcmk --posix-shmem SIZE --name NAME` opens what is there and cuts or grows it, while other
# programs may have it mapped; what lay behind the new end is gone. `ipcmk --posix-semaphore` leaves the count of
# what is there. Both print what they print for a new one. A new semaphore begins with 0, and no option gives it a
# permit.
. "$(dirname "$0")/lib.sh"
unpack_pool u/util-linux/util-linux_2.41-5 g/glibc/libc6_2.41-12
libraries=$work/root/usr/lib/x86_64-linux-gnu
ipcmk() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/ipcmk" "$@" 2>&1; }
expect 'new segment' 'POSIX shared memory name: /one' "$(ipcmk --posix-shmem 8192 --name /one)"
printf 'last words' | dd of=/dev/shm/one bs=1 seek=8000 conv=notrunc status=none
expect 'made again, half as large' 'POSIX shared memory name: /one, exit code 0' \
    "$(ipcmk --posix-shmem 4096 --name /one), exit code $?"
expect 'its size' 4096 "$(stat -c %s /dev/shm/one)"
expect 'made again, as large as at first' 'POSIX shared memory name: /one' "$(ipcmk --posix-shmem 8192 --name /one)"
expect 'bytes of it that are not 0' 0 "$(tr -d '\0' </dev/shm/one | wc -c)"
expect 'new semaphore' 'POSIX semaphore name: /two' "$(ipcmk --posix-semaphore --name /two)"
count() { od -An -td4 -N4 /dev/shm/sem.two | tr -d ' '; }
expect 'its count' 0 "$(count)"
cat >post.c <<'C'
#include <semaphore.h>
int main(void)
{
    sem_t *semaphore = sem_open("/two", 0);
    return sem_post(semaphore) != 0 || sem_post(semaphore) != 0;
}
C
gcc -Wall -o post post.c -pthread
./post
expect 'made again, after two posts' 'POSIX semaphore name: /two, count 2' \
    "$(ipcmk --posix-semaphore --name /two), count $(count)"
finish
