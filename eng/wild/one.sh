#!/bin/bash
# One program of eng/wild.sh, inside its namespaces: NAME DEBIAN NIPC OUT.
name=$1 debian=$2 nipc=$3 out=$4
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/programs.sh"

wrong() {
    echo "$*" | tee -a "$out/wrong"
    exit 1
}

mount --bind "$debian" "$debian" || exit
for folder in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs "$debian/$folder"; done
chmod 1777 "$debian/tmp"
mount -t proc proc "$debian/proc"
mkdir -p "$debian/dev/shm" "$debian/dev/pts" "$debian/run/lock" "$debian/run/user"
mount -t tmpfs -o mode=1777 tmpfs "$debian/dev/shm"
for device in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
    # shellcheck disable=SC2086
    set -- $device
    mknod -m 666 "$debian/dev/$1" c "$2" "$3"
done
ln -s /proc/self/fd "$debian/dev/fd"
mkdir -p "$debian/usr/local/bin"
cp "$nipc" "$debian/usr/local/bin/nipc"
cp "$here/programs.sh" "$here/more-programs.sh" "$debian/tmp/"
mount -t proc proc /proc # nipc asks /proc of the chroot; ours is for this script
ip link set lo up

# In the folder of Debian 13, with nothing of this machine's environment.
inside() { env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot "$debian" "$@"; }
call() { inside bash -c '. /tmp/programs.sh; '"$1" bash; }

# That of Debian 13: this machine may have none. A file is its last argument.
jq() {
    if [ -f "${*: -1}" ]; then inside jq "${@:1:$#-1}" <"${*: -1}"; else inside jq "$@"; fi
}

# Waits until it is so, for a minute at most.
until_so() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || return 1
        sleep 0.2
    done
}

# Every object with what tells it from another of the same name.
objects() {
    (cd "$debian/dev/shm" && find . ! -type d -printf 'posix %P %i\n')
    awk 'NR > 1 { print "shm", $1, $2 }' /proc/sysvipc/shm
    awk 'NR > 1 { print "sem", $1, $2 }' /proc/sysvipc/sem
    awk 'NR > 1 { print "msg", $1, $2 }' /proc/sysvipc/msg
}
sorted_objects() { objects | sort; }

call "start_$name" >"$out/program.log" 2>&1 </dev/null &
until_so call "ready_$name" || wrong "it did not start"
until_so call "check_$name" || wrong "it does not work before nipc came"

# What the program removes by itself within a second tells nothing of nipc.
sorted_objects >"$out/objects.before"
sleep 1
sorted_objects | grep -xFf "$out/objects.before" >"$out/objects"

# What processes map of the kinds that nipc is about, whatever nipc says: each file once.
mapped() { cat /proc/[0-9]*/maps 2>/dev/null | awk '$6 ~ /\/dev\/shm\/|^\/memfd:/ { print $5, $6 }' | sort -u; }
mapped >"$out/mapped.before"
inside nipc list --json >"$out/list.json" 2>"$out/list.notes" || wrong "nipc list failed"
inside nipc list >"$out/list.txt" 2>&1
inside nipc doctor --json >"$out/doctor.json" 2>"$out/doctor.notes"
[ $? -lt 2 ] || wrong "nipc doctor failed"
inside nipc doctor --all >"$out/doctor.txt" 2>&1
inside ipcs -a >"$out/ipcs.txt" 2>&1


# What was mapped before the list and is so after it is in it, also without a name. A file with another name (sem_open
# makes a semaphore under one and links it to its own) is known by its number.
mapped | grep -xFf "$out/mapped.before" >"$out/mapped"
{
    jq -r '.objects[].nativeName' "$out/list.json" | sed 's#^.*/##'
    find "$debian/dev/shm" -type f -printf '%i\n'
} >"$out/listed"
missing=$(awk '$2 ~ /\/dev\/shm\// { sub(/.*\//, "", $2); print $1, $2 }' "$out/mapped" | while read -r inode file; do
    grep -qxF -e "$inode" -e "$file" "$out/listed" || echo "$file"
done)
[ -z "$missing" ] || wrong "nipc list does not have what is mapped: $missing"
memfds=$(grep -c ' /memfd:' "$out/mapped")
find "$debian/dev/shm" -mindepth 1 -printf '%y %m %s %P\n' >"$out/devshm.txt"

# What lives is not called orphaned, and no advice removes it.
advice=$(jq -r '.objects[] | select(.flags // [] | index("orphaned")) | .key // .nativeName' "$out/list.json")
[ -z "$advice" ] || wrong "nipc list calls orphaned what lives: $advice"
advice=$(jq -r '.findings[] | select(.safeToFix and .object) | .summary' "$out/doctor.json")
[ -z "$advice" ] || wrong "nipc doctor would mend what lives: $advice"
advice=$(jq -r '.findings[] | select(.object) | .command // empty | select(test("\\b(rm|ipcrm|unlink)\\b"))' \
    "$out/doctor.json")
[ -z "$advice" ] || wrong "nipc doctor advises the removal of what lives: $advice"
advice=$(jq -r '.findings[] | select(.object and .severity != "information") | "\(.finding): \(.summary)"' \
    "$out/doctor.json")
[ -z "$advice" ] || wrong "nipc doctor warns of what is as it should be: $advice"

