#!/bin/bash
# Tests ./demo.sh: one line per check, PASS, FAIL or SKIP; non-zero exit when one failed.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # building, run_watched: macOS has no timeout(1)

# Where it is allowed: own System V objects and an own /dev/shm, so that everything in them is ours.
if [ "${1:-}" != --here ] && [ "$(uname)" = Linux ] &&
    unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm' 2>/dev/null; then
    exec unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm && exec "$0" --here isolated' "$0"
fi
isolated=${2:-}

set -m # each job gets a process group, and does not ignore SIGINT
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
runtime=$work/runtime
mkdir -m 0700 "$runtime" "$work/tmp" "$work/elsewhere"
export XDG_RUNTIME_DIR=$runtime TMPDIR=$work/tmp
failures=0
log=$work/log
demo=$root/demo.sh
# What ./demo.sh builds and runs. It serves where ./demo.sh itself was tested already, which looks at each start whether
# all is built.
built=$root/samples/dotnet/Transfer/bin/Release/net10.0/Transfer

pass() { echo "PASS demo: $1"; }
fail() {
    echo "FAIL demo: $1: $(echo "$2" | tr "\n" " ")"
    sed 's/^/    /' "$log" >&2
    failures=1
}

# What is left of anything that ran since the last call: key files, POSIX objects, System V objects (those only where
# all of them are ours).
leftovers() {
    ls -A "$runtime"
    ls -A "$work/tmp" | grep '^nativeipc-demo-'
    ls -A /dev/shm 2>/dev/null | grep 'demo-'
    [ -n "$isolated" ] && tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem
}

# Waits up to $1 seconds until the rest of the line succeeds.
within() {
    local tries=$(($1 * 10))
    shift
    while [ "$tries" -gt 0 ]; do
        "$@" && return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    return 1
}

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
ended() { ! kill -0 "$1" 2>/dev/null; }
receiver() { sed -n 's/.*: process \([0-9]*\) receives.*/\1/p' "$log" | tail -1; }
receiving() { [ -n "$(receiver)" ]; }
sender() { sed -n 's/.* from process \([0-9]*\) through.*/\1/p' "$log" | head -1; }

# What is tested of the demo: "--only copies", "--only picture", or nothing for all of it.
part='--only copies'

# check NAME WANTED_EXIT_CODE WANTED_TEXT ARGUMENTS...
check() {
    local name=$1 code=$2 text=$3 found left
    shift 3
    # shellcheck disable=SC2086 # two words
    run_watched "$(patient 300)" "$log" "$demo" $part "$@"
    found=$?
    left=$(leftovers)
    if [ "$found" != "$code" ]; then fail "$name" "exit code $found instead of $code"
    elif ! grep -q -- "$text" "$log"; then fail "$name" "the output lacks \"$text\""
    elif grep -q "$(printf '\033')" "$log"; then fail "$name" "escape codes in the output, which is no terminal"
    elif grep -q % "$log"; then fail "$name" "percent signs in what is shown"
    elif [ -n "$left" ]; then fail "$name" "left behind: $left"
    else pass "$name"; fi
}

# copied NAME FILE: the log has each copy of a file on Linux, with its line, its keys and its hash.
copied() {
    local hash type language receives
    hash=$(sha256 <"$2" | cut -c1-64)
    for type in posix systemv systemv-84; do
        for language in .NET $c_too; do
            receives="^$type to $language: process [0-9]+ receives through $type:/[^ ]*demo-[0-9a-f]+-[0-9]+d\$"
            if ! grep -qE "$receives" "$log"; then
                fail "$1" "no line of a process that receives, and of its key: $type to $language"
            elif ! grep -qE "^ok +$type +$language +[0-9,]+ MB/s +$hash\$" "$log"; then
                fail "$1" "no hash: $type to $language"
            fi
        done
    done
}

# no_percent NAME: a terminal, too, is shown none.
no_percent() {
    ! grep -aq % "$work/typescript" || fail "$1" "percent signs on the terminal"
}

