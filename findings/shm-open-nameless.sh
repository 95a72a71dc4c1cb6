#!/usr/bin/env bash
# shm_open("/.", O_TMPFILE | O_RDWR) of glibc makes a segment that has no name, and linkat gives it one when it is
# ready.
# Guess: shm_open refuses flags that it does not name, and "." as a name, with EINVAL.
# Seen (glibc 2.36 and 2.41): the flags go to open(2) as they are, and "/." is the folder /dev/shm, so the segment is as
# nameless as a memfd, but on /dev/shm: its limit counts it, and linkat puts it there with its size and content at once,
# so that nobody can open it too early. musl 1.2.3 says EINVAL.
. "$(dirname "$0")/lib.sh"
unpack_pool g/glibc/libc6_2.41-12
cat >nameless.c <<'C'
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
static int names(void)
{
    int count = -2;
    DIR *folder = opendir("/dev/shm");
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}
int main(void)
{
    struct stat state;
    char path[50];
    int file = shm_open("/.", O_TMPFILE | O_RDWR, 0600);
    if (file < 0) return printf("%s\n", errno == EINVAL ? "EINVAL" : "?") < 0;
    if (write(file, "ready", 5) != 5 || fstat(file, &state) != 0) return 1;
    printf("%ld bytes, %d links, %d names, ", (long)state.st_size, (int)state.st_nlink, names());
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    printf("linkat %d, ", linkat(AT_FDCWD, path, AT_FDCWD, "/dev/shm/ready", AT_SYMLINK_FOLLOW));
    printf("shm_open %s, ", shm_open("/ready", O_RDWR, 0) >= 0 ? "finds it" : "does not");
    printf("%d names\n", names());
    return shm_unlink("/ready");
}
C
gcc -Wall -o nameless nameless.c
musl-gcc -Wall -o nameless-musl nameless.c
libraries=$work/root/usr/lib/x86_64-linux-gnu
made='5 bytes, 0 links, 0 names, linkat 0, shm_open finds it, 1 names'
expect 'glibc of this system' "$made" "$(./nameless)"
expect 'glibc 2.41' "$made" "$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./nameless)"
expect 'musl' 'EINVAL' "$(./nameless-musl)"
finish
