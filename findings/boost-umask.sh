#!/usr/bin/env bash
# Boost's segments do not heed the umask, while its named semaphores do.
# Guess: both are made with the default 0644 less the umask, as by shm_open and sem_open.
# Seen (Boost 1.74): after shm_open the library sets the mode again with fchmod, so under umask 077 a segment is 0644,
# or 0666 with set_unrestricted(); a named_semaphore is 0600 in both cases.
. "$(dirname "$0")/lib.sh"
cat >make.cpp <<'C'
#include <boost/interprocess/permissions.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
using namespace boost::interprocess;
int main()
{
    permissions all;
    all.set_unrestricted();
    shared_memory_object(create_only, "plain", read_write);
    shared_memory_object(create_only, "open", read_write, all);
    named_semaphore(create_only, "plain", 1);
    named_semaphore(create_only, "open", 1, all);
}
C
printf 'package: libboost1.74-dev=%s\n' "$(dpkg-query -W -f '${Version}' libboost1.74-dev)"
g++ -o make make.cpp
modes() { (umask "$1" && ./make && cd /dev/shm && stat -c '%n %a' ./* | sed 's,^./,,' | paste -sd , && rm ./*); }
expect 'umask 0' 'open 666,plain 644,sem.open 666,sem.plain 644' "$(modes 0)"
expect 'umask 077' 'open 666,plain 644,sem.open 600,sem.plain 600' "$(modes 077)"
finish
