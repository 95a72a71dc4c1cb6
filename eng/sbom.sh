#!/usr/bin/env bash
# Writes for each package in a folder (default artifacts/packages) what it brings with it (SBOM, CycloneDX 1.6, JSON)
# beside it: NAME.VERSION.cdx.json. Further arguments: of these packages only. Needs the tool that
# .config/dotnet-tools.json names, and fetches it.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-artifacts/packages}
[ $# = 0 ] || shift
dotnet tool restore >/dev/null
written=0
for project in src/*/*.csproj; do
    name=$(basename "$project" .csproj)
    [ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
    package=$(ls "$out/$name".[0-9]*.nupkg 2>/dev/null | head -n 1 || true)
    [ -n "$package" ] || continue
    version=$(basename "$package" .nupkg)
    version=${version#"$name".}
    # Projects of this repository are components, too, since each is a package of its own.
    dotnet tool run dotnet-CycloneDX -- "$project" --output "$out" --filename "$name.$version.cdx.json" \
        --output-format Json --spec-version 1.6 --disable-package-restore --exclude-dev --include-project-references \
        --set-name "$name" --set-version "$version" --set-type Library --set-nuget-purl >/dev/null
    echo "$out/$name.$version.cdx.json"
    written=$((written + 1))
done
[ $written != 0 ] || { echo "$out has none of the packages: run ./test.sh tool-aot pack" >&2; exit 1; }
