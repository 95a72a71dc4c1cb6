#!/usr/bin/env bash
# A Berkeley DB environment in System V memory takes its key and those after it, and removes the segments of others that
# it finds there.
# Guess: set_shm_key(1000) with DB_SYSTEM_MEM makes one segment under 1000, or fails when a key is taken.
# Seen (Berkeley DB 5.3.28): three segments, under 1000 to 1002 here. One of another program under 1001 is removed
# without a word, and so are those of another environment whose key is 1001; the second environment works, and the next
# process that opens the first fails.
. "$(dirname "$0")/lib.sh"
unpack libdb5.3=5.3.28+dfsg2-1 libdb5.3-dev=5.3.28+dfsg2-1
cat >environment.c <<'C'
#include <db.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
    DB_ENV *environment;
    if (count != 3 || db_env_create(&environment, 0) != 0) return 1;
    environment->set_errfile(environment, NULL);
    environment->set_shm_key(environment, atoi(words[2]));
    u_int32_t flags = DB_CREATE | DB_INIT_MPOOL | DB_INIT_LOCK | DB_SYSTEM_MEM;
    int error = environment->open(environment, words[1], flags, 0600);
    puts(error == 0 ? "opened" : db_strerror(error));
    return environment->close(environment, 0) != 0;
}
C
cat >segment.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/shm.h>
int main(int count, char **words)
{
    return shmget(atoi(words[count - 1]), 100, 0600 | IPC_CREAT | IPC_EXCL) < 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -I root/usr/include -o environment environment.c "$libraries/libdb-5.3.so" "-Wl,-rpath,$libraries"
gcc -Wall -o segment segment.c
segments() { awk 'NR > 1 { print $1 ($4 == 100 ? ":other" : "") }' /proc/sysvipc/shm | sort -n | paste -sd ' '; }
mkdir first second
./segment 1001
./segment 1003
expect 'segments of another program' '1001:other 1003:other' "$(segments)"
expect 'environment of key 1000' 'opened' "$(./environment first 1000)"
expect 'segments' '1000 1001 1002 1003:other' "$(segments)"
expect 'again' 'opened' "$(./environment first 1000)"
expect 'environment of key 1001' 'opened' "$(./environment second 1001)"
expect 'segments' '1000 1001 1002 1003' "$(segments)"
expect 'environment of key 1000' 'Invalid argument' "$(./environment first 1000 2>/dev/null)"
finish
