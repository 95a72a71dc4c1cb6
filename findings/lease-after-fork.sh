#!/usr/bin/env bash
# A lease on a file that nobody else has is refused while a child of the own process is on its way from fork to exec,
# and inotify tells the close of that file only after it.
# Guess: a descriptor with O_CLOEXEC that is closed is gone, so after close(2) the process is alone with the file:
# F_SETLEASE works, and IN_CLOSE_WRITE has come.
# Seen (Linux 6.18): a child has a copy of each descriptor until it has become the other program. F_SETLEASE of a
# descriptor for reading says EAGAIN as long as the child has the one for writing, and IN_CLOSE_WRITE comes with the
# child's exec. So "no lease" does not prove that another program has the file open: in a process that starts programs
# in another thread it may mean itself.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >lease.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int go[2], file = shm_open("/lease", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    int watch = inotify_init1(IN_CLOEXEC);
    if (pipe2(go, O_CLOEXEC) != 0 || inotify_add_watch(watch, "/dev/shm/lease", IN_CLOSE_WRITE) < 0) return 1;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (read(go[0], &byte, 1) == 1 && dup2(go[0], 0) == 0) execlp("cat", "cat", (char *)NULL);
        _exit(1);
    }
    close(file);
    file = shm_open("/lease", O_RDONLY | O_CLOEXEC, 0);
    struct pollfd event = { watch, POLLIN, 0 };
    printf("before exec: lease %s, ", fcntl(file, F_SETLEASE, F_RDLCK) == 0 ? "given"
        : errno == EAGAIN ? "EAGAIN" : "refused");
    printf("events %d; ", poll(&event, 1, 0));
    if (write(go[1], "x", 1) != 1) return 1;
    int events = poll(&event, 1, 60000);
    printf("after exec: events %d, lease %s, ", events, fcntl(file, F_SETLEASE, F_RDLCK) == 0 ? "given" : "refused");
    printf("child %s", waitpid(child, NULL, WNOHANG) == 0 ? "runs" : "ended");
    close(go[1]);
    wait(NULL);
    return shm_unlink("/lease");
}
C
gcc -Wall -D_GNU_SOURCE -o lease lease.c
expect 'lease and close event' \
    'before exec: lease EAGAIN, events 0; after exec: events 1, lease given, child runs' "$(timeout 120 ./lease)"
finish
