#!/usr/bin/env bash
# Builds `reunite` for the 32-bit Raspberry Pis that aid groups have, on a PC, with whatever toolchain the
# PC offers, and on request proves under an emulator that two such nodes find each other.

set -euo pipefail

usage() {
    cat <<'END'
Usage: build-armv7.sh [--install] [--smoke]

Builds target/armv7-unknown-linux-gnueabihf/release/reunite and prints its size.

  --install  first install what is missing (Debian, as root): cross linker, emulator and, where rustup
             cannot supply the target, Debian's own Rust
  --smoke    then let two nodes of a sealed network exchange a person, a vaccination and an alarm under
             qemu-arm-static, and afterwards two of a classic one
  --help     show this

Exit status: 0 done, 1 the build or an exchange failed, or the program is too large, 2 wrong arguments, 3 something is missing here.
END
}

readonly TARGET=armv7-unknown-linux-gnueabihf
readonly LINKER=arm-linux-gnueabihf-gcc
readonly EMULATOR=qemu-arm-static
readonly ARM_ROOT=/usr/arm-linux-gnueabihf
readonly DEBIAN_LIBS=/usr/lib/rustlib/$TARGET
# The first Rust of edition 2024, and the one Debian carries for its stable release.
readonly DEBIAN_RUST=1.85
# It must be less, in bytes: it travels over slow links to small SD cards.
readonly TOO_LARGE=6000000

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly binary=$root/target/$TARGET/release/reunite

install=no smoke=no
for argument in "$@"; do
    case $argument in
        --install) install=yes ;;
        --smoke) smoke=yes ;;
        --help | -h) usage; exit 0 ;;
        *) echo "build-armv7: unknown argument: $argument" >&2; usage >&2; exit 2 ;;
    esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/reunite-armv7.XXXXXX")
readonly work
# The two nodes of an exchange, by number: process, the pipe into the menu, and port.
nodes=() menus=() ports=()

# Runs on every way out: no node, emulator or temporary file stays behind.
clean_up() {
    local node
    for node in "${nodes[@]}"; do kill "$node" 2>/dev/null || true; done
    for node in "${nodes[@]}"; do
        within 3 gone "$node" || kill -KILL "$node" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# missing WHAT HOW: exit 3 tells the caller "cannot be had here" apart from "broken".
missing() {
    echo "build-armv7: missing: $1" >&2
    echo "build-armv7: to get it: $2" >&2
    exit 3
}

broken() {
    echo "build-armv7: $1" >&2
    exit 1
}

# within SECONDS COMMAND...: repeats COMMAND until it succeeds; fails once the time is up.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

## The toolchain

# compiles RUSTC: whether it can compile for the Pi. A standard library of another version lies there just
# as well, so only trying tells.
compiles() {
    echo 'fn main() {}' >"$work/probe.rs"
    "$1" --edition 2024 --target "$TARGET" --emit metadata --out-dir "$work" "$work/probe.rs" 2>/dev/null
}

# Both by path from here on, because a `cargo` found by name may be the other toolchain's.
cargo='' rustc=''

use_rustup() {
    command -v rustup >/dev/null || return 1
    if ! (cd "$root" && rustup target list --installed 2>/dev/null | grep -x "$TARGET" >/dev/null); then
        (cd "$root" && timeout 120 rustup target add "$TARGET" >/dev/null 2>&1) || return 1
    fi
    cargo=$(cd "$root" && rustup which cargo 2>/dev/null) &&
        rustc=$(cd "$root" && rustup which rustc 2>/dev/null) && compiles "$rustc"
}

use_debian() {
    cargo=/usr/bin/cargo rustc=/usr/bin/rustc
    [[ -x $cargo && -x $rustc && -d $DEBIAN_LIBS ]] && compiles "$rustc"
}

# Sets cargo and rustc to the first pair that serves, or to nothing.
find_toolchain() { use_rustup || use_debian || { cargo='' rustc='' && return 1; }; }

## Installing on Debian

# quiet_apt ARGUMENTS...: apt-get, silent unless it fails.
quiet_apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" >"$work/apt.log" 2>&1 && return
    tail -n 5 "$work/apt.log" >&2
    return 1
}

