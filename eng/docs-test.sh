#!/usr/bin/env bash
# Checks the documents: links inside the repository lead somewhere, the README is short, and what pages show of programs
# and tests is what these are and print. The workflows, which no step runs, are looked over here as well.
cd "$(dirname "$0")/.." || exit 1
status=0
verdict() { # NAME REASON: fails when there is a reason
    if [ -z "$2" ]; then echo "PASS docs: $1"; else echo "FAIL docs: $1: $2"; status=1; fi
}

broken=''
while IFS=: read -r page link; do
    target=${link#](}
    target=${target%)}
    target=${target%%#*}
    [ -e "$(dirname "$page")/$target" ] || broken="$broken $page -> $target;"
done < <(find . \( -name .git -o -name artifacts -o -name bin -o -name obj \) -prune -o -name '*.md' -print0 |
    xargs -0 grep -HoE '\]\([^):]+\)' | grep -v ':](#')
verdict 'links inside the repository lead somewhere' "$broken"

verdict 'the README has at most 150 lines of at most 120 characters' "$(
    [ "$(wc -l <README.md)" -le 150 ] || wc -l README.md
    LC_ALL=C.UTF-8 grep -nE '^.{121}' README.md | cut -c 1-60 | tr '\n' ' ')"
long=$(awk '/^```(csharp|cpp)/ { n = NR } /^```$/ && n { if (NR - n > 7) print "line " n; n = 0 }' README.md)
verdict 'the programs of the README have at most six lines' "$long"

# The picture of the first page is drawn by hand, so that pages do not change with each run.
picture=$(mktemp)
said=$(python3 eng/demo-svg.py --size 40x4 "$picture" sh -c 'printf "a\033[3;5H\033[1;32mgreen\033[0m\n"' 2>&1)
verdict 'eng/demo-svg.py draws what a terminal shows' "$(
    grep -q '<tspan x="32" textLength="40" fill="#3fb950" font-weight="bold">green</tspan>' "$picture" || echo "$said")"
rm -f "$picture"

name='the pages are written for readers: eng/prose.py'
found=$(python3 eng/prose.py --linter 2>&1)
if [ $? = 3 ]; then
    echo "SKIP docs: $name, with write-good: npm does not give it here"
    found=$(python3 eng/prose.py 2>&1)
fi
verdict "$name" "$(head -n 5 <<<"$found" | tr '\n' ' ' | sed 's/^ $//')"

name='actionlint finds nothing in the workflows: eng/workflow-lint.sh'
found=$(eng/workflow-lint.sh 2>&1)
case $? in
    3) echo "SKIP docs: $name: $found" ;;
    0)
        wrong=$(mktemp)
        printf 'on: push\njobs: { a: { runs-on: ubuntu-24.04, steps: [{ run: "${{ matrix.none }}" }] } }\n' >"$wrong"
        verdict "$name" "$(eng/workflow-lint.sh "$wrong" >/dev/null && echo 'nor in one that is wrong')"
        rm -f "$wrong"
        ;;
    *) verdict "$name" "$(head -n 5 <<<"$found" | tr '\n' ' ')" ;;
esac

# ./platforms.sh writes the rows of docs/platforms.md.
row=$(mktemp -d)
cp docs/platforms.md "$row/page.md"
printf 'FACTS\tkernel\tlibrary\truntime\tmachine\nRAN\tsuite\t3\t0\t1\n' >"$row/lines"
said=$(python3 eng/platforms/table.py row "$row/page.md" musl "$row/lines" 0123abcd+ 2>&1)
verdict 'a row of docs/platforms.md says what was run, and of which commit' "$said$(
    grep -qE '^\| `musl` \| kernel .* \| suite 3 \| 3 \| 0 \| 1 \| [0-9-]+ \| `0123abcd\+` \|$' "$row/page.md" ||
        echo 'table.py does not write it so; '
    diff <(grep -v '^| `musl`' docs/platforms.md) <(grep -v '^| `musl`' "$row/page.md") | head -n 1)"
cp bench/README.md "$row/page.md"
printf 'COUNT\t%s\tlock.posix\t%s\n' yard_c 200 NativeIpc.Yardstick 300 >"$row/log"
said=$(python3 eng/platforms/table.py counts "$row/page.md" "$row/log" bench/results.tsv 2>&1)
verdict 'the table of instructions on arm64 has the counts, and the ratio of the last times' "$said$(
    grep -qE '^\| `lock.posix` \| 200 \| 300 \| 1\.50× \| [0-9.]+× \|$' "$row/page.md" ||
        echo 'table.py does not write it so')"
rm -rf "$row"
verdict 'each row of docs/platforms.md names its commit' "$(awk -F ' [|] ' '
    /^\| Platform/ { width = NF; at = 1; next }
    at && !/^\|/ { exit }
    at && !/^\|-/ && (NF != width || $NF !~ /^((by )?`[0-9a-f]+[+]?`|–) [|]$/) { print $1 }' docs/platforms.md)"

# Written by whole runs of the tests, which test.sh makes before.
matrix() { # NAME STEPS FILE [FILE]
    if ! [ -f "$3" ]; then
        echo "SKIP docs: $1: no $3, which ./test.sh $2 writes"
    elif grep -qE 'FAILED|skipped +\|' "$3"; then
        echo "SKIP docs: $1: $3 is not of a whole run; it has failed or skipped peers"
    else
        # The document has its lists in lines of 120 characters.
        verdict "$1" "$(cat "${@:3}" 2>/dev/null | grep -E '^(\||[0-9]+\. )' |
            grep -vxFf <(awk '
                /^ +[^ ]/ { sub(/^ +/, ""); line = line " " $0; next }
                NR > 1 { print line }
                { line = $0 }
                END { print line }' docs/interop.md) | head -n 2 | tr '\n' ' ')"
    fi
}
matrix 'the matrix in docs/interop.md is the one of the tests' 'peers interop' \
    artifacts/interop-matrix.md artifacts/windows-matrix.md
matrix 'the matrix of rings and topics in docs/interop.md is the one of the tests' rings artifacts/channels-matrix.md
# Written by the tests of nipc's live views. How far columns are apart depends on the length of process ids.
for screen in list show; do
    name="the screen '$screen' in docs/nipc.md is the one of the tests"
    if ! [ -f "artifacts/nipc-screens/$screen.txt" ]; then
        echo "SKIP docs: $name: no artifacts/nipc-screens/$screen.txt, which ./test.sh tool writes (as root, with tmux)"
    else
        shown=$(awk -v mark="<!-- screen: $screen -->" '
            $0 == mark { at = 1; next }
            at && /^```/ { at++; if (at == 3) exit; next }
            at == 2' docs/nipc.md)
        verdict "$name" \
            "$(diff -b <(printf '%s\n' "$shown") "artifacts/nipc-screens/$screen.txt" 2>&1 | head -n 4 | tr '\n' ' ')"
    fi
done
exit $status
