#!/usr/bin/env bash
# newLISP's semaphores stay after the program, with no name.
# Guess: (semaphore) and (share) make nameless things for the program and its children; both go with the last one.
# Seen (newLISP 10.7.5): each (semaphore) is a System V set with mode 0666 and the key 0, which stays until it is
# removed by number; the memory of (share) is an anonymous mapping and goes.
. "$(dirname "$0")/lib.sh"
unpack newlisp=10.7.5-2+b2 libreadline8=8.2-1.3 libffi8=3.4.4-1
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
newlisp() { "$work/root/usr/bin/newlisp" -n -e "$1" | tail -n 1; }
expect 'a value put into a new one' '3' "$(newlisp '(begin (set (quote s) (semaphore)) (semaphore s 3) (semaphore s))')"
expect 'one more' '0' "$(newlisp '(begin (share) (semaphore (semaphore)))')"
expect 'sets left: key, mode' '0 666, 0 666' \
    "$(awk 'NR > 1 { print $1 + 0, $3 }' /proc/sysvipc/sem | paste -sd , | sed 's/,/, /')"
expect 'segments left' '0' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)"
finish
