#!/bin/bash
# Tests ./bench.sh: every workload of the library and of C gives its rows, the tables are made, a slower row is found,
# and every micro-benchmark does its work. Never a time. One line per check, PASS, FAIL or SKIP; non-zero exit when one
# failed.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # run_watched
out=$root/artifacts/bench
failures=0
pass() { echo "PASS bench: $1"; }
fail() {
    echo "FAIL bench: $1: $(echo "$2" | tr "\n" " ")"
    failures=1
}
check() { # NAME COMMAND...: passes when the command does
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then pass "$name"; else fail "$name" "$(echo "$output" | tail -n 5)"; fi
}

if [ "$(uname)" != Linux ]; then
    echo "SKIP bench: the yardsticks run on Linux only"
    exit 0
fi
if ! command -v gcc >/dev/null; then
    echo "SKIP bench: no gcc to build the yardstick in C with"
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if ! run_watched "$(patient 240)" "$work/log" "$root/bench.sh" --quick; then
    sed 's/^/    /' "$work/log" | tail -n 20
    fail "every workload of the library and of C runs" "bench.sh --quick failed"
    exit 1
fi
pass "every workload of the library and of C runs"
report=$out/report/NativeIpc.BenchReport
"$out/jit/NativeIpc.Yardstick" --list >"$work/ours"
"$out/yard_c" --list >"$work/c"
check "the library has all its rows" "$report" missing "$out/runs.tsv" jit "$work/ours"
check "C has all its rows" "$report" missing "$out/runs.tsv" c "$work/c"
"$out/rivals/NativeIpc.Rivals" --list >"$work/rivals"
[ -e /usr/bin/redis-server ] || sed -i '/@redis/d' "$work/rivals"
[ -e /usr/lib/postgresql ] || sed -i '/@postgres/d' "$work/rivals"
check "the packages have all their rows" "$report" missing "$out/runs.tsv" jit "$work/rivals"
echo nothing.of.this.name >>"$work/ours"
if "$report" missing "$out/runs.tsv" jit "$work/ours" >/dev/null; then
    fail "a row that is not there is missed" "it was not"
else
    pass "a row that is not there is missed"
fi
check "every target of C and of the library alone has a number" awk -F'|' \
    '/^## All/ { exit } / C( \(aim [0-9.]+\))? \|/ && $5 !~ /[0-9]/ { print; bad = 1 } END { exit bad }' \
    "$out/RESULTS.md"
check "a table compared with itself has nothing slower" "$report" compare "$out/results.tsv" "$out/results.tsv"
awk -F'\t' -v OFS='\t' \
    '$1 == "posix.wait_pair" && $2 == "jit" { $4 /= 9; $7 /= 9 } { print }' "$out/results.tsv" >"$work/last.tsv"
slower=$("$report" compare "$work/last.tsv" "$out/results.tsv")
if [ $? = 1 ] && echo "$slower" | grep -q '^slower: posix.wait_pair (jit)'; then
    pass "what became slower is found and named"
else
    fail "what became slower is found and named" "$slower"
fi
# What the host decides is told up to a bound, and beyond it named.
faster() { # ROW FACTOR: compared with a table in which the JIT's had taken so much less
    awk -F'\t' -v OFS='\t' -v row="$1" -v factor="$2" \
        '$1 == row && $2 == "jit" { $4 /= factor; $5 = $6 = $4; if ($7 != "") $7 /= factor } { print }' \
        "$out/results.tsv" >"$work/faster.tsv"
    "$report" compare "$work/faster.tsv" "$out/results.tsv"
}
said() { # WHAT CODE WORDS ROW FACTOR
    local slower code
    slower=$(faster "$4" "$5")
    code=$?
    if [ $code = "$2" ] && grep -q "^$3: $4 (jit)" <<<"$slower"; then pass "$1"; else fail "$1" "$code: $slower"; fi
}
said "what passes lines between the cores may take four times as long" 0 'perhaps slower' contend.posix.4 3.9
said "and is slower when it takes nine times as long" 1 slower contend.posix.4 9
said "a topic may take twice as long" 0 'perhaps slower' topic.64k.1 1.9
said "and is slower when it takes four times as long" 1 slower topic.64k.1 4
said "what fills the processors is never slower for certain" 0 'perhaps slower' load.async 99
said "but its processor time is" 1 slower load.async.cpu 9
said "what C takes far longer for is slower by its value" 1 slower cancel.median 9
# A machine on which C takes longer is another one, whatever its name.
elsewhere() { # FACTOR ROWS: C took so much less then, and the JIT's row any.wake a ninth
    awk -F'\t' -v OFS='\t' -v factor="$1" -v rows="$2" '$2 == "c" && $1 ~ rows { $4 /= factor }
        $1 == "any.wake" && $2 == "jit" { $4 /= 9; $5 = $6 = $4 } { print }' "$out/results.tsv" >"$work/elsewhere.tsv"
    "$report" compare "$work/elsewhere.tsv" "$out/results.tsv"
}
check "where C takes longer, values alone are not compared" elsewhere 1.2 .
wakes='^pp[.](posix[.](x|free)|sysv[.]x)$'
check "nor where it wakes the other core later" elsewhere 1.4 "$wakes"
for what in . "$wakes"; do
    if slower=$(elsewhere 1.1 "$what") || ! grep -q '^slower: any.wake (jit)' <<<"$slower"; then
        fail "where C takes as long, they are ($what)" "$slower"
    else
        pass "where C takes as long, they are ($what)"
    fi
done
check "what is not slower when measured again is not named" \
    "$report" compare "$work/last.tsv" "$out/results.tsv" "$work/last.tsv"
# Without a ratio only on the machine that the table is of.
awk -F'\t' -v OFS='\t' '$1 == "any.wake" && $2 == "jit" { $4 /= 9; $5 = $6 = $4 } { print }' "$out/results.tsv" \
    >"$work/here.tsv"
sed 's/^# .*/# another/' "$work/here.tsv" >"$work/there.tsv"
check "a value of another machine is not compared" "$report" compare "$work/there.tsv" "$out/results.tsv"
if "$report" compare "$work/here.tsv" "$out/results.tsv" >/dev/null; then
    fail "a value of this machine is compared" "it was not"
else
    pass "a value of this machine is compared"
fi

check "every micro-benchmark does its work" timeout "$(patient 60)" \
    "$root/bench/NativeIpc.Benchmarks/bin/Release/net10.0/NativeIpc.Benchmarks" --check
exit $failures
