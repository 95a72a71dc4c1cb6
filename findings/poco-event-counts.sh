#!/usr/bin/env bash
# POCO's NamedEvent counts on Unix: three calls of set() let three waiters through, one after the other.
# Guess: it is an auto-reset event, as on Windows and as POCO's Event within a process is: set() on an event that is
# set already changes nothing, so one wait returns.
# Seen (libpoco 1.11.0): it is a System V semaphore, and set() adds one. Three set() and three wait() all return, and
# the count is 0 again only then. The Event of the same library, used within the process, returns from one wait.
. "$(dirname "$0")/lib.sh"
unpack libpoco-dev=1.11.0-3+deb12u1 libpocofoundation80=1.11.0-3+deb12u1 libpcre2-8-0=10.42-1 libpcre3=2:8.39-15
cat >event.cpp <<'C'
#include <Poco/Event.h>
#include <Poco/NamedEvent.h>
#include <cstdio>
int main(int, char **argv)
{
    Poco::NamedEvent named(argv[1]);
    Poco::Event local(true); // auto-reset
    for (int i = 0; i < 3; i++) named.set(), local.set();
    int waits = 0;
    while (waits < 3 && local.tryWait(0)) waits++;
    std::printf("Event: %d\n", waits);
    std::fflush(stdout);
    for (waits = 0; waits < 3; waits++) named.wait();
    std::printf("NamedEvent: %d\n", waits);
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
g++ -Wall -I root/usr/include -o event event.cpp -L "$libraries" -lPocoFoundation -Wl,--allow-shlib-undefined
export LD_LIBRARY_PATH=$libraries:$work/root/lib/x86_64-linux-gnu
name=finding-$$
trap 'rm -rf "$work" "/tmp/$name.event"' EXIT
expect 'waits that returned after three set()' 'Event: 1, NamedEvent: 3' \
    "$(timeout 60 ./event "$name" | paste -sd ',' | sed 's/,/, /')"
finish
