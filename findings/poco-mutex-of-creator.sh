#!/usr/bin/env bash
# POCO's NamedMutex goes with the process that made it, not with its last user: two processes then hold "the" mutex.
# Guess: as on Windows, the mutex is there as long as any process has it, so whoever made it may end first.
# Seen (libpoco 1.11.0): the mutex is a System V set under a key file in /tmp. The destructor of the object that made
# the set removes it, while another process holds the mutex and knows nothing of it; the next process makes a new set
# under the same key and gets the mutex as well.
. "$(dirname "$0")/lib.sh"
unpack libpoco-dev=1.11.0-3+deb12u1 libpocofoundation80=1.11.0-3+deb12u1 libpcre2-8-0=10.42-1 libpcre3=2:8.39-15
cat >mutex.cpp <<'C'
#include <Poco/NamedMutex.h>
#include <iostream>
int main(int, char **argv)
{
    Poco::NamedMutex mutex(argv[1]);
    std::cout << (mutex.tryLock() ? "mine" : "taken") << std::endl;
    if (argv[2][0] == 'u') mutex.unlock();
    std::cin.get();
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
g++ -Wall -I root/usr/include -o mutex mutex.cpp -L "$libraries" -lPocoFoundation -Wl,--allow-shlib-undefined
export LD_LIBRARY_PATH=$libraries:$work/root/lib/x86_64-linux-gnu
name=finding-$$
trap 'rm -rf "$work" "/tmp/$name.mutex"' EXIT
start() { # VARIABLE WHAT: runs one user of the mutex, and reads its first line into VARIABLE
    coproc { ./mutex "$name" "$2"; }
    read -r "$1" <&"${COPROC[0]}"
}
sets() { awk 'NR > 1' /proc/sysvipc/sem | wc -l; }
start first unlock 2>/dev/null
maker=$COPROC_PID maker_input=${COPROC[1]}
exec 7>&"$maker_input"
start second hold 2>/dev/null
holder=$COPROC_PID holder_input=${COPROC[1]}
exec 8>&"$holder_input"
expect 'the maker, which gives it back' mine "$first"
expect 'the second process, which keeps it' mine "$second"
expect 'a third process' taken "$(./mutex "$name" hold </dev/null)"
expect 'sets' 1 "$(sets)"
echo >&7
while kill -0 "$maker" 2>/dev/null; do sleep 0.05; done
expect 'sets, after the maker ended' 0 "$(sets)"
expect 'a process that comes now' mine "$(./mutex "$name" hold </dev/null)"
expect 'the second process, which never gave it back' 'runs' "$(kill -0 "$holder" && echo runs)"
echo >&8
finish
