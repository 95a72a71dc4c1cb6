#!/usr/bin/env bash
# RLIMIT_MSGQUEUE binds root too, counts in all IPC namespaces together, and is told as "Too many open files".
# Guess: CAP_SYS_RESOURCE frees from it, as from msg_max and queues_max in mq_overview(7); a new IPC namespace starts at
# 0; a full limit is ENOSPC, "insufficient space for the creation of a new message queue".
# Seen (Linux 6.18): EMFILE, for root with all capabilities as well. A queue that a user made in one IPC namespace, and
# that no process has open any more, keeps the same user from making one in another.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
chmod 755 "$work"
cat >make.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
int main(int count, char **words)
{
    struct rlimit bytes = { atoi(words[1]), atoi(words[1]) };
    struct mq_attr attributes = { .mq_maxmsg = 10, .mq_msgsize = 1000 };
    if (count != 3 || setrlimit(RLIMIT_MSGQUEUE, &bytes) != 0) return 1;
    mqd_t queue = mq_open(words[2], O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    printf("%s\n", queue >= 0 ? "made" : errno == EMFILE ? "EMFILE" : errno == ENOSPC ? "ENOSPC" : "?");
    return queue < 0;
}
C
cat >remove.c <<'C'
#include <mqueue.h>
int main(void)
{
    return mq_unlink("/jobs");
}
C
gcc -Wall -o make make.c && gcc -Wall -o remove remove.c
as_user() { setpriv --reuid 51234 --clear-groups "$@"; }
expect 'root, a limit of 5,000 bytes' 'EMFILE' "$(./make 5000 /small || true)"
expect 'user, 20,000 bytes' 'made' "$(as_user ./make 20000 /jobs)"
expect 'user, a second one in another IPC namespace' 'EMFILE' "$(unshare --ipc setpriv --reuid 51234 --clear-groups \
    ./make 20000 /jobs || true)"
as_user ./remove
expect 'the same when the first is removed' 'made' "$(unshare --ipc setpriv --reuid 51234 --clear-groups \
    sh -c './make 20000 /jobs && ./remove')"
finish
