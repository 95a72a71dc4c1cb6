#!/usr/bin/env bash
# Two containers cannot read one LMDB environment at a time when their processes have the same number.
# Guess: LMDB tells its readers apart by something that is unique on the machine, so a shared volume works; or at worst
# one takes the other's slot.
# Seen (liblmdb 0.9.24): a process claims the byte of lock.mdb at the offset of its own PID by a record lock. So where
# both are number 1, the second one's read transaction fails with EAGAIN, "Resource temporarily unavailable", as long as
# the first one has the environment open for reading. A process with another number reads.
. "$(dirname "$0")/lib.sh"
unpack liblmdb-dev=0.9.24-1 liblmdb0=0.9.24-1
cat >read.c <<'C'
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words)
{
    MDB_env *environment;
    MDB_txn *reading;
    int result = mdb_env_create(&environment);
    if (result == 0) result = mdb_env_open(environment, words[1], 0, 0600);
    printf("%s, ", mdb_strerror(result));
    if (result == 0) result = mdb_txn_begin(environment, NULL, MDB_RDONLY, &reading);
    puts(mdb_strerror(result));
    fflush(stdout);
    if (count > 2) getchar();
    if (result == 0) mdb_txn_abort(reading);
    mdb_env_close(environment);
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -I root/usr/include -o read read.c "$libraries/liblmdb.so.0" "-Wl,-rpath,$libraries"
mkdir shared
as_first() { exec unshare --pid --fork --mount-proc ./read shared "$@"; }
coproc as_first hold
read -r line <&"${COPROC[0]}"
expect 'PID 1 of one namespace: open, read' 'Successful return: 0, Successful return: 0' "$line"
file=$(stat -c %i shared/lock.mdb)
expect 'locks of lock.mdb: kind, mode, bytes' 'POSIX READ 0 0,POSIX WRITE 1 1' \
    "$(awk -v file=":$file\$" '$6 ~ file { print $2, $4, $7, $8 }' /proc/locks | sort | paste -sd,)"
expect 'PID 1 of another one' 'Successful return: 0, Resource temporarily unavailable' "$(as_first)"
expect 'a process with another number' 'Successful return: 0, Successful return: 0' "$(./read shared)"
first=$COPROC_PID
echo >&"${COPROC[1]}"
wait "$first"
expect 'PID 1 of another one, once the first has gone' 'Successful return: 0, Successful return: 0' "$(as_first)"
finish