# start ARGUMENTS...: in the background, until the receiver has begun. Sets $job, which is also the process group.
start() {
    : >"$log"
    # shellcheck disable=SC2086 # two words
    "$demo" $part "$@" >"$log" 2>&1 &
    job=$!
    within 120 receiving
}

# finish NAME SECONDS WANTED_EXIT_CODES (a pattern): how a started demo must end.
finish() {
    local name=$1 seconds=$2 codes=$3 found left
    if ! within "$seconds" ended "$job"; then
        kill -KILL -- "-$job"
        wait "$job" 2>/dev/null
        fail "$name" "still running after $seconds s"
        return
    fi
    wait "$job" 2>/dev/null
    found=$?
    left=$(leftovers)
    if ! [[ $found =~ ^($codes)$ ]]; then fail "$name" "exit code $found"
    elif [ -n "$left" ]; then fail "$name" "left behind: $left"
    else pass "$name"; fi
}

if ! command -v dotnet >/dev/null; then
    echo "SKIP demo: no .NET SDK"
    exit 0
fi
children=dotnet c_too=
if command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null; then
    children="dotnet c" c_too=C
else
    echo "SKIP demo: C half: no C compiler"
fi

head -c 100003 /dev/urandom >"$work/small file"
: >"$work/empty"
dd if=/dev/zero of="$work/endless" bs=1 count=0 seek=1099511627776 2>/dev/null # macOS has no truncate(1)

# Once and locked; ./demo.sh finds all built then, whatever other steps build meanwhile. With machine code where
# ./test.sh has it (tests/Ahead.targets), since it is started some eighty times here.
[ ! -e "$root/samples/dotnet/Transfer/obj/Release/net10.0/image" ] || export NativeIpcAhead=true
building tree dotnet build "$root/samples/dotnet/Transfer" -c Release -nologo -v q -m:1 \
    -p:UseSharedCompilation=true >"$log" 2>&1 || fail "the demo builds" "$(tail -n 5 "$log")"
end_compiler
if [ "$(uname)" = Linux ]; then
    name="./demo.sh: a picture moves between two processes, one of them is killed, and then a file is copied"
    part='' check "$name" 0 'SHA-256 [0-9a-f]*, and nothing is left behind'
    for text in '^A picture of 1280 x 720 moves from .NET to' \
        "^A picture .* to ${c_too:-Python}, process [0-9]*, through posix:/demo-[0-9a-f]*\$" \
        '^Process [0-9]* was killed by SIGKILL. Process [0-9]* took over and went on with frame [0-9]*\.$' \
        '^[0-9]* frames, [0-9,]* MB, [0-9,]* MB/s, each of them whole, [0-9]* missed\.$'; do
        grep -q "$text" "$log" || fail "$name" "the output lacks \"$text\""
    done
    awk '/each of them whole/ { whole = 1 } /receives through/ && !whole { exit 1 }' "$log" ||
        fail "$name" "the copies do not come last"
else
    name="a large file that is there anyway"
    check "$name" 0 "nothing is left behind"
fi
copied "$name" "$(sed -n 's/^\(.*\), [0-9,]* bytes, from process .*/\1/p' "$log")"
check "a small file" 0 "$(sha256 <"$work/small file" | cut -c1-64), and nothing is left behind" "$work/small file"
cd "$work/elsewhere" || exit 1
check "a file named relative to another folder" 0 "nothing is left behind" "../small file"
cd "$root" || exit 1
demo=$built
check "an empty file" 0 "nothing is left behind" "$work/empty"
check "a missing file is an error" 2 "no such file" "$work/none"
CC=/nonexistent check "without a C compiler the C half is skipped" 0 "The C half is skipped" \
    --type posix "$work/small file"

