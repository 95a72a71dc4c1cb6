#!/bin/bash
# Which tool can do what: nipc beside the tools of util-linux 2.41, lsof, flock and GNU parallel's sem, each asked by
# running it in Debian 13 (eng/wild.sh makes that). Prints the table of docs/nipc.md. A dash: the tool has nothing of
# the kind. Needs root.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd) || exit 1
debian=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}/wild
nipc=${NIPC:-$root/artifacts/nipc/nipc}
if [ "${1:-}" != inside ]; then
    [ -d "$debian" ] && [ -x "$nipc" ] || { echo 'eng/wild.sh and eng/tool-aot.sh come first.' >&2; exit 1; }
    # shellcheck disable=SC2016
    exec unshare --ipc --mount --propagation private --pid --fork --mount-proc sh -c '
        mount --bind "$1" "$1" && mount -t tmpfs tmpfs "$1/tmp" && mount -t tmpfs tmpfs "$1/dev" &&
            mount -t proc proc "$1/proc" && mkdir -p "$1/dev/shm" "$1/dev/mqueue" &&
            mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" && mount -t mqueue mqueue "$1/dev/mqueue" &&
            for device in "null 1 3" "zero 1 5" "urandom 1 9" "tty 5 0"; do
                set -- "$1" "$2" "$3" $device
                mknod -m 666 "$1/dev/$4" c "$5" "$6"
            done &&
            cp "$2" "$1/usr/local/bin/nipc" && cp "$3" "$1/tmp/compare.sh" &&
            exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
                chroot "$1" bash /tmp/compare.sh inside' \
        sh "$debian" "$nipc" "$0"
fi

# What is there: a POSIX segment that a process has open, one that nobody has; a System V segment with two users, one
# with none; a POSIX semaphore of 3; a set with a waiter; queues of both kinds.
mkdir -p ~/.parallel && touch ~/.parallel/will-cite
{
    ipcmk -m 4096 -n /idle
    ipcmk -m 65536 -n /frames
    nipc create sem posix:/workers 3
    nipc create sem posix:/one 1
    idle=$(ipcmk -M 4096 | grep -oE '[0-9]+$')
    shared=$(ipcmk -M 65536 | grep -oE '[0-9]+$')
    set=$(ipcmk -S 2 | grep -oE '[0-9]+$')
    ipcmk -Q
    ipcmk -q -n /queue
} >/tmp/setup.log 2>&1
key=$(ipcs -m | awk -v id="$idle" '$2 == id { sub("0x0*", "", $1); print $1 }')
tail -f /dev/null 9</dev/shm/frames &
open=$!
attach='my $id = shift; require "syscall.ph" if 0; my $at = syscall(30, $id + 0, 0, 0); die if $at == -1; sleep 1000'
perl -e "$attach" "$shared" &
first=$!
until ipcs -m -i "$shared" | grep -q 'nattch=1'; do :; done
perl -e "$attach" "$shared" &
until ipcs -m -i "$shared" | grep -q 'nattch=2'; do :; done
perl -e 'semop(shift, pack("s3", 1, -1, 0))' "$set" &
until ipcs -s -i "$set" | awk '$1 == 1 && $3 == 1' | grep -q .; do :; done

value_in_c() { # a program that knows sem_open(3) only
    python3 -c 'import ctypes, sys
libc = ctypes.CDLL(None); libc.sem_open.restype = ctypes.c_void_p; value = ctypes.c_int()
libc.sem_getvalue(ctypes.c_void_p(libc.sem_open(sys.argv[1].encode(), 0)), ctypes.byref(value))
print(value.value)' "$1"
}
killed() { # COMMAND...: is killed with all that it started; then it must be possible again at once
    setsid "$@" sleep 1000 &
    local session=$!
    within pgrep -s $session -x sleep
    pkill -KILL -s $session
    wait $session 2>/dev/null
    timeout 20 "$@" true
}
within() { # COMMAND...: until it is so, for 20 s at most
    local _
    for _ in $(seq 200); do "$@" && return; sleep 0.1; done
    return 1
}
lines() { [ "$(grep -c "$1" /tmp/at-once)" -ge "$2" ]; }
two_at_once() { # COMMAND...: two run, the third waits
    local file=/tmp/at-once
    : >$file
    printf 'echo begun >>%s\nsleep 8\necho ended >>%s\n' $file $file >$file.sh
    for _ in 1 2 3; do "$@" sh $file.sh & done
    within lines begun 2
    ! grep -q ended $file && sleep 1 && [ "$(grep -c begun $file)" = 2 ]
    local verdict=$?
    within lines ended 3
    return $verdict
}

row() { # WHAT, and a command for each of: nipc, ipcs, lsipc, ipcmk and ipcrm, lsof, flock, sem
    local line="| $1 |" command
    shift
    for command in "$@"; do
        if [ -z "$command" ]; then line="$line – |"
        elif eval "$command" >/dev/null 2>&1 </dev/null; then line="$line yes |"
        else line="$line no |"; fi
    done
    echo "$line"
}

