#!/usr/bin/env bash
# Shows `reunite` on one machine: three nodes of aid groups and one reader, live, on copies of the sample data.
# In a terminal with tmux each gets a pane, to be tried by hand; otherwise a tour plays every feature.

set -euo pipefail
shopt -s extglob

usage() {
    cat <<'END'
Usage: local-demo.sh [--tour] [--classic] [--keep] [--binary FILE]

Builds the program, sets up a sealed network of nodes 1, 2 and 3 and a reader, and starts them, each with its
own copy of the sample data. In a terminal with tmux you get four panes with their menus. Without, or with
--tour, every feature is played and checked, in under a minute.

  --tour         play the tour, also where there are a terminal and tmux
  --classic      the classic dialect, in clear, with the first three peers of peers/local.json
  --keep         leave the folder with the databases behind, and say where it is
  --binary FILE  use this program; build nothing
  --help         show this

Exit status: 0 done, 1 something failed, 2 wrong arguments, 3 something is missing here.
END
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# Text is cut by letters, not by bytes, also where the machine has no language set.
export LC_ALL=C.UTF-8

tour=no dialect=sealed keep=no binary=''
while (($# > 0)); do
    case $1 in
        --tour) tour=yes ;;
        --classic) dialect=classic ;;
        --keep) keep=yes ;;
        --binary)
            [[ -n ${2-} ]] || { echo "local-demo: --binary needs a file" >&2; exit 2; }
            binary=$2
            shift
            ;;
        --help | -h) usage; exit 0 ;;
        *) echo "local-demo: unknown argument: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
readonly tour dialect keep

# missing WHAT HOW
missing() {
    echo "local-demo: missing: $1" >&2
    echo "local-demo: to get it: $2" >&2
    exit 3
}

## The program

build() {
    PATH=$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin
    command -v cargo >/dev/null ||
        missing "cargo, which builds the program" "install Rust 1.85 or newer with rustup, or: apt install cargo"
    echo "building the program (the first time takes a minute or two) …"
    cd "$root"
    cargo build --release --locked --quiet || exit 1
    binary=$root/target/release/reunite
    [[ -z ${CARGO_TARGET_DIR-} ]] || binary=$(realpath "$CARGO_TARGET_DIR")/release/reunite
}

if [[ -z $binary ]]; then
    build
else
    [[ -x $binary && ! -d $binary ]] || missing "a program at $binary" "build one with: cargo build --release"
    binary=$(realpath "$binary")
fi
readonly binary

## Nodes 1, 2 and 3, and 4, the reader; in the tour also 5, which joins them as node 4

readonly READER=4 NEWCOMER=5
readonly names=("" "node 1" "node 2" "node 3" "reader" "node 4")
# By node: its process; in the tour also where its menu and its screen are open.
nodes=() menus=() screens=() ports=()

umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/reunite-demo.XXXXXX")
readonly work
# As `reunite setup` lays it out: peers.json, peers-tier2.json, node1 to node3, reader1.
readonly network=$work/network

end_nodes() {
    local node
    for node in "$work"/process*; do
        [[ ! -e $node ]] || nodes+=("$(<"$node")")
    done
    for node in "${nodes[@]}"; do kill "$node" 2>/dev/null || true; done
    for node in "${nodes[@]}"; do
        within 3 gone "$node" || kill -KILL "$node" 2>/dev/null || true
    done
    nodes=()
}

# Runs on every way out: no process and, unless it is to be kept, no file stays behind.
clean_up() {
    trap '' INT TERM HUP
    end_nodes
    # After the nodes, which need their terminals to say goodbye; but some may just have been starting.
    if [[ -S $work/tmux ]]; then
        tmux -S "$work/tmux" kill-server 2>/dev/null || true
        end_nodes
    fi
    rm -f "$work"/menu* "$work"/process* "$work"/{tmux,tmux.conf,pane,nap}
    if [[ $keep == yes ]]; then
        echo "left in $work"
    else
        within 3 rm -rf "$work" 2>/dev/null
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 1' TERM HUP

# A moment, without starting a process for it: nobody ever writes there.
mkfifo "$work/nap"
exec {nap}<>"$work/nap"
moment() { read -r -t 0.02 -u "$nap" || true; }

# within SECONDS COMMAND...: repeats COMMAND until it succeeds; fails once the time is up.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= end)) || return 1
        moment
    done
}

# gone PROCESS: whether it has ended. One that we have not waited for is still listed, as a zombie.
gone() {
    local state=''
    read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" || true
    [[ -z $state || $state == Z ]]
}

# bound PORT: whether a UDP socket of this machine has it.
bound() {
    local end
    end=$(printf ':%04X' "$1")
    awk -v end="$end" 'substr($2, length($2) - 4) == end {found = 1} END {exit !found}' /proc/net/udp*
}

