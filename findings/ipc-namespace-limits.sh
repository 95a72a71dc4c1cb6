#!/usr/bin/env bash
# A new IPC namespace starts with the kernel's own limits, not with those that the administrator set.
# Guess: like other settings, kernel.sem, kernel.shmmax, fs.mqueue.msg_max and the rest are inherited by a namespace
# from the one that makes it, and then go their own way.
# Seen (Linux 6.18): each is back to what a fresh boot has, lower or higher, kernel.shm_rmid_forced to 0. So sysctl.conf
# says nothing of containers: a database's larger kernel.sem is missing there, and a smaller kernel.shmmni does not
# hold.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
limits() {
    (cd /proc/sys && head -n 1 kernel/sem kernel/shmmni kernel/shmmax kernel/shm_rmid_forced kernel/msgmax \
        kernel/msgmnb fs/mqueue/msg_max fs/mqueue/queues_max | sed '/^$/d; s/==> \(.*\) <==/\1/' | paste -sd ' \n' |
        tr '\t' ' ')
}
limits >fresh
echo '100 2000 50 300' >/proc/sys/kernel/sem
echo 5 >/proc/sys/kernel/shmmni
echo 1000000 >/proc/sys/kernel/shmmax
echo 1 >/proc/sys/kernel/shm_rmid_forced
echo 12345 >/proc/sys/kernel/msgmax
echo 65536 >/proc/sys/kernel/msgmnb
echo 200 >/proc/sys/fs/mqueue/msg_max
echo 3 >/proc/sys/fs/mqueue/queues_max
limits >set
expect 'set' '100 2000 50 300; 5; 1000000; 1; 12345; 65536; 200; 3' \
    "$(sed 's/^[^ ]* //' set | paste -sd ';' | sed 's/;/; /g')"
export -f limits
unshare --ipc bash -c limits >new
expect 'a new namespace, limits as set' '0' "$(comm -12 <(sort set) <(sort new) | wc -l)"
expect 'a new namespace, limits as those of a fresh one' '8' "$(comm -12 <(sort fresh) <(sort new) | wc -l)"
expect 'a new namespace' '32000 1024000000 500 32000; 4096; 18446744073692774399; 0; 8192; 16384; 10; 256' \
    "$(sed 's/^[^ ]* //' new | paste -sd ';' | sed 's/;/; /g')"
finish
