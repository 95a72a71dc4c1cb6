#!/bin/sh
# Moves a picture between two processes through the death of one of them, then a file with keys of every type that this
# machine has. See --help.
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1

if ! command -v dotnet >/dev/null 2>&1; then
    for folder in "${DOTNET_ROOT:-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet /usr/local/share/dotnet; do
        if [ -n "$folder" ] && [ -x "$folder/dotnet" ]; then
            PATH=$folder:$PATH
            break
        fi
    done
fi
if ! dotnet --list-sdks 2>/dev/null | grep -q '^1[0-9]\.'; then
    echo "demo.sh: the .NET SDK 10 is needed and was not found." \
        "Get it from https://dotnet.microsoft.com/download or your distribution." >&2
    exit 127
fi

exec dotnet run --project "$root/samples/dotnet/Transfer" -c Release -- "$@"
