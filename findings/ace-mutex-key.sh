#!/usr/bin/env bash
# ACE's named mutex has no file: its System V key is the CRC-32 of its name, and its set has three semaphores.
# Guess: like Qt and POCO, ACE takes ftok() of a file, and its mutex and its semaphore of one name are objects of one
# kind. Seen (libace 7.0.8): ACE_Process_Mutex "jobs" is the set of three semaphores with the key crc32("jobs"), which
# any program with another string of that sum, or that number as its key, meets. ACE_Process_Semaphore "jobs" is the
# POSIX semaphore /jobs. What made either removes it at its end, whoever else has it.
. "$(dirname "$0")/lib.sh"
unpack libace-dev=7.0.8+dfsg-2 libace-7.0.8=7.0.8+dfsg-2
cat >named.cpp <<'C'
#include <ace/Process_Mutex.h>
#include <ace/Process_Semaphore.h>
#include <cstdio>
int main()
{
    ACE_Process_Mutex mutex("jobs");
    ACE_Process_Semaphore semaphore(1, "jobs");
    std::puts(mutex.acquire() == 0 && semaphore.acquire() == 0 ? "mine" : "failed");
    std::fflush(stdout);
    std::getchar();
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
g++ -w -I root/usr/include -o named named.cpp -L "$libraries" -lACE -pthread -Wl,--allow-shlib-undefined
coproc LD_LIBRARY_PATH=$libraries ./named
read -r line <&"${COPROC[0]}"
expect 'both acquired' mine "$line"
expect 'System V sets: key, semaphores' "$(python3 -c 'import zlib; print(zlib.crc32(b"jobs"))') 3" \
    "$(awk 'NR > 1 { printf "%.0f %d\n", $1 < 0 ? $1 + 4294967296 : $1, $4 }' /proc/sysvipc/sem)"
expect 'files in /dev/shm' sem.jobs "$(ls /dev/shm)"
maker=$COPROC_PID
echo >&"${COPROC[1]}"
while kill -0 "$maker" 2>/dev/null; do sleep 0.05; done
expect 'left at the end' '0 sets, files ""' "$(awk 'NR > 1' /proc/sysvipc/sem | wc -l) sets, files \"$(ls /dev/shm)\""
finish
