#!/usr/bin/env bash
# Perl's IPC::Shareable makes a segment and a set of three semaphores for each nested hash or array, under random keys,
# and keeps those of values that were replaced.
# Guess: a hash tied to one key is one segment and one semaphore set, nested data are serialized into it, and a value
# that is replaced leaves nothing.
# Seen (libipc-shareable-perl 1.13, Perl 5.36): a hash that holds a hash that holds a hash is three segments and three
# sets; five assignments of a small hash to one of its elements add five of each. Only the first key is the caller's, so
# `ipcs` shows objects that nobody can name, and they all outlive the program.
. "$(dirname "$0")/lib.sh"
unpack libipc-shareable-perl=1.13-1 libjson-perl=4.10000-1 libstring-crc32-perl=2.100-2
export PERL5LIB=$work/root/usr/share/perl5:$work/root/usr/lib/x86_64-linux-gnu/perl5/5.36
objects() {
    echo "$(grep -c . </proc/sysvipc/shm) $(grep -c . </proc/sysvipc/sem)" |
        awk '{ print $1 - 1 " segments, " $2 - 1 " sets" }'
}
shared() {
    perl -MIPC::Shareable -e 'tie my %shared, "IPC::Shareable", { key => "jobs", create => 1, mode => 0600 };'"$1"
}
shared '$shared{first} = 1;'
expect 'a flat hash' '1 segments, 1 sets' "$(objects)"
shared '$shared{next} = { inner => { innermost => 1 } };'
expect 'two hashes nested in it' '3 segments, 3 sets' "$(objects)"
shared 'for my $round (1 .. 5) { $shared{next} = { round => $round }; }'
expect 'five times replaced' '8 segments, 8 sets' "$(objects)"
finish
