#!/usr/bin/env bash
# Perl's IPC::SharedCache puts each entry of a cache into a segment of its own, under the keys 1, 2, 3 and so on of the
# whole machine.
# Guess: a cache is one segment under the key that the caller gave, and what else it needs has no key (IPC_PRIVATE).
# Seen (libipc-sharedcache-perl 1.3): the caller's key leads to a list only. The first entry of any cache takes the
# lowest free key from 1 on, with a segment of 64 KiB for any size, and a set, both of mode 666. Two caches share that
# row of numbers. Where another program has a segment with the key 2, that number is skipped, but a set is made under
# it. All stay when the program ends.
. "$(dirname "$0")/lib.sh"
unpack libipc-sharedcache-perl=1.3-10 libipc-sharelite-perl=0.17-5
cat >caches.pl <<'PERL'
use IPC::SharedCache;
sub cache {
    my $key = shift;
    tie my %cache, 'IPC::SharedCache', ipc_key => $key,
        load_callback => sub { my $entry = shift; return \"$key $entry" }, validate_callback => sub { 1 };
    return \%cache;
}
my ($first, $second) = (cache('AAAA'), cache('BBBB'));
print "${$first->{one}}, ${$second->{one}}, ${$first->{two}}";
PERL
export PERL5LIB=$work/root/usr/share/perl5:$work/root/usr/lib/x86_64-linux-gnu/perl5/5.36
perl -e 'defined shmget(2, 100, 01600) or die $!'
expect 'entries of two caches' 'AAAA one, BBBB one, AAAA two' "$(perl caches.pl)"
table() { # FILE: keys below 100 as numbers, the others as four letters
    perl -ane 'next if $. == 1; push @keys, $F[0] < 100 ? $F[0] : pack "N", $F[0]; END { print "@keys" }' "$1"
}
expect 'keys of segments' '2 AAAA BBBB 1 3 4' "$(table /proc/sysvipc/shm)"
expect 'keys of sets' 'AAAA BBBB 1 2 3 4' "$(table /proc/sysvipc/sem)"
expect 'modes and sizes of those of the caches' '5 666 65536' "$(awk '$3 == 666 { print $3, $4 }' /proc/sysvipc/shm |
    sort | uniq -c | xargs)"
finish
