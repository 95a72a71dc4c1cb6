#!/usr/bin/env bash
# A program that only loads lttng-ust makes two shared memory objects, and leaves them, though nobody traces.
# Guess: a library for tracing makes shared memory when a session is started, and removes it.
# Seen (liblttng-ust1 2.13.5): without a session daemon, loading the library makes /lttng-ust-wait-8 with mode 0666 and
# /lttng-ust-wait-8-UID with 0640, of 4096 bytes each. They stay when the program has ended as it should: they are no
# sign of a crash.
. "$(dirname "$0")/lib.sh"
unpack liblttng-ust1=2.13.5-1 liblttng-ust-common1=2.13.5-1 libnuma1=2.0.16-1
cat >load.c <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
    puts(dlopen("liblttng-ust.so.1", RTLD_NOW) ? "loaded" : dlerror());
    fflush(stdout);
    getchar();
    return 0;
}
C
gcc -Wall -o load load.c
objects() { (cd /dev/shm && find . -mindepth 1 -printf '%f %m %s\n' | sort | xargs); }
mkdir home
coproc HOME=$work/home LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu ./load
read -r line <&"${COPROC[0]}"
expect 'the library' loaded "$line"
for ((i = 0; i < 1200; i++)); do [ "$(objects | wc -w)" -lt 6 ] || break; sleep 0.05; done
program=$COPROC_PID
echo >&"${COPROC[1]}"
wait "$program"
expect 'left: name, mode, bytes' 'lttng-ust-wait-8 666 4096 lttng-ust-wait-8-0 640 4096' "$(objects)"
finish
