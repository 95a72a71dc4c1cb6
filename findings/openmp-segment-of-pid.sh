#!/usr/bin/env bash
# LLVM's OpenMP keeps a POSIX segment that is named for the PID, and removes that of a living process with the same PID.
# Guess: a program with OpenMP shares nothing with others; should it make an object, a second container with the same
# PID and the same /dev/shm leaves alone what is there.
# Seen (libomp 14.0.6): a process has /dev/shm/__KMP_REGISTERED_LIB_PID_UID, 1,024 bytes and mode 644, as long as it
# runs, also where it is the first process of a PID namespace. A second one with that PID removes the segment and makes
# its own under the name. Each removes at its end only what it made. A kill leaves it.
. "$(dirname "$0")/lib.sh"
unpack libomp5-14=1:14.0.6-12
cat >program.c <<'C'
#include <stdio.h>
extern int omp_get_max_threads(void);
int main(void)
{
    printf("%d\n", omp_get_max_threads() > 0);
    fflush(stdout);
    getchar();
}
C
library=$(find "$work/root" -name libomp.so.5 -type f)
gcc -o program program.c "$library" -Wl,-rpath,"${library%/*}"
mkfifo first second
start() { # FIFO COMMAND...: in the background, until it says that it has OpenMP
    "${@:2}" <"$1" >"said.$1" &
    process=$!
}
said() { # FIFO
    for ((i = 0; i < 1200; i++)); do [ ! -s "said.$1" ] || return 0; sleep 0.05; done
    return 1
}
segments() { (cd /dev/shm && stat -c "${1:-%n %s %a}" -- * 2>/dev/null) || echo none; }
start first ./program
exec 3>first
said first
expect 'its segment' "__KMP_REGISTERED_LIB_${process}_0 1024 644" "$(segments)"
kill -KILL $process
wait $process || true
expect 'after a kill' "__KMP_REGISTERED_LIB_${process}_0 1024 644" "$(segments)"
exec 3>&-
rm -f /dev/shm/* said.*
start first unshare --pid --fork --mount-proc ./program
first=$process
exec 3>first
said first
expect 'the first process of a namespace' '__KMP_REGISTERED_LIB_1_0 1024 644' "$(segments)"
one=$(segments %i)
start second unshare --pid --fork --mount-proc ./program
exec 4>second
said second
two=$(segments %i)
expect 'that of a second namespace' '__KMP_REGISTERED_LIB_1_0 1024 644' "$(segments)"
expect 'is the same segment' no "$([ "$one" = "$two" ] && echo yes || echo no)"
echo >&3
wait $first
expect 'after the end of the first' "$two" "$(segments %i)"
echo >&4
wait $process
expect 'after the end of the second' none "$(segments)"
finish
