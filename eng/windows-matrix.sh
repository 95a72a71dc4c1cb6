#!/bin/sh
# Prints the versions of Wine and of the compiler, and what the C peer for Windows did, one row for its W and one for
# its A functions, as NativeIpc.Interop does for the peers on Linux, and appends that to artifacts/interop-matrix.md if
# that is there.
#
#     eng/windows-matrix.sh RESULTS.xml      of NativeIpc.Windows (-result-xml)
#
# A test counts for the scenario and direction of its trait "scenario", and for A if "A" is one of its arguments, else
# for W. ok: all passed; FAILED: one did not; skipped: all were; -: there is no such test.
set -eu
[ -s "${1:-}" ] || { echo "usage: $0 RESULTS.xml" >&2; exit 2; }
case $1 in /*) results=$1 ;; *) results=$PWD/$1 ;; esac
cd "$(dirname "$0")/.."

table=$(LC_ALL=C awk '
    function attribute(name,    found) {
        if (!match($0, "[ \n]" name "=\"[^\"]*\"")) return ""
        found = substr($0, RSTART, RLENGTH)
        sub(/^[^"]*"/, "", found); sub(/"$/, "", found)
        return found
    }
    function padded(text, width) { while (shown(text) < width) text = text " "; return text }
    function shown(text) { gsub(/→|←/, "x", text); return length(text) } # bytes are counted here
    function note(cell) {
        if (result == "Fail") state[cell] = "FAILED"
        else if (result == "Pass" && state[cell] != "FAILED") state[cell] = "ok"
        else if (state[cell] == "") state[cell] = "skipped"
        if (result == "Pass") passed++; else if (result == "Fail") failed++; else skipped++
    }
    BEGIN { RS = "<" }
    /^test[ \n]/ { result = attribute("result"); row = attribute("name") ~ /&quot;A\\?&quot;/ ? "A" : "W" }
    /^trait[ \n]/ && attribute("name") == "scenario" { note(row " " attribute("value")) }
    END {
        if (!(passed + failed + skipped)) { print "windows-matrix: no test of a scenario" > "/dev/stderr"; exit 1 }
        columns = split("1 →,1 ←,2 →,2 ←,3 →,3 ←,4 →,4 ←,5 →,5 ←,6 →,6 ←,7 →,7 ←", column, ",")
        heading = "| Peer         | Back end |"; line = "|--------------|----------|"
        rows["W"] = "| C, Windows W | windows  |"; rows["A"] = "| C, Windows A | windows  |"
        for (i = 1; i <= columns; i++) {
            width = 3
            for (row in rows) {
                cell[row] = state[row " " column[i]]
                if (cell[row] == "") cell[row] = "-"
                if (length(cell[row]) > width) width = length(cell[row])
            }
            heading = heading " " padded(column[i], width) " |"
            dashes = padded("", width + 2); gsub(/ /, "-", dashes); line = line dashes "|"
            for (row in rows) rows[row] = rows[row] " " padded(cell[row], width) " |"
        }
        print heading; print line; print rows["W"]; print rows["A"]
        printf "\n%d checks under Wine ok, %d failed, %d skipped.\n", passed, failed, skipped
    }' "$results")
version=$(WINEDEBUG=-all wine --version 2>/dev/null) || version='no wine here'
compiler=$(x86_64-w64-mingw32-gcc -dumpfullversion 2>/dev/null) || compiler=unknown
printf 'C, Windows: %s, mingw-w64 gcc %s\n\n%s\n' "$version" "$compiler" "$table"
[ ! -f artifacts/interop-matrix.md ] || printf '\n%s\n' "$table" >>artifacts/interop-matrix.md
