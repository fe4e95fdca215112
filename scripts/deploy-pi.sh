#!/usr/bin/env bash
# Puts the program on a Raspberry Pi, or brings it up to date there: sends it and a hardened systemd unit over ssh.
# The data on the Pi is never written to, and what ran before comes back if the new program does not stay up.

set -euo pipefail

usage() {
    cat <<'END'
Usage: deploy-pi.sh [OPTIONS] user@host
       deploy-pi.sh [OPTIONS] --number N --peers FILE user@host

Puts the program on a Pi, or brings it up to date. A Pi that is new is then set up, once:

  ssh -t user@host reunite setup    begins a network, or joins one; from then on the node runs, at every start
  ssh -t user@host reunite-menu     its menu

The second form is for a network whose peers file is kept by hand. Its node makes its card on the Pi:

  1. deploy-pi.sh user@host
     ssh -t user@host reunite setup --number N --organisation "'NAME'" --address IP:PORT
     ssh user@host sudo cat /var/lib/reunite/card-N.json >card-N.json
  2. reunite peers add --peers network.json card-*.json, once, where the peers file is kept
  3. deploy-pi.sh --number N --peers network.json user@host; later again when the peers file has changed

For a network in the classic dialect step 3 is all.

  --number N     the node's number in the peers file, 1 to 999
  --peers FILE   the network's peers file; it holds secrets and is never shown
  --data DIR     the node's data folder on the Pi (default: where it is, or /var/lib/reunite)
  --binary FILE  the program (default: what build-armv7.sh builds)
  --dry-run      show every command and file that would be sent, and touch nothing
  --help         show this

`user` logs in by ssh and is root or may use sudo. To let others open the menu without more rights, on the Pi:
sudo usermod -aG reunite NAME

Exit status: 0 done, 1 failed (the line says what to do), 2 wrong arguments.
END
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here

# fail WHAT TO_DO: one line each.
fail() {
    printf 'deploy-pi: %s\n           %s\n' "$1" "$2" >&2
    exit 1
}

wrong() {
    printf 'deploy-pi: %s\n           see deploy-pi.sh --help\n' "$1" >&2
    exit 2
}

## Arguments

dry_run=no number='' peers='' host='' data=''
binary=${here%/*}/target/armv7-unknown-linux-gnueabihf/release/reunite
while (($#)); do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --dry-run) dry_run=yes ;;
        --number | --peers | --data | --binary)
            (($# > 1)) || wrong "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift
            ;;
        -*) wrong "unknown option: $1" ;;
        *)
            [[ -z $host ]] || wrong "one Pi at a time: $host or $1?"
            host=$1
            ;;
    esac
    shift
done
[[ $data == / ]] || data=${data%/}
readonly dry_run number peers host data binary

check_arguments() {
    [[ -n $host ]] || wrong "which Pi? give user@host"
    [[ $host =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.:%_-]*$ ]] || wrong "not user@host: $host"
    [[ -z $number || $number =~ ^[1-9][0-9]{0,2}$ ]] || wrong "--number is 1 to 999, not $number"
    [[ -n $peers || -z $number ]] || wrong "--number goes with --peers; a node that joins is given one"
    [[ -z $peers || -n $number ]] || wrong "which node of the peers file? give --number"
    [[ -z $data ]] || check_data
}

check_data() {
    # It is written into the unit, and handed to a node that sees neither /home nor /tmp.
    [[ $data =~ ^(/[A-Za-z0-9_-][A-Za-z0-9._-]*){2,}$ ]] ||
        wrong "--data is an absolute folder of plain letters, digits, . _ -, such as /mnt/usb/reunite"
    case $data/ in
        /home/* | /root/* | /tmp/* | /var/tmp/* | /run/* | /dev/* | /proc/* | /sys/*)
            wrong "--data cannot be $data: the node does not see it, or it would not last"
            ;;
        /bin/* | /boot/* | /etc/* | /lib/* | /sbin/* | /usr/*) wrong "--data cannot be $data: it is the system's own" ;;
    esac
    [[ ! $data =~ ^/var/[^/]+$ ]] || wrong "--data cannot be $data: it is the system's own"
}

check_binary() {
    [[ -f $binary && -r $binary ]] || fail "there is no program at $binary" "build it: $here/build-armv7.sh"
    # Bytes 0-3 of an ELF file are its mark, byte 18 its processor: 28 ARM, b7 64-bit ARM.
    case $(od -An -v -tx1 -N 20 "$binary" | tr -d ' \n') in
        7f454c46*28?? | 7f454c46*b7??) ;;
        *) fail "$binary is not a program for a Raspberry Pi" "build it: $here/build-armv7.sh" ;;
    esac
}

# Prints what is wrong with the peers file, and nothing that stands in it.
peers_problem() {
    if ! command -v python3 >/dev/null; then
        grep -Eq "\"number\"[[:space:]]*:[[:space:]]*$number([^0-9]|\$)" "$peers" || echo "it has no peer $number"
        return
    fi
    python3 - "$peers" "$number" <<'END'
import json, sys
try:
    network = json.load(open(sys.argv[1], encoding="utf-8"))
    peers = {peer["number"]: peer["address"] for peer in network["peers"]}
    keyless = [peer["number"] for peer in network["peers"] if not {"identity_key", "knock_key"} <= peer.keys()]
    lonely = [number for number, address in peers.items() if address.startswith(("127.", "localhost", "[::1]"))]
except (ValueError, KeyError, TypeError, AttributeError):
    sys.exit(print("it is not JSON with peers, and a number and an address for each"))
if int(sys.argv[2]) not in peers:
    print(f"it has no peer {sys.argv[2]}")
elif lonely:
    print(f"peer {lonely[0]} has this machine's own address, which no other Pi can reach")
elif network.get("dialect") != "classic" and keyless:
    print(f"peer {keyless[0]} has no keys; they come with its card, by reunite peers add")
elif network.get("dialect") != "classic" and "network_key" not in network:
    print("it is a readers' file, which lacks the network key")
END
}

check_peers() {
    [[ -f $peers && -r $peers ]] || fail "there is no peers file at $peers" "name the network's own, with --peers"
    local problem
    problem=$(peers_problem)
    [[ -z $problem ]] || fail "$peers: $problem" "correct the file, or name another with --peers"
    [[ -z $(find -L "$peers" -perm /077) ]] ||
        echo "note: others on this machine can read $peers, which holds secrets; to end that: chmod 600 $peers"
}

# Whether the network is a sealed one, as it is unless its file says otherwise.
is_sealed() { ! grep -Eq '"dialect"[[:space:]]*:[[:space:]]*"classic"' "$peers"; }

## What is sent

tmux_conf() {
    cat <<'END'
# The terminal of the node's menu. It has no prefix key and no command keys: who opens the menu gets the menu,
# not a shell that could read the peers file.
set -g default-shell /bin/sh
set -g prefix None
set -g prefix2 None
unbind-key -a -T prefix
unbind-key -a -T root
unbind-key -a -T copy-mode
unbind-key -a -T copy-mode-vi
set -g mode-keys emacs
set -g mouse off
set -g update-environment ""
set -s set-clipboard off

# Keys that would end or freeze the node leave its menu or do nothing instead, also in pasted text.
set -g assume-paste-time 0
bind-key -n C-c detach-client
bind-key -n C-d detach-client
bind-key -n C-z detach-client
bind-key -n 'C-\' detach-client
bind-key -n C-s refresh-client
bind-key -n C-q refresh-client

# Page Up looks back; whatever is new, such as an alarm, ends that.
set -g history-limit 5000
set -g activity-action any
set -g visual-activity on
bind-key -n PPage copy-mode -eu \; set-option -w monitor-activity on
bind-key -T copy-mode PPage send-keys -X page-up
bind-key -T copy-mode NPage send-keys -X page-down
bind-key -T copy-mode Enter send-keys -X cancel
bind-key -T copy-mode Escape send-keys -X cancel
bind-key -T copy-mode q send-keys -X cancel
set-hook -g alert-activity 'set-option -w monitor-activity off ; if-shell -F "#{pane_in_mode}" "send-keys -X cancel"'

# No clock: a Pi without a network has none to show.
set -g status-interval 0
set -g status-left " reunite "
set -g status-right " Page Up looks back, Ctrl-C leaves "
set -g window-status-format ""
set -g window-status-current-format ""

# Without the node there is nothing to keep: tmux leaves, and systemd starts both again.
set -s exit-empty on

# Standard error is the journal (`journalctl -u reunite`), or logging would run through the menu.
new-session -d -s reunite -x 80 -y 24 -- systemd-cat -t reunite /bin/sh -c \
    'exec /usr/local/lib/reunite/reunite tier1 ${REUNITE_NUMBER:+--peers /etc/reunite/peers.json --number "$REUNITE_NUMBER"} --data "$REUNITE_DATA" >&0'
END
}

menu() {
    cat <<'END'
#!/bin/sh
# Opens the menu of this Pi's node. Ctrl-C leaves it; the node goes on.
set -eu
if [ ! -t 0 ]; then
    echo "The menu needs a terminal. From another machine: ssh -t user@host reunite-menu" >&2
    exit 1
fi
if ! systemctl is-active --quiet reunite; then
    if [ "$(systemctl show -p ConditionResult --value reunite)" = no ]; then
        echo "There is no node here yet. Set it up: reunite setup" >&2
    else
        echo "The node is not running. Start it: sudo systemctl start reunite" >&2
        echo "What it said last: sudo journalctl -t reunite -n 20" >&2
    fi
    exit 1
fi
# A terminal newer than this Pi: what all of them understand.
infocmp "${TERM:-dumb}" >/dev/null 2>&1 || export TERM=xterm-256color
become="sudo -u reunite"
[ "$(id -u)" != 0 ] || become="runuser -u reunite --"
exec $become /usr/bin/tmux -N -u -S /run/reunite/tmux attach-session -t reunite
END
}

# The one command that members of the group `reunite` may run as the node: attach, with nothing to choose.
sudoers() {
    echo '%reunite ALL=(reunite) NOPASSWD: /usr/bin/tmux -N -u -S /run/reunite/tmux attach-session -t reunite'
}

# The program as a person runs it on the Pi, by `reunite`.
command_line() {
    cat <<'END'
#!/bin/sh
# Runs the program for this Pi's node: as the node's own user, who has what it writes, and on the node's folder if no
# other is named. A node that was set up is started.
set -eu
[ "$(id -u)" = 0 ] || exec sudo /usr/local/bin/reunite "$@"
data=@DATA@ number=@NUMBER@ what=${1-}
# What is done on a node that is down names it by options; a member is named by a number, which may be a folder's name.
case "$what ${2-}" in
    'members shut-out' | 'members agree' | 'members rename' | 'members move') what=change ;;
    'join answer' | 'network begin') what=change ;;
esac
PATH=/usr/local/lib/reunite:$PATH
export REUNITE_SERVICE=reunite.service

named=no
for argument; do
    case $what,$argument in
        *,--data | *,--data=*) named=yes ;;
        status,* | members,* | verify,* | ledger,* | history,*) [ ! -d "$argument" ] || named=yes ;;
    esac
done
case $named,$what in
    yes,*) ;;
    no,setup) set -- "$@" --data "$data" ;;
    no,change)
        [ -z "$number" ] || set -- "$@" --peers /etc/reunite/peers.json --number "$number"
        set -- "$@" --data "$data"
        ;;
    no,join | no,network) [ $# -lt 2 ] || set -- "$@" --data "$data" ;;
    no,wipe)
        # A deployment that was broken off leaves copies.
        for file in /etc/reunite/peers.json /etc/reunite/peers.json.new /etc/reunite/peers.json.old; do
            [ ! -e "$file" ] || set -- "$@" --peers "$file"
        done
        set -- "$@" --data "$data"
        ;;
    no,status | no,members | no,verify | no,ledger | no,history)
        shift
        set -- "$what" "$data" "$@"
        ;;
esac

case ${1-} in
    # Only root sees whether the node runs, and can kill it.
    status | wipe) exec reunite "$@" ;;
    setup | join)
        # A wipe took it away.
        [ -e "$data" ] || install -d -m 0700 -o reunite -g reunite "$data"
        runuser -u reunite -- reunite "$@"
        ;;
    *) exec runuser -u reunite -- reunite "$@" ;;
esac
# A request or a card makes no node yet.
if [ -e "$data/identity.json" ] && [ -e "$data/peers.json" ]; then
    systemctl start reunite.service
    echo "It runs now, and whenever this Pi does. Its menu: reunite-menu"
fi
END
}

# What is done on the Pi as root, in the folder that holds what was sent.
installer() {
    local sealed=''
    [[ -z $peers ]] || if is_sealed; then sealed=yes; else sealed=no; fi
    printf '#!/bin/sh\nhost=%s number=%s data=%s sealed=%s\n' "$host" "$number" "$data" "$sealed"
    cat <<'END'
set -eu
umask 077
stage=$(cd "$(dirname "$0")" && pwd)
# What may hold the network's keys: also what a deployment left that was broken off.
forget() { rm -f /etc/reunite/peers.json.new /etc/reunite/peers.json.old; }
trap 'rm -rf "$stage"; forget' EXIT
forget
unit=/etc/systemd/system/reunite.service

fail() {
    printf 'on the Pi: %s\n           %s\n' "$1" "$2" >&2
    exit 1
}

# A node that is here already stays where and who it is.
was() { sed -n "s/^Environment=.*REUNITE_$1=\([^ ]*\).*/\1/p" "$unit" 2>/dev/null || true; }
[ -n "$data" ] || data=$(was DATA)
[ -n "$data" ] || data=/var/lib/reunite
[ -n "$number" ] || number=$(was NUMBER)
# Without a number it is one that joins: what it was given lies in its folder.
if [ -n "$number" ]; then peers=/etc/reunite/peers.json; else peers=$data/peers.json; fi
is_set_up() { [ -e "$peers" ] && { [ -n "$number" ] || [ -e "$data/identity.json" ]; }; }

make_user() {
    id reunite >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir /var/lib/reunite --no-create-home --shell /usr/sbin/nologin reunite
}

# The data folder is made, or taken as it is.
make_data() {
    if [ ! -e "$data" ]; then
        install -d -m 0700 -o reunite -g reunite "$data" ||
            fail "$data cannot be made the node's own" "give a folder on a disk with Linux permissions, such as ext4"
    elif [ "$(stat -c %U "$data")" != reunite ]; then
        [ -z "$(ls -A "$data")" ] ||
            fail "$data belongs to $(stat -c %U "$data") and holds files" \
                "choose another folder, or if these are the node's own: sudo chown -R reunite: $data"
        chown reunite:reunite "$data"
        chmod 0700 "$data"
    fi
}

# Before anything is changed: whether it can work here.

# What the card in the data folder says about a key; the peers file must say the same.
key_of_card() {
    grep -oE "\"$1\"[[:space:]]*:[[:space:]]*\"[0-9A-Fa-f]{64}\"" "$data/card-$number.json" |
        grep -oE '[0-9A-Fa-f]{64}'
}
[ -z "$sealed" ] || [ ! -e "$data/peers.json" ] ||
    fail "the node in $data has joined a network: it needs no peers file" "deploy without --number and --peers"
if [ "$sealed" = yes ]; then
    [ -e "$data/identity.json" ] && [ -e "$data/card-$number.json" ] ||
        fail "node $number has no identity in $data" "make one: ssh -t $host reunite setup --number $number --organisation … --address …"
    for name in identity_key knock_key; do
        key=$(key_of_card "$name") && grep -qiF -- "$key" "$stage/peers.json" ||
            fail "the peers file has another $name for node $number than this Pi" \
                "take this Pi's card into it (reunite peers add), or deploy to the Pi whose card it has"
    done
fi
command -v tmux >/dev/null || apt-get install -y -qq tmux >/dev/null 2>&1 ||
    fail "tmux is missing and cannot be fetched" "connect the Pi to the internet once, or: sudo apt install ./tmux.deb"
[ "$(printf '%s\n' 3.2 "$(tmux -V | cut -d ' ' -f 2)" | sort -V | head -n 1)" = 3.2 ] ||
    fail "tmux is older than 3.2" "bring the Pi's system up to date: sudo apt full-upgrade"
make_user
make_data
before=$(sed -n 's/^ReadWritePaths=//p' "$unit" 2>/dev/null || true)
[ -z "$before" ] || [ "$before" = "$data" ] ||
    echo "note: this node's data was in $before and stays there; it goes on with $data"
for database in "$data"/DATABASE*.txt; do
    [ -z "$number" ] || [ ! -e "$database" ] || [ -e "$data/DATABASE$number.txt" ] ||
        echo "note: $data holds $(basename "$database"); node $number goes on with its own DATABASE$number.txt"
done

# Everything is laid beside what it replaces, on the same file system, and only then renamed: a power cut
# leaves each file old or new. Root owns what the node runs, so that the node cannot change it.
placed=
place() { # SOURCE TARGET MODE OWNER GROUP
    install -m "$3" -o "$4" -g "$5" "$stage/$1" "$2.new"
    placed="$placed $2"
}
sed -i -e "s|@NUMBER@|$number|g" -e "s|@DATA@|$data|g" -e "s|@PEERS@|$peers|g" \
    "$stage/reunite.service" "$stage/reunite-command"
install -d -m 0755 /usr/local/lib/reunite /usr/local/bin
place reunite /usr/local/lib/reunite/reunite 0750 root reunite
place tmux.conf /usr/local/lib/reunite/tmux.conf 0640 root reunite
if [ -n "$sealed" ]; then
    install -d -m 0700 -o reunite -g reunite /etc/reunite
    place peers.json /etc/reunite/peers.json 0600 reunite reunite
fi
place reunite-command /usr/local/bin/reunite 0755 root root
place reunite-menu /usr/local/bin/reunite-menu 0755 root root
place reunite.service "$unit" 0644 root root
if [ -d /etc/sudoers.d ] && visudo -cqf "$stage/sudoers"; then
    place sudoers /etc/sudoers.d/reunite-menu 0440 root root
fi
sync

# From here on neither a broken link nor Ctrl-C stops it half-way.
trap '' HUP INT PIPE TERM
first=yes
if [ -e "$unit" ]; then
    first=no
    systemctl stop reunite.service
fi
since=$(date '+%F %T')
for file in $placed; do
    rm -f "$file.old"
    [ ! -e "$file" ] || ln "$file" "$file.old"
    mv -f "$file.new" "$file"
done
sync

start() {
    systemctl daemon-reload
    systemctl enable --quiet reunite.service
    systemctl start reunite.service
}

# Up for six seconds without a restart: a node that cannot work ends within one.
stays_up() {
    seconds=0
    while [ $((seconds += 1)) -le 6 ]; do
        sleep 1
        systemctl is-active --quiet reunite.service || return 1
        [ "$(systemctl show -p NRestarts --value reunite.service)" = 0 ] || return 1
    done
}

keep() { for file in $placed; do rm -f "$file.old"; done; }

if ! is_set_up; then
    systemctl daemon-reload
    systemctl enable --quiet reunite.service
    keep
    echo "the program is there; set the node up: ssh -t $host reunite setup"
    exit 0
fi
if start && stays_up; then
    keep
    echo "the node is up; its menu: ssh -t $host reunite-menu"
    exit 0
fi
journalctl -u reunite.service -t reunite --since "$since" -n 10 --no-pager -o cat >&2 || true
if [ "$first" = yes ]; then
    systemctl disable --quiet --now reunite.service || true
    fail "the node does not stay up; it is switched off" "the lines above say why: put it right and deploy again"
fi
systemctl stop reunite.service || true
for file in $placed; do
    [ ! -e "$file.old" ] || mv -f "$file.old" "$file"
done
sync
start || true
fail "the new node does not stay up; the one before is back" "the lines above say why: put it right and deploy again"
END
}

## Sending

control=''
ssh_options=(-o ConnectTimeout=15 -o ServerAliveInterval=15)
stage=''

# Runs on every way out: the folder on the Pi holds secrets.
clean_up() {
    if [[ -n $stage ]]; then on_pi "rm -rf '$stage'" </dev/null >/dev/null 2>&1 || true; fi
    if [[ -n $control ]]; then
        ssh "${ssh_options[@]}" -O exit "$host" >/dev/null 2>&1 || true
        rm -rf "$control"
    fi
}

# shellcheck disable=SC2029 # what is filled in here is meant to be
on_pi() { ssh "${ssh_options[@]}" "$host" "$1"; }

# One connection for all commands, so that a password is asked for once.
connect() {
    control=$(mktemp -d /tmp/reunite-ssh.XXXXXX)
    ssh_options+=(-o ControlMaster=auto -o "ControlPath=$control/%C" -o ControlPersist=60)
}

# shellcheck disable=SC2016 # for the Pi's shell to fill in
# Clears what a broken-off deployment left, and prints the folder for this one.
readonly prepare='set -eu; umask 077
command -v systemctl >/dev/null || { echo "no systemd" >&2; exit 1; }
rm -rf "$HOME"/.reunite-deploy.*
mktemp -d "$HOME/.reunite-deploy.XXXXXX"'

# send NAME: standard input becomes the file NAME of the folder on the Pi.
send() { on_pi "umask 077; cat >'$stage/$1'" || fail "$1 did not reach $host" "check the link and deploy again"; }

# Makes the folder on the Pi and sends the program, and whether it runs there.
begin() {
    trap clean_up EXIT
    trap 'exit 1' INT TERM HUP
    connect
    stage=$(on_pi "$prepare" </dev/null) ||
        fail "$host cannot be prepared" "try it by hand: ssh $host systemctl --version"
    [[ $stage =~ ^/[A-Za-z0-9._/-]+/\.reunite-deploy\.[A-Za-z0-9]{6}$ ]] || {
        stage=''
        fail "$host prints something at login" "silence its .profile or .bashrc for logins without a terminal"
    }
    send reunite <"$binary"
    on_pi "chmod 700 '$stage/reunite' && '$stage/reunite' --help >/dev/null" </dev/null ||
        fail "the program does not run on $host" "it needs 32-bit Raspberry Pi OS 12 or newer on a Pi 2 or newer"
}

# as_root SCRIPT: runs what was sent on the Pi as root; what fails, the Pi says.
as_root() {
    # sudo may want a password, for which it needs the terminal.
    local terminal=() status=0
    [[ ! -t 0 ]] || terminal=(-t)
    # shellcheck disable=SC2029 # what is filled in here is meant to be
    ssh "${terminal[@]}" "${ssh_options[@]}" "$host" "$(run_as_root "$stage/$1")" || status=$?
    ((status != 255)) || fail "the link to $host broke" "it finishes by itself; to be sure, do this again"
    ((status == 0)) || exit 1
}

deploy() {
    begin
    [[ -z $peers ]] || send peers.json <"$peers"
    send reunite.service <"$here/reunite.service"
    tmux_conf | send tmux.conf
    command_line | send reunite-command
    menu | send reunite-menu
    sudoers | send sudoers
    installer | send install.sh
    as_root install.sh
}

run_as_root() { echo "if [ \$(id -u) = 0 ]; then sh $1; else sudo sh $1; fi"; }

## Showing

# show NAME: prints what would be sent, indented.
show() {
    echo "\$ ssh $host \"cat >STAGE/$1\" <<the following"
    sed 's/^/  | /'
}

dry_run() {
    echo "\$ ssh $host '$prepare'"
    echo "  (prints the folder on the Pi, STAGE below)"
    echo "\$ ssh $host \"cat >STAGE/reunite\" <$binary ($(stat -c %s "$binary") bytes)"
    echo "\$ ssh $host \"chmod 700 STAGE/reunite && STAGE/reunite --help\""
    [[ -z $peers ]] || echo "\$ ssh $host \"cat >STAGE/peers.json\" <$peers (not shown: it holds secrets)"
    show reunite.service <"$here/reunite.service"
    tmux_conf | show tmux.conf
    command_line | show reunite-command
    menu | show reunite-menu
    sudoers | show sudoers
    installer | show install.sh
    echo "\$ ssh -t $host '$(run_as_root STAGE/install.sh)'"
    echo "\$ ssh $host \"rm -rf STAGE\""
}

check_arguments
check_binary
[[ -z $peers ]] || check_peers
if [[ $dry_run == yes ]]; then dry_run; else deploy; fi
