#!/usr/bin/env bash
# With vm.memfd_noexec=1, each memfd can be sealed by whoever gets it, though its maker did not ask for sealing.
# Guess: the setting takes the execute bits away and adds F_SEAL_EXEC; F_SEAL_SEAL, which memfd_create(2) promises for a
# memfd made without MFD_ALLOW_SEALING, stays.
# Seen (Linux 6.18): F_SEAL_SEAL is gone and only F_SEAL_EXEC is there. One that was given the descriptor can seal the
# memfd against growing, and the maker's next ftruncate fails with EPERM. MFD_EXEC brings the old state back. The
# setting is one of the PID namespace.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >seals.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static void look(unsigned flags)
{
    int file = memfd_create("plain", flags), before = fcntl(file, F_GET_SEALS);
    printf("%s%s%s", before & F_SEAL_SEAL ? "SEAL " : "", before & 0x20 ? "EXEC " : "",
        fcntl(file, F_ADD_SEALS, F_SEAL_GROW) == 0 ? "sealed, " : "refused, ");
    printf("%s", ftruncate(file, 4096) == 0 ? "grows" : errno == EPERM ? "EPERM" : "?");
}
int main(void)
{
    look(0);
    printf("; MFD_EXEC ");
    look(0x10);
    return 0;
}
C
gcc -Wall -o seals seals.c
with() { unshare --pid --fork --mount-proc sh -c 'echo "$0" >/proc/sys/vm/memfd_noexec && ./seals' "$1"; }
expect 'memfd_noexec 0' 'SEAL refused, grows; MFD_EXEC SEAL refused, grows' "$(with 0)"
expect 'memfd_noexec 1' 'EXEC sealed, EPERM; MFD_EXEC SEAL refused, grows' "$(with 1)"
finish
