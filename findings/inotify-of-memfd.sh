#!/usr/bin/env bash
# A watch on a memfd does not hear of write(2) through it, hears of ftruncate, and tells when its last user lets go.
# Guess: inotify_add_watch of /proc/self/fd/N watches it like any file: IN_MODIFY for writes; and what has no name is
# never deleted, so its end is not told.
# Seen (Linux 6.18): write and close by the descriptor of memfd_create tell nothing, ftruncate by it is IN_MODIFY, and
# all of what a descriptor does that was opened by /proc/self/fd is told. With the last close or munmap comes
# IN_DELETE_SELF. So a watcher learns when nobody uses a nameless segment any more; the watch does not keep it alive.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >watch.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>
static int events;
static void say(const char *what, int done)
{
    static const struct { unsigned bit; const char *name; } names[] = { { IN_MODIFY, "modify " }, { IN_OPEN, "open " },
        { IN_CLOSE_WRITE, "close-write " }, { IN_DELETE_SELF, "delete-self " }, { IN_IGNORED, "ignored " } };
    struct inotify_event event;
    printf("%s: %s", what, done < 0 ? "FAILED" : "");
    while (read(events, &event, sizeof event) == sizeof event)
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
            if (event.mask & names[i].bit) printf("%s", names[i].name);
    printf("\n");
}
int main(void)
{
    int memory = memfd_create("memory", 0);
    char path[50];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    events = inotify_init1(IN_NONBLOCK);
    say("watch", inotify_add_watch(events, path, IN_MODIFY | IN_OPEN | IN_CLOSE_WRITE | IN_DELETE_SELF));
    say("write", write(memory, "x", 1));
    say("ftruncate", ftruncate(memory, 4096));
    int again = open(path, O_RDWR);
    say("reopened", again);
    say("write by that", write(again, "x", 1));
    say("its close", close(again));
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    say("close", close(memory));
    say("munmap", munmap(map, 4096));
    return 0;
}
C
gcc -Wall -o watch watch.c
expect 'events' "watch: ;write: ;ftruncate: modify ;reopened: open ;write by that: modify ;its close: close-write ;\
close: ;munmap: delete-self ignored " "$(./watch | paste -sd ';')"
finish
