#!/bin/sh
# Installs the edgenas agent on this device, enrols it, and lets it start with the system where it can.
#   curl -fsS http://SERVER:8000/install/agent.sh | sh
# or, without curl:  wget -qO- http://SERVER:8000/install/agent.sh | sh
# Options stand behind 'sh -s --':
#   --server URL       another address of the server than the one that this script was fetched from
#   --token-file FILE  reads the enrolment token from a file; '-' or nothing asks at the terminal
#   --name NAME        what people call this device
#   --tag TAG          a word by which the server chooses several devices; may be repeated
#   --only-when WHAT   takes leases only when charging, idle, night=22:00-07:00; those you name, with commas
#   --allow-upgrade    lets the server upgrade this agent; --no-upgrade forbids it again
#   --replace          enrols again, for a device that was removed or moves to this server
#   --user             installs for this user only, even as root
#   --uninstall        removes all that this script made
# The token is never an argument: every user of a machine can read those, and shells keep them.
# Run it again to upgrade. Settings that pip knows, such as PIP_INDEX_URL and PIP_NO_INDEX, count here too;
# EDGENAS_INSTALL_SITE_PACKAGES=1 lets the agent use the packages of the system's Python.
set -eu

server=@SERVER@
wheel=@WHEEL@
sha256=@SHA256@

agent_user=edgenas
unit=/etc/systemd/system/edgenas-agent.service
drop_in=$unit.d/upgrade.conf
boot_script=${HOME:-/root}/.termux/boot/edgenas-agent

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

read_options() {
    token_file='' name='' tags='' only_when='' upgrade='' replace='' for_user='' uninstall=''
    while [ $# -gt 0 ]; do
        case $1 in
            --server | --token-file | --name | --tag | --only-when)
                [ $# -ge 2 ] || fail "$1 needs a value"
                case $1 in
                    --server) server=${2%/} ;;
                    --token-file) token_file=$2 ;;
                    --name) name=$2 ;;
                    --tag) tags="$tags $2" ;;
                    --only-when) only_when=$2 ;;
                esac
                shift ;;
            --replace) replace=--replace ;;
            --allow-upgrade | --no-upgrade) upgrade=$1 ;;
            --user) for_user=1 ;;
            --uninstall) uninstall=1 ;;
            *) fail "unknown option $1; there are --server, --token-file, --name, --tag, --only-when," \
                "--allow-upgrade, --no-upgrade, --replace, --user, --uninstall" ;;
        esac
        shift
    done
}

# Sets kind (termux, systemd, root or user) and where things lie.
recognise_system() {
    if [ -n "${TERMUX_VERSION:-}" ]; then kind=termux
    elif [ "$(id -u)" != 0 ] || [ -n "$for_user" ]; then kind=user
    elif [ -d /run/systemd/system ]; then kind=systemd
    else kind=root
    fi
    case $kind in
        systemd | root) venv=/opt/edgenas-agent data=/var/lib/edgenas-agent ;;
        *) data=$HOME/.local/share/edgenas-agent venv=$HOME/.local/share/edgenas-agent/venv ;;
    esac
    agent=$venv/bin/profiler-agent
}

# Runs a command of the agent as the user that it belongs to.
as_agent() {
    if [ "$kind" = systemd ]; then
        runuser -u "$agent_user" -- env HOME="$data" EDGENAS_AGENT_DATA="$data" "$@"
    else
        env EDGENAS_AGENT_DATA="$data" "$@"
    fi
}

# Runs a command of the environment as the user that owns it: root runs nothing that another user may change.
in_venv() { if is_agents; then as_agent "$@"; else "$@"; fi; }

is_agents() { [ "$kind" = systemd ] && [ -n "$(find "$venv" -prune -user "$agent_user" 2>/dev/null)" ]; }

read_token() {
    if [ -n "$token_file" ] && [ "$token_file" != - ]; then
        token=$(cat -- "$token_file") || fail "the token file $token_file cannot be read"
    elif [ -n "${EDGENAS_ENROLMENT_TOKEN:-}" ]; then
        token=$EDGENAS_ENROLMENT_TOKEN
    else
        (: </dev/tty) 2>/dev/null || fail "there is no terminal to ask for the token; give it with --token-file FILE"
        printf 'Enrolment token (it is not shown): ' >/dev/tty
        trap 'stty echo </dev/tty' EXIT
        trap 'exit 130' INT TERM
        stty -echo </dev/tty
        IFS= read -r token </dev/tty || true
        stty echo </dev/tty
        trap - EXIT INT TERM
        printf '\n' >/dev/tty
    fi
    [ -n "$token" ] || fail "the enrolment token is empty; make one with: search-server token create --scope enrol"
    unset EDGENAS_ENROLMENT_TOKEN
}

