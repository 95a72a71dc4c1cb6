#!/usr/bin/env bash
# What sendfile took from a segment and put into a pipe or a socket still changes with the segment.
# Guess: sendfile(2) "copies data between one file descriptor and another": what is in the pipe is the bytes of the time
# of the call.
# Seen (Linux 6.18): the pipe, or the Unix socket, holds the segment's page itself. A reader that comes later gets what
# was written meanwhile. So a lock that is held around the call protects nothing; write(2) from the mapping does copy.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >send.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
static void try(const char *what, int file, char *map, int *ends, int copies)
{
    char text[7] = "";
    off_t from = 0;
    memcpy(map, "before", 6);
    if ((copies ? write(ends[1], map, 6) : sendfile(ends[1], file, &from, 6)) != 6) return;
    memcpy(map, "after!", 6);
    if (read(ends[0], text, 6) == 6) printf("%s %s, ", what, text);
}
int main(void)
{
    int ends[2], pair[2], file = shm_open("/segment", O_CREAT | O_RDWR, 0600);
    if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || ftruncate(file, 4096) != 0) return 1;
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    try("pipe", file, map, ends, 0);
    try("socket", file, map, pair, 0);
    try("write to a pipe", file, map, ends, 1);
    return 0;
}
C
gcc -Wall -o send send.c
expect 'read' 'pipe after!, socket after!, write to a pipe before, ' "$(./send)"
finish