echo "| | \`nipc\` | \`ipcs\` | \`lsipc\` | \`ipcmk\`, \`ipcrm\` | \`lsof\` | \`flock\` | \`sem\` |"
echo '|---|---|---|---|---|---|---|---|'
row 'Lists System V segments that nobody has attached' "nipc show shmid:$idle" "ipcs -m | awk '\$2 == $idle' | grep ." \
    "lsipc -m | awk '\$2 == $idle' | grep ." '' "lsof | grep -i SYSV0*$key" '' ''
row 'Lists POSIX segments that nobody has open' 'nipc list | grep posix:/idle' 'ipcs -m | grep idle' \
    'lsipc -M | grep idle' '' 'lsof | grep /dev/shm/idle' '' ''
row 'Tells the count of a POSIX semaphore' '[ "$(nipc value posix:/workers)" = 3 ]' 'ipcs -s | grep workers' \
    'lsipc -S | grep -E "^workers .* 3\$"' '' 'lsof | grep sem.workers' '' ''
row 'Tells who has a POSIX segment open' "nipc list | grep 'posix:/frames.* $open('" '' \
    "lsipc -M -N /frames | grep -w $open" '' "lsof /dev/shm/frames | grep -w $open" '' ''
row 'Tells everybody who is attached to a System V segment' "nipc show shmid:$shared | grep -w $first" \
    "ipcs -mp -i $shared | grep -w $first" "lsipc -m -i $shared | grep -w $first" '' \
    "lsof | grep SYSV | grep -w $first" '' ''
row 'Tells values and waiters of all members of a set' \
    "nipc show semid:$set --json | grep -q waiters || nipc show semid:$set | grep -iq wait" \
    "ipcs -s -i $set | awk '\$1 == 1 && \$3 == 1' | grep ." "lsipc -s -i $set | grep -E '^ *1 +0 +1 '" '' '' '' ''
row 'Lists System V message queues' 'nipc list --all | grep ^msqid:' 'ipcs -q | grep ^0x' 'lsipc -q | grep 0x' '' '' \
    '' ''
row 'Lists POSIX message queues' 'nipc list --all | grep ^mqueue:/queue' 'ipcs -q | grep /queue' \
    'lsipc -Q | grep /queue' '' 'lsof | grep /queue' '' ''
row 'Prints the bytes of a segment' "nipc read shmid:$idle --length 4 | od -An -tx1 | grep '00 00 00 00'" '' '' '' '' \
    '' ''
row 'Makes System V and POSIX objects' \
    'nipc create shm posix:/made 10 && nipc create sem posix:/made2 1 && nipc create shm systemv:/tmp/made 10' '' '' \
    'ipcmk -M 10 && ipcmk -m 10 -n /m && ipcmk -s -n /m' '' '' ''
row 'Removes System V and POSIX objects' 'nipc rm posix:/made posix:/made2 systemv:/tmp/made' '' '' \
    'ipcrm --posix-shmem /m && ipcrm --posix-semaphore /m' '' '' ''
row 'Refuses to remove what is in use' '! nipc rm posix:/frames && [ -e /dev/shm/frames ]' '' '' \
    '! ipcrm --posix-shmem /frames && [ -e /dev/shm/frames ]' '' '' ''
row 'Runs a command under a lock' 'nipc run --sem posix:/one true' '' '' '' '' 'flock /tmp/lock true' \
    'sem --fg --id one -j1 true'
row 'At most N commands at once' 'nipc create sem posix:/two 2 && two_at_once nipc run --sem posix:/two' '' '' '' '' \
    'two_at_once flock /tmp/lock' 'two_at_once sem --fg --id two -j2'
row 'C programs take part (`sem_open`, `flock(2)`)' \
    'nipc run --sem posix:/one bash -c "$(declare -f value_in_c); value_in_c /one" | grep -x 0' '' '' '' '' \
    'flock /tmp/lock perl -e "use Fcntl q(:flock); open F, q(>/tmp/lock); exit !!flock(F, LOCK_EX | LOCK_NB)"' ''
row 'Killed with its command, the next one comes in' 'killed nipc run --sem posix:/one' '' '' '' '' \
    'killed flock /tmp/lock2' 'killed sem --fg --id killed -j1'
row 'Says what is wrong and what to do' 'nipc doctor --json | grep remedy' '' '' '' '' '' ''
row 'Tells the limits of the system' 'nipc doctor --json | grep kernel.shmmni' 'ipcs -l | grep max' \
    'lsipc -g | grep SHMMNI' '' '' '' ''
row 'JSON' 'nipc list --json | jq -e .' 'ipcs --json | jq -e .' 'lsipc -m -J | jq -e .' '' \
    'lsof -J | head -c 100000 | grep "{"' '' ''
row 'Goes on looking' 'timeout 3 nipc list --watch | grep found' '' '' '' \
    'timeout 3 lsof -r1 /dev/shm/idle; [ $? = 124 ]' '' ''
kill $(jobs -p) 2>/dev/null
exit 0