# Nor do the verbs that remove by themselves.
inside nipc rm --orphaned --yes >"$out/rm.txt" 2>&1
inside nipc rm --stale --yes >>"$out/rm.txt" 2>&1
inside nipc doctor --fix >>"$out/rm.txt" 2>&1
sorted_objects | grep -xFf - "$out/objects" >"$out/objects.kept"
lost=$(grep -vxFf "$out/objects.kept" "$out/objects")
[ -z "$lost" ] || wrong "nipc removed what lives: $lost"
said=$(grep -E '^removed|mended' "$out/rm.txt")
[ -z "$said" ] || wrong "nipc says that it removed what lives: $said"

# What somebody has open is refused even by its name. Some programs attach for a moment only: those that are in use at
# each of three looks.
in_use() {
    inside nipc list --json 2>/dev/null | jq -r '.objects[] | select((.attached // 0) > 0) |
        select(.flags // [] | index("removed") | not) |
        .key // (if .id then "\(.kind)id:\(.id)" else empty end)' | sort -u
}
refused=0
in_use >"$out/in-use"
for _ in 1 2; do in_use | grep -xFf "$out/in-use" >"$out/in-use.again"; mv "$out/in-use.again" "$out/in-use"; done
while IFS= read -r key; do
    if said=$(inside nipc rm "$key" 2>&1); then wrong "nipc rm removed what is in use: $key: $said"; fi
    echo "$said" >>"$out/rm.txt"
    refused=$((refused + 1))
done < <(head -n 20 "$out/in-use")
sorted_objects | grep -xFf - "$out/objects" >"$out/objects.kept"
lost=$(grep -vxFf "$out/objects.kept" "$out/objects")
[ -z "$lost" ] || wrong "nipc rm removed what is in use: $lost"
until_so call "check_$name" || wrong "it does not work after nipc was there"

# What it leaves when it ends in order, and when it is killed: facts for the table, nothing to judge.
left_by() {
    local what
    what=$(objects | cut -d' ' -f1 | sort | uniq -c |
        awk '{ printf "%s%d %s", (NR > 1 ? ", " : ""), $1, ($2 == "posix" ? "POSIX" : "System V " $2) }')
    echo "${what:-nothing}"
}
others() { ps -e -o pid=,stat=,comm= | awk '$2 !~ /Z/ && $3 !~ /^(bash|ps|awk|chroot|env|sleep)$/ { print $1 }'; }
all_ended() { [ -z "$(others)" ]; }
call "stop_$name" >>"$out/program.log" 2>&1
until_so all_ended || true
ended=$(left_by)
inside nipc list >"$out/list.ended.txt" 2>&1
call "start_$name" >>"$out/program.log" 2>&1 </dev/null &
if until_so call "ready_$name"; then
    # shellcheck disable=SC2046
    kill -KILL $(others) 2>/dev/null
    until_so all_ended || true
    killed=$(left_by)
    inside nipc list >"$out/list.killed.txt" 2>&1
    inside nipc doctor --all >"$out/doctor.killed.txt" 2>&1
    inside nipc rm --orphaned >"$out/orphaned.killed.txt" 2>&1
    offered=$(grep -c '^orphaned ' "$out/orphaned.killed.txt")
    [ "$offered" = 0 ] || wrong "nipc offers to remove what a foreign program has left, of which nothing is recorded"
else
    killed='it did not start again'
fi

makes=$(jq -r '.objects[] | "\(.kind) \(if .type == "posix"
    then "posix:/" + (.key // .nativeName | sub("^posix:/"; "") | gsub("[0-9a-f]{6,}|[0-9]+"; "N"))
    elif (.ipcKey // "0x00000000") == "0x00000000" then "System V, no key"
    else "System V " + .ipcKey end)"' "$out/list.json" | sort | uniq -c | awk 'NR > 4 { more++; next }
    { n = $1; $1 = ""; printf "%s%s%s", (NR > 1 ? "; " : ""), (n > 1 ? n " ×" : ""), $0 }
    END { if (more) printf "; and %d more", more }' | sed 's/^ //; s/; \+/; /g; s/×  */× /g; s/|/\\|/g')
says=$(jq -r '[.objects[] | if (.attached // 0) > 0 then "in use" elif .attached == 0 then "unused"
    else "users not told" end] | group_by(.) | map("\(length) \(.[0])") | join(", ")' "$out/list.json")
flags=$(jq -r '[.objects[] | .flags // [] | .[]] | map(select(. != "unused")) | unique | join(", ")' "$out/list.json")
finds=$(jq -r '[.findings[] | select(.object) | .finding] | group_by(.) | map("\(length) \(.[0])") | join(", ")' \
    "$out/doctor.json")
version=$(inside dpkg-query -W -f '${Version}' "$(call "package_of $name")" 2>/dev/null)
[ "$memfds" = 0 ] || makes="${makes:-nothing with a name}; $memfds memfds"
echo "| $name ($(call "package_of $name") $version) | ${makes:-nothing with a name} | ${says:--}${flags:+; $flags} |" \
    "${finds:-nothing} | $ended; $killed |" >"$out/row"
echo "${makes:-nothing with a name}; ${says:-nothing}; doctor: ${finds:-nothing}; $refused refused by name" \
    >"$out/summary"
exit 0
