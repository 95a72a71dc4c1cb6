#!/usr/bin/env bash
# A System V segment has a path for root, by which its file can be read, punched and made longer: the size that IPC_STAT
# tells is then no longer the size that shmat maps.
# Guess: a System V segment has no file that can be opened, and its size is fixed once it is made.
# Seen (Linux 6.18): /proc/PID/map_files/START-END of an attachment opens for reading and writing. truncate makes the
# file longer; the next shmat maps all of it, while IPC_STAT, ipcs and /proc/sysvipc/shm go on with the old size, and
# shmget refuses more than that. fallocate punches pages out, and cat copies the segment.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >attach.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
int main(int count, char **words)
{
    struct shmid_ds state;
    int id = shmget(atoi(words[1]), 8192, 0600 | IPC_CREAT);
    char *start = shmat(id, NULL, 0), file[100], line[200];
    if (count > 2) strcpy(start, words[2]);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "SYSV")) sscanf(line, "%99s", file);
    unsigned long first, last;
    sscanf(file, "%lx-%lx", &first, &last);
    shmctl(id, IPC_STAT, &state);
    printf("%s\n", file);
    printf("mapped %lu, told %lu, text \"%s\"\n", last - first, (unsigned long)state.shm_segsz, start);
    fflush(stdout);
    if (count > 2) getchar();
    return 0;
}
C
gcc -Wall -o attach attach.c
coproc ./attach 7 hello
holder=$COPROC_PID
read -r range <&"${COPROC[0]}"
read -r line <&"${COPROC[0]}"
expect 'attached' 'mapped 8192, told 8192, text "hello"' "$line"
file=/proc/$holder/map_files/$range
expect 'its path' '/SYSV00000007 (deleted)' "$(readlink "$file")"
expect 'read' 'hello' "$(tr -d '\0' <"$file")"
truncate -s 40960 "$file"
expect 'attached, once longer' 'mapped 40960, told 8192, text "hello"' "$(./attach 7 | tail -n 1)"
expect '/proc/sysvipc/shm' '8192' "$(awk '$1 == 7 { print $4 }' /proc/sysvipc/shm)"
fallocate --punch-hole --offset 0 --length 4096 "$file"
expect 'attached, once punched' 'mapped 40960, told 8192, text ""' "$(./attach 7 | tail -n 1)"
echo >&"${COPROC[1]}"
wait "$holder"
finish
