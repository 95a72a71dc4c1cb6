#!/usr/bin/env bash
# Boost 1.88 opens a managed_shared_memory that Boost 1.83 or an older one made, and finds none of the named objects in
# it; Debian 13 has both versions.
# Guess: the layout is the same in all versions, or another one is refused.
# Seen: it opens, check_sanity() is true and the number of named objects right, but find() gives nothing, and so
# find_or_construct() makes a second object of the name. 1.74 and 1.83 meet. A message_queue of either version works in
# the other.
. "$(dirname "$0")/lib.sh"
mkdir root
mount -t tmpfs none root # some 15,000 files for each version
trap 'umount "$work/root"; rm -rf "$work"' EXIT
cat >objects.cpp <<'C'
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <cstdio>
using namespace boost::interprocess;
int main(int count, char **)
{
    managed_shared_memory memory(open_or_create, "jobs", 65536);
    message_queue queue(open_or_create, "queue", 4, 16);
    if (count > 1) {
        memory.construct<int>("answer")(42);
        queue.send("hello", 6, 0);
        return 0;
    }
    int *answer = memory.find<int>("answer").first;
    std::printf("sane %d, objects %d, answer %d", memory.check_sanity(),
        static_cast<int>(memory.get_num_named_objects()), answer ? *answer : -1);
    char text[16] = "";
    message_queue::size_type size;
    unsigned priority;
    if (queue.try_receive(text, sizeof text, size, priority)) std::printf(", message %s", text);
    return 0;
}
C
build() { # NAME
    g++ -Wall -I root/usr/include -o "objects-$1" objects.cpp
    find root -mindepth 1 -delete
}
unpack libboost1.74-dev=1.74.0+ds1-21
build 1.74
for version in 1.83.0-4.2 1.88.0-1; do
    unpack_pool "b/boost${version%.*-*}/libboost${version%.*-*}-dev_$version"
    build "${version%.*-*}"
done
seen() { # MAKER USER
    rm -f /dev/shm/*
    "./objects-$1" make
    "./objects-$2"
}
expect '1.74 and 1.83' 'sane 1, objects 1, answer 42, message hello' "$(seen 1.74 1.83)"
expect '1.83 and 1.74' 'sane 1, objects 1, answer 42, message hello' "$(seen 1.83 1.74)"
expect '1.88 by itself' 'sane 1, objects 1, answer 42, message hello' "$(seen 1.88 1.88)"
expect '1.83 and 1.88' 'sane 1, objects 1, answer -1, message hello' "$(seen 1.83 1.88)"
expect '1.74 and 1.88' 'sane 1, objects 1, answer -1, message hello' "$(seen 1.74 1.88)"
finish
