#!/usr/bin/env bash
# A mount of mqueue keeps the queues of an IPC namespace, with their messages, after the namespace has ended.
# Guess: as ipc_namespaces(7) says, all objects of a namespace are destroyed with its last process; a mount that others
# see is then empty.
# Seen (Linux 6.18): the queue stays listed. open(2) of its path gives a descriptor for mq_receive and mq_send, so that
# processes of another namespace go on with it; in the folder a new one is refused with EACCES. Only unlink or umount
# ends it. A System V segment of that namespace is gone.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >queue.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words)
{
    char text[8193] = "";
    unsigned priority;
    int queue = open(words[1], O_RDWR);
    if (count > 2) return queue < 0 || mq_send(queue, words[2], strlen(words[2]), 0) != 0;
    struct timespec past = { 0, 0 };
    if (queue < 0 || mq_timedreceive(queue, text, 8192, &priority, &past) < 0) return printf("%s", strerror(errno)) < 0;
    return printf("%s", text) < 0;
}
C
gcc -Wall -o queue queue.c
mkdir queues
cat >inside.sh <<'S'
mount -t mqueue mqueue queues
touch queues/jobs
./queue queues/jobs hello
ipcmk -M 100 >/dev/null
readlink /proc/self/ns/ipc
S
inside=$(unshare --ipc bash inside.sh)
expect 'namespaces' 'two' "$([ "$inside" = "$(readlink /proc/self/ns/ipc)" ] || echo two)"
expect 'processes left in it' '0' \
    "$(for link in /proc/[0-9]*/ns/ipc; do readlink "$link" || true; done 2>/dev/null | grep -cF "$inside" || true)"
expect 'queues' 'jobs' "$(ls queues)"
expect 'received' 'hello' "$(./queue queues/jobs)"
expect 'sent' '0' "$(./queue queues/jobs again && echo $?)"
expect 'received again' 'again' "$(./queue queues/jobs)"
expect 'and then' 'Connection timed out' "$(./queue queues/jobs)"
expect 'a new one' 'Permission denied' "$(touch queues/new 2>&1 | grep -o 'Permission denied')"
rm queues/jobs
expect 'after rm' '' "$(ls queues)"
umount queues
finish
