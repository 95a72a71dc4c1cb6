#!/usr/bin/env bash
# lsipc 2.41 lists folders, pipes and links as POSIX shared memory, and leaves semaphores out without a word.
# Guess: `lsipc -M` shows regular files of /dev/shm, and `lsipc -S` shows each semaphore, its count only where the user
# may read it.
# Seen (util-linux 2.41): -M has a row for a folder and for a named pipe, and a link has the size of the file that it
# leads to. -S opens each semaphore for writing to read its count; one that the user may not write, or any on a
# /dev/shm that is mounted read-only, has no row. The exit code is 0 and nothing is said.
. "$(dirname "$0")/lib.sh"
unpack_pool u/util-linux/util-linux_2.41-5 u/util-linux/libsmartcols1_2.41-5 g/glibc/libc6_2.41-12
libraries=$work/root/usr/lib/x86_64-linux-gnu
lsipc() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/lsipc" "$@"; }
names() { awk 'NR > 1 { print $1 }' | sort | paste -sd ' '; }
cat >make.c <<'C'
#include <fcntl.h>
#include <semaphore.h>
int main(int argc, char **argv)
{
    return sem_open(argv[argc - 1], O_CREAT | O_EXCL, 0644, 1) == SEM_FAILED;
}
C
gcc -Wall -o make make.c -pthread
./make /one && ./make /two && chown 1234 /dev/shm/sem.two
head -c 100 /dev/zero >/dev/shm/segment
mkdir /dev/shm/folder
mkfifo /dev/shm/pipe
printf 12345 >target && ln -s "$work/target" /dev/shm/link
chmod 755 "$work"
expect 'segments' 'folder link pipe segment' "$(lsipc -M | names)"
expect 'size of the link' '5B' "$(lsipc -M | awk '$1 == "link" { print $4 }')"
expect 'semaphores, for root' 'one two' "$(lsipc -S | names)"
as_other() { setpriv --reuid 1234 --clear-groups "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
    "$work/root/usr/bin/lsipc" "$@"; }
expect 'semaphores, for user 1234' 'two, exit code 0, said ""' \
    "$(as_other -S 2>said | names), exit code $(as_other -S >/dev/null 2>&1; echo $?), said \"$(cat said)\""
mount -o remount,ro /dev/shm
expect 'semaphores, read-only' 'exit code 0, said ""' \
    "$(lsipc -S 2>said | names)exit code $(lsipc -S >/dev/null 2>&1; echo $?), said \"$(cat said)\""
mount -o remount,rw /dev/shm
finish