# use_ports FIRST: takes this port and the two after it; fails if one of them is taken.
use_ports() {
    ports=("$1" "$(($1 + 1))" "$(($1 + 2))")
    ! bound "${ports[0]}" && ! bound "${ports[1]}" && ! bound "${ports[2]}"
}

# peers_with_ports FILE: the first three peers of the file alone, on our ports. The five that do not run here
# would only be reported as away, after every change.
peers_with_ports() {
    awk -v ports="${ports[*]}" '
        BEGIN { last = split(ports, port, " ") }
        /^    [{]/ { at++ }
        /^  []]/ { at = 0 }
        at > last { next }
        at == last && /^    [}]/ { sub(/,/, "") }
        /"address"/ { sub(/:[0-9]+"/, ":" port[at] "\"") }
        { print }' "$1"
}

# The classic network, laid out as `reunite setup` lays out a sealed one.
lay_out_classic() {
    local first=33001
    until use_ports "$first"; do
        # Below the ports that the system and the nodes' own doors take.
        first=$((20000 + RANDOM % 9000))
    done
    mkdir -p "$network"/node{1,2,3} "$network/reader1"
    peers_with_ports "$root/peers/local.json" >"$network/peers.json"
    peers_with_ports "$root/peers/local-tier2.json" >"$network/peers-tier2.json"
}

# The sealed network: new keys and tokens each time, on ports that are free.
lay_out_sealed() {
    "$binary" setup --local 3 --tier2 1 --out "$network" >"$work/setup" || {
        cat "$work/setup"
        echo "local-demo: the network cannot be set up" >&2
        exit 1
    }
}

# Sets up the network and puts the sample data in place.
lay_out() {
    local node
    rm -rf "$network"
    "lay_out_$dialect"
    mapfile -t ports < <(peers_field address | sed 's/.*://')
    ((ports[0] == 33001)) ||
        echo "ports 33001 to 33003 are taken, by another demo perhaps; this one uses ${ports[*]}"
    for node in 1 2 3; do cp "$root/data/DATABASE$node.txt" "$network/node$node/"; done
    cp "$root/data/T2DATABASE.txt" "$network/reader1/"
}

# peers_field NAME: this field of all peers, a line each.
peers_field() {
    grep -oE "\"$1\" *: *\"[^\"]*\"" "$network/peers.json" | sed 's/^[^:]*: *"//; s/"$//'
}

# organisation NODE
organisation() { peers_field organisation | sed -n "$1p"; }

# data_of NODE: its data folder.
data_of() {
    case $1 in
        "$READER") echo "$network/reader1" ;;
        "$NEWCOMER") echo "$network/node4" ;;
        *) echo "$network/node$1" ;;
    esac
}

# Sets `command` to what starts a node.
command_of() {
    local data
    data=$(data_of "$1")
    case $1 in
        "$READER") command=("$binary" tier2 --peers "$network/peers-tier2.json" --data "$data") ;;
        # Its number and peers file came with its joining.
        "$NEWCOMER") command=("$binary" tier1 --data "$data") ;;
        *) command=("$binary" tier1 --peers "$network/peers.json" --number "$1" --data "$data") ;;
    esac
}

lay_out

## The panes

# Runs in each pane: the node, and again if it is wanted. (PROCESS is where to note who it is.)
pane() {
    local process=$1 name=$2
    shift 2
    while :; do
        # Between two lines Ctrl-C is a signal for all in the pane; it is meant for the node.
        trap : INT
        (echo "$BASHPID" >"$process" && exec "$@") || true
        rm -f "$process"
        trap - INT
        read -r -p "
$name has ended. Enter starts it again, Ctrl-C closes this pane. " || exit 0
    done
}

# title NODE: what stands above its pane.
title() {
    if (($1 == READER)); then
        echo "tier 2: a refugee's own device, which can only read"
    else
        echo "node $1: $(organisation "$1")"
    fi
}

tmux_conf() {
    cat <<'END'
set -g default-terminal screen-256color
set -s escape-time 20
set -g history-limit 5000
set -g mouse on
set -g pane-border-status top
set -g pane-border-format " #{pane_title} "
set -g pane-active-border-style fg=green,bold
set -g status-left-length 200
set -g status-left " Click or Alt-arrow: another node │ Ctrl-C: end one node │ Ctrl-Q: end the demo "
set -g status-right ""
set -g window-status-format ""
set -g window-status-current-format ""
bind-key -n M-Left select-pane -L
bind-key -n M-Right select-pane -R
bind-key -n M-Up select-pane -U
bind-key -n M-Down select-pane -D
bind-key -n C-q detach-client
END
}

