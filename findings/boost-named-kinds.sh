#!/usr/bin/env bash
# Boost.Interprocess does not keep its kinds of named objects apart: a named_mutex is the named_semaphore of its name,
# and the other named locks are the segment of their name.
# Guess: each kind has names of its own, or opening a name as another kind is refused.
# Seen (Boost 1.74, Linux): named_mutex "jobs" is the POSIX semaphore /jobs, so a named_semaphore opens it, and its
# post() lets a second holder in. named_recursive_mutex "state" is the 56 bytes of the segment "state": a
# shared_memory_object of that name cannot be made, and one that is opened maps the mutex; a named_upgradable_mutex
# opens the same bytes as its own and locks them, so that the recursive mutex, which nobody holds, is not to be had.
. "$(dirname "$0")/lib.sh"
mkdir root
mount -t tmpfs none root # some 15,000 files
trap 'umount "$work/root"; rm -rf "$work"' EXIT
unpack libboost1.74-dev=1.74.0+ds1-21
cat >kinds.cpp <<'C'
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>
#include <boost/interprocess/sync/named_recursive_mutex.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#include <boost/interprocess/sync/named_upgradable_mutex.hpp>
#include <cstdio>
using namespace boost::interprocess;
int main()
{
    named_mutex mutex(create_only, "jobs"), second(open_only, "jobs");
    mutex.lock();
    std::printf("mutex %d, ", second.try_lock());
    named_semaphore(open_only, "jobs").post();
    std::printf("after post() %d; ", second.try_lock());
    named_recursive_mutex recursive(create_only, "state");
    try {
        shared_memory_object(create_only, "state", read_write);
        std::printf("segment made, ");
    }
    catch (const interprocess_exception &error) { std::printf("segment: %s, ", error.what()); }
    offset_t size;
    shared_memory_object(open_only, "state", read_only).get_size(size);
    std::printf("opened, %d bytes, ", static_cast<int>(size));
    named_upgradable_mutex upgradable(open_only, "state");
    std::printf("upgradable %d, ", upgradable.try_lock());
    std::printf("recursive %d", recursive.try_lock());
}
C
g++ -w -O0 -I root/usr/include -o kinds kinds.cpp -pthread
expect 'Boost' 'mutex 0, after post() 1; segment: File exists, opened, 56 bytes, upgradable 1, recursive 0' "$(./kinds)"
expect 'files' 'sem.jobs 32, state 56' \
    "$(cd /dev/shm && stat -c '%n %s' ./* | sed 's|./||' | paste -sd ',' | sed 's/,/, /')"
finish
