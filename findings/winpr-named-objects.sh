#!/usr/bin/env bash
# The named mutexes, semaphores and events of WinPR, FreeRDP's Windows API for Unix, are nameless: two of one name are
# two, even in one process.
# Guess: a name makes two processes meet, or creating by name fails as not supported.
# Seen (WinPR 2.11.7): each Create succeeds with a new object and no ERROR_ALREADY_EXISTS, so two holders of one mutex
# are both in. Every Open fails, and CreateFileMapping gives NULL.
. "$(dirname "$0")/lib.sh"
unpack libwinpr2-2=2.11.7+dfsg1-6~deb12u1 libwinpr2-dev=2.11.7+dfsg1-6~deb12u1
cat >names.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winpr/error.h>
#include <winpr/file.h>
#include <winpr/memory.h>
#include <winpr/synch.h>
static void tell(const char *what, HANDLE made, DWORD error)
{
    const char *taken = !made ? "not made" : WaitForSingleObject(made, 0) == WAIT_OBJECT_0 ? "taken" : "waits";
    printf("%s %s%s, ", what, taken, error == ERROR_ALREADY_EXISTS ? " (existed)" : "");
}
#define TELL(what, call) do { SetLastError(0); HANDLE made = call; tell(what, made, GetLastError()); } while (0)
static void take_all(void)
{
    TELL("mutex", CreateMutexA(NULL, FALSE, "jobs-mutex"));
    TELL("semaphore", CreateSemaphoreA(NULL, 1, 1, "jobs-semaphore"));
    TELL("event", CreateEventA(NULL, FALSE, FALSE, "jobs-event"));
    puts("");
    fflush(stdout);
}
int main(void)
{
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, "jobs-event");
    SetEvent(event);
    take_all();
    take_all();
    if (getenv("INNER")) return 0;
    setenv("INNER", "1", 1);
    if (fork() == 0) return execl("/proc/self/exe", "names", NULL);
    wait(NULL);
    TELL("open", OpenMutexA(SYNCHRONIZE, FALSE, "jobs-mutex"));
    TELL("open", OpenEventA(SYNCHRONIZE, FALSE, "jobs-event"));
    TELL("mapping", CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, "jobs-memory"));
    puts("");
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -I root/usr/include/winpr2 -o names names.c "$libraries/libwinpr2.so.2" "-Wl,-rpath,$libraries"
./names >seen 2>log
taken='mutex taken, semaphore taken, event waits, '
expect 'one process' "$taken" "$(sed -n 1p seen)"
expect 'the same process again' "$taken" "$(sed -n 2p seen)"
expect 'another process' "$taken" "$(sed -n 3p seen)"
expect 'open, and memory' 'open not made, open not made, mapping not made, ' "$(sed -n 5p seen)"
expect 'log' 'OpenEventA not implemented OpenMutexA not implemented' \
    "$(grep -o 'Open.*A not implemented' log | sort -u | paste -sd' ')"
finish
