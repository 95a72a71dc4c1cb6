# shellcheck shell=bash
# What test.sh is made of: a watchdog, counting results, builds, packages, and what is left in the system. Works with
# bash 3.2 (macOS).

say() { printf '%s\n' "$*"; }

on_terminal=
[ ! -t 1 ] || on_terminal=yes
coloured() { # COLOUR TEXT: coloured on a terminal only
    if [ -n "$on_terminal" ]; then printf '\033[%sm%s\033[0m\n' "$1" "$2"; else say "$2"; fi
}

# Runs a command in a process group of its own, with the default action for the signals that the tests send: a
# background job of a script ignores SIGINT and SIGQUIT, nohup SIGHUP, and a child would inherit that. Output goes to
# LOG. Returns the command's exit code; 124 when the watchdog ended it. Whatever the command started is ended with it,
# under Wine too.
run_watched() { # SECONDS LOG COMMAND...
    local limit=$1 log=$2 end monitor=$- defaults=()
    shift 2
    end=$((SECONDS + limit))
    if [ "$(type -t "$1")" != function ] && env --default-signal=INT true 2>/dev/null; then
        defaults=(env --default-signal=HUP,INT,QUIT)
    fi
    watched_mark=nativeipc-step-$$-$RANDOM$RANDOM
    set -m
    NATIVEIPC_STEP=${NATIVEIPC_STEP:+$NATIVEIPC_STEP,}$watched_mark ${defaults[@]+"${defaults[@]}"} "$@" \
        >"$log" 2>&1 </dev/null &
    watched=$!
    case $monitor in *m*) ;; *) set +m ;; esac
    while kill -0 "$watched" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            end_watched
            wait "$watched" 2>/dev/null
            watched=
            return 124
        fi
        sleep 0.2
    done
    wait "$watched"
    local code=$?
    [ $code = 0 ] || end_marked
    watched=
    return $code
}

# Ends what run_watched runs, with all that it has started.
end_watched() {
    [ -n "${watched:-}" ] || return 0
    kill -TERM -- "-$watched" 2>/dev/null
    sleep 2
    kill -KILL -- "-$watched" 2>/dev/null
    end_marked
    return 0
}

# Ends what a step has left running, in whatever process group: Wine's programs have their own, but keep the
# environment. The server and the services of Wine end by themselves, when the last program of theirs has; another run
# may be using them.
end_marked() {
    [ -d /proc/self ] || return 0
    local process name
    for process in $(grep -lsaF "$watched_mark" /proc/[0-9]*/environ 2>/dev/null); do
        process=${process%/environ}
        read -r name 2>/dev/null <"$process/comm" || continue
        case $name in
            wineserver* | services.exe | winedevice.exe | plugplay.exe | svchost.exe | explorer.exe | rpcss.exe)
                continue ;;
        esac
        [ "${process#/proc/}" = "$$" ] || kill -KILL "${process#/proc/}" 2>/dev/null
    done
    return 0
}

# Ends the compiler's server that was started with this TMPDIR, where it listens: that of a step is its own.
end_compiler() {
    [ -d /proc/self ] && [ -n "${TMPDIR:-}" ] || return 0
    local process name
    for process in $(grep -lsaFx -z "TMPDIR=$TMPDIR" /proc/[0-9]*/environ 2>/dev/null); do
        process=${process%/environ}
        read -r name 2>/dev/null <"$process/comm" || continue
        [ "$name" != VBCSCompiler ] || kill "${process#/proc/}" 2>/dev/null
    done
    return 0
}

# One build at a time of those that write to the same folders, as steps run side by side: "tree" for bin and obj beside
# the sources, "native" and "windows" for artifacts/native and artifacts/win-x64-build.
building() { # WHERE COMMAND...
    local where=$1
    shift
    mkdir -p "$root/artifacts"
    if command -v flock >/dev/null; then flock -o "$root/artifacts/.building-$where" "$@"; else "$@"; fi
}

