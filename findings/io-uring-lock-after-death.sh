#!/usr/bin/env bash
# The flock of a process that registered its file with io_uring is still held when waitpid has told of the process's
# death.
# Guess: as always, the locks of a process are gone before its parent hears of its end.
# Seen (Linux 6.18): the ring has the file open, too, and the kernel takes rings apart later, by a worker: the next
# exclusive flock without waiting fails, and works some 20 to 70 ms afterwards; an open file description lock the same.
# A record lock is gone in time.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >ring.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
enum { Rounds = 10 };
static int take(const char *kind, int file)
{
    struct flock whole = { .l_type = F_WRLCK };
    if (strcmp(kind, "flock") == 0) return flock(file, LOCK_EX | LOCK_NB);
    return fcntl(file, strcmp(kind, "ofd") == 0 ? F_OFD_SETLK : F_SETLK, &whole);
}
int main(int count, char **words)
{
    int is_registered = count > 2, late = 0, never = 0;
    for (int round = 0; round < Rounds; round++) {
        int told[2], file;
        char byte;
        if (pipe(told) != 0) return 1;
        pid_t child = fork();
        if (child == 0) {
            struct io_uring_params parameters = { 0 };
            file = open("lock", O_RDWR | O_CREAT, 0600);
            int ring = syscall(SYS_io_uring_setup, 4, &parameters);
            if (ring < 0 || take(words[1], file) != 0) _exit(1);
            if (is_registered && syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &file, 1) != 0) _exit(1);
            if (write(told[1], "t", 1) == 1) pause();
            _exit(1);
        }
        close(told[1]);
        if (read(told[0], &byte, 1) != 1) return 1;
        file = open("lock", O_RDWR);
        if (take(words[1], file) == 0) return 1;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        int wait = 0;
        while (take(words[1], file) != 0 && wait < 10000) {
            usleep(1000);
            wait++;
        }
        late += wait > 0;
        never += wait == 10000;
        close(file);
        close(told[0]);
    }
    return printf("%s", never ? "stays" : late == 0 ? "in time" : late > Rounds / 2 ? "late" : "sometimes late") < 0;
}
C
gcc -Wall -o ring ring.c
expect 'flock, with a ring' 'in time' "$(./ring flock)"
expect 'flock, registered' 'late' "$(./ring flock registered)"
expect 'open file description lock, registered' 'late' "$(./ring ofd registered)"
expect 'record lock, registered' 'in time' "$(./ring record registered)"
finish
