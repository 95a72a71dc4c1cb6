#!/usr/bin/env bash
# In a PID namespace, the last operator of a System V semaphore who is outside of it has the number 0, as if nobody had
# ever operated.
# Guess: GETPID gives the number that was stored at semop(2), which may then mean another process or none.
# Seen (Linux 6, util-linux 2.38.1): the kernel translates for whoever asks. A parent namespace sees the child's
# operator under its own number; in the child, an operator of the parent is 0, which is also what a set has that nobody
# has used. So 0 proves nothing there. Segments have the same in shm_cpid and shm_lpid: `ipcs -p` shows 0 for a living
# maker.
. "$(dirname "$0")/lib.sh"
unpack util-linux=2.38.1-5+deb12u3
id=$(perl -e '$i = semget(1, 1, 01600); semop($i, pack("s3", 0, 1, 0)); print $i')
shm=$(perl -e 'print shmget(1, 64, 01600)')
last() { perl -e 'print semctl($ARGV[0], 0, 11, 0) + 0' "$1"; } # 11: GETPID
inside() { unshare --pid --fork --mount-proc "$@"; }
expect 'the operator, for its own namespace' 'a number' "$([ "$(last "$id")" -gt 0 ] && echo 'a number')"
expect 'the same, in a namespace below' 0 "$(inside perl -e 'print semctl($ARGV[0], 0, 11, 0) + 0' "$id")"
fresh=$(perl -e 'print semget(0, 1, 01600)')
expect 'a set that nobody has operated' 0 "$(last "$fresh")"
expect 'the maker of a segment by ipcs -p, below' 0 \
    "$(inside root/usr/bin/ipcs -m -p | awk -v id="$shm" '$1 == id { print $3 }')"
coproc OPERATOR {
    exec unshare --pid --fork perl -e '$| = 1; semop($ARGV[0], pack("s3", 0, 1, 0)); print "$$\n"; <STDIN>' "$id"
}
read -r own <&"${OPERATOR[0]}"
seen=$(last "$id")
expect 'an operator below, for itself and for its parent' '1, its own number here' \
    "$own, $([ "$(awk '/^NSpid:/ { print $3 }' "/proc/$seen/status")" = 1 ] && echo 'its own number here')"
echo >&"${OPERATOR[1]}"
finish
