#!/usr/bin/env bash
# On overlayfs, a process that opened a file of a lower layer before its first writer never maps what is written, though
# read by the same descriptor gets it, and locks exclude.
# Guess: MAP_SHARED of one path on one machine is one memory, and a descriptor shows one file, whether it is read or
# mapped.
# Seen (Linux 6.18): the open of the writer copies the file up. The reader's descriptor then reads the new file and has
# the same inode number and the same flock as the writer's, but its maps, old and new, are of the file below. So a
# segment or a database file that comes with the image of a container may be torn in two at the first write.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >map.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
static char *map(int file, int protection)
{
    return mmap(NULL, 4096, protection, MAP_SHARED, file, 0);
}
int main(int count, char **words)
{
    char text[8] = "";
    struct stat state, other;
    int reader = open(words[count - 1], O_RDONLY);
    char *before = map(reader, PROT_READ);
    printf("before: %s, flock %d; ", before, flock(reader, LOCK_EX | LOCK_NB));
    int writer = open(words[count - 1], O_RDWR);
    strcpy(map(writer, PROT_READ | PROT_WRITE), "new");
    fstat(reader, &state), fstat(writer, &other);
    if (pread(reader, text, 4, 0) != 4) return 1;
    printf("then: map %s, read %s, new map %s, ", before, text, map(reader, PROT_READ));
    printf("%s inode, ", state.st_ino == other.st_ino && state.st_dev == other.st_dev ? "same" : "other");
    printf("second flock %d\n", flock(writer, LOCK_EX | LOCK_NB));
    return 0;
}
C
gcc -Wall -o map map.c
mkdir layers && mount -t tmpfs none layers
trap 'umount "$work/merged" "$work/layers"; rm -rf "$work"' EXIT
mkdir layers/lower layers/upper layers/work merged
printf old >layers/lower/file && truncate -s 4096 layers/lower/file && cp layers/lower/file plain
mount -t overlay -o lowerdir=layers/lower,upperdir=layers/upper,workdir=layers/work none merged
rest='same inode, second flock -1'
expect 'plain file' "before: old, flock 0; then: map new, read new, new map new, $rest" "$(./map plain)"
expect 'file of a lower layer' \
    "before: old, flock 0; then: map old, read new, new map old, $rest" "$(./map merged/file)"
finish
