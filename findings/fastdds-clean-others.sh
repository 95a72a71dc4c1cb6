#!/usr/bin/env bash
# `fastdds shm clean` removes the segments of other programs whose names begin with _sl, while they are in use.
# Guess: it removes segments and ports that Fast DDS left, known by their names, "fastrtps_…", and by a lock file that
# nobody has locked; other segments stay.
# Seen (Fast DDS 2.9.1): /_slots, open in a program that runs, is gone and counted as a zombie. With a flock on itself
# it stays, unless there is also one whose name is three characters longer. Semaphores stay.
. "$(dirname "$0")/lib.sh"
unpack fastdds-tools=2.9.1+ds-1+deb12u2
export PYTHONDONTWRITEBYTECODE=1
clean() { /usr/bin/python3 "$work/root/usr/share/fastdds/fastdds.py" shm clean | grep "$1"; }
segments() { (cd /dev/shm && echo *); }
touch /dev/shm/{_slots,slots,sem._slots}
exec 7</dev/shm/_slots
flock -s 7
expect 'locked' '1 segments in use' "$(clean 'segments in use')"
expect 'then there are' '_slots sem._slots slots' "$(segments)"
touch /dev/shm/_slots-01
clean 'zombie segments'
expect 'locked, with a longer one' 'sem._slots slots' "$(segments)"
touch /dev/shm/_slots
exec 7</dev/shm/_slots
expect 'open' '1 zombie segments cleaned' "$(clean zombie.segments)"
expect 'then there are' 'sem._slots slots' "$(segments)"
finish
