#!/bin/bash
# Publishes nipc for Windows into artifacts/win-x64-tool and drives its verbs under Wine: one line per check, PASS, FAIL
# or SKIP; non-zero exit when one failed. What nipc said is in said.log there. A segment and a semaphore are held by
# `create --hold` in the background, as on Windows an object lives with its last handle; others by a C program that
# knows nothing of us (tests/peers/windows/peer.c).
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # building, why_no_wine
out=$root/artifacts/win-x64-tool
failures=0
pass() { echo "PASS tool-wine: $1"; }
fail() { # NAME REASON
    echo "FAIL tool-wine: $1: $(tr -d '\r' <<<"$2" | tr '\n' ' ')"
    failures=1
}

why=$(why_no_wine wine x86_64-w64-mingw32-gcc)
if [ -n "$why" ]; then
    echo "SKIP tool-wine: $why"
    exit 0
fi
for tool in wine x86_64-w64-mingw32-gcc; do
    if ! command -v "$tool" >/dev/null; then
        fail "$tool is there" "it is missing here (eng/debian-packages.txt)"
        exit 1
    fi
done
. "$root/eng/wine-prefix.sh"

# In a folder of its own: see living below.
rm -rf "$out"
mkdir -p "$out"
if ! "$root/eng/wine-publish.sh" src/NativeIpc.Tool >"$out/publish.log" 2>&1 ||
    ! cp -al "$root/artifacts/win-x64" "$out/bin"; then
    sed 's/^/    /' "$out/publish.log" >&2
    fail 'published for Windows' "see $out/publish.log"
    exit 1
fi
pass 'published for Windows'
mv "$out/bin/peer.exe" "$out/"

export DOTNET_GCgen0size=40000000 # no garbage collection: see eng/wine-suite.sh
cd "$out" || exit 1
segment=windows:shm_tool-wine-$$
semaphore=windows:sem_tool-wine-$$
event=windows:event_tool-wine-$$
holders=()

