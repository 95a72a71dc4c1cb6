#!/usr/bin/env bash
# Under fakechroot, shm_open and sem_open make their objects in the host's /dev/shm, and ftok looks at the host's file,
# while open, opendir and stat see those of the chroot.
# Guess: fakechroot translates each path that a program uses, so it has the /dev/shm and the key files of its root.
# Seen (fakechroot 2.20.1, glibc 2.36): it wraps functions of the C library by name, and what the library calls within
# itself goes past it. A program does not find its own segment in /dev/shm; ftok of a key file says that it is not
# there, or, where the host has a file of that path too, gives the key of that one, as for programs outside.
. "$(dirname "$0")/lib.sh"
unpack libfakechroot=2.20.1+ds-15
cat >objects.c <<'C'
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/stat.h>
static void key(const char *path)
{
    struct stat state;
    if (stat(path, &state) != 0) return;
    key_t key = ftok(path, 1);
    printf("; stat finds %s, ftok: %s", path,
        key == -1 ? "not there" : (key & 0xffff) == (state.st_ino & 0xffff) ? "its key" : "another key");
}
int main(int count, char **words)
{
    if (shm_open("/segment", O_CREAT | O_RDWR, 0600) < 0 || sem_open("/semaphore", O_CREAT, 0600, 1) == SEM_FAILED
        || open("/dev/shm/file", O_CREAT | O_RDWR, 0600) < 0) return 1;
    struct dirent *entry;
    for (DIR *folder = opendir("/dev/shm"); (entry = readdir(folder));)
        if (entry->d_name[0] != '.') printf("%s", entry->d_name);
    for (int i = 1; i < count; i++) key(words[i]);
    return 0;
}
C
gcc -Wall -o objects objects.c -pthread
mkdir -p chroot/dev/shm chroot/etc
: >chroot/only-here
: >chroot/etc/passwd
expect 'in the chroot' \
    'file; stat finds /only-here, ftok: not there; stat finds /etc/passwd, ftok: another key' \
    "$(LD_PRELOAD=$work/root/usr/lib/x86_64-linux-gnu/fakechroot/libfakechroot.so FAKECHROOT=true \
        FAKECHROOT_BASE=$work/chroot ./objects /only-here /etc/passwd)"
expect 'its /dev/shm' 'file' "$(ls chroot/dev/shm)"
expect 'the /dev/shm outside' 'segment sem.semaphore' "$(ls /dev/shm | paste -sd ' ')"
finish
