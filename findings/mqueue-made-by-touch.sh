#!/usr/bin/env bash
# `touch` in /dev/mqueue makes a message queue, and so does a cp that fails; a queue cannot be renamed or linked.
# Guess: the files there are a view, like those of /proc: ls and rm work, as mq_overview(7) says, and a queue comes from
# mq_open only.
# Seen (Linux 6.18, coreutils 9.1): touch makes a queue with the default limits, and mq_open opens it. cp of a file into
# the folder makes a queue, says that it cannot write, and leaves it. Both are counted: without room in RLIMIT_MSGQUEUE,
# touch says "Too many open files". mv, ln, ln -s and mkdir are refused.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir queues && mount -t mqueue mqueue queues
trap 'umount "$work/queues"; rm -rf "$work"' EXIT
cat >limits.c <<'C'
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
int main(int count, char **words)
{
    struct mq_attr attributes;
    mqd_t queue = mq_open(words[count - 1], O_RDWR);
    if (mq_getattr(queue, &attributes) != 0) return puts("no queue") < 0;
    int sent = mq_send(queue, "job", 3, 0);
    printf("%ld messages of %ld, send: %d\n", attributes.mq_maxmsg, attributes.mq_msgsize, sent);
    return 0;
}
C
gcc -Wall -o limits limits.c
said() { LC_ALL=C "$@" 2>&1 | sed 's/.*: //'; }
echo 7 >/proc/sys/fs/mqueue/msg_default
echo 256 >/proc/sys/fs/mqueue/msgsize_default
expect 'before' 'no queue' "$(./limits /made)"
touch queues/made
expect 'after touch' '7 messages of 256, send: 0' "$(./limits /made)"
echo text >file
expect 'cp' 'Invalid argument' "$(said cp file queues/copied)"
expect 'after cp' '7 messages of 256, send: 0' "$(./limits /copied)"
chmod 755 "$work"
expect 'touch without RLIMIT_MSGQUEUE' 'Too many open files' "$(ulimit -q 0; said setpriv --reuid 1234 --clear-groups \
    touch queues/refused)"
for command in 'mv queues/made queues/moved' 'ln queues/made queues/linked' 'ln -s made queues/linked' \
    'mkdir queues/folder'; do
    expect "$command" 'Operation not permitted' "$(said $command)"
done
expect 'queues' 'copied made' "$(ls queues | paste -sd ' ')"
finish
