#!/usr/bin/env bash
# `dmsetup udevcomplete_all` removes the System V sets of any program whose keys begin with 0x0d4d.
# Guess: it removes the sets that dmsetup and LVM made for their udev cookies, and knows them by more than half a key.
# Seen (dmsetup 1.02.185): a set of three semaphores, made by another program and held by it, is listed as a cookie and
# removed, also where the kernel has no device mapper. ftok gives such keys for a project id of 13 on a file system
# whose minor device number ends in 0x4d.
. "$(dirname "$0")/lib.sh"
unpack dmsetup=2:1.02.185-2 libdevmapper1.02.1=2:1.02.185-2
export LD_LIBRARY_PATH=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu
dmsetup=$work/root/sbin/dmsetup
keys() { awk 'NR > 1 { printf "%s%x", between, $1; between = " " }' /proc/sysvipc/sem; }
perl -e 'for my $key (0x0d4d1234, 0x0d4e1234) { defined semget($key, 3, 01000 | 0600) or die $! }'
expect 'sets of another program' 'd4d1234 d4e1234' "$(keys)"
expect 'cookies' '0xd4d1234' "$("$dmsetup" udevcookies | awk '/^0x/ { print $1 }')"
expect 'told' '1 semaphores with keys prefixed by 3405 (0xd4d) destroyed' \
    "$("$dmsetup" udevcomplete_all -y 2>/dev/null | grep -o '^.* destroyed')"
expect 'left' 'd4e1234' "$(keys)"
finish
