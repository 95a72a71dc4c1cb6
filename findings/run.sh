#!/usr/bin/env bash
# Runs the findings, all or those that are named: findings/run.sh [NAME...]. Needs root, Debian 12 and its packages.
cd "$(dirname "$0")" || exit 2
[ $# -gt 0 ] || set -- $(ls -- *.sh | sed '/^lib\.sh$/d; /^run\.sh$/d; s/\.sh$//')
failed=0
for name; do
    echo "== $name"
    timeout 300 bash "./$name.sh" || failed=$((failed + 1))
done
echo "$(($# - failed)) hold, $failed changed or could not run"
[ $failed = 0 ]
