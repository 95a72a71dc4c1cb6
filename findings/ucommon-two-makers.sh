#!/usr/bin/env bash
# GNU uCommon's second maker of a named memory segment changes the size of the first one's, and removes its name.
# Guess: `MappedMemory(name, size)` fails, or opens with the old size, when the name is taken; the first maker removes.
# Seen (libucommon 7.0.1): the second one that makes it with a size gets the segment that is there, with its bytes, and
# sets its size to what it asked for, without an error. At its end it removes the name, though the first maker goes on.
# One that only opens it leaves the name. The mode is 644.
. "$(dirname "$0")/lib.sh"
unpack libucommon-dev=7.0.1-0.1 libucommon8=7.0.1-0.1
cat >program.cpp <<'C'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <ucommon/ucommon.h>
int main(int count, char **words)
{
    ucommon::MappedMemory *memory = count > 1 ? new ucommon::MappedMemory("example", (size_t)std::atoi(words[1]))
                                              : new ucommon::MappedMemory("example");
    char *text = (char *)memory->offset(0);
    const std::string seen = *text ? text : "nothing";
    if (count > 2) std::strcpy(text, words[2]);
    std::printf("%zu bytes: %s\n", memory->len(), seen.c_str());
    std::fflush(stdout);
    std::getchar();
    delete memory;
}
C
library=$work/root/usr/lib/x86_64-linux-gnu
g++ -w -I root/usr/include -o program program.cpp "$library/libucommon.so.8" -Wl,-rpath,"$library"
mkfifo first second third
start() { # FIFO WORD...: in the background
    ./program "${@:2}" <"$1" >"said.$1" &
    process=$!
}
said() { # FIFO: what it said
    for ((i = 0; i < 1200; i++)); do [ ! -s "said.$1" ] || break; sleep 0.05; done
    cat "said.$1"
}
segment() { (cd /dev/shm && stat -c '%n %s %a' -- * 2>/dev/null) || echo none; }
start first 100 one
first=$process
exec 3>first
expect 'the maker' '100 bytes: nothing' "$(said first)"
start second
exec 4>second
expect 'one that opens it' '100 bytes: one' "$(said second)"
exec 4>&-
wait $process
expect 'after the end of that one' 'example 100 644' "$(segment)"
start third 5000
exec 5>third
expect 'a second maker' '5000 bytes: one' "$(said third)"
expect 'the segment' 'example 5000 644' "$(segment)"
exec 5>&-
wait $process
expect 'after the end of the second maker' none "$(segment)"
expect 'the first maker lives' yes "$(kill -0 $first && echo yes)"
exec 3>&-
wait $first
finish
