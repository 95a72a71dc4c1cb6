#!/bin/bash
# Takes pictures of pages of the site (./docs.sh) in Chromium, as wide as a phone and as a desk's screen, light and
# dark, for somebody to look at: shots.sh FOLDER [PAGE...]. Needs Debian's package chromium, and python3.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd) || exit 1
[ $# -gt 0 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 1
shift
[ $# -gt 0 ] || set -- README.md docs/README.md docs/how-it-works.md docs/waiting.md docs/guides/keys.md \
    api/NativeIpc.SharedMemory.md
port=$((20000 + $$ % 20000))
python3 -m http.server "$port" --bind 127.0.0.1 --directory "$root/artifacts/site" >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT
for page; do
    page=${page%.md}.html
    page=${page/README/index}
    for scheme in 1-light 0-dark; do
        for size in 390,844 1280,900; do
            name=${page%.html}
            timeout 120 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
                --blink-settings="preferredColorScheme=${scheme%-*}" --window-size="$size" --virtual-time-budget=6000 \
                --screenshot="$out/${name//\//_}-${scheme#*-}-${size%,*}.png" "http://127.0.0.1:$port/$page" \
                >/dev/null 2>&1 || echo "shots.sh: no picture of $page" >&2
        done
    done
done
