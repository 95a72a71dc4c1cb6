#!/bin/bash
# Models of the library's concurrency core, searched through to the end by spin: each property in each model, then each
# model with one step broken, in which a violation must be found. One line per check, PASS, FAIL or SKIP; non-zero exit
# when one failed. Each model says on top what it stands for, what it assumes and what it leaves out.
#
#     tests/models/run.sh           # some tens of seconds on two cores
#     tests/models/run.sh --long    # the larger searches, too: minutes, and 3 GB of memory each
#     tests/models/run.sh --trail MODEL FLAG...    # the steps to the first violation, e.g. lock-word -DBREAK_RECHECK
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd) || exit 1
models=$root/tests/models
out=$root/artifacts/models
export models out

# A model, "holds" or the assertion or end state by which the fault is found, and spin's flags.
searches='
lock-word holds
lock-word holds -DPEER
lock-word holds -DTHREADS
lock-word found -DBREAK_PROOF
lock-word found -DBREAK_RECHECK
lock-word found -DBREAK_COMPARE
lock-word found -DBREAK_WAKING
lock-word found -DBREAK_REPAIR
lock-word found -DBREAK_TELLING
lock-word found -DTHREADS -DBREAK_GATE
stepping-aside holds
stepping-aside holds -DDIES=0
stepping-aside holds -DDIES=1
stepping-aside holds -DDIES=9 -DTWICE
stepping-aside found -DDIES=9 -DBREAK_LEASE
stepping-aside found -DDIES=9 -DBREAK_SECOND_LOOK
stepping-aside found -DDIES=9 -DBREAK_SURPLUS
stepping-aside found -DBREAK_TELLING
stepping-aside found -DBREAK_ASKING
key-file holds
key-file holds -DLOCKS=1
key-file holds -DMARKS
key-file found -DBREAK_NAME
key-file found -DBREAK_LOOK
key-file found -DBREAK_HOLDING
key-file found -DBREAK_FINISHING
key-file found -DMARKS -DBREAK_MARK
key-file found -DMARKS -DBREAK_FIRST_LOOK
semaphore-set holds
semaphore-set holds -DOPENS
semaphore-set found -DBREAK_NAME
semaphore-set found -DBREAK_LOCK
semaphore-set found -DBREAK_FINISHING
semaphore-set found -DBREAK_ADDING -DTWICE
semaphore-set found -DBREAK_FRESH -DOPENS
event-word holds -DROLES=1
event-word holds -DROLES=1 -DMANUAL
event-word holds -DROLES=2
event-word holds -DROLES=2 -DDEAD
event-word holds -DROLES=2 -DMANUAL
event-word holds -DROLES=3
event-word holds -DROLES=3 -DSET
event-word holds -DROLES=3 -DMANUAL
event-word holds -DROLES=4
event-word holds -DROLES=4 -DDEAD
event-word holds -DROLES=5
event-word holds -DROLES=5 -DMANUAL
event-word holds -DROLES=6 -DDIES=0
event-word found -DROLES=1 -DDIES=0 -DBREAK_GRANTS
event-word found -DROLES=1 -DDIES=0 -DDEAD -DBREAK_BACK
event-word found -DROLES=2 -DDIES=0 -DDEAD -DBREAK_TAKEN
event-word found -DROLES=3 -DDIES=0 -DBREAK_SECOND_LOOK
event-word found -DROLES=3 -DDIES=0 -DBREAK_COMPARING
event-word found -DROLES=4 -DDIES=0 -DBREAK_ONCE_MORE
event-word found -DROLES=6 -DDIES=0 -DBREAK_ROBBING
event-word found -DROLES=3 -DDIES=0 -DMANUAL -DBREAK_SECOND_LOOK
event-word found -DROLES=5 -DDIES=0 -DMANUAL -DBREAK_GENERATION
event-word found -DROLES=5 -DDIES=0 -DMANUAL -DBREAK_ALL
event-word found -DROLES=5 -DDIES=0 -DMANUAL -DBREAK_COMPARING
ring-turn holds -DSLOTS=2
ring-turn holds -DSLOTS=2 -DDIES=0
ring-turn found -DSLOTS=2 -DBREAK_LOCK
ring-turn found -DSLOTS=2 -DBREAK_SECOND_LOOK
ring-turn found -DSLOTS=2 -DBREAK_HEIR
ring-turn found -DSLOTS=2 -DDIES=0 -DBREAK_LEAVING
ring-turn found -DSLOTS=2 -DDIES=0 -DBREAK_COMPARE
ring-turn found -DSLOTS=2 -DDIES=0 -DGIVES -DBREAK_KEPT
ring-turn found -DDIES=0 -DBREAK_MARK
ring-bell holds
ring-bell holds -DMANY
ring-bell holds -DSTALE
ring-bell holds -DSTALE -DMANY
ring-bell found -DSTALE -DBREAK_ALL
ring-bell found -DBREAK_ARMING
ring-bell found -DMANY -DBREAK_TURN
ring-bell found -DBREAK_PENDING
ring-bell found -DDIES=0 -DBREAK_SECOND_LOOK
ring-bell found -DDIES=0 -DBREAK_COMPARE
ring-bell found -DSLEEPERS=2 -DDIES=0 -DBREAK_NUMBER
ring-bell found -DSLEEPERS=2 -DBREAK_WAKING
ring-bell found -DSLEEPERS=2 -DBREAK_PASSING
'
long_searches='
ring-turn holds -DSLOTS=2 -DGIVES
ring-turn holds -DDIES=0
ring-turn found -DDIES=0 -DGIVES -DBREAK_GIVING_UP
ring-bell holds -DSLEEPERS=2
event-word holds -DROLES=1 -DDEAD
event-word holds -DROLES=1 -DSET
event-word holds -DROLES=2 -DSET
event-word holds -DROLES=3 -DDEAD
event-word holds -DROLES=4 -DSET
event-word holds -DROLES=4 -DMANUAL
event-word holds -DROLES=5 -DDEAD
event-word holds -DROLES=5 -DSET
lock-word holds -DROUNDS=2
lock-word holds -DPEER -DROUNDS=2
stepping-aside holds -DTWICE
stepping-aside holds -DLONG
key-file holds -DLOCKS=1 -DANYBODY
key-file holds -DLOCKS=2 -DANYBODY
key-file holds -DMARKS -DANYBODY
semaphore-set holds -DTWICE
semaphore-set holds -DTWICE -DOPENS
'

