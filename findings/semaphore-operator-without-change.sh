#!/usr/bin/env bash
# The last operator of a System V semaphore (GETPID) may be one that changed nothing, or one that is dead although
# another has operated since.
# Guess: as semop(2) says, sempid is the process that last modified the value; that of an undo is nobody.
# Seen (Linux 6.18): a process that waited for zero is the last operator as well, and so is one that set the value by
# SETVAL, which leaves the time of the last operation at 0. When a process with undo ends, it becomes the last operator
# by its undo, although it is gone: GETPID then names a dead process, while the one that operated after it, and has the
# permit now, lives.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >last.pl <<'PERL'
use IPC::SysV qw(IPC_PRIVATE IPC_RMID GETPID SETVAL SEM_UNDO S_IRUSR S_IWUSR);
use IPC::Semaphore;
my $set = IPC::Semaphore->new(IPC_PRIVATE, 1, S_IRUSR | S_IWUSR) or die $!;
sub last_is { return $set->getpid(0) == shift ? 'yes' : 'no' }
sub child { my $work = shift; my $child = fork; return $child if $child; $work->(); exit }
my $other = child(sub { $set->setval(0, 0) });
waitpid $other, 0;
print 'SETVAL ', last_is($other), ', operated at ', $set->stat->otime + 0;
$set->op(0, 1, 0);
$set->op(0, -1, 0);
print '; own semop ', last_is($$);
$other = child(sub { $set->op(0, 0, 0) });
waitpid $other, 0;
print '; wait for zero ', last_is($other);
$set->setval(0, 2);
pipe my $go, my $to or die $!;
pipe my $from, my $told or die $!;
my $first = child(sub { close $to; $set->op(0, -1, SEM_UNDO); syswrite $told, 'x'; sysread $go, my $byte, 1 });
sysread $from, my $byte, 1;
$set->op(0, -1, 0);
print '; second holder ', last_is($$);
close $to;
waitpid $first, 0;
print '; after the end of the first: the dead one ', last_is($first), ', value ', $set->getval(0);
$set->remove;
PERL
expect 'GETPID names it' 'SETVAL yes, operated at 0; own semop yes; wait for zero yes; second holder yes; '\
'after the end of the first: the dead one yes, value 1' "$(perl last.pl)"
finish
