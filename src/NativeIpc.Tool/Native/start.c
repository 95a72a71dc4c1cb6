/* Linked into the native file on Linux with glibc. .NET starts a thread before the program begins. Where there is none
   to be had (ulimit -u, pids.max) it ends with 255 and says nothing (.NET 10.0.12): this says why, and ends as nipc
   does at a limit. */
#define _DEFAULT_SOURCE
#include <features.h>
#ifdef __GLIBC__
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { Failed = 255, Limit = 5 }; /* ExitCodes.Limit */

static void explain(int code, void *unused)
{
    static const char text[] =
        "nipc: No memory, or no further thread, is to be had: 'ulimit -a' and the cgroup's pids.max show the limits.\n";
    struct stat tasks;
    (void)unused;
    /* 255 may be the code of the command of 'nipc run': by then there is more than one thread (a folder has two links,
       and one for each folder in it). */
    if ((code & 0xff) != Failed || stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != 3) return;
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* closed: the exit code says it */
    _exit(Limit);
}

__attribute__((constructor)) static void begin(void)
{
    on_exit(explain, NULL);
}
#endif