# The version of rustc-web that is installed, or else the one to install.
debian_rust_version() {
    local version
    version=$(dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' rustc-web 2>/dev/null |
        awk '/^ii/ {print $2}') || true
    [[ -n $version ]] || version=$(apt-cache madison rustc-web |
        awk -v wanted="$DEBIAN_RUST." 'index($3, wanted) == 1 && !found {print $3; found = 1}')
    [[ -n $version ]] && echo "$version"
}

# Debian's compiler, and beside its library that of the Pi: both are one package, of which apt would
# install only one architecture, so the second is unpacked by hand.
install_debian_rust() {
    local how="install Rust with rustup, then: rustup target add $TARGET"
    local version
    dpkg --add-architecture armhf
    # One mirror out of step fails the whole update, and the lists that are there often suffice.
    quiet_apt update || true
    version=$(debian_rust_version) || missing "rustc-web $DEBIAN_RUST in Debian's package lists" "$how"
    quiet_apt install --no-remove "rustc-web=$version" "cargo-web=$version" "libstd-rust-web-dev=$version" ||
        missing "rustc-web $version" "$how"
    (cd "$work" && quiet_apt -o APT::Sandbox::User=root download "libstd-rust-web-dev:armhf=$version") ||
        missing "libstd-rust-web-dev:armhf $version" "$how"
    dpkg -x "$work"/libstd-rust-web-dev_*_armhf.deb "$work/libstd"
    rm -rf "$DEBIAN_LIBS.new"
    cp -a "$work/libstd$DEBIAN_LIBS" "$DEBIAN_LIBS.new"
    rm -rf "$DEBIAN_LIBS"
    mv "$DEBIAN_LIBS.new" "$DEBIAN_LIBS"
    use_debian || broken "rustc-web $version is installed, but cannot compile for the Pi"
}

install_missing() {
    ((EUID == 0)) || missing "the right to install" "run this as root: sudo $0 --install"
    command -v apt-get >/dev/null || missing "apt-get" "install $LINKER, $EMULATOR and Rust's $TARGET by hand"
    local packages=(gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user-static)
    if ! dpkg-query -W -f '${db:Status-Abbrev}\n' "${packages[@]}" >"$work/status" 2>/dev/null ||
        grep -qv '^ii' "$work/status"; then
        quiet_apt update || true
        quiet_apt install --no-remove "${packages[@]}" ||
            missing "${packages[*]}" "connect this machine to the internet"
    fi
    find_toolchain || install_debian_rust
}

## The build

build() {
    [[ -n $cargo ]] || find_toolchain ||
        missing "Rust for $TARGET" "sudo $0 --install, or: rustup target add $TARGET"
    command -v "$LINKER" >/dev/null || missing "the linker $LINKER" "sudo $0 --install"
    echo "building with $("$rustc" --version)"
    # The same for ring, parts of which are C and assembly.
    CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=$LINKER CC_armv7_unknown_linux_gnueabihf=$LINKER \
        CARGO_PROFILE_RELEASE_STRIP=true RUSTC=$rustc \
        "$cargo" build --manifest-path "$root/Cargo.toml" --target-dir "$root/target" \
        --release --locked --target "$TARGET" --bin reunite || broken "the build failed"
    local size
    size=$(stat -c %s "$binary")
    echo "${binary#"$root"/}: $(awk -v size="$size" 'BEGIN {printf "%.1f MB", size / 1e6}')"
    ((size < TOO_LARGE)) || broken "the program has $size bytes; it must have less than $TOO_LARGE"
}

## The exchange

# free_port NOT: prints a UDP port that nobody has bound, other than NOT. Below 32768, where the kernel
# hands out ports of its own accord.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        [[ $port == "$1" ]] || bound "$port" || break
    done
    echo "$port"
}

# bound PORT: whether a UDP socket listens there.
bound() {
    local end
    end=$(printf ':%04X' "$1")
    awk -v end="$end" 'substr($2, length($2) - 4) == end {found = 1} END {exit !found}' /proc/net/udp*
}

# step WHAT COMMAND...: one line of what was tried and how it went; the first failure ends the exchange.
step() {
    local what=$1
    shift
    if "$@"; then
        echo "ok      $what"
    else
        echo "failed  $what"
        tail -n 8 "$work/setup" "$network"/errors[12] >&2 || true
        exit 1
    fi
}

