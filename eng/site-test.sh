#!/bin/bash
# Builds the site of the documents (./docs.sh), from libraries that are built: one line per check, PASS, FAIL or SKIP.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
if "$root/docs.sh" --no-build >"$log" 2>&1; then
    echo "PASS site: builds without a warning, and every link inside it leads somewhere: $(tail -n 1 "$log")"
elif grep -qE 'NU1301|Unable to load the service index|could not be (restored|found)' "$log"; then
    echo "SKIP site: docfx cannot be fetched"
else
    echo "FAIL site: $(grep -E 'warning|error|->' "$log" | head -n 5 | tr '\n' ' ')"
    tail -n 40 "$log" | sed 's/^/    | /' >&2
    exit 1
fi
