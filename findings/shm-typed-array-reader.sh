#!/usr/bin/env bash
# Node's shm-typed-array removes at its end a System V segment that it has only read, but no POSIX one that it made.
# Guess: the maker removes at its end, whatever the kind, and who only gets a segment leaves it; the bytes begin at 0.
# Seen (shm-typed-array 0.1.1, Node 20): a process that gets a System V segment of another program, reads it and ends
# removes it if nobody else has it attached; so does the maker. A POSIX segment stays with either. It is eight bytes
# longer than asked for, and begins with the length as a number of 64 bits; one that another program made, full of
# zeros, has length 0.
. "$(dirname "$0")/lib.sh"
npm init -y >/dev/null
npm_config_nodedir=/usr npm install --silent shm-typed-array@0.1.1 >install.log 2>&1 || { cat install.log; exit 1; }
echo 'package: shm-typed-array=0.1.1'
run() { node -e "const shm = require('shm-typed-array'); $1"; }
systemv() { awk 'NR > 1 { printf "%s %s\n", $1, $4; n = 1 } END { if (!n) print "none" }' /proc/sysvipc/shm; }
posix() { (cd /dev/shm && stat -c '%n %s' -- * 2>/dev/null) || echo none; }
python3 -c 'import ctypes; ctypes.CDLL(None).shmget(77, 100, 0o1600)'
expect 'of another program: key, bytes' '77 100' "$(systemv)"
expect 'it is read' $'100\nshm segments destroyed: 1' "$(run "console.log(shm.get(77, 'Buffer').length)")"
expect 'after that' none "$(systemv)"
run "shm.create(100, 'Buffer', 78)" >said
expect 'one that it made, System V' 'shm segments destroyed: 1 none' "$(cat said) $(systemv)"
run "shm.create(6, 'Float64Array', '/made')[0] = 1.5" >said
expect 'one that it made, POSIX' ' made 56' "$(cat said) $(posix)"
expect 'its first 16 bytes' ' 30 00 00 00 00 00 00 00 00 00 00 00 00 00 f8 3f' \
    "$(head -c 16 /dev/shm/made | od -An -tx1)"
head -c 100 /dev/zero >/dev/shm/foreign
expect 'a POSIX segment of another program has length' 0 "$(run "console.log(shm.get('/foreign', 'Buffer').length)")"
expect 'after that' $'foreign 100\nmade 56' "$(posix)"
finish
