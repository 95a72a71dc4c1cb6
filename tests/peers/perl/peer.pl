#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A Perl program that shares System V segments and semaphores, with what perl brings: shmget, semget, semop, and
# IPC::SysV for attaching. It speaks the line protocol of tests/peers/PROTOCOL.md.
use strict;
use warnings;
use Errno qw(EACCES EPERM EEXIST ENOENT EIDRM ENAMETOOLONG ENOSPC ENOMEM EAGAIN EINTR);
use Fcntl qw(O_RDWR O_CREAT O_EXCL);
use IPC::SysV qw(ftok shmat shmdt memread memwrite
    IPC_CREAT IPC_EXCL IPC_RMID IPC_STAT IPC_NOWAIT SETVAL GETVAL SEM_UNDO SHM_RDONLY);

$| = 1;
my (%segments, %semaphores);

sub failed {
    my ($call) = @_;
    my $kind = $! == EACCES || $! == EPERM ? 'PermissionDenied'
        : $! == EEXIST ? 'AlreadyExists'
        : $! == ENOENT || $! == EIDRM ? 'NotFound'
        : $! == ENAMETOOLONG ? 'KeyError'
        : $! == ENOSPC || $! == ENOMEM ? 'OutOfResources'
        : 'Unknown';
    die "$kind $call: $!\n";
}

