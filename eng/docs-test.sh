#!/usr/bin/env bash
# Checks the documents: links inside the repository lead somewhere, and the example in the README is the program that the tests run.
cd "$(dirname "$0")/.." || exit 1
status=0
verdict() { # NAME REASON: fails when there is a reason
    if [ -z "$2" ]; then echo "PASS docs: $1"; else echo "FAIL docs: $1: $2"; status=1; fi
}

broken=''
while IFS=: read -r page link; do
    target=${link#](}
    target=${target%)}
    target=${target%%#*}
    [ -e "$(dirname "$page")/$target" ] || broken="$broken $page -> $target;"
done < <(grep -oE '\]\([^):]+\)' ./*.md docs/*.md | grep -v ':](#')
verdict 'links inside the repository lead somewhere' "$broken"

example=$(sed -n '/^```csharp$/,/^```$/p' README.md | sed '1d; /^```$/,$d')
verdict 'the example of the README is samples/dotnet/Hello/Program.cs' "$(diff <(printf '%s\n' "$example") samples/dotnet/Hello/Program.cs 2>&1 | head -n 3 | tr '\n' ' ')"
exit $status
