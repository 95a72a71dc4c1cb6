#!/usr/bin/env bash
# A mapping keeps the lock of the file that it was made from: after close(2) of the only descriptor, the flock(2) lock
# and the open file description lock are still held.
# Guess: as flock(2) says, the lock goes when the last descriptor of the open file is closed; a mapping holds no lock.
# Seen (Linux 6.18): both kinds stay until munmap, for a process that has no descriptor of the file any more. In Python,
# `with open(...) as file: flock(file, LOCK_EX); memory = mmap(file.fileno(), ...)` ends without giving the lock back.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >hold.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
static void others(const char *when)
{
    struct flock whole = { .l_type = F_WRLCK };
    int file = shm_open("/held", O_RDWR, 0);
    printf("%s: flock %s, ", when, flock(file, LOCK_EX | LOCK_NB) == 0 ? "free" : "held");
    printf("OFD %s. ", fcntl(file, F_OFD_SETLK, &whole) == 0 ? "free" : "held");
    close(file);
}
int main(void)
{
    struct flock whole = { .l_type = F_WRLCK };
    int file = shm_open("/held", O_CREAT | O_EXCL | O_RDWR, 0600);
    if (ftruncate(file, 4096) != 0 || flock(file, LOCK_EX) != 0 || fcntl(file, F_OFD_SETLK, &whole) != 0) return 1;
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    others("locked");
    close(file);
    others("closed");
    munmap(memory, 4096);
    others("unmapped");
    return shm_unlink("/held");
}
C
gcc -Wall -D_GNU_SOURCE -o hold hold.c
expect 'locks' 'locked: flock held, OFD held. closed: flock held, OFD held. unmapped: flock free, OFD free. ' \
    "$(./hold)"
truncate -s 4096 /dev/shm/python
expect 'Python, file closed and memory mapped; memory closed' 'held free' "$(/usr/bin/python3 -c '
import fcntl, mmap, subprocess
def others():
    return "free" if subprocess.run(["flock", "-n", "/dev/shm/python", "true"]).returncode == 0 else "held"
with open("/dev/shm/python", "r+b") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    memory = mmap.mmap(file.fileno(), 4096)
after = others()
memory.close()
print(after, others())')"
finish
