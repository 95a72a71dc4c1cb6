#!/usr/bin/env bash
# CFITSIO's "shmem://h1" is a System V segment near the fixed key 14011963, for every user to write, and stays.
# Guess: it is a POSIX segment of that name, or private memory as with "mem://", and goes with fits_close_file.
# Seen (CFITSIO 4.2.0): the table of all such files has the key 14011963 (0xd5ce3b), and each file a key among the next
# twenty, with a set beside it; all with mode 0666 in spite of umask 077, and a lock file is left in /tmp. A segment of
# another program under 14011963 makes each "shmem" file fail as "no memory". Deleting the last file takes all away but
# the lock file.
. "$(dirname "$0")/lib.sh"
unpack libcfitsio10=4.2.0-3 libcfitsio-dev=4.2.0-3
cat >image.c <<'C'
#include <fitsio.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words)
{
    fitsfile *file;
    int status = 0;
    long sides[2] = { 10, 10 };
    char text[31] = "done";
    if (count == 3 && strcmp(words[1], "delete") == 0) {
        fits_open_file(&file, words[2], READWRITE, &status);
        if (status == 0) fits_delete_file(file, &status);
    } else if (count == 3) {
        fits_create_file(&file, words[2], &status);
        fits_create_img(file, SHORT_IMG, 2, sides, &status);
        if (status == 0) fits_close_file(file, &status);
    }
    if (status != 0) fits_get_errstatus(status, text);
    return printf("%s\n", text) < 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -o image image.c -I "$(dirname "$(find root -name fitsio.h)")" "$libraries/libcfitsio.so.10" \
    -Wl,--allow-shlib-undefined
export LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu
mkdir tmp
mount --bind tmp /tmp # the lock file's folder is fixed
trap 'umount /tmp; rm -rf "$work"' EXIT
list() {
    awk 'NR > 1 { near = ($1 > 14011963 && $1 < 14011984); print (near ? "near" : $1), $3 }' "/proc/sysvipc/$1" |
        paste -sd ,
}
umask 077
expect 'create' 'done' "$(./image create shmem://h1)"
expect 'segments left' '14011963 666,near 666' "$(list shm)"
expect 'sets left' 'near 666' "$(list sem)"
expect 'file left' '.shmem-lockfile.14011963.16' "$(ls -A /tmp)"
expect 'delete' 'done' "$(./image delete shmem://h1)"
expect 'objects after that' '' "$(list shm)$(list sem)"
perl -e 'defined shmget(14011963, 4096, 01600) or die'
expect 'with the key in use' 'no memory (shared mem drvr)' "$(./image create shmem://h1)"
finish
