#!/usr/bin/env bash
# LuaFileSystem's lfs.lock_dir(FOLDER, SECONDS) makes a symbolic link that never grows old, and lfs.lock does not meet
# flock(1).
# Guess: lock_dir keeps a lock of the kernel on a file, which goes with the process; else, as its manual says, a lock
# that is older than SECONDS is taken over.
# Seen (lua-filesystem 1.8.0): FOLDER/lockfile.lfs is a link to nothing, made by symlink(2). It stays when the process
# is gone, and its age does not matter: after a crash everybody gets "File exists" until somebody removes it. lfs.lock
# of an open file is a record lock of fcntl(2): flock(1) gets the same file.
. "$(dirname "$0")/lib.sh"
unpack lua-filesystem=1.8.0-3 lua5.1=5.1.5-9 liblua5.1-0=5.1.5-9
libraries=$work/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries LUA_CPATH=$libraries/lua/5.1/?.so
lua() { root/usr/bin/lua5.1 -e "local lfs = require 'lfs' $1"; }
mkdir folder
: >file
expect 'lock_dir' true "$(lua 'print(lfs.lock_dir("folder") ~= nil)
    io.stdout:flush() os.execute("kill -9 $PPID")' || true)"
expect 'what is left' 'symbolic link' "$(stat -c %F folder/lockfile.lfs)"
touch --no-dereference --date '1 hour ago' folder/lockfile.lfs
expect 'a second process, a lock of an hour, 1 second allowed' 'nil File exists' \
    "$(lua 'print(lfs.lock_dir("folder", 1))' | xargs)"
expect 'lfs.lock, and flock beside it' 'true got it' "$(lua 'local file = io.open("file", "r+")
    print(lfs.lock(file, "w")) io.stdout:flush() os.execute("flock -n file echo got it")' | xargs)"
finish
