#!/usr/bin/env bash
# PHP's shm_attach (sysvshm) writes a header of its own over the start of a segment that another program made, and
# says nothing.
# Guess: a segment without PHP's header is refused, or left alone until a variable is put into it.
# Seen: shm_attach alone, with a key that has a segment already, replaces 39 of the first 40 bytes; it gives an object
# and no warning.
. "$(dirname "$0")/lib.sh"
version=8.2.36-1~deb12u1
unpack php8.2-cli=$version php8.2-common=$version
unpack libxml2 libicu72 libsodium23 libargon2-1 # what it is linked with
cat >maker.c <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
int main(int count, char **words)
{
    int id = shmget(0x5a5a0001, 4096, IPC_CREAT | 0600);
    char *text = shmat(id, NULL, 0);
    if (count > 1) memset(text, 'x', 4096);
    int changed = 0;
    for (int i = 0; i < 4096; i++) changed += text[i] != 'x';
    printf("%d %.6s\n", changed, text);
    return words == NULL;
}
C
gcc -Wall -o maker maker.c
expect 'bytes changed, and the first ones, when C has made it' '0 xxxxxx' "$(./maker fill)"
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
extension=$(find root -name sysvshm.so)
code='$s = shm_attach(0x5a5a0001); echo get_debug_type($s), " ", shm_has_var($s, 1) ? "has" : "no", " variable";'
said=$(root/usr/bin/php8.2 -n -d display_errors=1 -d error_reporting=-1 -d extension="$work/$extension" -r "$code" 2>&1)
expect 'shm_attach of PHP' 'SysvSharedMemory no variable' "$said"
expect 'after it' '39 PHP_SM' "$(./maker)"
finish
