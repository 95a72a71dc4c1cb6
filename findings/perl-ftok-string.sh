#!/usr/bin/env bash
# IPC::SysV's ftok takes a project id that is a string of one digit for the character, and no other string at all.
# Guess: "5" from a configuration file is the number 5, as everywhere in Perl; and "81" is 81.
# Seen: ftok($path, 5) and ftok($path, "5") are different keys (id 0x05 and 0x35), so the C or Qt program with id 5 is
# not met; "81" dies.
. "$(dirname "$0")/lib.sh"
version=5.36.0-7+deb12u4
unpack perl=$version perl-base=$version perl-modules-5.36=$version libperl5.36=$version
libraries=root/usr/lib/x86_64-linux-gnu
run() {
    LD_LIBRARY_PATH=$libraries root/usr/bin/perl -I$libraries/perl-base -I$libraries/perl/5.36 \
        -Iroot/usr/share/perl/5.36 -MIPC::SysV=ftok -e "$1" file 2>&1
}
: >file
expect 'a number' '5' "$(run 'print ftok($ARGV[0], 5) >> 24')"
expect 'the same number as a string' '53' "$(run 'print ftok($ARGV[0], "5") >> 24')"
expect 'a string of two digits' 'invalid project id' "$(run 'print ftok($ARGV[0], "81") >> 24' | sed 's/ at .*//')"
finish