panes() {
    local rows columns node command
    read -r rows columns < <(stty size)
    ((rows >= 40 && columns >= 150)) ||
        echo "this terminal has $columns columns and $rows rows; four nodes are easier to read with 150 and 40"
    tmux_conf >"$work/tmux.conf"
    { echo '#!/usr/bin/env bash'; declare -f pane; echo 'pane "$@"'; } >"$work/pane"
    local own=(tmux -u -S "$work/tmux" -f "$work/tmux.conf")
    "${own[@]}" new-session -d -x "$columns" -y "$rows" cat
    for _ in 2 3 4; do "${own[@]}" split-window cat; done
    "${own[@]}" select-layout tiled
    # Only now, when the panes have their size, so that no node's first lines are pushed out.
    for node in 1 2 3 "$READER"; do
        command_of "$node"
        "${own[@]}" respawn-pane -k -t "$((node - 1))" -- \
            bash "$work/pane" "$work/process$node" "${names[node]}" "${command[@]}"
        "${own[@]}" select-pane -t "$((node - 1))" -T "$(title "$node")"
    done
    "${own[@]}" select-pane -t 0
    # Inside another tmux it would refuse.
    env -u TMUX "${own[@]}" attach-session || exit 1
}

if [[ $tour == no ]]; then
    if [[ ! -t 0 || ! -t 1 ]]; then
        echo "there is no terminal here for four panes, so this is the tour"
    elif ! command -v tmux >/dev/null; then
        echo "missing: tmux, for four panes to try by hand; so this is the tour"
        echo "to get it: apt install tmux"
    else
        panes
        exit 0
    fi
fi

## The tour: driving a node

# How long anything may take before it counts as failed, in seconds; far more than it takes.
readonly PATIENCE=120
# Lines of one answer that are retold; of the others only how many there are, and not even that where it is asked often.
most_lines=11 hush=no

columns=140 plain='' bold='' green='' red='' colours=("" "" "" "" "" "")
if [[ -t 1 ]]; then
    read -r _ columns < <(stty size </dev/tty 2>/dev/null || echo 0 140)
    ((columns >= 60)) || columns=140
    if [[ -z ${NO_COLOR-} ]]; then
        plain=$'\e[0m' bold=$'\e[1m' green=$'\e[32m' red=$'\e[1;31m'
        colours=("" $'\e[36m' $'\e[33m' $'\e[35m' $'\e[34m' $'\e[95m')
    fi
fi
readonly columns plain bold green red colours

passed=0 failed=0 steps=0
# By node: the beginning of a line that is not whole yet; the question it waits with; what it has shown since
# the last choice; lines of that which were retold, and which were not.
partial=() question=() recent=() told=(0 0 0 0 0 0) untold=(0 0 0 0 0 0)

start() {
    local node=$1 command fd
    if [[ -z ${menus[node]-} ]]; then
        mkfifo "$work/menu$node"
        : >"$work/screen$node"
        # Open in both directions: so a node never sees the end of its input between two lines.
        exec {fd}<>"$work/menu$node"
        menus[node]=$fd
        exec {fd}<"$work/screen$node"
        screens[node]=$fd
    fi
    question[node]=''
    command_of "$node"
    (
        # Inherited, they would let a node outlive us.
        for fd in "${menus[@]}"; do exec {fd}>&-; done
        exec "${command[@]}" <"$work/menu$node" >>"$work/screen$node" 2>>"$work/errors$node"
    ) &
    nodes[node]=$!
}