# Which steps of test.sh may begin. A word of $running is process:name:what it uses:number, one of $waiting a name.
# What a step needs has ended, or is not among the chosen; and no other step uses what it uses.
can_begin() { # NEEDS: names, and things with a + before them; - for nothing
    local need
    for need in ${1//,/ }; do
        case " $waiting $running " in *" $need "* | *":$need:"*) return 1 ;; esac
    done
}

# A step of Wine waits most of the time, so one runs beside the others; with one job it is one of them.
has_room() { # NEEDS
    local word count=0
    case $jobs:$1 in 1:*) ;; *+wine*) return 0 ;; esac
    for word in $running; do
        case $jobs:$word in 1:* | *:none:*) count=$((count + 1)) ;; esac
    done
    [ $count -lt "$jobs" ]
}

# The program that links native files, or nothing.
native_linker() {
    if [ "$(uname)" = Darwin ]; then say clang; return; fi
    local candidate linker=
    for candidate in clang gcc; do command -v $candidate >/dev/null && linker=$candidate; done
    say "$linker"
}

# Publishes projects as native files, by one start of MSBuild: FOLDER or, when they are several, FOLDER/NAME. In folders
# of their own: a restore for one kind of machine in obj/ would make each build restore again. Fails on a warning of the
# trimmer or the AOT compiler, too.
publish_native() { # PROJECTS FOLDER LOG [PROPERTY...]
    local projects=$1 folder=$2 log=$3 project all published=$root/artifacts/native/publish code
    shift 3
    case $projects in *' '*) ;; *) publish_all_native "$root/$projects" "$log" -o "$folder" "$@"; return ;; esac
    all=$(mktemp "${TMPDIR:-/tmp}/nativeipc-native.XXXXXX") || return
    {
        say '<Project><ItemGroup>'
        for project in $projects; do
            say "<Program Include=\"$root/$project/${project##*/}.csproj\" />"
            rm -rf "$published/${project##*/}"
        done
        say '</ItemGroup>'
        say '<Target Name="Restore"><MSBuild Projects="@(Program)" Targets="Restore" /></Target>'
        say '<Target Name="Publish"><MSBuild Projects="@(Program)" Targets="Publish" /></Target>'
        say '</Project>'
    } >"$all"
    mv "$all" "$all.proj"
    publish_all_native "$all.proj" "$log" "$@"
    code=$?
    rm -f "$all.proj"
    [ $code = 0 ] || return $code
    for project in $projects; do mv "$published/${project##*/}"/* "$folder/${project##*/}" || return; done
}
publish_all_native() { # PROJECT LOG ARGUMENTS...
    local project=$1 log=$2
    shift 2
    # The libraries are a chain: a second process of MSBuild is a start for nothing.
    building native dotnet publish "$project" -c Release --ucr -nologo -v q -m:1 \
        --artifacts-path "$root/artifacts/native" -p:PublishAot=true -p:TrimmerSingleWarn=false \
        "-p:CppCompilerAndLinker=$(native_linker)" "$@" \
        >"$log" 2>&1 && ! grep -qE 'warning (IL|AOT|TRIM)[0-9]+' "$log"
}

# Packs libraries of a tree, all at once, which takes little more than half of one by one.
pack_libraries() { # TREE OUTPUT LOG LIBRARIES [PROPERTY...]
    local tree=$1 output=$2 log=$3 libraries=$4 library all
    shift 4
    all=$(mktemp "${TMPDIR:-/tmp}/nativeipc-pack.XXXXXX") || return
    {
        say '<Project DefaultTargets="Pack"><ItemGroup>'
        for library in $libraries; do say "<Library Include=\"$tree/src/$library/$library.csproj\" />"; done
        say '</ItemGroup>'
        say '<Target Name="Restore"><MSBuild Projects="@(Library)" Targets="Restore" /></Target>'
        say '<Target Name="Pack"><MSBuild Projects="@(Library)" Targets="Pack" BuildInParallel="true" /></Target>'
        say '</Project>'
    } >"$all"
    mv "$all" "$all.proj"
    (cd "$tree" && building tree dotnet pack "$all.proj" -c Release -nologo -v q -o "$output" "$@") >"$log" 2>&1
    local code=$?
    rm -f "$all.proj"
    return $code
}