# start NUMBER: runs a node with its menu at the other end of a pipe, held open by us so that it does not
# see the end of its input between two lines.
start() {
    local number=$1 keep
    mkfifo "$network/menu$number"
    "${runner[@]}" "$binary" tier1 --peers "$network/peers.json" --number "$number" --data "$network/node$number" \
        <"$network/menu$number" >"$network/screen$number" 2>"$network/errors$number" &
    nodes[number]=$!
    exec {keep}>"$network/menu$number"
    menus[number]=$keep
}

# enter NUMBER LINE...: types lines into a node's menu. That a node is gone is for the next step to find out.
enter() {
    local number=$1
    shift
    printf '%s\n' "$@" >&"${menus[number]}" || true
}

listening() { bound "${ports[0]}" && bound "${ports[1]}"; }

# has TEXT: whether it is in node 2's database.
has() { grep -qs "$1" "$network/node2/DATABASE2.txt"; }

# An alarm and who raised it, close together, on node 2's screen since $before bytes.
has_alarm() {
    tail -c "+$((before + 1))" "$network/screen2" |
        grep -iE -B2 -A2 'alarm|emergency' | grep -F "$(peers_field organisation | head -n 1)" >/dev/null
}

# ended NUMBER: whether the node is gone, and went well.
ended() {
    local node=${nodes[$1]}
    within 10 gone "$node" && unset "nodes[$1]" && wait "$node"
}

# Neither the nodes' tokens nor any key, of which a peers file has those that all share.
no_secret_shown() {
    local secrets
    secrets=$(peers_field token; peers_field network_key; peers_field reader_key)
    [[ -n $secrets ]] && ! grep -qsF -- "$secrets" "$network"/{screen,errors}[12] "$network/setup"
}

# peers_field NAME: this field of the peers file, wherever it stands, a line each.
peers_field() {
    grep -oE "\"$1\" *: *\"[^\"]*\"" "$network/peers.json" | sed 's/^[^:]*: *"//; s/"$//'
}

# The peers files and folders of two nodes, with their identities: made by the program itself.
lay_out_sealed() {
    "${runner[@]}" "$binary" setup --local 2 --out "$network" >"$work/setup" 2>&1 && mv "$work/setup" "$network/"
}

lay_out_classic() {
    local first second
    first=$(free_port 0)
    second=$(free_port "$first")
    mkdir -p "$network"/node{1,2}
    : >"$network/setup"
    cat >"$network/peers.json" <<END
{"network":"smoke","dialect":"classic","peers":[
{"number":1,"organisation":"Yangon General Hospital","address":"127.0.0.1:$first","token":"149418626990"},
{"number":2,"organisation":"Sittwe Camp Office","address":"127.0.0.1:$second","token":"528301947716"}]}
END
}

# exchange DIALECT
exchange() {
    local dialect=$1
    network=$work/$dialect
    echo "$dialect:"
    step "a network of two nodes is laid out" "lay_out_$dialect"
    mapfile -t ports < <(peers_field address | sed 's/.*://')
    start 1
    start 2
    step "both nodes listen" within 20 listening
    enter 1 3 "$person" "red scarf" "$seen" "missing"
    step "a person added on node 1 is in node 2's database" within 20 has "$person.*$seen"
    if [[ $dialect == sealed ]]; then
        enter 1 5 482915736620194857 OCV Euvichol "$lot" 2025-04-20 1 Bangladesh "$seen"
        step "a vaccination recorded on node 1 is in node 2's database" within 20 has "$lot"
    fi
    before=$(stat -c %s "$network/screen2")
    enter 1 10 YES ""
    step "an alarm raised on node 1 is on node 2's screen" within 20 has_alarm
    enter 1 0
    enter 2 0
    step "node 1 ends with status 0" ended 1
    step "node 2 ends with status 0" ended 2
    step "no token and no key is on any screen or in any log" no_secret_shown
}

smoke() {
    # Built on a Pi, it runs as it is.
    if ! "$binary" --help >/dev/null 2>&1; then
        command -v "$EMULATOR" >/dev/null || missing "the emulator $EMULATOR" "sudo $0 --install"
        [[ -e $ARM_ROOT/lib/ld-linux-armhf.so.3 ]] || missing "the Pi's C library" "sudo $0 --install"
        runner=("$EMULATOR" -L "$ARM_ROOT")
    fi
    trap '' PIPE
    umask 077
    exchange sealed
    exchange classic
}

runner=() before=0 network=''
readonly person="Smoke Test Person" seen="Kutupalong gate" lot="SMK-2504-7"

[[ $install == no ]] || install_missing
build
[[ $smoke == no ]] || smoke
