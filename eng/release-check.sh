#!/usr/bin/env bash
# Says what is still missing before VERSION can be released: one line per check, PASS or FAIL; non-zero exit when one
# failed. With --notes it prints what the changelog says of VERSION instead. docs/release.md has the whole way.
cd "$(dirname "$0")/.." || exit 2
notes_only=
[ "${1:-}" != --notes ] || { notes_only=yes; shift; }
[ $# = 1 ] || { echo "usage: eng/release-check.sh [--notes] VERSION" >&2; exit 2; }
version=$1
notes() { awk -v head="## $version" '/^## / { on = $0 == head || index($0, head " ") == 1; next } on' CHANGELOG.md; }
if [ -n "$notes_only" ]; then
    if notes | grep -q .; then notes; exit; fi
    echo "CHANGELOG.md has no part '## $version'" >&2
    exit 1
fi

failures=0
verdict() { # NAME REASON: fails when there is a reason
    if [ -z "$2" ]; then echo "PASS release: $1"; else echo "FAIL release: $1: $2"; failures=1; fi
}
property() { sed -n "s|.*<$1[^>]*>\([^<]*\)</$1>.*|\1|p" Directory.Build.props | head -n 1; }

found=$(property Version)
verdict 'the build makes this version' "$([ "$found" = "$version" ] || echo "Directory.Build.props says $found")"
verdict 'the changelog tells of it' "$(notes | grep -q '^- ' || echo "no part '## $version' in CHANGELOG.md")"
verdict 'every public member has shipped' "$(
    for baseline in src/*/PublicAPI.Unshipped.txt; do
        [ "$(grep -cv '^#' "$baseline")" = 0 ] || echo "move the lines of $baseline to PublicAPI.Shipped.txt;"
    done)"
home=${RepositoryUrl:-$(property RepositoryUrl)}
case $home in
*.example/*) verdict 'the project has a home' "$home is nobody's: set RepositoryUrl" ;;
*) verdict 'the project has a home' '' ;;
esac
verdict 'nothing is left to commit' "$(git status --porcelain 2>&1 | head -n 3)"
exit $failures
