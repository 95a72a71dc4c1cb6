# shellcheck shell=bash
# To be read by a recipe, which ./platforms.sh runs with $platform (its name) and $out (its folder). A recipe writes
# lines, separated by tabs, to standard output:
#     FACTS KERNEL LIBRARY RUNTIME MACHINE     what NativeIpc.Peer --platform says there
#     EMULATOR TEXT                            what emulates it
#     RAN SUITE PASSED FAILED SKIPPED          once for each suite
#     FAIL TEXT, SKIP TEXT                     a test each
#     UNABLE REASON                            nothing was run
set -u
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
: "${platform:?a recipe is run by ./platforms.sh}" "${out:?}"
cache=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}
mirror=${NATIVEIPC_DEBIAN_MIRROR:-http://deb.debian.org/debian}
short=${NATIVEIPC_PLATFORMS_SHORT:-} no_rows=${NATIVEIPC_PLATFORMS_NO_ROWS:-}
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
export root out dotnet
# The build has seen the analyzers.
# A commit alone shall not make native compilers run again.
export IncludeSourceRevisionInInformationalVersion=false
export RunAnalyzers=false DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
export TMPDIR=$out/tmp XDG_RUNTIME_DIR=$out/runtime
# Races are a matter of time, and of this machine rather than of a platform.
export NATIVEIPC_STRESS_SECONDS=${NATIVEIPC_STRESS_SECONDS:-8} NATIVEIPC_RACE_ROUNDS=${NATIVEIPC_RACE_ROUNDS:-100}

# need PACKAGE...: Debian packages of this machine, installed where they are missing.
need() {
    local package missing=()
    for package; do
        dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed$' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        --no-install-recommends install "${missing[@]}"; } >"$out/apt.log" 2>&1 ||
        unable "${missing[*]} could not be installed; see $out/apt.log"
}
unable() { printf 'UNABLE\t%s\n' "$1"; exit 0; }
emulator() { printf 'EMULATOR\t%s\n' "$1"; }
is_published() { [ -n "${NATIVEIPC_PUBLISHED:-}" ] && [ -e "$1" ]; } # FOLDER
program() { printf '%s' "$root/tests/$1/bin/Release/net10.0/$1"; } # PROJECT: its executable

# facts COMMAND...: the command runs NativeIpc.Peer on the platform.
facts() {
    local said
    said=$("$@" --platform | tr -d '\r') && [ -n "$said" ] || { echo "no word of $*" >&2; exit 1; }
    printf 'FACTS\t%s\n' "$said"
}

# bounded SECONDS COMMAND...: a watchdog; seconds are those of an idle machine. On another one each of them lasts as
# many as NATIVEIPC_SLOWNESS says, or as there are processes for a processor meanwhile: a machine that becomes busy
# ends nothing that goes on. The command may be a function below. 124 when it was ended.
bounded() {
    local left=$(($1 * 1000)) last=$SECONDS cores now times load ran
    cores=$(nproc)
    # A script's background job ignores these signals, which tests send.
    # shellcheck disable=SC2016 # for the inner shell
    timeout -k 10 0 env --default-signal=HUP,INT,QUIT bash -c '"$@"' sh "${@:2}" &
    ran=$!
    while kill -0 "$ran" 2>/dev/null; do
        sleep 0.5
        read -r load _ </proc/loadavg
        now=$SECONDS times=$((${load%.*} / cores))
        [ $times -ge "${NATIVEIPC_SLOWNESS:-1}" ] || times=${NATIVEIPC_SLOWNESS:-1}
        left=$((left - (now - last) * 1000 / times)) last=$now
        [ $left -le 0 ] || continue
        kill -TERM "$ran" 2>/dev/null
        wait "$ran"
        return 124
    done
    wait "$ran"
}

# suite NAME SECONDS COMMAND...: the command runs an xunit executable, whose last arguments are added here.
suite() {
    local name=$1 limit=$2 code
    shift 2
    bounded "$limit" "$@" -noColor -noAutoReporters -result-xml "${xml_folder:-$out/results}/$name.xml" \
        >"$out/results/$name.log" 2>&1
    code=$?
    python3 "$root/eng/platforms/table.py" xunit "$name${short:+ (part)}" "$out/results/$name.xml" $code
}

# lines NAME SECONDS COMMAND...: the command prints lines that begin with PASS, FAIL or SKIP.
lines() {
    local name=$1 limit=$2 code
    shift 2
    bounded "$limit" "$@" >"$out/results/$name.log" 2>&1
    code=$?
    python3 "$root/eng/platforms/table.py" lines "$name${short:+ (part)}" "$out/results/$name.log" $code
}

# debian SUITE PACKAGE...: the folder of a Debian with these packages in $debian; made, or completed, where necessary.
# Debian 13 is the folder that eng/peers.sh makes for its Qt, under its lock. The clock may be ahead of what unstable's
# lists are good for.
debian() {
    local suite=$1 lock=$cache/roots/$1.lock package missing=()
    shift
    debian=$cache/roots/$suite
    mkdir -p "$cache/roots" "$cache/peers"
    if [ "$suite" = trixie ]; then
        debian=$cache/trixie lock=$cache/peers/.lock
        # Made by the other peers too, of which some may be missing here.
        [ -e "$debian/etc/debian_version" ] || "$root/eng/peers.sh" >"$out/peers.log" 2>&1
        [ -e "$debian/etc/debian_version" ] || unable "$(grep 'qt6.8' "$out/peers.log" | tail -n 1)"
    fi
    exec 8>"$lock"
    flock 8
    if [ ! -e "$debian/etc/debian_version" ]; then
        rm -rf "$debian.new"
        debootstrap --variant=minbase --include=procps,strace,openssl "$suite" "$debian.new" "$mirror" \
            >"$out/debootstrap.log" 2>&1 8>&- || unable "debootstrap of $suite failed; see $out/debootstrap.log"
        mv "$debian.new" "$debian"
    fi
    for package in procps strace openssl "$@"; do
        [ -e "$debian/var/lib/dpkg/info/$package.list" ] || compgen -G "$debian/var/lib/dpkg/info/$package:*.list" \
            >/dev/null || missing+=("$package")
    done
    if [ ${#missing[@]} != 0 ]; then
        { apart chroot "$debian" apt-get -q -o Acquire::Check-Valid-Until=false update &&
            DEBIAN_FRONTEND=noninteractive LC_ALL=C apart chroot "$debian" apt-get -q -y --no-install-recommends \
                -o DPkg::Options::=--force-unsafe-io install "${missing[@]}"; } >"$out/apt.log" 2>&1 8>&- ||
            unable "${missing[*]} could not be installed in $debian; see $out/apt.log"
    fi
    exec 8>&-
}

# apart COMMAND...: in IPC, mount and PID name spaces of its own, with an empty /dev/shm; whatever it starts ends with
# it.
apart() {
    unshare --ipc --mount --pid --fork --mount-proc --kill-child bash -c '
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 125
        "$@"
        exit $?' sh "$@"
}

# opened ROOT COMMAND...: the same, and ROOT sees the build, the output and .NET where they are here, and this
# machine's /dev, /proc and /sys.
opened() {
    apart bash -c '
        folder=$1
        shift
        for here in "$dotnet" "$root" ${also:-}; do mkdir -p "$folder$here" && mount --bind "$here" "$folder$here"; done
        mount -t proc proc "$folder/proc" && mount --rbind /dev "$folder/dev" && mount -t sysfs sysfs "$folder/sys" ||
            exit 125
        "$@"
        exit $?' sh "$@"
}

# inside ROOT COMMAND...: the same, in ROOT.
inside() { opened "$1" chroot "$1" env -C / HOME=/root DOTNET_ROOT="$dotnet" "${@:2}"; }

export -f apart opened inside

# package NAME VERSION: the folder of a NuGet package in $package, which dotnet restore fetches.
package() {
    package=${NUGET_PACKAGES:-$HOME/.nuget/packages}/$(tr '[:upper:]' '[:lower:]' <<<"$1")/$2
    [ ! -e "$package" ] || return 0
    mkdir -p "$out/fetch"
    cat >"$out/fetch/fetch.csproj" <<-END
	<Project Sdk="Microsoft.NET.Sdk">
	  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
	  <ItemGroup><PackageDownload Include="$1" Version="[$2]" /></ItemGroup>
	</Project>
	END
    cp "$root/global.json" "$out/fetch/"
    printf '<Project />' | tee "$out/fetch/Directory.Build.props" >"$out/fetch/Directory.Packages.props"
    dotnet restore "$out/fetch" -nologo -v q >"$out/fetch/log.txt" 2>&1 && [ -e "$package" ] ||
        unable "NuGet does not give $1 $2; see $out/fetch/log.txt"
}