find_python() {
    if [ "$kind" = termux ]; then
        # Termux has its own builds of the native parts; from pip comes pure Python only. One that is not
        # there takes no other along: without ONNX Runtime, ncnn still needs numpy.
        pkg install -y python </dev/null >&2 || fail "pkg cannot install python"
        for package in python-ensurepip-wheels python-numpy python-onnxruntime termux-api; do
            pkg install -y "$package" </dev/null >&2 || say "Termux has no $package"
        done
        EDGENAS_INSTALL_SITE_PACKAGES=1
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
        say "installing python3 and python3-venv"
        { apt-get update -q && apt-get install -qy python3 python3-venv; } </dev/null >&2 ||
            fail "apt-get cannot install python3-venv"
    fi
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$python" -c 'import ensurepip, venv' 2>/dev/null ||
                fail "$python cannot make virtual environments; run: sudo apt install python3-venv"
            return
        fi
    done
    hint='install it with the package manager of this system'
    [ "$(uname -s)" != Darwin ] || hint='brew install python'
    fail "the agent needs Python 3.11 or newer; $hint"
}

install_agent() {
    # What the agent may change no more is made anew: it may have changed it already.
    if { [ "$upgrade" = --no-upgrade ] && is_agents; } || ! in_venv "$venv/bin/python" -c '' 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv ${EDGENAS_INSTALL_SITE_PACKAGES:+--system-site-packages} "$venv" ||
            fail "no virtual environment at $venv"
    fi
    say "installing the agent from $server into $venv"
    pip_install -r "$server/install/requirements.txt" || fail "the agent's dependencies cannot be installed"
    pip_install --force-reinstall --no-deps "$server/install/$wheel#sha256=$sha256" ||
        fail "the agent cannot be installed from $server"
    in_venv sh -c 'printf "%s\n" "$1" >"$2"' sh "$sha256" "$venv/edgenas-agent.sha256"
    keep_pip_settings
    has_runtime || install_runtime
}

# Without a cache, which --uninstall would leave behind.
pip_install() {
    in_venv "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "$@" </dev/null >&2
}

# An upgrade that the server asks for takes packages from where pip was told to take them here.
keep_pip_settings() {
    in_venv "$venv/bin/python" -c 'import os, sys
names = ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CERT", "PROXY")
told = {name.lower().replace("_", "-"): os.environ.get("PIP_" + name) for name in names}
lines = ["%s = %s\n" % pair for pair in told.items() if pair[1]]
if lines:
    path = os.path.join(sys.prefix, "pip.conf")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(["[global]\n", *lines])'
}

has_runtime() {
    in_venv "$venv/bin/python" -c 'import importlib.util as util, sys
names = ("onnxruntime", "ncnn", "ai_edge_litert", "executorch", "torch")
sys.exit(not any(util.find_spec(name) for name in names))'
}

install_runtime() {
    for runtime in onnxruntime ncnn; do
        if pip_install --only-binary :all: "$runtime" numpy 2>/dev/null; then
            say "installed the runtime $runtime"
            return
        fi
        say "no $runtime: there is no wheel of it for this system, or no package index answers"
    done
    say "The device enrols, but measures nothing before it has a runtime: $venv/bin/pip install onnxruntime"
}

make_user() {
    mkdir -p "$data"
    chmod 700 "$data"
    [ "$kind" = systemd ] || return 0
    if ! id "$agent_user" >/dev/null 2>&1; then
        useradd --system --home-dir "$data" --shell /usr/sbin/nologin "$agent_user"
        : >"$data/made-user"
    fi
    chown "$agent_user" "$data"
    allow_upgrade
}

# The agent's user owns its environment only where the owner of the device lets the server upgrade it.
allow_upgrade() {
    if [ "$upgrade" = --allow-upgrade ]; then
        mkdir -p "${drop_in%/*}"
        printf '[Service]\nReadWritePaths=%s\n' "$venv" >"$drop_in"
    elif [ "$upgrade" = --no-upgrade ]; then
        rm -f "$drop_in"
    fi
    [ ! -e "$drop_in" ] || is_agents || chown -hR "$agent_user" "$venv"
}

