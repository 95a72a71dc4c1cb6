#!/usr/bin/env bash
# IPC::ShareLite stores a value that does not fit into one segment in further ones, under the keys that follow its
# own.
# Guess: the further segments are private (IPC_PRIVATE) or the value is refused; a key of one's own is all that is
# taken.
# Seen: with key 1000 and segments of 64 KiB, a value of 200,000 bytes takes the keys 1001, 1002 and 1003 as well, and
# gives them back when it shrinks. Two programs that have agreed on 1000 and 1001 get in each other's way only when a
# value grows.
. "$(dirname "$0")/lib.sh"
unpack libipc-sharelite-perl=0.17-5
cat >grow.pl <<'PERL'
use IPC::ShareLite;
sub keys_now { open my $table, '<', '/proc/sysvipc/shm'; <$table>; return join ' ', map { (split)[0] } <$table> }
my $share = IPC::ShareLite->new(-key => 1000, -create => 'yes', -destroy => 'no',
    -size => 65536, -mode => 0600) or die $!;
print keys_now(), ', ';
$share->store('x' x 200000);
print keys_now(), ', ';
$share->store('y');
print keys_now();
PERL
expect 'keys: made, 200,000 bytes, 1 byte' '1000, 1000 1001 1002 1003, 1000' \
    "$(perl -Iroot/usr/lib/x86_64-linux-gnu/perl5/5.36 grow.pl)"
finish