for child in $children; do
    check "a corrupted copy is noticed ($child)" 1 "MISMATCH" --child "$child" --corrupt "$work/small file"
    for type in posix systemv; do
        case=" ($type, $child)"
        start --type "$type" --child "$child" "$work/endless"
        kill -KILL "$(receiver)"
        finish "a killed receiver fails the transfer$case" 30 1

        # ./demo.sh takes part in what ends a whole group, and passes on what its program ended with.
        [ "$case" != " (posix, dotnet)" ] || demo=$root/demo.sh
        start --type "$type" --child "$child" "$work/endless"
        kill -INT -- "-$job"
        finish "Ctrl-C$case" 30 '130|1'

        start --type "$type" --child "$child" "$work/endless"
        kill -INT "$(sender)"
        finish "SIGINT to the sender alone$case" 30 130
        demo=$built

        start --type "$type" --child "$child" "$work/endless"
        kill -TERM "$(sender)"
        finish "SIGTERM to the sender alone$case" 30 130
    done

    # Nothing can clean up behind SIGKILL, but the receiver must not wait for ever.
    start --type posix --child "$child" "$work/endless"
    orphan=$(receiver)
    kill -KILL "$(sender)"
    if within 30 ended "$orphan"; then pass "a receiver whose sender was killed ends ($child)"; else
        fail "a receiver whose sender was killed ends ($child)" "still running"
        kill -KILL "$orphan"
    fi
    wait "$job" 2>/dev/null
    number=$(sed -n 's/.*receives through .*demo-\([0-9a-f]*-[0-9]*\)d$/\1/p' "$log")
    [ -n "$number" ] && rm -f /dev/shm/*"demo-$number"[def]
    rm -rf "$work"/tmp/nativeipc-demo-*
done

if command -v script >/dev/null && [ "$(uname)" = Linux ]; then
    TERM=xterm-256color COLUMNS=100 script -qec "'$root/demo.sh' $part --type posix '$work/small file'" \
        "$work/typescript" >"$log" 2>&1 </dev/null
    code=$?
    if [ $code = 0 ] && grep -q "$(printf '\033')" "$work/typescript"; then
        no_percent "a bar on a terminal"
        pass "a bar on a terminal"
    else
        fail "a bar on a terminal" "exit code $code, or no escape codes"
    fi
else
    echo "SKIP demo: a bar on a terminal: no script(1)"
fi

# ---- The picture that moves ----

demo=$built
if [ "$(uname)" != Linux ]; then
    part=
    check "without topics the picture is skipped" 0 "The moving picture is skipped" "$work/small file"
    part='--only copies'
fi

# Four pictures of one colour each and two of four, 64 x 36 pixels.
pictures() { # FILE COLOURS (r g b in octal)...
    local file=$1 colour row
    shift
    : >"$file"
    for colour; do
        row=$(for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf %s "$colour$colour$colour$colour"; done)
        printf 'P6 # one colour\n64 36\n255\n' >>"$file"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do printf "$row$row$row" >>"$file"; done
    done
}

# on_terminal NAME COLUMNS ROWS ARGUMENTS...: under a terminal of that size; what it wrote is in $work/typescript.
on_terminal() {
    local name=$1 columns=$2 rows=$3
    shift 3
    run_watched "$(patient 300)" "$log" env TERM=xterm-256color script -qec \
        "stty cols $columns rows $rows; '$demo' $*" "$work/typescript" || fail "$name" "exit code $?"
}

# number WORD: what eng/demo-screen.py counted.
number() { sed -n "s/^$1 //p" "$work/screen" | head -n 1; }

# seen NAME LEAST_DIFFERENT LEAST_CELLS LEAST_COLOURS TEXT...: what stood on the terminal.
seen() {
    local name=$1 different=$2 cells=$3 colours=$4 text left
    shift 4
    "$root/eng/demo-screen.py" "$work/typescript" >"$work/screen" 2>>"$log"
    left=$(leftovers)
    cat "$work/screen" >>"$log"
    no_percent "$name"
    for text; do
        grep -qE -- "$text" "$work/screen" || { fail "$name" "the screen lacks \"$text\""; return; }
    done
    if [ "$(number different)" -lt "$different" ]; then fail "$name" "$(number different) different pictures"
    elif [ "$(number cells)" -lt "$cells" ]; then fail "$name" "$(number cells) cells"
    elif [ "$(number colours)" -lt "$colours" ]; then fail "$name" "$(number colours) colours"
    elif [ -n "$left" ]; then fail "$name" "left behind: $left"
    else pass "$name"; fi
}

moving() {
    local name killed='^text Process [0-9]+ was killed by SIGKILL\.$'
    local took='^text Process [0-9]+ took over and goes on\.$'
    local whole='^text [0-9]+ frames, .* each of them whole, [0-9]+ missed\.'
    local live='^text [0-9]+ frames/s, [0-9]+ MB/s, [0-9]+ missed$'
    local hash text language rows=()
    part='--only picture'
    CC=/nonexistent check "without a C compiler Python shows it" 0 'from .NET to Python'
    check "pictures of a file that are none" 1 "is no sequence of pictures" --frames "$work/small file"
    check "pictures of no file" 2 "no such file" --frames "$work/none"
    check "a part that there is not" 2 "picture or copies" --only all

    pictures "$work/pictures" '\377\0\0' '\0\377\0' '\0\0\377' '\377\377\377'
    name="the pictures of a file"
    check "$name" 0 '^A picture of 64 x 36 moves' --frames "$work/pictures"
    [ "$(wc -l <"$log")" = 3 ] || fail "$name, in three lines" "$(wc -l <"$log") lines"

    if ! command -v script >/dev/null || ! command -v python3 >/dev/null; then
        echo "SKIP demo: the picture on a terminal: no script(1), or no python3"
        return
    fi
    name="the picture is on the terminal, and the copies below it"
    hash=$(sha256 <"$work/small file" | cut -c1-64)
    for text in posix systemv systemv-84; do
        for language in .NET $c_too; do rows+=("$text .* $language .* [0-9,]+ MB/s .* ${hash:0:8}.*${hash:56} "); done
    done
    on_terminal "$name" 100 30 "'$work/small file'"
    # 30 rows less that of the cursor and four of text; twice as high as wide, of 1280 x 720
    seen "$name" 5 $((88 * 25)) 100 "$killed" "$took" "$whole" "$live" \
        '^text Frame [0-9]+: drawn by process [0-9]+ in .NET' "${rows[@]}"
    [ "$(number halves)" -ge 100 ] || fail "$name" "the halves of a cell are the same"
    name="the pictures of a file are on the terminal"
    on_terminal "$name" 80 24 --only picture --frames "'$work/pictures'"
    seen "$name" 4 600 1 "$killed" "$took" "$whole" "$live"
    for colour in '38;2;255;0;0m' '48;2;0;255;0m' '38;2;0;0;255m' '38;2;255;255;255m'; do
        grep -qF "$colour" "$work/typescript" || fail "$name" "the colour $colour is missing"
    done
    name="Python shows it on a terminal as well"
    CC=/nonexistent on_terminal "$name" 80 24 --only picture
    seen "$name" 5 600 100 "$killed" "$took" "$whole" "$live" 'in Python$'
    for case in "NO_COLOR=1 100 30" "TERM=dumb 100 30" "LANG=C 39 30" "LANG=C 100 12"; do
        # shellcheck disable=SC2086 # three words
        set -- $case
        name="no picture, but lines: $1, $2 columns, $3 lines"
        run_watched "$(patient 300)" "$log" env TERM=xterm-256color script -qec \
            "stty cols $2 rows $3; export $1; '$demo' --only picture" "$work/typescript"
        no_percent "$name"
        if grep -q "$(printf '\342\226\200')" "$work/typescript"; then fail "$name" "there is one"
        elif ! grep -q 'took over and went on' "$work/typescript"; then fail "$name" "the lines are missing"
        else pass "$name"; fi
    done

    # Ctrl-C leaves a terminal whose cursor is seen, and nothing else.
    for signal in INT TERM; do
        name="SIG$signal while the picture moves"
        : >"$work/typescript"
        env TERM=xterm-256color script -qefc \
            "stty cols 100 rows 30; echo \$\$ >'$work/demo.pid'; exec '$demo' --only picture" "$work/typescript" \
            >"$log" 2>&1 </dev/null &
        job=$!
        within 120 grep -q "$(printf '\342\226\200')" "$work/typescript"
        kill -$signal "$(cat "$work/demo.pid")"
        finish "$name" "$(patient 30)" 130
        # The last word on the cursor is that it is shown.
        [ "$(grep -ao "$(printf '\033')\[?25[lh]" "$work/typescript" | tail -n 1 | tr -d '\033')" = '[?25h' ] ||
            fail "$name" "the cursor is away"
    done
}

# A window of Qt under Xvfb, with a screen that is a file.
in_window() {
    local name="the picture is in a window of Qt 6" qt flags screen xvfb first second colours
    if ! command -v Xvfb >/dev/null || ! pkg-config --exists Qt6Gui 2>/dev/null || ! command -v g++ >/dev/null ||
        ! command -v python3 >/dev/null; then
        echo "SKIP demo: $name: Xvfb, g++ or Qt 6 is missing (Debian packages xvfb, g++, qt6-base-dev)"
        return
    fi
    mkdir "$work/screen-files"
    # Without a cursor, which would be among the pixels.
    Xvfb -displayfd 3 -screen 0 960x600x24 -nocursor -nolisten tcp -fbdir "$work/screen-files" 3>"$work/display" \
        >"$log" 2>&1 &
    xvfb=$!
    # shellcheck disable=SC2064 # now
    trap "kill $xvfb 2>/dev/null; rm -rf '$work'" EXIT
    if ! within "$(patient 30)" test -s "$work/display"; then
        fail "$name" "Xvfb does not start"
        return
    fi
    screen=$work/screen-files/Xvfb_screen0
    export DISPLAY=:$(cat "$work/display") QT_QPA_PLATFORM=xcb
    part='--only picture'
    check "the demo in a window" 0 'from .NET to C++ with Qt' --window

    # By hand, so that each picture stays until it was seen: four quarters, then another process, with other colours.
    quarters "$work/first" '\377\0\0' '\0\377\0' '\0\0\377' '\377\377\377'
    quarters "$work/second" '\0\377\377' '\377\0\377' '\377\377\0' '\100\200\300'
    # Its compiler's warnings are errors.
    qt=$work/cmake/viewer
    flags='-Wall -Wextra -Werror'
    if command -v cmake >/dev/null; then
        if ! { cmake -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=$flags" -DPICTURES="${built%/*}/layouts" \
            -S "$root/samples/qt/viewer" -B "$work/cmake" && cmake --build "$work/cmake"; } >"$log" 2>&1; then
            fail "the viewer builds by its CMake file" "see the log above"
            return
        fi
        pass "the viewer builds by its CMake file"
    else
        echo "SKIP demo: the viewer builds by its CMake file: cmake is missing (Debian package cmake)"
        mkdir "$work/cmake"
        # shellcheck disable=SC2046,SC2086 # words
        if ! g++ -O1 -std=c++17 $flags -fPIC -I "$root/include" -I "${built%/*}/layouts" -o "$qt" \
            "$root/samples/qt/viewer/viewer.cpp" $(pkg-config --cflags --libs Qt6Gui) >"$log" 2>&1; then
            fail "$name" "it does not build"
            return
        fi
    fi
    mkfifo "$work/words" "$work/told"
    exec 4<>"$work/words" 5<>"$work/told"
    "$built" draw posix:/demo-window "$work/first" <&4 >"$log" 2>&1 &
    first=$!
    within "$(patient 60)" test -e /dev/shm/demo-window
    "$qt" /demo-window <&5 >>"$log" 2>&1 &
    job=$!
    # Every pixel of the quarters: 64 x 36 pixels become 960 x 540, each a square of 15, so no colour is mixed. Below
    # them two lines of text, whose edges are mixed with black.
    shows() { # COLOUR COLOUR COLOUR COLOUR COLOURS_OF_THE_LAST_LINE (a pattern)
        colours=$("$root/eng/demo-screen.py" --window "$screen" 0 0 480 270 480 0 480 270 0 270 480 270 \
            480 270 480 270 0 570 960 30 2>>"$log" | tr '\n' ' ')
        [[ $colours =~ ^"$1 $2 $3 $4 "$5\ $ ]]
    }
    line() { "$root/eng/demo-screen.py" --text "$screen" 0 570 960 30; }
    if within "$(patient 60)" shows ff0000 00ff00 0000ff ffffff 000000; then pass "$name"; else
        fail "$name" "its colours are $colours"
    fi
    kill -KILL "$first"
    wait "$first" 2>/dev/null
    name="the window tells in red of a process that was killed"
    echo "Process $first was killed by SIGKILL." >&5
    if within "$(patient 60)" shows ff0000 00ff00 0000ff ffffff '000000(,[0-9a-f]{2}0000)+'; then pass "$name"; else
        fail "$name" "its colours are $colours"
    fi
    line >"$work/red"
    "$built" draw posix:/demo-window "$work/second" <&4 >>"$log" 2>&1 &
    second=$!
    name="the window shows what the process draws that took over, and tells of it in green"
    if ! within "$(patient 60)" shows 00ffff ff00ff ffff00 4080c0 '000000(,00[0-9a-f]{2}00)+'; then
        fail "$name" "its colours are $colours"
    # It is the line that was there, and then more.
    elif ! line | awk 'NR == FNR { red[FNR] = $0; next }
        index($0, red[FNR]) != 1 { exit wrong = 1 }
        length($0) > length(red[FNR]) + 20 { more = 1 }
        END { exit wrong || !more }' "$work/red" -; then
        fail "$name" "nothing stands behind the line that was there"
    else
        pass "$name"
    fi
    exec 4>&- 5>&-
    kill -TERM "$second"
    wait "$second" 2>/dev/null
    rm -f /dev/shm/demo-window # the first one made it
    kill -TERM "$job" 2>/dev/null
    wait "$job" 2>/dev/null
    kill "$xvfb"
    wait "$xvfb" 2>/dev/null
}

# One picture of four colours, 64 x 36 pixels.
quarters() { # FILE COLOUR COLOUR COLOUR COLOUR
    local pair row
    printf 'P6\n64 36\n255\n' >"$1"
    for pair in "$2 $3" "$4 $5"; do
        row=$(for colour in $pair; do for _ in 1 2 3 4 5 6 7 8; do printf %s "$colour$colour$colour$colour"; done; done)
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do printf "$row" >>"$1"; done
    done
}

if [ "$(uname)" = Linux ]; then
    moving
    in_window
    part='--only copies'
fi

# Windows, as far as Wine goes: both processes are the self-contained program.
if ! command -v wine >/dev/null; then
    echo "SKIP demo: on Windows: no Wine"
elif ! [ -d "$root/src/NativeIpc/Windows" ]; then
    echo "SKIP demo: on Windows: the library has no Windows back end yet"
elif ! "$root/eng/wine-publish.sh" samples/dotnet/Transfer >"$log" 2>&1; then
    if grep -qE 'error NU1(101|102|301)' "$log"; then
        echo "SKIP demo: on Windows: the win-x64 runtime cannot be had from a package source"
    else
        fail "on Windows" "cannot be published"
    fi
else
    . "$root/eng/wine-prefix.sh" # to make one takes longer than all that is done in it here
    for case in "0 nothing is left behind" "1 MISMATCH"; do
        code=${case%% *} text=${case#* }
        corrupt=
        [ "$code" = 1 ] && corrupt=--corrupt
        run_watched "$(patient 300)" "$log" wine "$root/artifacts/win-x64/Transfer.exe" $corrupt "$work/small file"
        found=$?
        name="on Windows (Wine): $text"
        if [ "$found" = "$code" ] && grep -q "$text" "$log" && grep -q 'windows to .NET' "$log"; then
            pass "$name"
        else
            fail "$name" "exit code $found"
        fi
    done
fi

exit $failures
