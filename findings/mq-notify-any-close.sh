#!/usr/bin/env bash
# A process that asked for a signal by mq_notify loses it when it closes any other descriptor of that queue.
# Guess: as mq_close(3) says, the registration goes with the descriptor that it was made by; a second one of the same
# queue, opened and closed by a library or to read the queue's state, changes nothing.
# Seen (Linux 6.18): mq_close of a second descriptor, close of a dup, and a look at the queue's file in /dev/mqueue each
# take the registration away, without a word; the file still shows it until it is closed. The close in a child process
# of the descriptor that it inherited takes nothing. It is the trap of record locks once more.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir queues && mount -t mqueue mqueue queues
trap 'umount "$work/queues"; rm -rf "$work"' EXIT
cat >notify.c <<'C'
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t signals;
static mqd_t queue;
static void count(int number)
{
    signals += number == SIGUSR1;
}
static void nothing(void) {}
static void second(void)
{
    mq_close(mq_open("/jobs", O_RDONLY));
}
static void duplicate(void)
{
    close(dup(queue));
}
static void look(void)
{
    char text[100] = "";
    int file = open("queues/jobs", O_RDONLY);
    if (read(file, text, sizeof text - 1) > 0) printf("%s, ", strstr(text, "PID:0") ? "nobody" : "registered");
    close(file);
}
static void child(void)
{
    fflush(stdout);
    if (fork() == 0) _exit(mq_close(queue));
    wait(NULL);
}
static void try(const char *what, void (*between)(void))
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    char message[16];
    signals = 0;
    printf("%s: ", what);
    if (mq_notify(queue, &event) != 0) return;
    between();
    mq_send(queue, "job", 3, 0);
    printf("%d signals\n", (int)signals);
    mq_receive(queue, message, sizeof message, NULL);
    mq_notify(queue, NULL);
}
int main(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 2, .mq_msgsize = 16 };
    signal(SIGUSR1, count);
    queue = mq_open("/jobs", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    try("nothing", nothing);
    try("second", second);
    try("duplicate", duplicate);
    try("look", look);
    try("child", child);
    return 0;
}
C
gcc -Wall -o notify notify.c
./notify >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'nothing between' '1 signals' "$(said nothing)"
expect 'mq_open and mq_close' '0 signals' "$(said second)"
expect 'dup and close' '0 signals' "$(said duplicate)"
expect 'a look at its file' 'registered, 0 signals' "$(said look)"
expect 'mq_close in a child' '1 signals' "$(said child)"
finish