enrol() {
    set -- enrol "$server" --token-file -
    [ -z "$name" ] || set -- "$@" --name "$name"
    for tag in $tags; do set -- "$@" --tag "$tag"; done
    [ -z "$only_when" ] || set -- "$@" --only-when "$only_when"
    [ -z "$upgrade" ] || set -- "$@" "$upgrade"
    [ -z "$replace" ] || set -- "$@" "$replace"
    printf '%s\n' "$token" | as_agent "$agent" "$@" || fail "the device is not enrolled"
}

try_out() {
    say "trying each runtime for 2 s; on a busy device numbers do not count, which is no harm yet:"
    as_agent "$agent" selftest --seconds 2 --json </dev/null 2>/dev/null | in_venv "$venv/bin/python" -c 'import json, sys
for report in json.load(sys.stdin):
    runtime, median_us = report["runtime"], report["wall_us"]["median"]
    status = "runs; its numbers do not count yet" if report["status"] == "ok" else report["status"]
    state = "usable" if report["is_usable"] else status
    time = "" if median_us is None else ", median %.2f ms" % (median_us / 1000)
    print("  %s %s: %s%s" % (runtime["name"], runtime["version"], state, time))' >&2 ||
        say "  the self-test gave nothing"
    say "what a runtime needs says: $agent selftest"
}

# Prints the processes that run the agent of this environment.
running() {
    if [ ! -d /proc/self ]; then # macOS
        pgrep -f "$agent run" || true
        return
    fi
    for process in /proc/[0-9]*; do
        case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
            *"$venv/bin/python"*" $agent run"*) printf '%s\n' "${process#/proc/}" ;;
        esac
    done
}

# The first signal lets the agent finish its lease, the second gives the lease back.
end_agents() {
    for signal in TERM TERM KILL; do
        pids=$(running)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086 # several numbers
        kill -s "$signal" $pids 2>/dev/null || true
        seconds=0
        while [ -n "$(running)" ] && [ $seconds -lt 10 ]; do
            sleep 1
            seconds=$((seconds + 1))
        done
    done
}

start_with_system() {
    pids=$(running | tr '\n' ' ')
    [ "$kind" = systemd ] || [ -z "$pids" ] || say "The agent of before still runs; end it with: kill $pids"
    case $kind in
        systemd)
            cat >"$unit" <<'UNIT'
@UNIT@
UNIT
            systemctl daemon-reload
            systemctl enable --quiet edgenas-agent
            systemctl restart edgenas-agent
            say "The agent runs, now and after each start of the system; its log: journalctl -u edgenas-agent" ;;
        termux)
            mkdir -p "${boot_script%/*}"
            printf '%s\n' "#!$PREFIX/bin/sh" termux-wake-lock "exec $agent run" >"$boot_script"
            chmod +x "$boot_script"
            say "It starts with the phone once the app Termux:Boot was opened. Start it now with:"
            say "  termux-wake-lock; $agent run" ;;
        root) say "Start it with:  EDGENAS_AGENT_DATA=$data $agent run" ;;
        user) say "Start it with:  $agent run" ;;
    esac
}

uninstall() {
    if [ ! -e "$venv" ] && [ ! -e "$data" ]; then
        say "There is no agent at $data. One that root installed is removed as root, one of a user as that user."
        return
    fi
    if [ "$kind" = systemd ] && [ -e "$unit" ]; then
        systemctl disable --now --quiet edgenas-agent || true
        rm -rf "$unit" "${drop_in%/*}"
        systemctl daemon-reload
    fi
    end_agents
    [ ! -e "$data/made-user" ] || userdel "$agent_user" || say "The user $agent_user stays."
    [ "$kind" != termux ] || rm -f "$boot_script"
    rm -rf "$venv" "$data"
    # Folders above them stay only where something else is in them.
    case $kind in
        termux) rmdir "${boot_script%/*}" "$HOME/.termux" "$HOME/.local/share" "$HOME/.local" 2>/dev/null || true ;;
        user) rmdir "$HOME/.local/share" "$HOME/.local" 2>/dev/null || true ;;
    esac
    say "The agent is gone from this device. Take the device off the list with: edgenas devices remove NAME"
}

main() {
    read_options "$@"
    recognise_system
    if [ -n "$uninstall" ]; then uninstall; return; fi
    token=
    [ -e "$data/credential.json" ] && [ -z "$replace" ] || read_token
    cd / # Python would take modules of the folder that one happens to be in, and the agent's user may not enter it
    umask 022
    find_python
    install_agent
    make_user
    enrol
    [ -z "$token" ] || try_out # an upgrade does not disturb the agent that runs
    start_with_system
}

main "$@"
