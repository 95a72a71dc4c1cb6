#!/usr/bin/env bash
# A memfd has a file handle, and root can open it by that; so can a POSIX segment be opened that was unlinked long ago.
# Guess: name_to_handle_at refuses a memfd, which is on no mounted file system, with EOPNOTSUPP; the handle of a segment
# is stale from its shm_unlink on.
# Seen (Linux 6.18): some 20 bytes lead another process to the memfd, with any memfd of its own as "the mount", for as
# long as somebody has it. The unlinked segment opens by its handle, for writing too, while it is mapped, and is ESTALE
# only after the last user. Both need CAP_DAC_READ_SEARCH.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >handle.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int count, char **words)
{
    char text[6] = "";
    int mount, other, file = memfd_create("first", MFD_CLOEXEC);
    struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
    if (count > 1) {
        if (read(0, handle, sizeof *handle + MAX_HANDLE_SZ) < 1) return 1;
        other = open_by_handle_at(file, handle, O_RDONLY);
        return printf("%s\n", read(other, text, 5) == 5 ? text : "refused") < 0;
    }
    handle->handle_bytes = MAX_HANDLE_SZ;
    if (write(file, "hello", 5) != 5 || name_to_handle_at(file, "", handle, &mount, AT_EMPTY_PATH) != 0) return 1;
    FILE *child = popen("./handle open", "w");
    fwrite(handle, 1, sizeof *handle + MAX_HANDLE_SZ, child);
    pclose(child);

    file = shm_open("/segment", O_CREAT | O_RDWR, 0600);
    handle->handle_bytes = MAX_HANDLE_SZ;
    if (write(file, "bytes", 5) != 5 || name_to_handle_at(file, "", handle, &mount, AT_EMPTY_PATH) != 0) return 1;
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    shm_unlink("/segment");
    int folder = open("/dev/shm", O_RDONLY);
    other = open_by_handle_at(folder, handle, O_RDWR);
    printf("mapped: %s, ", read(other, text, 5) == 5 ? text : "refused");
    close(other);
    munmap(map, 4096);
    printf("after: %s\n", open_by_handle_at(folder, handle, O_RDWR) < 0 && errno == ESTALE ? "ESTALE" : "?");
    return 0;
}
C
gcc -Wall -o handle handle.c
./handle >seen
expect 'memfd of another process' 'hello' "$(sed -n 1p seen)"
expect 'unlinked segment' 'mapped: bytes, after: ESTALE' "$(sed -n 2p seen)"
finish
