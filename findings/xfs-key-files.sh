#!/usr/bin/env bash
# On XFS, key files in different folders often have one System V key: of those in eight new folders, three have one, and
# three another.
# Guess: ftok takes 16 bits of the inode number, so two files of a file system have one key once in 65,536.
# Seen (Linux 6.18, xfsprogs 6.1): XFS puts new folders into its allocation groups by turns, and numbers the inodes of
# each group from the same offset on; what tells the groups apart is above the 16 bits.
. "$(dirname "$0")/lib.sh"
unpack xfsprogs=6.1.0-1 libinih1=55-1 liburcu8=0.13.2-1
printf 'kernel: %s\n' "$(uname -r)"
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
truncate -s 2G image
root/sbin/mkfs.xfs -q image
mkdir disk
mount -o loop image disk
trap 'umount "$work/disk"; rm -rf "$work"' EXIT
mkdir disk/{1,2,3,4,5,6,7,8}
touch disk/{1,2,3,4,5,6,7,8}/key
expect 'inode numbers' '8 different ones' "$(stat -c %i disk/*/key | sort -u | wc -l) different ones"
perl -MIPC::SysV=ftok -le 'print ftok($_, 81) for @ARGV' disk/*/key >keys
expect 'keys' '4 different ones' "$(sort -u keys | wc -l) different ones"
expect 'files to a key' '1 1 3 3' "$(sort keys | uniq -c | awk '{ print $1 }' | sort | paste -sd' ')"
cd disk
ipc() { perl -MIPC::SysV=ftok -e "defined $1 or die \"\$!\n\"; print 'made'" "${@:2}" 2>&1; }
expect 'a segment of 2' 'made' "$(ipc 'shmget(ftok($ARGV[0], 81), 100, 03600)' 2/key)"
expect 'a segment of 3' 'File exists' "$(ipc 'shmget(ftok($ARGV[0], 81), 100, 03600)' 3/key)"
cd ..
finish
