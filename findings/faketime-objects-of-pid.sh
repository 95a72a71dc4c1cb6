#!/usr/bin/env bash
# faketime makes a POSIX semaphore and a segment named by the PID, so the second container with that PID and /dev/shm
# cannot run it; with LD_PRELOAD alone, each program leaves such a pair.
# Guess: the time goes to the program by the environment, and there are no shared objects.
# Seen (faketime 0.9.10): "/faketime_sem_1" is there as long as the first container's wrapper runs, and the second one
# ends with "sem_open: File exists", exit code 1, and blames the platform. The wrapper removes its pair at its end;
# libfaketime.so.1 without the wrapper does not.
. "$(dirname "$0")/lib.sh"
unpack faketime=0.9.10-2.1 libfaketime=0.9.10-2.1
mkfifo go
list() { (cd /dev/shm && ls) | sed 's/_[0-9]*$/_PID/' | sort -u | paste -sd ' '; }
container() { unshare --pid --fork --mount-proc "$work/root/usr/bin/faketime" '2020-01-01 00:00:00' "$@" 2>said; }
container sh -c 'ls /dev/shm >seen.new; mv seen.new seen; read -r _ <go; :' &
until [ -e seen ]; do sleep 0.05; done
expect 'objects of the first one' 'faketime_shm_1 sem.faketime_sem_1' "$(sort seen | paste -sd ' ')"
code=0
container echo started >second || code=$?
expect 'the second one' ', exit code 1, sem_open: File exists' \
    "$(cat second), exit code $code, $(grep -o 'sem_open: File exists' said)"
echo >go
wait
expect 'after the first one' '' "$(list)"
expect 'year, with LD_PRELOAD' '2022' "$(FAKETIME='2022-01-01 00:00:00' \
    LD_PRELOAD=$(find "$work/root" -name libfaketime.so.1) sh -c 'date +%Y')"
expect 'left then' 'faketime_shm_PID sem.faketime_sem_PID' "$(list)"
finish