# How many times slower than an idle machine this one is now: 1 for an idle one, at most 10. From the time that a fixed
# piece of work takes, the longer of two tries on two cores at once.
slowness() {
    local tenths=1 finished
    for _ in 1 2; do
        finished=$( { TIMEFORMAT=%R; time { fixed_work & fixed_work; wait; }; } 2>&1 |
            LC_ALL=C awk '{ printf "%d", $1 * 10 / 0.6 }')
        [ "${finished:-0}" -le "$tenths" ] || tenths=$finished
    done
    local times=$(((tenths + 9) / 10))
    [ $times -ge 1 ] || times=1
    [ $times -le 10 ] || times=10
    say $times
}

# A bound for this machine, in seconds, from one for an idle machine. measure in test.sh says how slow it is.
patient() { say $(($1 * ${NATIVEIPC_SLOWNESS:-1})); }

fixed_work() { LC_ALL=C awk 'BEGIN { for (i = 0; i < 10000000; i++) x += i }'; }

# Results of a test project: "counts PASSED FAILED SKIPPED" from the report, and "SKIP name: reason" and
# "FAIL name: message" lines from what the runner said: dotnet test, or under Wine the test program itself.
read_tests() { # TRX LOG
    grep -o '<Counters [^>]*>' "$1" | LC_ALL=C awk '
        function count(name) { return match($0, " " name "=\"[0-9]+") ? substr($0, RSTART + length(name) + 3) + 0 : 0 }
        # error: what fails outside of tests, as the clean-up of a fixture
        { print "counts", count("passed"), count("failed") + count("error"), count("notExecuted") }'
    LC_ALL=C tr -d '\r' <"$2" | LC_ALL=C awk '
        function told() {
            if (name != "" && !seen[name]++) print kind " " name ": " text
            name = text = ""
        }
        /^(failed|skipped) / {
            told()
            kind = $1 == "failed" ? "FAIL" : "SKIP"
            name = $0
            sub(/^[a-z]+ /, "", name)
            sub(/ \([0-9][0-9a-z ]*\)$/, "", name)
            if (sub(/^\[/, "", name)) sub(/ \(.*/, "", name) # Test Assembly Cleanup Failure, told once per test
            next
        }
        / \[(FAIL|SKIP)\]$/ {
            told()
            kind = substr($NF, 2, 4)
            name = $0
            sub(/^ +/, "", name)
            sub(/ \[(FAIL|SKIP)\]$/, "", name)
            next
        }
        /^  from / { next }
        /^ +(at |--- End|Stack Trace:|Standard output|Output:|Finished:)/ || !/^ / { told() }
        name != "" { sub(/^ +/, ""); text = text (text == "" ? "" : " ") $0 }
        END { told() }'
}

# The same of a script, which prints "PASS name", "FAIL name: reason" and "SKIP name: reason".
read_lines() { # LOG
    LC_ALL=C tr -d '\r' <"$1" | LC_ALL=C awk '
        /^PASS / { passed++ }
        /^FAIL / { failed++; print }
        /^SKIP / { skipped++; print }
        END { print "counts", passed + 0, failed + 0, skipped + 0 }'
}

# Why programs for Windows cannot be run here; nothing where they can. With CI=true a missing program is no reason:
# there it is a failure.
why_no_wine() { # PROGRAM...: what is needed
    [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || { say 'Wine runs the tests on Linux x64 only'; return; }
    local program
    for program; do
        command -v "$program" >/dev/null || [ "${CI:-}" = true ] ||
            { say "'$program' is missing here (eng/debian-packages.txt)"; return; }
    done
}

is_installed() { dpkg -s "$1" 2>/dev/null | grep -q '^Status: .* installed$'; }

# Installs the Debian packages of a list that are missing, where that is possible, and says what is still missing and
# why.
install_packages() { # LIST LOG
    local list=$1 log=$2 package missing='' failed=''
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        say "Packages: no apt-get here. Tests whose programs are missing are skipped; $list names them."
        return
    fi
    while read -r package; do
        case $package in '' | \#*) continue ;; esac
        is_installed "$package" || missing="$missing $package"
    done <"$list"
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "Packages: missing, and only root can install them: sudo apt-get install$missing"
        return
    fi
    say "Packages: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    run_watched 120 "$log" apt-get update -q
    # shellcheck disable=SC2086 # a list of names
    run_watched 600 "$log" apt-get install -q -y --no-install-recommends $missing && return
    for package in $missing; do # one that this system does not have must not keep the others away
        is_installed "$package" && continue
        run_watched 300 "$log" apt-get install -q -y --no-install-recommends "$package" && continue
        failed="$failed $package"
        say "Packages: could not install $package: $(grep '^E: ' "$log" | tail -n 1)"
    done
    [ -z "$failed" ] || say "Packages: tests that need$failed are skipped (with CI=true on Linux: fail)."
}

# What is in the system that tests can leave there, one per line: POSIX objects, System V objects, key files.
snapshot() { # OWN_TEMP_FOLDER OWN_RUNTIME_FOLDER
    {
        if [ -d /dev/shm ]; then
            if [ "$(id -u)" = 0 ]; then find /dev/shm -mindepth 1; else find /dev/shm -mindepth 1 -user "$(id -u)"; fi
        fi
        if [ -r /proc/sysvipc/shm ]; then
            awk 'FNR > 1 { print "System V " (FILENAME ~ /shm$/ ? "segment" : "semaphore"), $2, "with key", $1 }' \
                /proc/sysvipc/shm /proc/sysvipc/sem
        elif command -v ipcs >/dev/null; then
            ipcs -m -s | awk '
                $1 == "m" { print "System V segment", $2, "with key", $3 }
                $1 == "s" { print "System V semaphore", $2, "with key", $3 }'
        fi
        find "$2" -mindepth 1
        # Key files are empty. The .NET runtime and NuGet keep lock files of their own there.
        find "$1" -maxdepth 2 -type f -size 0 ! -path '*/.dotnet/*' ! -path '*/NuGetScratch*' ! -path '*/MSBuildTemp*'
        find /tmp -maxdepth 1 -type f -name 'qipc_*'
    } 2>/dev/null | LC_ALL=C sort -u
}

# The processes of this build, one per line.
snapshot_processes() { # ROOT
    local process
    for process in /proc/[0-9]*; do
        case "$(tr '\0' ' ' 2>/dev/null <"$process/cmdline")" in
            "$1/"*/bin/* | *"dotnet "*"$1/"*/bin/* | "$1/artifacts/"*)
                say "process ${process#/proc/}: $(tr '\0' ' ' 2>/dev/null <"$process/cmdline")" ;;
        esac
    done 2>/dev/null | LC_ALL=C sort -u
}

# Seconds of processor time that the children of a shell have had, by what its times printed.
processor_seconds() { LC_ALL=C awk -F'[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 + 0.5 }' "$1"; }

# Whether a living process uses what a line of a snapshot names: then it belongs to a program outside, since all of ours
# have ended.
is_in_use() { # LINE
    case $1 in
        /dev/shm/*) grep -qsF " $1" /proc/[0-9]*/maps ;;
        "System V segment "*)
            awk -v id="$(say "$1" | awk '{ print $4 }')" '$2 == id && $7 > 0 { used = 1 } END { exit !used }' \
                /proc/sysvipc/shm 2>/dev/null
            ;;
        *) return 1 ;;
    esac
}
