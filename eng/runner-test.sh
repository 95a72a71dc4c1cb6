#!/bin/bash
# What ./test.sh itself is made of (eng/lib.sh): one line per check, PASS, FAIL or SKIP; non-zero exit when one failed.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/runner-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
check() { # NAME EXPECTED FOUND
    if [ "$2" = "$3" ]; then echo "PASS runner: $1"; else echo "FAIL runner: $1: '$3' instead of '$2'"; failures=1; fi
}

# Processes of this test only: they carry its folder among their words.
living() {
    local process count=0
    for process in /proc/[0-9]*/cmdline; do
        case $(tr '\0' ' ' 2>/dev/null <"$process") in *"$work"*) count=$((count + 1)) ;; esac
    done
    echo $count
}
none_left() { # NAME: what was killed may take a moment to be gone
    local end=$((SECONDS + $(patient 20)))
    until [ "$(living)" = 0 ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
    check "$1" 0 "$(living)"
}

if [ ! -d /proc/self ] || ! env --default-signal=INT true 2>/dev/null; then
    echo "SKIP runner: signals that are ignored can be reset by env(1) of coreutils 8.31 and later only," \
        "and /proc tells of processes"
else
    bash -c 'trap "" HUP INT QUIT; . "$1"; run_watched 30 "$2" grep ^SigIgn: /proc/self/status' \
        sh "$root/eng/lib.sh" "$work/ignored"
    check 'what it runs ignores no signal, though it is a background job itself' 0 \
        "$(($(awk '{ print "0x" $2 }' "$work/ignored") & 7))"

    # The words after -c's text only mark the processes. A session of its own is what a service or a program of Wine
    # has.
    run_watched 1 "$work/log" sh -c 'setsid sh -c "exec sleep 1000 # $0" "$0" & sleep 1000' "$work/cut"
    check 'the watchdog says that it ended the command' 124 $?
    none_left 'what a step has started ends when the step is cut, whatever session it has'
    run_watched 30 "$work/log" sh -c 'setsid sh -c "sleep 1000; : $0" "$0" & exit 3' "$work/failed"
    check 'the exit code of a step that failed' 3 $?
    none_left 'what a step has started ends when the step fails'
fi

# A step has a folder for temporary files of its own, in which NuGet's locks would be (test.sh sets NUGET_SCRATCH).
case ${NUGET_SCRATCH:-${TMPDIR:-/tmp}} in "${TMPDIR:-/tmp}"*) where='of this step alone' ;; *) where=shared ;; esac
check "NuGet's locks are those of all steps" shared "$where"

# What dotnet test and xunit's own runner say of a run with a skip, a failure and a fixture whose clean-up failed.
cat >"$work/dotnet.log" <<'LOG'
Running tests from /x/bin/X.dll (net10.0|x64)
skipped X.Tests.Needs_root(user: "nobody") (0ms)
  Needs root, to become another user.
  from /x/bin/X.dll (net10.0|x64)
failed X.Tests.Fails (1s 12ms)
  from /x/bin/X.dll (net10.0|x64)
  Assert.Equal() Failure: Values differ
  Expected: 1
    at X.Tests.Fails() in /x/Tests.cs:12
failed [Test Assembly Cleanup Failure (X.Tests.Passes)]
  Left in the system: /dev/shm/x
    at X.Leftovers.Dispose() in /x/Setup.cs:45
failed [Test Assembly Cleanup Failure (X.Tests.Fails)]
  Left in the system: /dev/shm/x
Test run summary: Failed!
LOG
cat >"$work/xunit.log" <<'LOG'
    X.Tests.Needs_root(user: "nobody") [SKIP]
      Needs root, to become another user.
  Finished:    X
    X.Tests.Fails [FAIL]
      Assert.Equal() Failure: Values differ
      Expected: 1
      Stack Trace:
        Z:\x\Tests.cs(12,0): at X.Tests.Fails()
  Finished:    X
