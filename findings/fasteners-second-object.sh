#!/usr/bin/env bash
# Two InterProcessLock objects of Python's fasteners, in one process, both hold the lock, and when one is released,
# other processes get it as well.
# Guess: the lock is a flock of the file that each object opens, so the second object is refused, and flock(1) too.
# Seen (fasteners 0.17.3): it is a record lock. The second object of the process is given it; its release() closes the
# file, and with that the process holds nothing, though the first object says that it has it. flock(1) never sees it.
. "$(dirname "$0")/lib.sh"
unpack python3-fasteners=0.17.3-2
export PYTHONPATH=$work/root/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1
cat >lock.py <<'P'
import subprocess
import sys
import fasteners

def other():
    return subprocess.run([sys.executable, __file__, 'other'], capture_output=True, text=True).stdout.strip()

first = fasteners.InterProcessLock('jobs.lock')
if len(sys.argv) > 1:
    print(first.acquire(blocking=False))
    sys.exit()
print('first', first.acquire(blocking=False))
print('flock(1)', subprocess.run(['flock', '-n', 'jobs.lock', 'true']).returncode == 0)
print('another process', other())
second = fasteners.InterProcessLock('jobs.lock')
print('second', second.acquire(blocking=False))
second.release()
print('first still', first.acquired)
print('another process', other())
P
seen=$(/usr/bin/python3 lock.py | paste -sd ',')
expect 'gets it' 'first True,flock(1) True,another process False' "$(cut -d , -f 1-3 <<<"$seen")"
expect 'then' 'second True,first still True,another process True' "$(cut -d , -f 4-6 <<<"$seen")"
finish
