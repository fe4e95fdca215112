#!/usr/bin/env bash
# Everything that is checked of this project, with all set-up, in one command; CI runs nothing else.

set -euo pipefail

usage() {
    cat <<'END'
Usage: test.sh [--quick]

Runs all checks one after the other, also when one fails, and ends with a table of them. As root on Debian it
installs what is missing; otherwise it says how to, and leaves out what it can do without. It needs Rust with
cargo and a C compiler. From scratch it takes up to 20 minutes on two cores.

  --quick  leave out the build for the Raspberry Pi, the oldest Rust, and the dependencies' licences and
           advisories
  --help   show this

Exit status: 0 nothing failed, 1 something failed, 2 wrong arguments, 3 what every check needs is missing.
END
}

quick=no
for argument in "$@"; do
    case $argument in
        --quick) quick=yes ;;
        --help | -h) usage; exit 0 ;;
        *) echo "test: unknown argument: $argument" >&2; usage >&2; exit 2 ;;
    esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
cd "$root"
# Nothing here asks anybody anything.
exec </dev/null
export LC_ALL=C.UTF-8
PATH=$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin

work=$(mktemp -d "${TMPDIR:-/tmp}/reunite-test.XXXXXX")
readonly work
readonly target=${CARGO_TARGET_DIR:-$root/target}
# The oldest Rust that must do, as Cargo.toml promises.
oldest=$(awk -F '"' '/^rust-version/ {print $2}' Cargo.toml)
readonly oldest

clean_up() {
    [[ ! -S $work/tmux ]] || tmux -S "$work/tmux" kill-server 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 1' TERM HUP

## Steps

readonly SKIPPED=77
steps=() results=() times=()

# step NAME COMMAND...: runs a check in a shell of its own, and notes how it went.
step() {
    local name=$1 begun=$SECONDS status=0 result
    shift
    printf '\n== %s\n' "$name"
    : >"$work/why"
    set +e
    (set -e; "$@")
    status=$?
    set -e
    case $status in
        0) result=ok ;;
        "$SKIPPED") result="skipped: $(<"$work/why")" ;;
        *) result="FAILED$(sed 's/^/: /' "$work/why")" ;;
    esac
    steps+=("$name") results+=("$result") times+=("$((SECONDS - begun))")
    printf '== %s: %s (%d s)\n' "$name" "$result" "$((SECONDS - begun))"
}

# skip WHY: ends a step that cannot be done here.
skip() {
    echo "$1" >"$work/why"
    exit "$SKIPPED"
}

# missing WHAT HOW: ends a step that lacks something it must have.
missing() {
    echo "test: missing: $1"
    echo "test: to get it: $2"
    echo "$1 is missing" >"$work/why"
    exit 1
}

## Set-up

# packages NAME...: installs Debian packages, if we may; silent unless it fails.
packages() {
    [[ $EUID == 0 && -n $(command -v apt-get) ]] || return 1
    echo "installing $*"
    local install=(apt-get -qq -y install --no-install-recommends --no-remove "$@")
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" >"$work/apt" 2>&1 && return
    # The package lists are missing or old.
    apt-get -qq update >"$work/apt" 2>&1 || true
    "${install[@]}" >"$work/apt" 2>&1 || { tail -n 3 "$work/apt"; return 1; }
}

# part NAME COMPONENT PACKAGE: what `cargo NAME` needs, from rustup or, of the same version as rustc, from Debian.
part() {
    cargo "$1" --version >/dev/null 2>&1 && return
    if command -v rustup >/dev/null; then
        rustup component add "$2" || true
    else
        local owner
        owner=$(dpkg-query -S "$(realpath "$(command -v rustc)")" 2>/dev/null | sed 's/:.*//') || true
        [[ $owner != rustc* ]] ||
            packages "$3${owner#rustc}=$(dpkg-query -W -f '${Version}' "$owner")" || true
    fi
    cargo "$1" --version >/dev/null 2>&1 || missing "cargo $1" "rustup component add $2, or: apt install $3"
}

set_up() {
    [[ -n $(command -v cargo) && -n $(command -v rustc) ]] ||
        missing "Rust" "install it with rustup, or: apt install cargo rustc"
    rustc --version
    local version
    version=$(rustc --version | awk '{print $2}')
    [[ $(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1) == "$oldest" ]] ||
        missing "Rust $oldest or newer (this is $version)" "rustup update stable"
    command -v cc >/dev/null || packages gcc libc6-dev ||
        missing "a C compiler, which links the program" "apt install gcc libc6-dev"
    local tool
    for tool in shellcheck tmux; do
        command -v "$tool" >/dev/null || packages "$tool" || echo "$tool is not here; its step is left out"
    done
    # For the test of what somebody reads who listens, which says itself when it cannot run.
    [[ -n $(command -v tcpdump) && -n $(command -v ip) ]] || packages tcpdump iproute2 ||
        echo "tcpdump or ip is not here; what is sent is not recorded"
}

## Checks

formatting() {
    part fmt rustfmt rustfmt
    cargo fmt --check
}

