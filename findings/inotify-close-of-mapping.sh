#!/usr/bin/env bash
# inotify's IN_CLOSE_WRITE of a file that is mapped comes when the mapping goes, and not when its descriptor is closed.
# Guess: close(2) of the only descriptor gives IN_CLOSE_WRITE, and a mapping gives no event at all.
# Seen (Linux 6.18, /dev/shm): open, mmap, close give IN_OPEN alone; munmap gives IN_CLOSE_WRITE. So a watcher can tell
# that the last user of a POSIX segment has let go, though a store into the memory gives no event and segments are used
# without a descriptor.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >watch.c <<'C'
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>
static void say(const char *what, int watch)
{
    char events[4096];
    struct pollfd ready = { watch, POLLIN, 0 };
    printf("%s", what);
    while (poll(&ready, 1, 100) > 0) {
        ssize_t size = read(watch, events, sizeof events);
        for (ssize_t at = 0; at < size;) {
            struct inotify_event *event = (void *)(events + at);
            printf(" %s", event->mask == IN_OPEN ? "IN_OPEN"
                : event->mask == IN_CLOSE_WRITE ? "IN_CLOSE_WRITE" : "another");
            at += sizeof *event + event->len;
        }
    }
    printf(", ");
}
int main(void)
{
    int made = shm_open("/finding", O_CREAT | O_RDWR, 0600);
    int watch = inotify_init1(0);
    if (ftruncate(made, 4096) != 0 || close(made) != 0) return 1;
    inotify_add_watch(watch, "/dev/shm/finding", IN_ALL_EVENTS);
    int file = shm_open("/finding", O_RDWR, 0);
    say("open:", watch);
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    say("mmap and close:", watch);
    memory[0] = 1;
    say("store:", watch);
    munmap(memory, 4096);
    say("munmap:", watch);
    return shm_unlink("/finding");
}
C
gcc -Wall -o watch watch.c
expect 'events' 'open: IN_OPEN, mmap and close:, store:, munmap: IN_CLOSE_WRITE, ' "$(./watch)"
finish