LOG
printf '%s' '<TestRun><ResultSummary><Counters total="5" executed="4" passed="3" failed="1" error="1" timeout="0" ' \
    'passedButRunAborted="0" notExecuted="1" completed="0" /></ResultSummary></TestRun>' >"$work/x.trx"
expected='counts 3 2 1
SKIP X.Tests.Needs_root(user: "nobody"): Needs root, to become another user.
FAIL X.Tests.Fails: Assert.Equal() Failure: Values differ Expected: 1'
check 'what dotnet test says is read' "$expected
FAIL Test Assembly Cleanup Failure: Left in the system: /dev/shm/x" "$(read_tests "$work/x.trx" "$work/dotnet.log")"
check 'what a test program says is read' "$expected" "$(read_tests "$work/x.trx" "$work/xunit.log")"

check 'an idle machine has bounds as they are written' 30 "$(NATIVEIPC_SLOWNESS=1 patient 30)"
check 'a machine that is four times slower has longer ones' 120 "$(NATIVEIPC_SLOWNESS=4 patient 30)"
check 'how slow it is now is a number from 1 to 10' yes \
    "$(case $(slowness) in [1-9] | 10) echo yes ;; *) echo no ;; esac)"

# Which steps begin: what runs and waits, what one needs, how many there may be.
begins() { # JOBS NEEDS RUNNING WAITING
    local jobs=$1 running=$3 waiting=$4
    if can_begin "$2" && has_room "$2"; then echo yes; else echo no; fi
}
check 'a step that needs nothing begins beside one that needs nothing' yes "$(begins 2 - ' 1:a:none:1 ' ' b c ')"
check 'a step begins when what it needs has ended' yes "$(begins 2 a,b ' 1:c:none:1 ' ' d ')"
check 'a step waits for what it needs to end' no "$(begins 2 a,b ' 1:b:none:1 ' ' d ')"
check 'a step waits for what it needs to begin' no "$(begins 2 a,b ' 1:c:none:1 ' ' b d ')"
check 'no more steps run than may' no "$(begins 2 - ' 1:a:none:1 2:b:none:2 ' ' c ')"
check 'a step of Wine begins beside them' yes "$(begins 2 a,+wine ' 1:b:none:1 2:c:none:2 ' ' d ')"
check 'a step of Wine takes no place of theirs' yes "$(begins 2 - ' 1:b:none:1 2:c:+wine:2 ' ' d ')"
check 'a step of Wine waits for another' no "$(begins 2 +wine ' 1:a:+wine:1 ' ' b ')"
check 'with one job a step of Wine runs alone' no "$(begins 1 +wine ' 1:a:none:1 ' ' b ')"
check 'with one job nothing runs beside a step of Wine' no "$(begins 1 - ' 1:a:+wine:1 ' ' b ')"

for words in '--jobs 0' '--no-such-option' \
    '--repeat' '--repeat 0 unit' '--repeat x unit' '--repeat 2' '--repeat 2 no-such-step'; do
    # shellcheck disable=SC2086 # words of a command line
    "$root/test.sh" $words >"$work/said" 2>&1
    check "./test.sh $words is an error of the command line" 2 $?
done

why=$(why_no_wine wine)
if [ -n "$why" ]; then
    echo "SKIP runner: programs of Wine: $why"
else
    # cmd starts a second one; neither ends by itself, as its input does not end.
    # shellcheck disable=SC1091 # makes the prefix, if there is none yet
    (. "$root/eng/wine-prefix.sh")
    run_watched 10 "$work/log" sh -c '. "$0"; tail -f /dev/null | wine cmd /c "start /b cmd & set /p wait=$1 & pause"' \
        "$root/eng/wine-prefix.sh" "$work/wine"
    check 'the watchdog ended a program of Wine' 124 $?
    none_left 'what a step has started under Wine ends with it'
fi
exit $failures
