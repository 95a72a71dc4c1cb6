#!/usr/bin/env bash
# Writes every public name that the baseline of a project lacks into its PublicAPI.Unshipped.txt. Read the change before
# you commit it.
#
#   eng/public-api.sh [PROJECT...]   folders below src; NativeIpc unless given
set -euo pipefail
cd "$(dirname "$0")/.."
for project in "${@:-NativeIpc}"; do
    baseline=src/$project/PublicAPI.Unshipped.txt
    missing=$(dotnet build "src/$project" -c Release --no-incremental -p:TreatWarningsAsErrors=false 2>&1 |
        grep -F "/src/$project/" | grep -oP "RS0016: Symbol '\K.+?(?=' is not part)" | sort -u || true)
    { head -1 "$baseline"; { tail -n +2 "$baseline"; printf '%s\n' "$missing"; } | sed '/^$/d' |
        LC_ALL=C sort -u; } > "$baseline.new"
    mv "$baseline.new" "$baseline"
    git diff --stat -- "$baseline"
done