# Makes and runs one search; prints its line.
search() { # MODEL EXPECTED FLAG...
    local model=$1 expected=$2 name folder states log
    shift 2
    name="$model${*:+ $*}"
    folder=$out/$(printf '%s' "$name" | tr -c 'A-Za-z0-9\n' _)
    log=$folder/log
    mkdir -p "$folder" && cd "$folder" || return 1
    if ! { spin -a "$@" "$models/$model.pml" && $compiler $options -w -DSAFETY -DMEMLIM=3072 -o pan pan.c; } \
        >"$log" 2>&1; then
        echo "FAIL models: $name: spin or the compiler: $(tail -n 1 "$log")"
        return 1
    fi
    nice ./pan -m100000 >"$log" 2>&1
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$log")
    if [ "$expected" = found ]; then
        grep -q 'errors: 1' "$log" && grep -qE '^pan:1: (assertion violated|invalid end state)' "$log" &&
            { echo "PASS models: $name: found by \"$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$log")\""; return 0; }
        echo "FAIL models: $name: a broken step was not noticed: see $log"
        return 1
    fi
    # A search that was cut short, for want of depth or memory, proves nothing.
    local incomplete='Search not completed|max search depth too small|out of memory'
    if grep -q 'errors: 0' "$log" && ! grep -qE "$incomplete" "$log"; then
        echo "PASS models: $name: $states states"
        return 0
    fi
    echo "FAIL models: $name: $(grep -m 1 '^pan' "$log" || echo 'the search was not completed'): see $log"
    return 1
}
export -f search

# Whether the methods that a model names on top are still there.
names() { # MODEL
    local member type method missing='' found=0
    while read -r member; do
        type=${member%.*} method=${member#*.}
        found=1
        grep -rlE "(class|struct) $type\b" "$root"/src/NativeIpc{,.Channels} --include='*.cs' |
            xargs -r grep -qw "$method" ||
            missing="$missing $member"
    done < <(sed -n '/Stands for/,/^ \*$/p' "$models/$1.pml" | grep -oE '[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+' | sort -u)
    # Of the headers, which the library does alike
    while read -r method; do
        found=1
        grep -qhw "$method" "$root"/include/*.h || missing="$missing $method"
    done < <(sed -n '/Stands for/,/^ \*$/p' "$models/$1.pml" | grep -oE 'nativeipc_[a-z_]+' | sort -u)
    [ $found = 1 ] && [ -z "$missing" ] && { echo "PASS models: $1 names methods that are there"; return 0; }
    echo "FAIL models: $1 stands for methods that are not there any more:$missing"
    return 1
}

if [ "${1:-}" = --trail ]; then
    shift
    search "$1" found "${@:2}" || exit
    cd "$out/$(printf '%s' "$*" | tr -c 'A-Za-z0-9\n' _)" && spin -t -p -g -l "${@:2}" "$models/$1.pml"
    exit
fi
# A long search is worth an optimizer, and needs its states packed. The others are done in less time than gcc needs to
# compile them, at -O0 too: tcc compiles in hundredths of a second what is as fast as that. States as they are (NOCOMP)
# take a tenth less time and a fifth more memory.
export compiler='tcc' options='-DNOCOMP'
command -v tcc >/dev/null || compiler='gcc -O0'
[ "${1:-}" != --long ] && [ -z "${NATIVEIPC_LONG:-}" ] ||
    searches=$searches$long_searches compiler='gcc -O2' options='-DCOLLAPSE'

for program in spin "${compiler%% *}"; do
    command -v $program >/dev/null && continue
    if [ "${CI:-}" = true ] && [ "$(uname)" = Linux ]; then
        echo "FAIL models: '$program' is missing (eng/debian-packages.txt)"
        exit 1
    fi
    echo "SKIP models: '$program' is missing here (eng/debian-packages.txt)"
    exit 0
done

rm -rf "$out"
mkdir -p "$out"
failed=0
for model in "$models"/*.pml; do names "$(basename "$model" .pml)" || failed=1; done
# Two at a time; the long ones come first, since each list of a model begins with them.
printf '%s\n' "$searches" | grep . | xargs -P 2 -I{} bash -c 'search {}' || failed=1
exit $failed
