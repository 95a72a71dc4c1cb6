#!/usr/bin/env bash
# `dotlockfile -p` takes the lock of another container at once, and never works in a script that is its container's
# first process.
# Guess: -p makes a dead holder's lock free at once; where the holder's number says nothing, the rule without -p holds,
# by which a lock is good for five minutes. And a script can lock, whatever its number.
# Seen (liblockfile 1.17): a number that is no process of the own PID namespace means that the holder is dead, so a
# fresh lock is removed under its living holder. A caller that is PID 1 is taken for an orphan: exit code 7, no lock.
. "$(dirname "$0")/lib.sh"
unpack liblockfile-bin=1.17-1+b1 liblockfile1=1.17-1+b1
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu DOTLOCKFILE=$work/root/usr/bin/dotlockfile
# Asks for the lock; after it come the exit code and what the lock then says.
cat >ask.sh <<'S'
code=0
"$DOTLOCKFILE" -l -r 0 $1 jobs.lock || code=$?
echo "exit code $code, lock of $(cat jobs.lock 2>/dev/null)"
S
# Two containers: the second one asks while the first one's script has the lock and lives.
both() { # OPTION...
    rm -f jobs.lock go
    mkfifo go
    unshare --pid --fork --mount-proc sh -c 'sh ask.sh "$0" >first; read -r _ <go; :' "${1-}" &
    until [ -s first ]; do sleep 0.05; done
    unshare --pid --fork --mount-proc sh -c 'for _ in 1 2 3 4; do sh -c :; done; sh ask.sh "$0"; :' "${1-}"
    echo >go
    wait
    rm first
}
expect 'without -p' 'exit code 4, lock of 0' "$(both)"
rm -f jobs.lock
expect 'by -p, as PID 1' 'exit code 7, lock of ' "$(unshare --pid --fork --mount-proc sh ask.sh -p)"
seen=$(both -p)
expect 'by -p' 'exit code 0' "${seen%,*}"
finish
