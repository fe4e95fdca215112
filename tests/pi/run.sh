#!/usr/bin/env bash
# Plays the part "On Raspberry Pis" of README.md on simulated Pis, as a person does it: deploys by ssh, sets up a first
# node, lets a second one join by a code and a third by a file, brings one up to date, and wipes it. Then a node whose
# peers file is kept by hand.
#
# A Pi is a mount and process namespace with an /etc, /usr/local, /var/lib, /run and home of its own. Simulated are only
# ssh, systemd (without its sandbox) and the processor.

set -euo pipefail

usage() {
    cat <<'END'
Usage: run.sh PROGRAM [EMULATOR...]

PROGRAM is `reunite`, for this machine or for the EMULATOR with its arguments. It needs root and tmux.

Exit status: 0 done, 1 something failed, 2 wrong arguments, 3 this machine lets nobody simulate a Pi.
END
}

if (($# == 0)) || [[ ! -x $1 || -d $1 ]]; then
    usage >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$(realpath "$1")
readonly here root=${here%/tests/pi} program
readonly emulator=("${@:2}")
export LC_ALL=C.UTF-8

missing() {
    echo "pi: missing: $1" >&2
    exit 3
}

((EUID == 0)) || missing "root, who makes the namespaces"
for tool in tmux nsenter runuser setpriv useradd; do command -v "$tool" >/dev/null || missing "$tool"; done
unshare --mount --pid --fork true 2>/dev/null || missing "namespaces"

PIS=$(mktemp -d "${TMPDIR:-/tmp}/reunite-pis.XXXXXX")
readonly PIS
mkdir "$PIS/bin"
ln -s "$here/ssh" "$PIS/bin/ssh"
PATH=$PIS/bin:$PATH
export PIS PATH

clean_up() {
    trap '' INT TERM HUP
    terminal kill-server 2>/dev/null || true
    local pi
    for pi in "$PIS"/*/; do
        # With it all that runs there ends.
        [[ ! -e $pi/init ]] || kill -KILL "$(<"$pi/init")" 2>/dev/null || true
    done
    rm -rf "$PIS"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

## Simulated Pis

# What is sent is looked at before: without an emulator it is the beginning of a program for ARM, and no more.
make_programs() {
    if ((${#emulator[@]} == 0)); then
        printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\50\0' >"$PIS/for-arm"
        cp "$program" "$PIS/for-here"
    else
        cp "$program" "$PIS/for-arm"
        install -m 0755 "$program" "$PIS/mnt/program"
        printf '#!/bin/sh\nexec %s /mnt/program "$@"\n' "${emulator[*]}" >"$PIS/for-here"
    fi
    chmod 0755 "$PIS/for-here"
}

# init PI STICK: the first process of a Pi.
init() {
    mount --bind "$1/etc" /etc && mount --bind "$1/local" /usr/local && mount --bind "$1/lib" /var/lib &&
        mount --bind "$1/root" /root && mount --bind "$2" /mnt && mount --bind "$1/run" /run && : >/run/started
    # As an init does, it waits for processes for which nobody else waits.
    while :; do /bin/sleep 0.1; done
}

# new_pi NAME: as it is after its first start.
new_pi() {
    local pi=$PIS/$1 init
    mkdir -p "$pi"/{lib,run,root,local/bin,local/sbin}
    cp -a /etc "$pi/etc"
    install -m 0755 "$here"/{systemctl,systemd-cat,journalctl,sleep} "$pi/local/sbin/"
    unshare --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
        bash -c "$(declare -f init); init \"\$@\"" init "$pi" "$PIS/mnt" >/dev/null 2>&1 &
    init=$!
    # Or the shell would tell how it ended.
    disown
    echo "$init" >"$pi/init"
    check "$1 is there" test -e "$pi/run/started"
}

# on PI COMMAND...: what ssh does there.
on() { "$here/ssh" "root@$1" "${*:2}"; }

deploy() { "$root/scripts/deploy-pi.sh" --binary "$PIS/for-arm" "$@" </dev/null >>"$PIS/said" 2>&1; }

# deployed WHAT ARGUMENTS...: it says what it is to say last.
deployed() {
    local what=$1
    shift
    deploy "$@" && tail -n 1 "$PIS/said" | grep -F -- "$what" >/dev/null
}

## Two terminals

terminal() { tmux -u -S "$PIS/tmux" -f /dev/null "$@"; }

open_terminal() {
    terminal new-session -d -s "$1" -x 150 -y 50 "bash --norc"
    terminal pipe-pane -t "$1" "cat >>'$PIS/typescript'"
}

# answer TERMINAL QUESTION TEXT [QUESTION TEXT]...: waits until the last line asks, and types.
answer() {
    local at=$1
    shift
    while (($# > 0)); do
        check "$at asks: $1" asks "$at" "$1"
        enter "$at" "$2"
        shift 2
    done
}

enter() {
    terminal send-keys -t "$1" -l "$2"
    terminal send-keys -t "$1" Enter
}

# A question ends with a colon, and that of the shell with a hash. What is told meanwhile may stand below.
asks() { shown "$1" | grep '[:#] *$' | tail -n 1 | grep -F -- "$2" >/dev/null; }
shows() { shown "$1" | grep -F -- "$2" >/dev/null; }
shown() { terminal capture-pane -p -t "$1"; }

# last TERMINAL WORD: what stands behind the word, where it stands last.
last() { shown "$1" | sed -n "s/^ *$2  *//p" | tail -n 1; }

# once WHAT COMMAND...: the command succeeds.
once() { PATIENCE=-1 check "$@"; }

# check WHAT COMMAND...: the command comes to succeed.
check() {
    local what=$1 end=$((SECONDS + ${PATIENCE-120})) terminal
    shift
    until "$@"; do
        if ((SECONDS > end)); then
            echo "FAILED  $what"
            tail -n 5 "$PIS/said" "$PIS"/*/run/reunite/journal || true
            for terminal in $(terminal list-sessions -F '#S' 2>/dev/null); do shown "$terminal" | grep . || true; done
            exit 1
        fi
        /bin/sleep 0.05
    done
    echo "ok      $what"
}

## What there is on a Pi

readonly DATA=/var/lib/reunite

# The node of a Pi is asked for its own words, as the README says.
members() { [[ $(on "$1" reunite members --json 2>/dev/null | grep -c '"has_consented": true') == "$2" ]]; }
renamed() { on "$1" reunite members --json 2>/dev/null | grep -F "\"organisation\": \"$2\"" >/dev/null; }
# speaks PI COUNT: so many proposals wait for more voices.
speaks() { [[ $(on "$1" reunite members --json | grep -c '"what": ') == "$2" ]]; }
runs() { on "$1" reunite status --json 2>/dev/null | grep '"running": true' >/dev/null; }
holds() { grep -qsF -- "$2" "$PIS/$1"/lib/reunite/DATABASE*.txt; }
is_gone() { [[ ! -e $PIS/$1/lib/reunite/identity.json && ! -e $PIS/$1/lib/reunite/peers.json ]]; }

# All that a node has is its user's alone, and nobody else may read it.
is_private() {
    [[ -z $(on "$1" find "$DATA" '\(' -not -user reunite -o -not -name 'card-*' -perm /077 '\)') ]]
}

prints() { sha256sum "$PIS/$1"/lib/reunite/{identity,peers,network}.json; }
is_unchanged() { [[ $(prints "$1") == "$2" ]]; }

# fingerprint TERMINAL: the 24 digits that it shows last.
fingerprint() { shown "$1" | grep -oE '([0-9]{4} ){5}[0-9]{4}' | tail -n 1; }
same_fingerprint() { [[ -n $(fingerprint one) && $(fingerprint one) == "$(fingerprint two)" ]]; }

door_sought() { asks two "The address that the member reads" || asks two "Where the other nodes reach it"; }

not() { ! "$@"; }
quietly() { "$@" >>"$PIS/said" 2>&1; }

# leave_copies PI: of its peers file, as a deployment does that is broken off.
leave_copies() { on "$1" "cd /etc/reunite && cp peers.json peers.json.new && ln peers.json peers.json.old"; }
# peers_are PI FILE...: these and no others are kept beside its data.
peers_are() { [[ $(ls "$PIS/$1/etc/reunite") == "${*:2}" ]]; }

make_card() {
    on pi-4 reunite setup --number 7 --organisation "'Camp 2 clinic'" --address "10.35.70.7:$((port + 6))" \
        >>"$PIS/said" 2>&1 && on pi-4 cat "$DATA/card-7.json" >"$PIS/card-7.json"
}
take_card() {
    "${emulator[@]}" "$program" peers add --yes --peers "$PIS/by-hand.json" "$PIS/card-7.json" >>"$PIS/said" 2>&1
}

# No key, no token and no code of all these Pis was shown, logged, or is in the arguments of what runs.
no_secret_shown() {
    local secrets
    secrets=$(grep -sohE '"(secret|network_key|reader_key|token)": *"[^"]*"' "$PIS"/*/lib/reunite/*.json "$PIS"/*.json |
        sed 's/.*: *"//; s/"$//')
    [[ -n $secrets ]] &&
        ! grep -qsF -- "$secrets" "$PIS"/{said,typescript} "$PIS"/*/run/reunite/journal "$PIS"/*/etc/systemd/system/* &&
        ! grep -qsF -- "$code" "$PIS/said" "$PIS"/*/run/reunite/journal
}

## The play

mkdir -m 1777 "$PIS/mnt"
make_programs
: >"$PIS/said"
first="127.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1)).$((RANDOM % 250 + 2))"
readonly first port=$((20000 + RANDOM % 12000))

echo "flash, copy:"
for pi in pi-1 pi-2 pi-3 pi-4; do
    new_pi "$pi"
    once "the program is on $pi" deployed "set the node up: ssh -t pi@$pi reunite setup" "pi@$pi"
done
open_terminal one
open_terminal two
answer one '#' "ssh -t pi@pi-1 reunite-menu"
check "the menu says that there is no node yet" shows one "There is no node here yet. Set it up: reunite setup"

echo "the first node:"
answer one '#' "ssh -t pi@pi-1 reunite setup" "Which:" 1 "name of the new network" "Camp network" \
    "Whose node" "Camp 9 clinic" "Where the other nodes reach it" "$first:$port"
check "it runs" shows one "It runs now"
check "and says so" runs pi-1
answer one '#' "ssh -t pi@pi-1 reunite-menu" "Number (Enter" 17 "Which (Enter" 1
check "its menu shows a code" shows one "    code     "
code=$(last one code)
readonly code

echo "a second one, by the code:"
answer two '#' "ssh -t pi@pi-2 reunite setup" "Which:" 2 "Whose node" "Camp 4 school" \
    "The code that the member reads" "$code"
# On a network of its own it finds the door by itself.
check "it has looked for the door" door_sought
! asks two "The address that the member reads" || answer two "The address" "$(last one address)"
answer two "Where the other nodes reach it" "$first:$((port + 1))"
check "the member is asked" shows one "Type YES to let it in"
check "both show the same fingerprint" same_fingerprint
enter one YES
check "it runs" shows two "It runs now"
check "and says so" runs pi-2
check "both know two members" members pi-1 2
check "both know two members" members pi-2 2
answer two '#' "ssh -t pi@pi-2 reunite-menu"
answer one "Number (Enter" 3 "Name" "Rohima Bibi" "Appearance" "" "Last seen" "Balukhali" "Status" "missing"
check "a person of the first is in the database of the second" holds pi-2 "Rohima Bibi"

echo "a third one, by a file on a stick:"
answer two "Number (Enter" ""
terminal send-keys -t two C-c
about=(--organisation "'Camp 7 clinic'" --address "$first:$((port + 2))")
answer two '#' "ssh -t pi@pi-3 reunite join request /mnt/request ${about[*]@Q}"
check "it has made a request" shows two "Bring the request"
answer one "Number (Enter" 17 "Which (Enter" 2 "The request" /mnt/request
check "both show the same fingerprint" same_fingerprint
answer one "Type YES" YES "Write the answer" /mnt/answer
check "the member has made an answer" test -s "$PIS/mnt/answer"
answer two '#' "clear; ssh -t pi@pi-3 reunite join accept /mnt/answer" "Type YES" YES
check "it runs" shows two "It runs now"
check "the first knows three members" members pi-1 3
check "a person of the first is in the database of the third" holds pi-3 "Rohima Bibi"

echo "members by commands, on a node that is down:"
on pi-3 systemctl stop reunite.service
answer two '#' "clear; ssh -t pi@pi-3 reunite members rename \"'Camp 7 hospital'\""
check "it is renamed" shows two "Saved. All members will see the new name."
answer two '#' "clear; ssh -t pi@pi-3 reunite members shut-out 2 --reason lost" "Type its number again" ""
check "Enter changes nothing" shows two "it was not confirmed, and nothing was changed"
answer two '#' "clear; ssh -t pi@pi-3 reunite members shut-out 2 --reason lost"
check "it asks" asks two "Type its number again"
terminal send-keys -t two C-c
check "Ctrl-C ends it" shows two "it was broken off, and nothing was changed"
# The shell may have asked before that was said.
enter two ""
once "nobody is spoken against" speaks pi-3 0
answer two '#' "clear; ssh -t pi@pi-3 reunite join answer /mnt/request /mnt/again"
answer two "Type YES" ""
check "it runs again" runs pi-3
check "the first sees its new name" renamed pi-1 "Camp 7 hospital"

echo "later:"
for pi in pi-1 pi-2 pi-3; do once "what $pi has is its node's alone" is_private "$pi"; done
before=$(prints pi-2)
once "a new program is put there" deployed "the node is up" pi@pi-2
check "it runs" runs pi-2
once "its identity, network and peers file are untouched" is_unchanged pi-2 "$before"
answer one "Number (Enter" 3 "Name" "Abu Siddik" "Appearance" "" "Last seen" "boat" "Status" "missing"
check "it gets what is new" holds pi-2 "Abu Siddik"
once "no key, token or code was shown or logged" no_secret_shown
on pi-2 reunite wipe --yes >>"$PIS/said" 2>&1 || true
once "a node that is wiped is gone" is_gone pi-2
on pi-2 systemctl start reunite.service
once "and does not start" not on pi-2 systemctl is-active reunite.service

echo "a network whose peers file is kept by hand:"
once "the node makes its card" make_card
once "and is taken into a peers file" take_card
once "it is deployed" deployed "the node is up" --number 7 --peers "$PIS/by-hand.json" pi@pi-4
check "it runs as number 7" test -e "$PIS/pi-4/lib/reunite/DATABASE7.txt"
once "a new program is put there without naming them" deployed "the node is up" pi@pi-4
check "and it runs with the same" runs pi-4
on pi-4 systemctl stop reunite.service
once "its members are put into the ledger" quietly on pi-4 reunite network begin
once "and it is given another address" quietly on pi-4 reunite members move "10.35.70.8:$((port + 6))"
once "in its peers file" on pi-4 grep -q 10.35.70.8 /etc/reunite/peers.json
once "a deployment is broken off" leave_copies pi-4
once "the next one" deployed "the node is up" pi@pi-4
once "leaves no copy of the peers file" peers_are pi-4 peers.json
once "what it has is its node's alone" is_private pi-4
once "no key, token or code was shown or logged" no_secret_shown
once "a deployment is broken off" leave_copies pi-4
on pi-4 reunite wipe --yes >>"$PIS/said" 2>&1 || true
once "a node that is wiped is gone" is_gone pi-4
once "and its peers file with all copies" peers_are pi-4
