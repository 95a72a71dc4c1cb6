#!/usr/bin/env bash
# A semop(2) that asks for two permits is passed by every later one that asks for one, and one that waits for two
# semaphores is counted at the first alone.
# Guess: waiters of a System V semaphore are served in their order, so later ones queue up behind the larger request;
# and GETNCNT of a semaphore counts whoever waits for it.
# Seen (Linux 6.18): each permit that comes goes to a request for one, though it came later; the larger one got none of
# five. It is served only when two permits are there at once. A process that waits for the semaphores 0 and 1, both of
# them at 0, is in the count of 0 and not in that of 1: so nobody may be counted where somebody waits.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >ask.pl <<'PERL'
use IPC::SysV qw(IPC_PRIVATE IPC_RMID GETNCNT S_IRUSR S_IWUSR);
my $id = semget(IPC_PRIVATE, 2, S_IRUSR | S_IWUSR) // die $!;
sub ask { my $operations = pack 's*', @_; my $child = fork; return $child if $child; exit !semop $id, $operations }
sub waiters { my $number = shift; return semctl($id, $number, GETNCNT, 0) + 0 }
sub await { my ($number, $count) = @_; select undef, undef, undef, 0.01 until waiters($number) == $count }
my $larger = ask(0, -2, 0);
await(0, 1);
my @served;
for my $turn (1 .. 5) {
    my $smaller = ask(0, -1, 0);
    await(0, 2);
    semop $id, pack('s3', 0, 1, 0);
    push @served, waitpid(-1, 0) == $smaller ? 'smaller' : 'larger';
}
semop $id, pack('s3', 0, 2, 0);
push @served, waitpid(-1, 0) == $larger ? 'larger' : 'smaller';
my $both = ask(0, -1, 0, 1, -1, 0);
await(0, 1);
print "@served; counts ", waiters(0), ' ', waiters(1);
semctl $id, 0, IPC_RMID, 0;
wait;
PERL
expect 'who was served' 'smaller smaller smaller smaller smaller larger; counts 1 0' "$(timeout 120 perl ask.pl)"
finish
