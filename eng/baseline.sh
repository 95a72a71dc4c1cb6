#!/usr/bin/env bash
# Keeps the public surface of the packages in artifacts/packages (which the step pack makes) as eng/baseline, a feed
# that later packages are validated against: PackageValidationBaselinePath in Directory.Build.targets. Run it after a
# release; before the first one also when a public member was removed on purpose, which the changelog then says.
# A package there has the assembly without its code, and nothing else but its description.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo 'needs python3' >&2; exit 1; }
mkdir -p eng/baseline
for symbols in artifacts/packages/*.snupkg; do
    package=${symbols%.snupkg}.nupkg
    name=$(basename "$package" | sed -E 's/\.[0-9]+\.[0-9]+\.[0-9]+.*//')
    surface=src/$name/obj/Release/net10.0/ref/$name.dll
    [ -f "$surface" ] || { echo "$surface is missing: run ./test.sh pack" >&2; exit 1; }
    python3 - "$package" "$surface" "eng/baseline/$name.nupkg" <<'PYTHON'
import sys, zipfile
package, surface, target = sys.argv[1:]
with zipfile.ZipFile(package) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
    for name in old.namelist():
        if name.endswith(".nuspec") or name == "[Content_Types].xml":
            data = old.read(name)
        elif name.startswith("lib/") and name.endswith(".dll"):
            data = open(surface, "rb").read()
        else:
            continue
        new.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
PYTHON
    ls -l "eng/baseline/$name.nupkg"
done