# Whatever happens, no holder stays: with it its object goes. SIGTERM ends a program under Wine at once, without a word
# to it.
views=0
terminal() { tmux -L "tool-wine-$$-$views" "$@"; }
end_holders() {
    terminal kill-server 2>/dev/null
    [ ${#holders[@]} = 0 ] || kill -TERM "${holders[@]}" 2>/dev/null
    wait
}
trap end_holders EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

unstarted=0
# What nipc says, both outputs, has the pattern (empty: nothing at all is said). Into a file, not a pipe: the services
# of Wine, which the first program starts, would keep it open. Watched, with 124 as the exit code.
check() { # NAME EXIT_CODE PATTERN ARGUMENT...
    local name=$1 expected=$2 pattern=$3 code
    shift 3
    # Wine 8 fails to start a program now and then, with 1 and without a word, which nipc never does.
    for _ in 1 2 3; do
        timeout --foreground -k 5 "$(patient 30)" wine "$out/bin/nipc.exe" "$@" >said 2>&1 <"${input:-/dev/null}"
        code=$?
        if [ $code != 1 ] || [ -s said ] || [ "$expected" = 1 ]; then break; fi
        unstarted=$((unstarted + 1))
    done
    tr -d '\r' <said >said.txt
    { echo "\$ nipc $* # $code"; cat said.txt; } >>said.log
    if [ $code != "$expected" ]; then fail "$name" "exit code $code, not $expected: $(head -c 600 said.txt)"
    elif [ -z "$pattern" ] && [ -s said.txt ]; then fail "$name" "said $(head -c 600 said.txt)"
    elif ! grep -qE -- "$pattern" said.txt && [ -n "$pattern" ]; then
        fail "$name" "said nothing like '$pattern' but $(head -c 600 said.txt)"
    else pass "$name"
    fi
}

# In the background, with a watchdog that passes signals on; waits for the key, which it prints when the object is
# there.
hold() { # NAME KEY ARGUMENT...
    local name=$1 key=$2 end=$((SECONDS + 30))
    shift 2
    : >"held-$name"
    timeout --foreground -k 5 "$(patient 150)" wine "$out/bin/nipc.exe" create "$@" --hold \
        >"held-$name" 2>&1 </dev/null &
    holders+=($!)
    until grep -qF "$key" "held-$name"; do
        if [ $SECONDS -ge $end ] || ! kill -0 $! 2>/dev/null; then
            fail "create $name --hold" "$(cat "held-$name")"
            return 1
        fi
        sleep 0.1
    done
    pass "create $name --hold"
}

# More about what nipc said last: that it says this, and nothing of that kind.
has() { # NAME PATTERN
    if grep -qE -- "$2" said.txt; then
        pass "$1"
    else
        fail "$1" "said nothing like '$2' but $(head -c 600 said.txt)"
    fi
}
lacks() { # NAME PATTERN
    if grep -qE -- "$2" said.txt; then fail "$1" "said $(grep -E -- "$2" said.txt)"; else pass "$1"; fi
}

# The keys of the last list that have a text in their name, in one line.
names() { # NAME TEXT EXPECTED...
    local name=$1 text=$2 found
    shift 2
    found=$(awk -v text="$text" 'index($1, text) { print $1 }' said.txt | tr '\n' ' ')
    if [ "$found" = "$* " ]; then pass "$name"; else fail "$name" "the order is $found, not $*"; fi
}

# The C program, which keeps what it makes until its input ends. It keeps one segment and one semaphore; so there are
# four.
peers=()
peer() { # ANSWERS COMMAND...: a command is words with a comma between them
    local answers=$1 end=$((SECONDS + 30)) number=${#peers[@]} command
    shift
    rm -f "peer-$number.in"
    mkfifo "peer-$number.in"
    timeout --foreground -k 5 "$(patient 150)" wine "$out/peer.exe" session <"peer-$number.in" >"peer-$number" 2>&1 &
    peers+=($!)
    holders+=($!)
    exec {peer_input}>"peer-$number.in"
    for command; do tr , '\t' <<<"$command" >&$peer_input; done
    until [ "$(tr -d '\r' <"peer-$number" | tr '\n' ' ')" = "$answers " ]; do
        if [ $SECONDS -ge $end ]; then
            fail 'the C program has made its objects' "it said $(cat "peer-$number")"
            return 1
        fi
        sleep 0.1
    done
}

# A live view in a terminal of tmux.
view() { # ARGUMENT...
    terminal kill-server 2>/dev/null
    views=$((views + 1)) # another server: that one may still be going, and take the session with it
    terminal new-session -d -x 110 -y 24 \
        "timeout --foreground -k 5 $(patient 100) wine '$out/bin/nipc.exe' $*; echo code \$?; exec sleep 100"
}
shows() { # NAME PATTERN
    local end=$((SECONDS + 30))
    until terminal capture-pane -p 2>&1 | grep -qE -- "$2"; do
        if [ $SECONDS -ge $end ]; then
            fail "$1" "the screen has no '$2' but $(terminal capture-pane -p 2>&1 | head -c 600)"
            return 1
        fi
        sleep 0.1
    done
    pass "$1"
}

# Processes of nipc under Wine. The brackets keep grep from finding itself.
living() { grep -ls 'win-x64-too[l].*nipc.exe' /proc/[0-9]*/cmdline; }

# Keys
check 'key parse' 0 '^usable +yes, on windows' key parse 'windows:Local\shm_frames'
check 'key parse of a foreign key' 0 '^usable +yes, on linux' key parse posix:/frames
check 'key safe' 0 '^windows:shm_frames$' key safe frames
check 'key safe of a semaphore' 0 '^windows:sem_frames$' key safe frames -k sem
check 'key legacy' 0 '^windows:qipc_sharedmemory_frames[0-9a-f]{40}\?legacyKey=frames$' key legacy frames
check 'key convert' 0 '^windows:shm_frames$' key convert posix:/frames --to windows
check 'key convert to another system' 0 '^posix:/frames$' key convert windows:shm_frames --to posix
check 'key code' 0 'OpenFileMappingW\(.*L"shm_frames"' key code windows:shm_frames --lang c

# What cannot be
check 'a command line that cannot be meant' 2 "^Try 'nipc create shm --help'" create shm "$segment"
check 'a key that is none' 2 'windows:' read 'a\frames'
check 'a bare name' 3 '^nipc: frames is windows:shm_frames$' read frames
check 'create shm without --hold' 6 '--hold keeps it' create shm "$segment" 4096
check 'create sem without --hold' 6 '--hold keeps it' create sem "$semaphore" 1
check 'create event without --hold' 6 '--hold keeps it' create event "$event" auto
check 'create event of no mode' 2 "Must be one of: 'auto', 'manual'" create event "$event" both
check 'read of a segment that is not there' 3 "make it with 'nipc create' and --hold" read "$segment"
has 'read of a segment that is not there: what to do' "'nipc list' shows what is there"
check 'acquire of a semaphore that is not there' 3 "make it with 'nipc create' and --hold" acquire "$semaphore"
for verb in set reset wait; do
    check "$verb of an event that is not there" 3 "make it with 'nipc create' and --hold" "$verb" "$event"
done
check 'a type of another system' 2 'not supported on this operating system' read posix:/frames

# A segment
if hold shm "$segment" shm "$segment" 4096; then
    shm_holder=$!
    check 'create of what is there' 1 'already' create shm "$segment" 4096 --hold
    has 'create of what is there: what to do' "--or-open .* 'nipc show $segment' describes it"
    check 'write' 0 '' write "$segment" --text 'hello, Windows'
    check 'read' 0 '^Windows$' read "$segment" --offset 7 --length 7 --lock
    check 'read --hex' 0 '^00000000  68 65 6c 6c 6f .*\|hello, Windows\.\.\|$' read "$segment" --hex --length 16
    check 'dump' 0 '' dump "$segment" segment.bin
    if [ "$(head -c 14 segment.bin)" = 'hello, Windows' ] && [ "$(wc -c <segment.bin)" = 4096 ]; then
        pass 'dump: the file has the bytes'
    else
        fail 'dump: the file has the bytes' "$(wc -c segment.bin)"
    fi
    check 'dump to a file that is there' 1 'is there already' dump "$segment" segment.bin
    printf 'BYE' >bytes.bin
    input=bytes.bin check 'write from standard input' 0 '' write "$segment"
    check 'write: the bytes are there' 0 '^BYElo' read "$segment" --length 5
    check 'write past the end' 5 'Nothing was written' write "$segment" --offset 4095 --text ab
    check 'restore' 0 '' restore "$segment" segment.bin --lock
    check 'restore: the bytes are there' 0 '^hello' read "$segment" --length 5
    check 'restore --create' 6 "nipc create shm --hold" restore windows:other segment.bin --create
    check 'show' 0 '^size +4096 bytes' show "$segment"
    lacks 'show: no modes and groups, which Windows has not' '^(mode|group)'
    has 'show: the bytes' '^00000000  68 65 6c 6c 6f .*\|hello, Windows\.\.\|$'
    has 'show: the handles' '^attached +by 1 handle'
    check 'show --struct' 0 '^word +hello$' show "$segment" --struct 'char[5] word@0, u16 next@5'
    check 'show --json' 0 '"bytes": "68656c6c6f"' show "$segment" --length 5 --json
    check 'show --type, of a native name' 0 '^size +4096 bytes' show "${segment#windows:}" --type windows
    check 'show of a prefix that changes nothing' 0 "^segment +$segment\$" show "windows:Local\\${segment#windows:}"
    check 'show of the semaphore that is not there' 3 'There is no semaphore' show "$segment" --kind sem
    check 'list of one of ours' 0 "^$segment +- +shm +4096 +\? .* 1 " list
    check 'rm' 6 'last handle' rm "$segment"
    if command -v tmux >/dev/null; then
        view list --watch 300ms
        shows 'list --watch on a terminal' "^$segment .* shm +4096 "
        terminal send-keys C-c
        shows 'list --watch on a terminal: Ctrl-C' '^code 0'
        view show "$segment" --watch 300ms --length 16
        shows 'show --watch' '^00000000  68 65 6c 6c 6f .*\|hello, '
        check 'write to what is watched' 0 '' write "$segment" --text 'HELLO'
        shows 'show --watch: the bytes that have changed' '^00000000  48 45 4c 4c 4f .*\|HELLO, '
        terminal send-keys C-c
        shows 'show --watch: Ctrl-C' '^code 0'
        terminal kill-server
    else
        echo 'SKIP tool-wine: live views: tmux is missing here (eng/debian-packages.txt)'
    fi
fi

# The lock of that segment, whose holder is killed while somebody else has it open.
if [ -n "${shm_holder:-}" ] && hold lock "${segment}_sem" sem "${segment}_sem" 1; then
    lock_holder=$!
    check 'doctor: a free lock is well' 0 '^0 errors, 0 warnings' doctor
    wine "$out/bin/nipc.exe" run --sem "${segment}_sem" --robust \
        -- "$(echo "Z:$out/bin/nipc.exe" | tr / '\\')" create sem "$semaphore-child" 1 --hold \
        >held-child 2>&1 </dev/null &
    victim=$!
    holders+=($victim)
    end=$((SECONDS + 30))
    until grep -qsF "$semaphore-child" held-child || [ $SECONDS -ge $end ]; do sleep 0.1; done
    check 'list: a taken lock' 0 "^${segment}_sem +- +sem +=0 .* lock$" list
    check 'doctor: a taken lock is well' 0 '^0 errors, 0 warnings' doctor
    kill -KILL $victim
    wait $victim 2>/dev/null
    killed='is taken, and the last process of this library that held it was killed'
    check 'doctor: a lock whose holder was killed' 1 \
        "${segment}_sem, the lock of a segment, $killed" doctor
    has 'doctor: a lock whose holder was killed: what to do' "^ +\\$ nipc release \"${segment}_sem\"\$"
    check 'release of what a killed holder had' 0 '' release "${segment}_sem"
    check 'doctor: the lock is mended' 0 '^0 errors, 0 warnings' doctor
    for child in $(living); do # what the killed one ran
        if tr '\0' ' ' <"$child" 2>/dev/null | grep -qF "create sem $semaphore-child 1"; then
            child=${child#/proc/}
            kill -TERM "${child%/cmdline}"
        fi
    done
    kill -TERM "$lock_holder"
    wait "$lock_holder"
fi

# A semaphore with one permit
if hold sem "$semaphore" sem "$semaphore" 1; then
    sem_holder=$!
    check 'create sem --reset of what is held' 1 'already' create sem "$semaphore" 1 --reset --hold
    check 'value' 0 '^1$' value "$semaphore"
    check 'show of a semaphore' 0 '^value +1$' show "$semaphore"
    check 'list of a semaphore of ours' 0 "^$semaphore +- +sem +=1 .* 1 " list -k sem
    lacks 'list --kind sem: no segments' "^$segment "
    check 'acquire' 0 '' acquire "$semaphore"
    check 'acquire when the time is up' 1 'no permit free within 0.2 s' acquire "$semaphore" --timeout 200ms
    check 'run when the time is up' 9 'no permit free' run --sem "$semaphore" -w 0 -E 9 -- cmd /c exit 0
    check 'release' 0 '' release "$semaphore"
    check "run: the command's exit code" 7 '' run --sem "$semaphore" -- cmd /c exit 7
    check 'run: the permit is held meanwhile' 1 'no permit free' run --sem "$semaphore" \
        -- "$(echo "Z:$out/bin/nipc.exe" | tr / '\\')" acquire "$semaphore" -w 0
    check 'run of a command that is not there' 127 \
        "Cannot start 'no-such-command': [^.]*\. The permit was given back\.$" run --sem "$semaphore" -- no-such-command
    check 'run of a command in a folder that is not there' 127 'Cannot start' run --sem "$semaphore" \
        -- 'C:\no-such-folder\program.exe'
    check 'acquire of more than there are' 1 'no permit free' acquire "$semaphore" --count 2 --timeout 0
    check 'run gave its permit back each time' 0 '' acquire "$semaphore" --timeout 0
    check 'release of several' 0 '' release "$semaphore" --count 2
    check 'acquire of several' 0 '' acquire "$semaphore" --count 2 --timeout 0
fi
check 'run --create' 0 '^ran$' run --sem "$semaphore-2" --create 1 -- cmd /c echo ran

# Events: one of auto reset that is set at first, one of manual reset that is not.
if hold event "$event" event "$event" auto --set; then
    event_holder=$!
    check 'create event of what is there' 1 'already' create event "$event" auto --hold
    check 'create event of the other mode' 2 'an auto-reset event has this key' \
        create event "$event" manual --or-open --hold
    check 'list of an event of ours' 0 "^$event +- +event +set " list -k event
    lacks 'list --kind event: no segments and semaphores' ' (shm|sem) '
    check 'show of an event' 0 '^state +set, auto reset$' show "$event"
    has 'show of an event: what it is' "^event +$event\$"
    lacks 'show of an event: no value and no bytes' '^(value|size|00000000)'
    check 'show --length of an event' 2 'is an event' show "$event" --length 4
    check 'value of an event' 2 'Another kind of object has this name' value "$event"
    check 'show --kind sem of an event' 3 'There is no semaphore' show "$event" --kind sem
    check 'wait for a set event' 0 '' wait "$event" --timeout 5
    check 'show of an event that a wait has reset' 0 '^state +unset, auto reset$' show "$event"
    check 'wait when the time is up' 1 "was not set within 0.2 s. .*'nipc set " wait "$event" --timeout 200ms
    check 'wait for an event that is not set' 1 'was not set within 0 s' wait "$event" -w 0
    check 'set' 0 '' set "$event"
    check 'set of a set event' 0 '' set "$event"
    check 'wait: once for two' 0 '' wait "$event" -w 0
    check 'wait: not twice' 1 'was not set' wait "$event" -w 0
    check 'set before reset' 0 '' set "$event"
    check 'reset' 0 '' reset "$event"
    check 'wait after reset' 1 'was not set' wait "$event" -w 0
    check 'acquire of an event' 2 'Another kind of object has this name' acquire "$event" -w 0
    check 'rm of an event' 6 'last handle' rm "$event"
    timeout --foreground -k 5 "$(patient 60)" wine "$out/bin/nipc.exe" wait "$event" >waited 2>&1 </dev/null &
    waiter=$!
    holders+=($waiter)
    end=$((SECONDS + 30)) # until it has the event open, beside the holder
    until timeout --foreground -k 5 "$(patient 30)" wine "$out/bin/nipc.exe" list -k event 2>/dev/null </dev/null |
        grep -qE "^$event .* 2 " || [ $SECONDS -ge $end ]; do
        sleep 0.1
    done
    check 'set while another one waits' 0 '' set "$event"
    wait $waiter
    code=$?
    if [ $code = 0 ]; then pass 'set frees who waits'; else fail 'set frees who waits' "code $code: $(cat waited)"; fi
fi
if hold manual "$event-2" event "$event-2" manual; then
    manual_holder=$!
    check 'show of a manual-reset event' 0 '^state +unset, manual reset$' show "$event-2"
    check 'set of a manual-reset event' 0 '' set "$event-2"
    check 'wait for a manual-reset event' 0 '' wait "$event-2" -w 0
    check 'wait again' 0 '' wait "$event-2" -w 0
    check 'list --json of an event' 0 '"resetMode": "manual"' list -k event --json
    has 'list --json of an event: the state' '"isSet": true'
    check 'reset of a manual-reset event' 0 '' reset "$event-2"
    check 'wait after a reset' 1 'was not set' wait "$event-2" -w 0
    kill -TERM "$manual_holder"
    wait "$manual_holder"
    check 'the event has gone with its holder' 3 'nipc create' set "$event-2"
fi

# The machine
check 'demo' 0 'nothing is left behind\.$' demo bytes.bin
check 'doctor' 0 '^0 errors, 0 warnings' doctor
has 'doctor: what it cannot see' 'handles lead to an object, and neither which processes'
check 'doctor --fix --json' 0 '"finding": "unseen"' doctor --fix --json
has 'doctor --json: the limit of memory' '"name": "commit"'
check 'rm --unused' 6 'last handle' rm --unused
check 'rm --orphaned' 6 'last handle' rm --orphaned
check 'list of what other systems have' 6 'Windows has no POSIX objects' list --type posix
check 'list of System V' 6 'Windows has no System V' list --type systemv
check 'show of a System V id' 6 'id or the key of a System V object' show 12
check 'list --unused' 0 'goes with its last handle, so none is unused' list --unused
lacks 'list --unused: nothing' '^windows:'
check 'list --sort age' 0 'does not tell when an object was made' list --sort age

# Objects of a C program: with the security that the process gives, with an owner that is this user's (as the descriptor
# names none), and with another one's.
c=tool-wine-$$-c
if peer 'ok new ok new ok ok' "create-segment,W,$c-shm,5000" "create-semaphore,A,$c-sem,3,9" \
    "create-mutex,W,$c-mutex" "create-event,W,$c-shm_sem" &&
    peer 'ok new ok new' "create-segment,W,$c-mine,9000,D:(A;;GA;;;WD)" "create-semaphore,W,Global\\$c-all,5,9" &&
    peer 'ok new' "create-segment,W,$c-none,9000,D:(D;;GA;;;WD)" &&
    peer 'ok new ok new' "create-segment,W,$c-others,20000,O:SYD:(A;;GA;;;WD)" \
        "create-semaphore,W,$c-shut,1,9,D:(A;;0x100002;;;WD)"; then
    check 'list: a segment of C, in whole pages' 0 "^windows:$c-shm +- +shm +8192 " list
    has 'list: a semaphore of C, by its ANSI name' "^windows:$c-sem +- +sem +=3 "
    has 'list: a semaphore of all sessions' "^windows:Global.$c-all +- +sem +=5 "
    has 'list: a count that may not be read' "^windows:$c-shut +- +sem +\? "
    has 'list: an event of C' "^windows:$c-shm_sem +- +event "
    check 'set of an event of C' 0 '' set "windows:$c-shm_sem"
    check 'show of an event of C' 0 '^state +set, ' show "windows:$c-shm_sem" -k event
    check 'wait for an event of C' 0 '' wait "windows:$c-shm_sem" -w 0
    check 'reset of an event of C' 0 '' reset "windows:$c-shm_sem"
    check 'wait for an event of C that is reset' 1 'was not set' wait "windows:$c-shm_sem" -w 0
    check 'list: as before' 0 "^windows:$c-shm +- +shm +8192 " list
    lacks 'list: no mutexes' "$c-mutex"
    lacks 'list: no records of the holders of locks' '_holder'
    has 'list: what it cannot say' 'handles lead to an object, and neither which processes'
    check 'list --sort size' 0 . list -k shm --sort size
    names 'list --sort size: the order' "$c" "windows:$c-others" "windows:$c-mine" "windows:$c-shm" "windows:$c-none"
    check 'list --sort key --reverse' 0 . list -k shm --sort key --reverse
    names 'list --sort key --reverse: the order' "$c" \
        "windows:$c-shm" "windows:$c-others" "windows:$c-none" "windows:$c-mine"
    check 'list --mine' 0 "^windows:$c-mine " list --mine
    lacks 'list --mine: none of others, and none without an owner' "^windows:($c-(others|shm|sem)|shm_)"
    has 'list --mine: what it cannot say' 'not tell the owner, and --mine leaves'
    check 'list --json' 0 "\"key\": \"windows:Global.*$c-all\"" list --json
    has 'list --json: what may not be looked at' 'access control list does not let this user read the count'
    check 'show: the owner' 0 '^owner +.*SYSTEM$' show "windows:$c-others" --length 0
    check 'show of a mutex' 3 'no segment, no semaphore and no event' show "windows:$c-mutex"
    check 'read of what is shut' 4 "'nipc show windows:$c-none' says what this user may know of it" \
        read "windows:$c-none"
    check 'show of what is shut' 0 '^unreadable +Its access control list does not let this user look at it' \
        show "windows:$c-none"
    has 'show of what is shut: its size' '^size +not known'
    check 'value of what may not be read' 6 'does not tell the count' value "windows:$c-shut"
    check 'doctor: a lock that cannot be made' 1 \
        "cannot be locked: its lock would be the semaphore '$c-shm_sem', and an object of another kind \(Event\)" doctor

    # --watch into a pipe: what was there, what comes and goes; ends as by Ctrl-C.
    timeout --foreground -k 5 "$(patient 60)" wine "$out/bin/nipc.exe" list --watch 200ms >watched 2>&1 </dev/null &
    watch=$!
    holders+=($watch)
    seen() { # PATTERN
        local end=$((SECONDS + 30))
        until tr -d '\r' <watched | grep -qE -- "$1"; do
            if [ $SECONDS -ge $end ] || ! kill -0 $watch 2>/dev/null; then
                fail "list --watch: $1" "$(cat watched)"
                return 1
            fi
            sleep 0.1
        done
        pass "list --watch: $1"
    }
    if seen "^found +windows:$c-shm " && hold watched "windows:sem_$c-new" sem "windows:sem_$c-new" 4; then
        watched_holder=$!
        seen "^appeared +windows:sem_$c-new +- +sem +=4" # the object must be there until it was seen
        kill -TERM "$watched_holder"
        seen "^gone +windows:sem_$c-new "
    fi
    kill -INT $watch
    wait $watch
    code=$?
    if [ $code = 0 ]; then
        pass 'Ctrl-C ends list --watch'
    else
        fail 'Ctrl-C ends list --watch' "exit code $code, not 0"
    fi
    kill -TERM "${peers[@]}"
    wait "${peers[@]}"
    check 'list: the objects of C have gone with it' 0 "^$segment " list
    lacks 'list: nothing of C is left' "$c"
fi

# So that the look at the end is known to see them.
[ ${#holders[@]} = 0 ] ||
    if [ -n "$(living)" ]; then
        pass 'the holders are seen'
    else
        fail 'the holders are seen' 'no process has nipc.exe in its command line'
    fi

# The end: the one as by Ctrl-C, the other killed.
if [ -n "${shm_holder:-}" ]; then
    kill -INT "$shm_holder"
    wait "$shm_holder"
    code=$?
    if [ $code = 130 ]; then
        pass 'Ctrl-C ends create --hold'
    else
        fail 'Ctrl-C ends create --hold' "exit code $code, not 130: $(cat held-shm)"
    fi
    check 'the segment has gone with its holder' 3 'nipc create' read "$segment"
fi
if [ -n "${event_holder:-}" ]; then
    kill -INT "$event_holder"
    wait "$event_holder"
    check 'the event has gone with its holder, as by Ctrl-C' 3 'nipc create' wait "$event" -w 0
fi
if [ -n "${sem_holder:-}" ]; then
    kill -TERM "$sem_holder"
    wait "$sem_holder"
    check 'the semaphore has gone with its holder' 3 'nipc create' acquire "$semaphore"
fi

left=$(living)
if [ -z "$left" ]; then pass 'no process is left'; else fail 'no process is left' "$left"; fi
[ $unstarted = 0 ] || echo "Wine failed to start nipc $unstarted times, and was asked again"
exit $failures