lints() {
    part clippy clippy rust-clippy
    cargo clippy --all-targets --locked -- -D warnings
}

documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked; }

tests() {
    local status=0
    mkdir "$work/tests"
    cargo test --locked --no-run
    # What the tours need is built while tests mostly wait.
    nice cargo build --release --locked --quiet &
    TMPDIR=$work/tests cargo test --locked --no-fail-fast || status=$?
    wait $! || status=$?
    return "$status"
}

# Every order in which the threads that wait for the ledger can meet.
model_checker() {
    local loom=(--locked --manifest-path tests/loom/Cargo.toml)
    timeout 120 cargo fetch --quiet "${loom[@]}" >"$work/fetch" 2>&1 ||
        skip "the model checker cannot be fetched from here"
    RUSTFLAGS="--cfg loom" cargo test --release "${loom[@]}" --target-dir "$target/loom"
}

shell_scripts() {
    command -v shellcheck >/dev/null || skip "shellcheck is not installed (apt install shellcheck)"
    shopt -s nullglob
    local scripts=(scripts/*.sh .ci/run tests/fuzz/*.sh tests/pi/*)
    shellcheck "${scripts[@]}"
    echo "${#scripts[@]} scripts are clean"
}

tour() { scripts/local-demo.sh --tour; }
tour_classic() { scripts/local-demo.sh --tour --classic; }

# What would be sent to a Pi: shown whole, in the shell's grammar, and without a secret of the network.
deployment() {
    local pi=pi@10.35.70.1
    mkdir "$work/deploy"
    # The beginning of a program for ARM is all that is looked at.
    printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\50\0' >"$work/deploy/program"
    sealed_peers >"$work/deploy/peers.json"
    local deploy=(scripts/deploy-pi.sh --dry-run --binary "$work/deploy/program")
    local by_hand=(--number 1 --peers "$work/deploy/peers.json")
    "${deploy[@]}" "$pi" >"$work/deploy/joins"
    "${deploy[@]}" --data /mnt/usb/reunite "${by_hand[@]}" "$pi" >"$work/deploy/by-hand"
    shown_script joins install.sh "number= data= sealed="
    shown_script joins reunite-command "runuser -u reunite"
    shown_script by-hand install.sh "number=1 data=/mnt/usb/reunite sealed=yes"
    ! grep -E '123456789012|[0-9a-f]{64}' "$work/deploy"/{joins,by-hand} || exit 1
    refused "${deploy[@]}" --number 1 "$pi"
    refused "${deploy[@]}" --peers "$work/deploy/peers.json" "$pi"
    refused "${deploy[@]}" --data /home/pi/node "$pi"
    refused "${deploy[@]}" --number 2 --peers "$work/deploy/peers.json" "$pi"
    sed -i 's/"knock_key"/"other_key"/' "$work/deploy/peers.json"
    refused "${deploy[@]}" "${by_hand[@]}" "$pi"
    echo "both ways are shown, and what cannot work is refused"
}

# The same, done: four Pis that are simulated here are deployed, set up, joined, brought up to date and wiped.
simulated_pis() {
    local status=0
    tests/pi/run.sh "$target/release/reunite" || status=$?
    ((status != 3)) || skip "a Pi cannot be simulated here; the line above says why"
    return "$status"
}

sealed_peers() {
    local key
    key=$(printf 'ab%.0s' {1..32})
    printf '{"network":"test","dialect":"sealed","epoch":1,"network_key":"%s","reader_key":"%s","peers":[' "$key" "$key"
    printf '{"number":1,"organisation":"A","address":"10.35.70.1:33001","token":"123456789012",'
    printf '"identity_key":"%s","knock_key":"%s"}]}\n' "$key" "$key"
}

# shown_script SHOWN NAME LINE: the script of this name is shown, is one, and has the line.
shown_script() {
    sed -n "/STAGE\/$2\" <</,/^[\$]/s/^  | //p" "$work/deploy/$1" >"$work/deploy/$2"
    sh -n "$work/deploy/$2"
    grep -F -- "$3" "$work/deploy/$2" >/dev/null
}

# refused COMMAND...: it fails.
refused() {
    if "$@" >/dev/null 2>&1; then
        echo "not refused: $*"
        exit 1
    fi
}

# The four panes as a person has them, in a terminal that nobody sees.
panes() {
    command -v tmux >/dev/null || skip "tmux is not installed (apt install tmux)"
    mkdir "$work/panes"
    terminal new-session -d -x 200 -y 50 -e TMPDIR="$work/panes" \
        "$root/scripts/local-demo.sh; echo status=\$?; sleep 60"
    seen "four menus wait" four_menus
    keys 3 Enter
    seen "node 1 asks for a name" left "Name:"
    keys "Noor Jah"
    seen "half a name is typed" left "Name: Noor Jah"
    keys M-Right 10 Enter
    seen "node 2 asks whether it is meant" screen "Type YES"
    keys YES Enter
    seen "node 2 asks for the text" screen "Text (Enter"
    keys "Fire in block C" Enter
    seen "the alarm stands above the half-typed name at node 1" alarm_above_name
    keys C-c
    seen "Ctrl-C ends node 2 alone" screen "node 2 has ended"
    keys C-q
    seen "Ctrl-Q ends the demo" screen "status=0"
    seen "it has left nothing behind" rmdir "$work/panes"
    terminal kill-server
}

terminal() { tmux -u -S "$work/tmux" -f /dev/null "$@"; }
keys() {
    local key
    for key in "$@"; do terminal send-keys "$key"; done
}
screen() { terminal capture-pane -p | grep -F -- "$1" >/dev/null; }
left() { terminal capture-pane -p | cut -c 1-99 | grep -F -- "$1" >/dev/null; }
four_menus() { [[ $(terminal capture-pane -p | grep -o "Number (Enter" | wc -l) == 4 ]]; }
alarm_above_name() {
    terminal capture-pane -p | cut -c 1-99 |
        awk '/!! *Fire in block C/ {alarm = 1} /^Name: Noor Jah *(│|$)/ && alarm {found = 1} END {exit !found}'
}

# seen WHAT COMMAND...: the command comes to succeed.
seen() {
    local what=$1 end=$((SECONDS + 120))
    shift
    until "$@" 2>/dev/null; do
        if ((SECONDS > end)); then
            echo "FAILED  $what"
            terminal capture-pane -p
            terminal kill-server
            exit 1
        fi
        sleep 0.1
    done
    echo "ok      $what"
}

oldest_rust() {
    # With the tests: they have to run where only Debian's Rust is.
    local check=(check --all-targets --locked --target-dir "$target/oldest")
    if [[ $(rustc --version) == "rustc $oldest."* ]]; then
        skip "the Rust in use is $oldest itself"
    elif command -v rustup >/dev/null && rustup run "$oldest.0" rustc --version >/dev/null 2>&1; then
        rustup run "$oldest.0" cargo "${check[@]}"
    elif [[ -x /usr/bin/cargo && $(/usr/bin/rustc --version 2>/dev/null) == "rustc $oldest."* ]]; then
        RUSTC=/usr/bin/rustc /usr/bin/cargo "${check[@]}"
    else
        skip "Rust $oldest is not installed (rustup toolchain install $oldest.0)"
    fi
}

raspberry_pi() {
    local options=(--smoke) status=0
    ((EUID != 0)) || options+=(--install)
    scripts/build-armv7.sh "${options[@]}" || status=$?
    ((status != 3)) || skip "something it needs cannot be had here; its lines say what"
    ((status == 0)) || return "$status"
    echo "deployed to simulated Pis:"
    tests/pi/run.sh target/armv7-unknown-linux-gnueabihf/release/reunite \
        qemu-arm-static -L /usr/arm-linux-gnueabihf || status=$?
    # Only where it cannot be played at all.
    ((status == 3)) || return "$status"
}

# Sets `deny` to the tool, which is built once and kept.
find_deny() {
    deny=$(command -v cargo-deny) && return
    deny=$target/tools/bin/cargo-deny
    [[ -x $deny ]] && return
    echo "building cargo-deny, which takes a minute or three"
    # Unoptimised: it is built in a third of the time, and still done within seconds.
    CARGO_PROFILE_DEV_DEBUG=0 timeout 900 cargo install cargo-deny --locked --debug --quiet \
        --root "$target/tools" --target-dir "$work/deny" ||
        skip "cargo-deny cannot be built here (cargo install cargo-deny --locked)"
}

licences() {
    local deny
    find_deny
    "$deny" check licenses bans sources
}

advisories() {
    local deny
    find_deny
    timeout 60 "$deny" fetch db >"$work/fetch" 2>&1 || skip "the database of advisories cannot be reached from here"
    "$deny" check --disable-fetch advisories
}

## All of it

step "set-up" set_up
[[ ${results[0]} == ok ]] || exit 3
step "formatting" formatting
step "shell scripts" shell_scripts
step "lints" lints
step "documentation" documentation
step "tests" tests
step "model checker" model_checker
step "tour of every feature" tour
step "the same, classic" tour_classic
step "deployment, shown" deployment
step "deployment, played" simulated_pis
step "four panes" panes
for later in "Raspberry Pi" "oldest Rust" licences advisories; do
    case $quick,$later in
        yes,*) step "$later" skip "--quick" ;;
        *,"Raspberry Pi") step "$later" raspberry_pi ;;
        *,"oldest Rust") step "$later" oldest_rust ;;
        *,licences) step "$later" licences ;;
        *,advisories) step "$later" advisories ;;
    esac
done

printf '\n%-24s %8s  %s\n' step time result
failed=0
for at in "${!steps[@]}"; do
    printf '%-24s %6d s  %s\n' "${steps[at]}" "${times[at]}" "${results[at]}"
    [[ ${results[at]} != FAILED* ]] || failed=$((failed + 1))
done
printf '%-24s %6d s  %s\n' "all" "$SECONDS" "$failed failed"
((failed == 0))
