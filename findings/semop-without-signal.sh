#!/usr/bin/env bash
# A waiting semop fails with EINTR when strace comes to look, or a container is paused and goes on, though there was no
# signal; all other waits go on.
# Guess: to be traced, or frozen by its cgroup as "docker pause" does it, is nothing that a process can tell; EINTR is
# for signal handlers, and, as signal(7) has it, for SIGSTOP and SIGCONT.
# Seen (Linux 6.18): semop and semtimedop return EINTR after `strace -p` came and after a freeze and thaw of the cgroup.
# msgrcv, msgsnd, sem_wait, mq_receive and flock wait on. A program without handlers that takes EINTR of semop for
# impossible, or the lock for taken, goes wrong when somebody looks at it.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
unpack strace=6.1-0.1
group=$work/groups/finding.$$
mkdir groups && mount -t cgroup2 cgroup2 groups && mkdir "$group"
trap 'rmdir "$group"; umount "$work/groups"; rm -rf "$work"' EXIT
cat >wait.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>
int main(int count, char **words)
{
    const char *call = words[count - 1];
    struct { long type; char text[8192]; } message = { 1, "" };
    struct sembuf take = { 0, -1, 0 };
    struct timespec minutes = { 600, 0 };
    int set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600), result = 0;
    int first = open("file", O_CREAT | O_RDWR, 0600), second = open("file", O_RDWR);
    mqd_t mqueue = mq_open("/jobs", O_CREAT | O_RDWR, 0600, NULL);
    sem_t *semaphore = sem_open("/jobs", O_CREAT, 0600, 0);
    flock(first, LOCK_EX);
    if (strcmp(call, "msgsnd") == 0)
        while (msgsnd(queue, &message, 8000, IPC_NOWAIT) == 0) continue;
    puts("ready");
    fflush(stdout);
    if (strcmp(call, "semop") == 0) result = semop(set, &take, 1);
    if (strcmp(call, "semtimedop") == 0) result = semtimedop(set, &take, 1, &minutes);
    if (strcmp(call, "msgrcv") == 0) result = msgrcv(queue, &message, 8000, 0, 0);
    if (strcmp(call, "msgsnd") == 0) result = msgsnd(queue, &message, 8000, 0);
    if (strcmp(call, "sem_wait") == 0) result = sem_wait(semaphore);
    if (strcmp(call, "mq_receive") == 0) result = mq_receive(mqueue, message.text, sizeof message.text, NULL);
    if (strcmp(call, "flock") == 0) result = flock(second, LOCK_EX);
    puts(result < 0 && errno == EINTR ? "EINTR" : "?");
    return 0;
}
C
gcc -Wall -o wait wait.c -pthread
until_true() { for _ in $(seq 400); do if "$@"; then return; fi; sleep 0.025; done; }
sleeps() { [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = S ]; }
ended() { [ "$(wc -l <seen)" = 2 ]; }
look() {
    : >said
    "$work/root/usr/bin/strace" -o /dev/null -p "$1" 2>said &
    local tracer=$!
    until_true grep -q attached said
    kill $tracer 2>/dev/null || true
    wait $tracer 2>/dev/null || true
}
pause() {
    echo "$1" >"$group/cgroup.procs"
    echo 1 >"$group/cgroup.freeze"
    until_true grep -q 'frozen 1' "$group/cgroup.events"
    echo 0 >"$group/cgroup.freeze"
    until_true grep -q 'frozen 0' "$group/cgroup.events"
}
# What a waiting call does when that has been done to its process.
after() { # WHAT CALL
    ./wait "$2" >seen &
    local waiter=$!
    until_true grep -q ready seen
    until_true sleeps $waiter
    "$1" $waiter
    case $2 in
        semop | semtimedop) until_true ended ;;
        *) sleep 0.3 ;;
    esac
    tail -n 1 seen | sed 's/ready/waits/'
    kill $waiter 2>/dev/null || true
    wait $waiter 2>/dev/null || true
}
for call in semop semtimedop; do
    expect "$call, strace" 'EINTR' "$(after look $call)"
    expect "$call, pause" 'EINTR' "$(after pause $call)"
done
for call in msgrcv msgsnd sem_wait mq_receive flock; do
    expect "$call, strace and pause" 'waits waits' "$(after look $call) $(after pause $call)"
done
finish