# retell NODE LINE: shows a line of a node, narrowed and cut to the width of the screen.
retell() {
    local node=$1 line=$2 room=$((columns - 9))
    if ((told[node] >= most_lines)); then
        untold[node]=$((untold[node] + 1))
        return
    fi
    told[node]=$((told[node] + 1))
    ((${#line} <= room)) || line=${line//  +( )/   }
    ((${#line} <= room)) || line=${line:0:room - 1}…
    printf '%s%s |%s %s\n' "${colours[node]}" "${names[node]}" "$plain" "$line"
}

# Ends what was retold: how much of it was not.
retold() {
    local node
    for node in 1 2 3 "$READER" "$NEWCOMER"; do
        ((untold[node] == 0)) || [[ $hush == yes ]] ||
            printf '%s%s |%s … and %d lines more\n' "${colours[node]}" "${names[node]}" "$plain" "${untold[node]}"
        told[node]=0 untold[node]=0
    done
}

# hear NODE: takes in what it has shown. A question is retold only with its answer, as on a terminal.
hear() {
    local node=$1 line
    while
        IFS= read -r -u "${screens[node]}" line || {
            partial[node]=${partial[node]-}$line
            false
        }
    do
        line=${partial[node]-}$line
        partial[node]=''
        recent[node]=${recent[node]-}$line$'\n'
        if [[ $line == *: || $line == '>' ]]; then
            [[ -z ${question[node]} ]] || retell "$node" "${question[node]}"
            question[node]=$line
        else
            retell "$node" "$line"
        fi
    done
}

asks() {
    hear "$1"
    [[ ${question[$1]} == "$2"* ]]
}

asks_or_gone() { gone "${nodes[$1]}" || asks "$1" "Number"; }

shows() {
    hear "$1"
    [[ ${recent[$1]-} == *"$2"* ]]
}

step() {
    local node
    retold
    for node in 1 2 3 "$READER" "$NEWCOMER"; do
        [[ -z ${screens[node]-} ]] || hear "$node"
    done
    retold
    recent=()
    steps=$((steps + 1))
    printf '\n%s%d  %s%s\n' "$bold" "$steps" "$*" "$plain"
}

# answer NODE QUESTION TEXT [QUESTION TEXT]...: waits until the node asks, and types.
answer() {
    local node=$1
    shift
    while (($# > 0)); do
        if ! within "$PATIENCE" asks "$node" "$1"; then
            verdict 1 "${names[node]} asks: $1"
            echo "the tour cannot go on"
            exit 1
        fi
        retold
        retell "$node" "${question[node]} $bold$2$plain"
        question[node]=''
        printf '%s\n' "$2" >&"${menus[node]}"
        shift 2
    done
}

# choose NODE ITEM: takes an item of its menu. What was shown before does not count any more.
choose() {
    within "$PATIENCE" asks "$1" "Number" || true
    recent=()
    answer "$1" "Number" "$2"
}

# verdict STATUS WHAT: the line for one expectation.
verdict() {
    retold
    if (($1 == 0)); then
        passed=$((passed + 1))
        printf '  %sok%s      %s\n' "$green" "$plain" "$2"
    else
        failed=$((failed + 1))
        printf '  %sFAILED%s  %s\n' "$red" "$plain" "$2"
    fi
}

# check WHAT COMMAND...: the command comes to succeed.
check() {
    local what=$1 status=0
    shift
    within "$PATIENCE" "$@" || status=1
    verdict "$status" "$what"
}

# expect NODE TEXT WHAT: the node comes to show the text.
expect() { check "$3" shows "$1" "$2"; }

# says TEXT ARGUMENTS...: the program, called so, ends well and says the text.
says() {
    local text=$1
    shift
    "$binary" "$@" >"$work/setup-said" 2>&1 && grep -F -- "$text" "$work/setup-said" >/dev/null
}

# retell_command ARGUMENTS...: shows what the program, called so, says.
retell_command() {
    local line count=0
    retold
    printf '%s$ reunite %s%s\n' "$bold" "${*//"$network/"/}" "$plain"
    while IFS= read -r line && ((count++ < 8)); do printf '  %s\n' "${line:0:columns - 3}"; done < <("$binary" "$@" 2>&1)
}

# quietly COMMAND...: for what asks a menu again and again: nothing of it is retold.
quietly() {
    local lines=$most_lines status=0
    retold
    most_lines=0 hush=yes
    "$@" || status=1
    retold
    most_lines=$lines hush=no
    return "$status"
}

## The tour: looking into the files

# rows SECTION NODE: the rows of this section in its file, sorted.
rows() {
    awk -v wanted="$1:" '/^[A-Z][a-z]+:$/ {section = $0; skip = 2}
        section == wanted && skip-- <= 0 && NF' "$(data_of "$2")"/*DATABASE*.txt | sort
}

# people NODE
people() { rows People "$1"; }

count() { people "$1" | wc -l; }

# holds NODE TEXT: its file has the text.
holds() { grep -qF -- "$2" "$(data_of "$1")"/*DATABASE*.txt; }

# same_rows SECTION NODE NODE
same_rows() { [[ $(rows "$1" "$2") == "$(rows "$1" "$3")" ]]; }
same_people() { same_rows People "$1" "$2"; }

# Ids stand last in the rows of node 1; a file without any of them has none of the people's.
no_ids_at_reader() {
    local ids
    ids=$(people 1 | sed -n 's/.*, \(-\{0,1\}[0-9]\{8,\}\)$/\1/p')
    [[ -n $ids ]] && ! grep -qF -- "$ids" "$(data_of "$READER")/T2DATABASE.txt"
}

# Neither tokens nor keys are shown. Classic networks have no keys.
secrets_stay_secret() {
    local secrets
    secrets=$(peers_field token; peers_field network_key; peers_field reader_key; secrets_of_nodes)
    [[ -n $secrets ]] && ! grep -qsF -- "$secrets" "$work"/screen? "$work"/errors? "$work"/setup*
}

secrets_of_nodes() {
    [[ $dialect == classic ]] || grep -ohE '[0-9a-f]{64}' "$network"/node?/identity.json
}

nobody_panicked() { ! grep -q panicked "$work"/errors?; }

# ended NODE: it is gone, and said that all went well.
ended() {
    local status=0
    within "$PATIENCE" gone "${nodes[$1]}" || return 1
    wait "${nodes[$1]}" || status=$?
    unset "nodes[$1]"
    hear "$1"
    ((status == 0))
}

## The tour: the story

readonly person="Rohima Bibi" lost="Kefayet Ullah"

begin() {
    step "Three nodes of aid groups and a reader start"
    local node try
    most_lines=3
    for try in 1 2 3; do
        start 1
        if within "$PATIENCE" asks_or_gone 1 && ! gone "${nodes[1]}"; then break; fi
        # Between looking and starting, another demo may have taken the ports.
        ((try == 3)) || lay_out
    done
    for node in 2 3 "$READER"; do start "$node"; done
    for node in 1 2 3; do
        expect "$node" "DATABASE$node.txt: $(count "$node") people" "node $node has read its $(count "$node") people"
    done
    expect "$READER" "$(count "$READER") people" "the reader has its old copy of $(count "$READER") people"
    most_lines=11
}

look() {
    step "The menu, and the whole database of node 1"
    choose 1 ""
    expect 1 "EMERGENCY ALARM" "Enter shows the menu"
    choose 1 1
    expect 1 "People: " "all people are shown"
    expect 1 "Vaccinations: " "and the vaccinations"
    expect 1 "Camps: " "and the censuses of the camps"

    step "Search: part of any field will do"
    choose 1 2
    answer 1 "Search" "kefayet"
    expect 1 "$lost" "small letters find $lost"
    choose 1 2
    answer 1 "Search" "Euvichol"
    expect 1 "Vaccinations: " "a brand of vaccine finds its vaccinations"
}

share() {
    step "Send: node 3 brings node 2 up to date"
    choose 3 8
    answer 3 "Peer number" 2
    expect 3 "The database reached peer 2" "node 3 knows that it arrived"
    check "node 2 has the people of node 3" holds_all 2 3

    step "Broadcast: node 2 brings everybody up to date"
    choose 2 9
    expect 2 "reached 2 of 2 peers" "node 2 knows that both have it"
    if [[ $dialect == sealed ]]; then
        check "all three hold the same people" same_everywhere People
        check "and the same vaccinations" same_everywhere Vaccinations
        check "and the same censuses" same_everywhere Camps
    else
        check "node 1 has all that node 2 has" holds_all 1 2
    fi
}

# holds_all NODE NODE: the first has all people of the second, if perhaps in another version.
holds_all() { [[ -z $(comm -13 <(ids "$1") <(ids "$2")) ]]; }
ids() { people "$1" | sed -n 's/.*, \(-\{0,1\}[0-9]\{8,\}\)$/\1/p' | sort -u; }

# same_everywhere SECTION
same_everywhere() { same_rows "$1" 1 2 && same_rows "$1" 2 3; }

add() {
    step "Add: node 1 records a missing woman, and everybody gets to know"
    choose 1 3
    answer 1 "Name" "$person" "Appearance" "about 30, blue scarf, scar on left hand" \
        "Last seen" "Balukhali bazar, 12/4/25" "Status" "missing"
    expect 1 "Saved" "it is on the disk of node 1"
    id=$(sed -n 's/.*Id \([0-9]\{1,19\}\).*/\1/p' <<<"${recent[1]}" | tail -n 1)
    expect 1 "reached 2 of 2 peers" "node 1 knows that both others have it"
    check "node 2 got it by itself" holds 2 "$person"
    check "node 3 got it by itself" holds 3 "$person"
}

readonly found="found, Camp 9 clinic"

update() {
    step "Update: node 2 has found her"
    choose 2 4
    answer 2 "Id, or part" "$person" "Name" "" "Appearance" "" "Last seen" "" "Status" "$found"
    expect 2 "Saved" "it is on the disk of node 2"
    check "it is in its file" holds 2 "$found"
    if [[ $dialect == sealed ]]; then
        check "node 1 has it too" holds 1 "$found"
        check "and so has node 3" holds 3 "$found"
    else
        expect 1 "peer 2 ($(organisation 2)) sent what it has. New here: 1 change."$'\n'"  -> Of 1 record there are" \
            "node 1 keeps both versions and says so: a classic peer cannot say what it saw"
    fi

    step "Settle: the nodes knew different things of some people; node 1 says what is right"
    choose 1 12
    within "$PATIENCE" asks 1 "Which one" || true
    local which=1
    [[ $dialect == sealed ]] || which=$(awk -v person="$person" 'index($0, person) {print $1; exit}' <<<"${recent[1]}")
    expect 1 "Several versions of" "all of whom there are several versions are listed"
    answer 1 "Which one" "$which"
    while within "$PATIENCE" asks_anything 1 && [[ ${question[1]} != Number* ]]; do
        answer 1 "${question[1]}" 1
    done
    expect 1 "Saved. The versions are settled." "it is settled"

    # As it stands in a history: what came from peer 2 is told on the same screen, with another sign behind its name.
    local teller=3 who
    who="peer 2 ($(organisation 2)), "
    [[ $dialect == sealed ]] || teller=2 who="node 2, this node, "
    step "History: node $teller shows what became of her"
    choose "$teller" 13
    answer "$teller" "Id, or part" "$person"
    expect "$teller" "missing -> $found" "what changed"
    expect "$teller" "$who" "and who changed it"
}

# asks_anything NODE: the next question is there, whatever it is.
asks_anything() {
    hear "$1"
    [[ -n ${question[$1]} ]]
}

retract() {
    step "Retract: node 2 takes a record back, and brings it back again"
    choose 2 14
    answer 2 "1 retract" 1 "Id, or part" "$lost"
    within "$PATIENCE" asks_anything 2 || true
    [[ ${question[2]} != Which* ]] || answer 2 "Which" 1
    answer 2 "Why is it wrong" "entered twice"
    expect 2 "Saved. The record is retracted" "it is on the disk of node 2"
    check "it is gone from the file of node 2" lacks 2 "$lost"
    [[ $dialect == classic ]] || check "and from that of node 1" lacks 1 "$lost"
    choose 2 14
    answer 2 "1 retract" 2 "Which one" 1
    expect 2 "Saved. The record is back." "it is back"
    check "it is in the file of node 2" holds 2 "$lost"
    [[ $dialect == classic ]] || check "and in that of node 1" holds 1 "$lost"
}

# lacks NODE TEXT: its file does not have the text.
lacks() { ! holds "$1" "$2"; }

ledger_state() {
    step "The ledger: who wrote how much, and whether all have the same"
    most_lines=14
    choose 1 15
    expect 1 "Nodes that have the same have the same number" "one number for all that node 1 holds"
    expect 1 "node 1, this node: " "how much each organisation wrote"
    expect 1 " blocks, the last " "and how far each of its logs goes"
    if [[ $dialect == sealed ]]; then
        # The other line, "not since this node started", is all that a classic network comes to.
        expect 1 ": in step " "and when each peer was last in step"
        check "nodes 2 and 3 come to show the same number" quietly same_number
    fi
    most_lines=11
}

# The number of the ledger that a node shows.
number_of() {
    choose "$1" 15
    within "$PATIENCE" asks "$1" "Number" || true
    sed -n 's/.*have the same number: //p' <<<"${recent[$1]}" | tail -n 1
}

same_number() {
    local node first
    first=$(number_of 1)
    for node in 2 3; do [[ -n $first && $(number_of "$node") == "$first" ]] || return 1; done
}

records() {
    step "Vaccination: she gets one, and it is recorded under her Id"
    choose 1 5
    answer 1 "Person Id" "$id" "Vaccine" "OCV" "Brand" "Euvichol-Plus" "Lot" "EVP2411-30" "Date" "2025-04-20" \
        "Dose" "1" "Country" "Bangladesh" "Centre" "Camp 9 Health Post"
    expect 1 "Saved" "it is saved"
    check "it is in the file of node 1" holds 1 "$id, OCV, Euvichol-Plus"
    reaches_others "$id, OCV, Euvichol-Plus"

    step "Census: a camp is counted"
    choose 1 6
    answer 1 "Camp" "Camp 9" "Date" "2025-04-21" "Source" "majhi lists" "Households" 210 "Individuals" 1000 \
        "Women and girls 0-4" 70 "Women and girls 5-11" 100 "Women and girls 12-17" 80 \
        "Women and girls 18-59" 240 "Women and girls 60" 20 \
        "Men and boys 0-4" 72 "Men and boys 5-11" 104 "Men and boys 12-17" 82 \
        "Men and boys 18-59" 212 "Men and boys 60" 20
    expect 1 "Saved" "it is saved"
    check "it is in the file of node 1" holds 1 "Camp 9, 2025-04-21"
    reaches_others "Camp 9, 2025-04-21"
}

# reaches_others TEXT: what node 1 recorded comes to be in the files of nodes 2 and 3. Only people travel in the
# classic dialect.
reaches_others() {
    [[ $dialect == sealed ]] || return 0
    check "it reaches the file of node 2" holds 2 "$1"
    check "and that of node 3" holds 3 "$1"
}

talk() {
    step "Message: node 3 writes to node 1"
    choose 3 7
    answer 3 "Peer number" 1 ">" "Rohima's brother is with us." ">" "He can come to $(organisation 3) on Monday." \
        ">" quit
    expect 1 "Rohima's brother is with us." "node 1 shows it, with the sender"
    expect 1 "He can come to $(organisation 3) on Monday." "and the second line"
    # Where it takes longer than a moment, it asks whether to keep the message: it is under way.
    within "$PATIENCE" asks_for_more 3 || true
    [[ ${question[3]} == Number* ]] || answer 3 "" n
    expect 3 "reached peer 1" "node 3 knows that it arrived"

    step "Peers: who belongs to the network, and who has been heard"
    choose 1 11
    check "node 1 has heard of a peer a moment ago" heard_lately
    local data
    data=$(data_of 1)
    if [[ $dialect == sealed ]]; then
        check "both peers come to be up in its menu" quietly both_up
        check "reunite status --json says that the node runs" says '"running": true' status "$data" --json
        check "and that both its peers are up" both_up_in_json
    else
        check "reunite status has nothing to tell of a classic node" not says "Node 1" status "$data"
    fi
    retell_command status "$data"

    step "Alarm: node 2 warns everybody"
    choose 2 10
    answer 2 "This alarms ALL" "no"
    expect 2 "No alarm" "anything but YES raises no alarm"
    choose 2 10
    answer 2 "This alarms ALL" "YES" "Text" "Fire at Camp 9, block C. Leave by the north road."
    expect 1 "Fire at Camp 9" "node 1 shows it"
    expect 3 "Fire at Camp 9" "node 3 shows it"
    expect 2 "The alarm reached 2 of 2 peers" "node 2 knows that both have it"
}

# The node asks for the next number, or what is to become of a message.
asks_for_more() {
    hear "$1"
    [[ ${question[$1]} == Number* || ${question[$1]} == *"keep the message"* ]]
}

# A peer that is not quiet, and was heard less than a hundred seconds ago.
heard_lately() {
    hear 1
    grep -v QUIET <<<"${recent[1]-}" | grep -E 'heard (just now|[0-9]{1,2} s ago)' >/dev/null
}

# A peer is up once it has answered a probe.
both_up() {
    choose 1 11
    within "$PATIENCE" asks 1 "Number" || true
    [[ $(grep -c " up[,]* " <<<"${recent[1]}") == 2 ]]
}

both_up_in_json() {
    [[ $("$binary" status "$(data_of 1)" --json | grep -c '"state": "up"') == 2 ]]
}

not() { ! "$@"; }

alarms() {
    step "Alarms: those that stand, who has read them, and that one is over"
    choose 2 18
    if [[ $dialect == classic ]]; then
        expect 2 "In the classic dialect alarms are not kept" "node 2 has none: they were shown when they came"
        return
    fi
    expect 2 "1 alarm stands:" "it stands"
    answer 2 "Number of an alarm" ""
    choose 1 ""
    check "node 2 comes to know that node 1 has read it" quietly read_by 1
    choose 3 18
    expect 3 "Fire at Camp 9" "node 3 lists it too"
    check "and cannot call it off: it is not asked" asks 3 "Number (Enter"
    check "node 2 comes to know that node 3 has read it" quietly read_by 3
    choose 2 18
    answer 2 "Number of an alarm" 2
    expect 2 "Nothing was done" "a number that is none calls nothing off"
    choose 2 18
    answer 2 "Number of an alarm" 1
    expect 2 "The alarm is called off" "node 2, who raised it, calls it off"
    expect 1 "ALARM CALLED OFF by peer 2" "node 1 shows that it is over"
    expect 3 "ALARM CALLED OFF by peer 2" "and so does node 3"
    choose 1 18
    expect 1 "No alarm stands." "no alarm stands any more"
}

# read_by NODE: the alarms of node 2 list it.
read_by() {
    choose 2 18
    answer 2 "Number of an alarm" ""
    grep "seen by .*peer $1 (" <<<"${recent[2]}" >/dev/null
}

members() {
    step "Members: who belongs to the network, and by whose word"
    choose 1 16
    if [[ $dialect == classic ]]; then
        expect 1 "the peers file says who belongs to it" "in a classic network the peers file says it"
        check "reunite members finds none in the ledger" not says "Members" members "$(data_of 1)"
        return
    fi
    expect 1 "Members of \"local demonstration\": 3." "node 1 lists three"
    expect 1 "began the network, this node" "of whom it began the network"
    expect 1 "taken in by 1" "and took in the others"
    answer 1 "Which (Enter" 1 "Number of the member" 1
    expect 1 "That is this node itself" "it cannot shut out itself"
    check "reunite members knows the same on node 2" says "Members of \"local demonstration\": 3." members "$(data_of 2)"
    check "all three have agreed" members_are 1 3
    retell_command members "$(data_of 2)"
}

# members_are NODE COUNT: so many members that have agreed are in its ledger.
members_are() {
    [[ $("$binary" members "$(data_of "$1")" --json | grep -c '"has_consented": true') == "$2" ]]
}

let_in() {
    step "Let somebody in: node 1 opens a door and shows a code, and a newcomer joins by it"
    choose 1 17
    if [[ $dialect == classic ]]; then
        expect 1 "In a classic network nobody joins by a code" "into a classic network nobody joins"
        return
    fi
    answer 1 "Which (Enter" 1
    expect 1 "One wrong code closes the door" "the door is open"
    join
    expect 1 "Somebody asks to join" "node 1 is asked"
    expect 1 "Camp 7 clinic" "and told who it is"
    check "both show the same fingerprint" same_fingerprint
    retold
    retell 1 "${bold}YES$plain"
    printf 'YES\n' >&"${menus[1]}"
    question[1]=''
    expect 1 "Node 4 has joined" "node 1 has let it in"
    check "the newcomer has joined" joined
    start "$NEWCOMER"
    expect "$NEWCOMER" "reunite: node 4, Camp 7 clinic." "it starts, from its folder alone"
    check "it comes to have all people of node 1" same_people 1 "$NEWCOMER"
    check "nodes 1 to 3 come to know it as a member that has agreed" all_know_it
    retell_command members "$(data_of 3)"
    choose 3 7
    answer 3 "Peer number" 4 ">" "Welcome!" ">" quit
    expect "$NEWCOMER" "Welcome!" "node 3 can write to it: nobody typed its address there"
}

all_know_it() { members_are 1 4 && members_are 2 4 && members_are 3 4; }

# The newcomer, by the code and the address that node 1 shows.
join() {
    local port code address
    until port=$((20000 + RANDOM % 9000)) && ! bound "$port"; do :; done
    code=$(shown_behind code)
    address=$(shown_behind address)
    retold
    printf '%s$ reunite join code --member %s --data node4%s\n' "$bold" "$address" "$plain"
    "$binary" join code --member "$address" --organisation "Camp 7 clinic" --address "127.0.0.1:$port" \
        --data "$(data_of "$NEWCOMER")" <<<"$code" >"$work/setup-join" 2>&1 &
    nodes[NEWCOMER]=$!
}

# shown_behind WORD: what stands behind it at node 1.
shown_behind() { sed -n "s/^ *$1  *//p" <<<"${recent[1]}" | tail -n 1; }

fingerprint_in() { grep -oE '([0-9]{4} ){5}[0-9]{4}' | tail -n 1; }

same_fingerprint() {
    local here there
    here=$(fingerprint_in <<<"${recent[1]}") && there=$(fingerprint_in <"$work/setup-join") && [[ $here == "$there" ]]
}

joined() {
    gone "${nodes[NEWCOMER]}" && wait "${nodes[NEWCOMER]}" &&
        grep -F 'This is node 4 of the network "local demonstration"' "$work/setup-join" >/dev/null
}

lose() {
    step "A node dies: node 3 is killed (kill -9), and node 1 records a man"
    local before
    before=$(count 3)
    kill -KILL "${nodes[3]}"
    wait "${nodes[3]}" 2>/dev/null || true
    choose 1 3
    answer 1 "Name" "Abu Siddik" "Appearance" "" "Last seen" "boat, 13/4/25" "Status" "missing"
    expect 1 "reached 1 of 2 peers" "node 1 knows who has it"
    expect 1 "peer 3 ($(organisation 3)): does NOT have it" "and who has not"

    step "The reader looks, and refreshes its copy while a node is dead"
    choose "$READER" 1
    expect "$READER" "People: $(count "$READER")" "the reader shows its copy"
    choose "$READER" 2
    answer "$READER" "Search" "$person"
    expect "$READER" "Nothing matches" "the old copy does not know $person"
    choose "$READER" 3
    expect "$READER" "Your copy is new" "a node that lives has answered"
    choose "$READER" 2
    answer "$READER" "Search" "$person"
    expect "$READER" "found, Camp 9 clinic" "the new copy knows that she was found"
    check "and holds nobody's Id" no_ids_at_reader

    step "The node comes back, and gets what it missed"
    start 3
    expect 3 "DATABASE3.txt: $before people" "node 3 has all its $before people: the kill cost nothing"
    expect 3 "sent what it has. New here: 1 change." "node 3 got by itself what it missed"
    check "it is in the file of node 3" holds 3 "Abu Siddik"
}

finish() {
    step "The end: 0 in the menu, or Ctrl-C"
    choose 1 0
    check "node 1 has ended well" ended 1
    choose 2 0
    check "node 2 has ended well" ended 2
    kill -INT "${nodes[3]}"
    check "node 3 has ended well, by Ctrl-C" ended 3
    choose "$READER" 0
    check "the reader has ended well" ended "$READER"
    if [[ -n ${screens[NEWCOMER]-} ]]; then
        choose "$NEWCOMER" 0
        check "node 4 has ended well" ended "$NEWCOMER"
    fi
    check "everything was saved" everything_saved
    check "no node panicked" nobody_panicked
    check "no token and no key is on any screen or in any log" secrets_stay_secret
}

everything_saved() { [[ $(grep -l "Everything is saved" "$work"/screen? | wc -l) == "${#screens[@]}" ]]; }

# Runs on every way out of the tour.
end_tour() {
    local status=$? log
    if ((failed > 0)); then
        status=1
        for log in "$work"/errors?; do
            [[ ! -s $log ]] || tail -n 5 "$log" | sed "s/^/${log##*/}: /"
        done
    fi
    clean_up
    echo
    ((status == 0 || failed > 0)) || echo "the tour was broken off"
    echo "$passed passed, $failed failed"
    exit "$status"
}

trap end_tour EXIT
trap '' PIPE
SECONDS=0
begin
look
share
add
update
records
retract
talk
alarms
lose
ledger_state
members
let_in
finish
printf '\nplayed in %d s\n' "$SECONDS"
