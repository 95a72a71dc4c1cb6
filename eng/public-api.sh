#!/usr/bin/env bash
# Writes every public name that the baselines lack into PublicAPI.Unshipped.txt of its project. Read the change before
# you commit it.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in src/NativeIpc src/NativeIpc.Channels src/NativeIpc.Inspection \
    src/NativeIpc.DistributedLock src/NativeIpc.Extensions src/NativeIpc.NamedObjects; do
    baseline=$project/PublicAPI.Unshipped.txt
    missing=$(dotnet build "$project" -c Release --no-incremental -p:TreatWarningsAsErrors=false 2>&1 |
        grep -F "$project/" | grep -oP "RS0016: Symbol '\K.+?(?=' is not part)" | sort -u || true)
    { head -1 "$baseline"; { tail -n +2 "$baseline"; printf '%s\n' "$missing"; } | sed '/^$/d' |
        LC_ALL=C sort -u; } > "$baseline.new"
    mv "$baseline.new" "$baseline"
    git diff --stat -- "$baseline"
done
