#!/usr/bin/env bash
# ACE's named event is a file in the current folder, and goes with the process that made it.
# Guess: it is an object of the machine as ACE's named mutex and semaphore are, a segment in /dev/shm, and lasts while
# anybody has it.
# Seen (ACE 7.0.8): ACE_Event(manual, state, USYNC_PROCESS, "jobs") is ./jobs, so that two programs in different folders
# do not meet. When its maker lets go, the file is gone, the next to come gets another event, and signal() fails in
# those that still have the first, which read as not set.
. "$(dirname "$0")/lib.sh"
unpack libace-7.0.8=7.0.8+dfsg-2 libace-dev=7.0.8+dfsg-2
cat >event.cpp <<'C'
#include <ace/Event.h>
#include <cstdio>
#include <cstring>
int main()
{
    char line[64];
    ACE_Event *event = nullptr;
    setbuf(stdout, nullptr);
    while (scanf("%63s", line) == 1) {
        if (strcmp(line, "open") == 0) event = new ACE_Event(1, 0, USYNC_PROCESS, "jobs");
        if (strcmp(line, "close") == 0) delete event;
        if (strcmp(line, "set") == 0) { puts(event->signal() == 0 ? "set" : "failed"); continue; }
        ACE_Time_Value wait(0, 200000);
        if (strcmp(line, "wait") == 0) { puts(event->wait(&wait, 0) == 0 ? "is set" : "is not set"); continue; }
        puts(line);
    }
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
g++ -Wall -I root/usr/include -o event event.cpp "$libraries/libACE-7.0.8.so" "-Wl,-rpath,$libraries"
mkdir folder other
mkfifo to-maker from-maker to-user from-user to-stranger from-stranger
(cd folder && exec timeout 60 ../event) <to-maker >from-maker &
exec 3>to-maker 4<from-maker
(cd folder && exec timeout 60 ../event) <to-user >from-user 3>&- &
exec 5>to-user 6<from-user
(cd other && exec timeout 60 ../event) <to-stranger >from-stranger 3>&- 5>&- &
exec 7>to-stranger 8<from-stranger
maker() { echo "$1" >&3; read -r -t 20 -u 4 line && echo "$line"; }
user() { echo "$1" >&5; read -r -t 20 -u 6 line && echo "$line"; }
stranger() { echo "$1" >&7; read -r -t 20 -u 8 line && echo "$line"; }
maker open
user open
expect 'it is' 'regular file' "$(stat -c %F folder/jobs)"
expect '/dev/shm' '' "$(ls /dev/shm)"
maker set
expect 'to a user' 'is set' "$(user wait)"
stranger open
expect 'to one in another folder' 'is not set' "$(stranger wait)"
maker close
expect 'file after its maker' '' "$(ls folder)"
expect 'to the user' 'is not set' "$(user wait)"
expect 'the user sets it' 'failed' "$(user set)"
maker open
maker set
expect 'made again, to the user' 'is not set' "$(user wait)"
exec 3>&- 5>&- 7>&-
finish