# Key text: systemv:PATH or systemv-N:PATH, percent escapes in the path.
sub parse {
    my ($text) = @_;
    my ($project, $path) = $text =~ /^systemv(?:-(\d+))?:([^?#]*)/ or die "Unsupported only System V keys\n";
    $path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return { path => $path, project => $project // 81 };
}

sub system_v_key {
    my ($key, $create) = @_;
    if ($create && sysopen(my $file, $key->{path}, O_RDWR | O_CREAT | O_EXCL, 0640)) { close $file }
    $! = 0;
    my $number = ftok($key->{path}, $key->{project});
    if (!defined $number) { $! = ENOENT unless $!; failed('ftok') }
    return $number;
}

# Semaphore number 0; the flags say whether to wait, and what comes back when this process ends.
sub change {
    my ($id, $by, $flags) = @_;
    until (semop($id, pack('s!3', 0, $by, $flags))) {
        next if $! == EINTR;
        return 0 if $! == EAGAIN;
        failed('semop');
    }
    return 1;
}

sub lock_of {
    my ($segment) = @_;
    return $segment->{lock} if defined $segment->{lock};
    my $number = system_v_key($segment->{key}, 0);
    my $id = semget($number, 1, 0600 | IPC_CREAT | IPC_EXCL);
    if (defined $id) {
        defined semctl($id, 0, SETVAL, 1) or failed('semctl');
    } else {
        $id = semget($number, 1, 0600);
        defined $id or failed('semget');
    }
    return $segment->{lock} = $id;
}

sub segment_command {
    my ($verb, @words) = @_;
    if ($verb eq 'create' || $verb eq 'open') {
        my ($name, $text, $last) = @words;
        my $creates = $verb eq 'create';
        my $key = parse($text);
        my $number = system_v_key($key, $creates);
        my $id = $creates ? shmget($number, $last, 0600 | IPC_CREAT | IPC_EXCL) : shmget($number, 0, 0);
        defined $id or failed('shmget');
        my $writable = $creates || $last eq 'rw';
        my $address = shmat($id, undef, $writable ? 0 : SHM_RDONLY);
        defined $address or failed('shmat');
        my $status = '';
        shmctl($id, IPC_STAT, $status) or failed('shmctl');
        my $size = IPC::SharedMem::stat->new->unpack($status)->segsz;
        $segments{$name} = { key => $key, id => $id, address => $address, size => $size, writable => $writable };
        return "$size " . ($creates ? 'created' : 'opened');
    }
    if ($verb eq 'remove') {
        my $key = parse($words[0]);
        my $number = system_v_key($key, 0);
        my $id = shmget($number, 0, 0);
        my $found = defined $id && shmctl($id, IPC_RMID, 0);
        my $lock = semget($number, 0, 0);
        semctl($lock, 0, IPC_RMID, 0) if defined $lock;
        unlink $key->{path};
        return $found ? 'true' : 'false';
    }

    my $name = shift @words;
    my $segment = $segments{$name} // die "Usage no such segment\n";
    return $segment->{size} if $verb eq 'size';
    if ($verb eq 'write') {
        die "PermissionDenied it was attached for reading\n" unless $segment->{writable};
        my $bytes = pack 'H*', $words[1];
        memwrite($segment->{address}, $bytes, $words[0], length $bytes) or failed('memwrite');
        return '';
    }
    if ($verb eq 'read') {
        memread($segment->{address}, my $bytes, $words[0], $words[1]) or failed('memread');
        return unpack 'H*', $bytes;
    }
    if ($verb eq 'add') {
        my $id = lock_of($segment);
        print "locking\n";
        for (1 .. $words[1]) {
            change($id, -1, SEM_UNDO);
            memread($segment->{address}, my $bytes, $words[0], 4) or failed('memread');
            memwrite($segment->{address}, pack('L', unpack('L', $bytes) + 1), $words[0], 4) or failed('memwrite');
            change($id, 1, SEM_UNDO);
        }
        return '';
    }
    if ($verb eq 'lock') {
        my $id = lock_of($segment);
        print "locking\n";
        change($id, -1, SEM_UNDO);
        return '';
    }
    return change(lock_of($segment), -1, SEM_UNDO | IPC_NOWAIT) ? 'true' : 'false' if $verb eq 'trylock';
    if ($verb eq 'unlock') {
        change(lock_of($segment), 1, SEM_UNDO);
        return '';
    }
    if ($verb eq 'close') {
        defined shmdt($segment->{address}) or failed('shmdt');
        delete $segments{$name};
        return '';
    }
    die "Unsupported no such command\n";
}

sub semaphore_command {
    my ($verb, @words) = @_;
    if ($verb eq 'create' || $verb eq 'open') {
        my ($name, $text, $count) = @words;
        my $number = system_v_key(parse($text), $verb eq 'create');
        my $id = $verb eq 'create' ? semget($number, 1, 0600 | IPC_CREAT | IPC_EXCL) : semget($number, 1, 0600);
        defined $id or failed('semget');
        if ($verb eq 'create') { defined semctl($id, 0, SETVAL, $count) or failed('semctl') }
        $semaphores{$name} = $id;
        return $verb eq 'create' ? 'created' : 'opened';
    }
    if ($verb eq 'remove') {
        my $key = parse($words[0]);
        my $id = semget(system_v_key($key, 0), 0, 0);
        my $found = defined $id && semctl($id, 0, IPC_RMID, 0);
        unlink $key->{path};
        return $found ? 'true' : 'false';
    }
    my ($name, $number) = @words;
    $number //= 1;
    my $id = $semaphores{$name} // die "Usage no such semaphore\n";
    if ($verb eq 'acquire') {
        print "acquiring\n";
        change($id, -1, SEM_UNDO) for 1 .. $number;
        return '';
    }
    return change($id, -1, SEM_UNDO | IPC_NOWAIT) ? 'true' : 'false' if $verb eq 'tryacquire';
    if ($verb eq 'release') { change($id, $number, 0); return '' } # what is given stays given
    if ($verb eq 'produce') { change($id, 1, 0) for 1 .. $number; return '' }
    if ($verb eq 'value') {
        my $value = semctl($id, 0, GETVAL, 0);
        defined $value or failed('semctl');
        return $value + 0;
    }
    if ($verb eq 'close') { delete $semaphores{$name}; return '' }
    die "Unsupported no such command\n";
}

sub close_all {
    shmdt($_->{address}) for values %segments;
    %segments = ();
    %semaphores = ();
}

require IPC::SharedMem;
if (($ARGV[0] // '') eq '--version') {
    printf "Perl %vd, IPC::SysV %s\n", $^V, $IPC::SysV::VERSION;
    exit 0;
}
while (my $line = <STDIN>) {
    chomp $line;
    my ($first, @words) = split / /, $line;
    if ($first eq 'quit' || $first eq 'reset') { close_all() }
    if ($first =~ /^(?:quit|reset|exit)$/) {
        print "ok\n";
        $first eq 'reset' ? next : exit 0;
    }
    my $answer = eval {
        $first eq 'shm' ? segment_command(@words)
            : $first eq 'sem' ? semaphore_command(@words)
            : die "Unsupported no such command\n"
    };
    if (defined $answer) {
        print $answer eq '' ? "ok\n" : "ok $answer\n";
    } else {
        (my $message = $@) =~ s/\n+\z//;
        $message =~ s/\n/ /g;
        $message = "Unknown $message" unless $message =~ /^[A-Z][A-Za-z]+ [^ ]/;
        print "error $message\n";
    }
}
