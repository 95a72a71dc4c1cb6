#!/usr/bin/env bash
# A FIFO or a Unix socket opened through overlayfs does not meet the one opened by the path below, nor the one of
# another container of the same image.
# Guess: only data is copied up; a FIFO has none, so its inode below is the meeting point for all, as with a bind mount.
# Seen (Linux 6.18): each overlay has a pipe of its own for the FIFO, though stat shows one inode number, in the upper
# layer as well as in the lower. A job server's FIFO, or a socket, that the host looks up in the folder of the upper
# layer is a dead end: no token comes, and connect is refused.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir layers && mount -t tmpfs tmpfs layers
trap 'cd /; umount "$work/layers/one" "$work/layers/two" "$work/layers"; rm -rf "$work"' EXIT
mkdir layers/{image,one,two,up-one,up-two,work-one,work-two}
mkfifo layers/image/below
for name in one two; do
    folders=lowerdir=layers/image,upperdir=layers/up-$name,workdir=layers/work-$name
    mount -t overlay -o "$folders" overlay "layers/$name"
done
mkfifo layers/one/above
meets() { # WRITER READER
    exec 3<>"$1" 4<>"$2"
    echo token >&3
    if read -r -t 0 -u 4; then echo meets; else echo 'does not meet'; fi
    exec 3>&- 4>&-
}
inode() { stat -c %i "$1"; }
expect 'the same path' 'meets' "$(meets layers/one/above layers/one/above)"
expect 'upper layer, inode numbers equal' 'yes' \
    "$([ "$(inode layers/one/above)" = "$(inode layers/up-one/above)" ] && echo yes || echo no)"
expect 'upper layer' 'does not meet' "$(meets layers/one/above layers/up-one/above)"
expect 'lower layer' 'does not meet' "$(meets layers/one/below layers/image/below)"
expect 'two containers' 'does not meet' "$(meets layers/one/below layers/two/below)"
cat >socket.pl <<'P'
use Socket;
socket(my $server, AF_UNIX, SOCK_STREAM, 0);
bind($server, pack_sockaddr_un('layers/one/socket')) && listen($server, 5) or die;
for my $path ('layers/one/socket', 'layers/up-one/socket') {
    socket(my $client, AF_UNIX, SOCK_STREAM, 0);
    print connect($client, pack_sockaddr_un($path)) ? 'connected ' : $!{ECONNREFUSED} ? 'refused' : '?';
}
P
expect 'socket, by the overlay and by the upper layer' 'connected refused' "$(perl -MErrno socket.pl)"
finish
