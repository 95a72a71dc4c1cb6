#!/usr/bin/env bash
# Writes every public name that the baseline lacks into PublicAPI.Unshipped.txt. Read the change before you commit it.
set -euo pipefail
cd "$(dirname "$0")/.."
baseline=src/NativeIpc/PublicAPI.Unshipped.txt
missing=$(dotnet build src/NativeIpc -c Release --no-incremental -p:TreatWarningsAsErrors=false 2>&1 |
    grep -oP "RS0016: Symbol '\K.+?(?=' is not part)" | sort -u || true)
{ head -1 "$baseline"; { tail -n +2 "$baseline"; printf '%s\n' "$missing"; } | sed '/^$/d' |
    LC_ALL=C sort -u; } > "$baseline.new"
mv "$baseline.new" "$baseline"
git diff --stat -- "$baseline"
