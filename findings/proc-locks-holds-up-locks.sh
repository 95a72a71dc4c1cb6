#!/usr/bin/env bash
# Whoever reads /proc/locks makes the file locks of all other processes wait, also those of files that nobody else has.
# Guess: it is a look like any other in /proc. flock(2) of a file that one process alone uses never sleeps, whatever
# lslocks does meanwhile.
# Seen (Linux 6.18; lslocks of util-linux 2.38.1 reads the same file): beside a process that reads /proc/locks again and
# again, flock() of an own file sleeps now and then; beside one that reads /proc/version it never does. The table is
# under one lock for the whole machine, which a reader keeps also while it waits for a processor. So many processes that
# poll it on a busy machine bring every flock() and fcntl() lock nearly to a stop.
. "$(dirname "$0")/lib.sh"
unpack util-linux=2.38.1-5+deb12u3
cat >waits.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>
static long sleeps(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_nvcsw;
}
int main(void)
{
    int file = open("own", O_RDWR | O_CREAT, 0600);
    long before = sleeps();
    for (time_t end = time(NULL) + 10; sleeps() == before && time(NULL) < end;) {
        for (int i = 0; i < 20000; i++) {
            flock(file, LOCK_EX);
            flock(file, LOCK_UN);
        }
    }
    puts(sleeps() == before ? "never slept" : "slept");
    return 0;
}
C
gcc -Wall -o waits waits.c
beside() { # COMMAND...: what the locks do while the command runs again and again
    (while :; do "$@" >/dev/null; done) &
    ./waits
    kill $!
    wait $! 2>/dev/null
}
expect 'flock() beside a reader of /proc/version' 'never slept' "$(beside cat /proc/version)"
expect 'flock() beside a reader of /proc/locks' 'slept' "$(beside cat /proc/locks)"
expect 'flock() beside lslocks' 'slept' "$(beside root/usr/bin/lslocks)"
finish
