#!/usr/bin/env bash
# PHP's sem_get() sets the count of a set that exists back to its maximum, whenever no other PHP process has it open.
# Guess: the second argument is for a set that the call makes; permits that another program holds stay taken.
# Seen (PHP 8.2.36): the set has three semaphores, the second of which counts PHP processes. Whoever is the first of
# these gives the count anew, so of five permits, three of which a C or Perl program holds, the next script sees five.
# While one script has the set open, the next leaves the count alone.
. "$(dirname "$0")/lib.sh"
expect 'php8.2-cli' 8.2.36-1~deb12u1 "$(dpkg-query -W -f '${Version}' php8.2-cli)"
cat >open.php <<'P'
<?php
$semaphore = sem_get(4711, 5);
echo $semaphore === false ? "failed\n" : "open\n";
if ($argc > 1) fgets(STDIN);
P
counts() { perl -e 'semctl(semget(4711, 0, 0), 0, 13, my $counts) or die $!; print join " ", unpack "s*", $counts'; }
take() { perl -e 'semop(semget(4711, 0, 0), pack "s3", 0, -3, 0) or die $!'; }
expect 'a script that makes it and ends' open "$(php open.php)"
expect 'the set: permits, scripts, lock' '5 0 0' "$(counts)"
take
expect 'after Perl took three' '2 0 0' "$(counts)"
coproc exec php open.php wait
read -r line <&"${COPROC[0]}"
expect 'the next script' open "$line"
expect 'while it runs' '5 1 0' "$(counts)"
take
expect 'a third one, beside it' open "$(php open.php)"
expect 'then' '2 1 0' "$(counts)"
echo >&"${COPROC[1]}"
finish
