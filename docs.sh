#!/usr/bin/env bash
# Builds the site of the documents into artifacts/site: guides, pages and the reference of every public member, with
# search. A warning of docfx is an error, and so is a link inside the site that leads nowhere.
#
#   ./docs.sh            builds the libraries first
#   ./docs.sh --no-build what is built already (Release)
#   ./docs.sh --serve    and shows the site at http://localhost:8080 (another port: PORT=…)
#
# Needs the .NET SDK and python3; the tool docfx comes from NuGet (eng/site/.config).
set -euo pipefail
cd "$(dirname "$0")"
build=yes serve=
for word; do
    case $word in
        --no-build) build= ;;
        --serve) serve=yes ;;
        *) sed -n '2,/^set -e/p' docs.sh | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
    esac
done
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_gcServer=0
root=$PWD
docfx() { (cd eng/site && dotnet tool run docfx -- "$@"); } # where its manifest is

(cd eng/site && dotnet tool restore >/dev/null)
if [ -n "$build" ]; then
    for library in $(python3 eng/site/stage.py --libraries); do
        dotnet build "src/$library" -c Release -nologo -v q
    done
fi
rm -rf artifacts/site artifacts/site-source
python3 eng/site/stage.py artifacts/site-source
docfx "$root/artifacts/site-source/docfx.json" --warningsAsErrors
python3 eng/site/check.py artifacts/site
[ -z "$serve" ] || docfx serve "$root/artifacts/site" --port "${PORT:-8080}"
