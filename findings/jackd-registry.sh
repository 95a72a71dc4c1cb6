#!/usr/bin/env bash
# jackd keeps its registry of POSIX segments under a System V set of the fixed key 0x282929, and leaves both; its
# "semaphores" are files that sem_open does not know.
# Guess: jackd2 uses POSIX segments and semaphores alone, under the server's name, and a clean end takes them away.
# Seen (jackd2 1.9.21): the set has mode 0666 and is one for all servers and users, as the registry is; both stay after
# the last server's end. A "jack_sem" is a file of 12 bytes with execute rights that a futex is in. And the end of one
# server removes the folder of properties, jack_db-UID, under another one that runs.
. "$(dirname "$0")/lib.sh"
unpack jackd2=1.9.21~dfsg-3 libjack-jackd2-0=1.9.21~dfsg-3 libdb5.3=5.3.28+dfsg2-1 libopus0=1.3.1-3
libraries=$work/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries JACK_DRIVER_DIR=$libraries/jack JACK_NO_AUDIO_RESERVATION=1
server() { exec timeout 60 "$work/root/usr/bin/jackd" -r -p 16 -n "$1" -d dummy -p 4096 >"$1.log" 2>&1; }
until_there() { for _ in $(seq 400); do [ -e "$1" ] && break; sleep 0.05; done; }
stop() { kill "$1" && wait "$1" || true; }
folder() { [ -d /dev/shm/jack_db-0 ] && echo there || echo gone; }
server one &
one=$!
until_there /dev/shm/jack_one_0_0
server two &
two=$!
until_there /dev/shm/jack_two_0_0
expect 'System V set' '2631977 666' "$(awk 'NR > 1 { print $1, $3 }' /proc/sysvipc/sem)"
expect 'a semaphore' 'regular file 755 12' "$(stat -c '%F %a %s' /dev/shm/jack_sem.0_one_system)"
expect 'folder of properties' 'there' "$(folder)"
stop $one
expect 'the same, after the end of one server' 'gone' "$(folder)"
stop $two
expect 'left by both' 'jack-shm-registry' "$(ls /dev/shm)"
expect 'System V set left' '2631977 666' "$(awk 'NR > 1 { print $1, $3 }' /proc/sysvipc/sem)"
finish
