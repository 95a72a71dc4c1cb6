#!/usr/bin/env bash
# Two of five lock tools of Debian do not see the locks of the others: "zsystem flock" of zsh and with-lock-ex use
# record locks of fcntl(2), flock, setlock and chpst those of flock(2).
# Guess: tools that run a command under the lock of a file exclude each other on Linux, surely those that are named
# flock.
# Seen (util-linux 2.38.1, daemontools 0.76, runit 2.1.2, zsh 5.9, chiark-utils 7.0.0): each excludes its own kind only.
# A cron job under flock and one under zsystem flock run at the same time, and both say that they have the lock.
. "$(dirname "$0")/lib.sh"
unpack util-linux=2.38.1-5+deb12u3 daemontools=1:0.76-8.1 runit=2.1.2-54 zsh=5.9-4+b15 chiark-utils-bin=7.0.0
: >lock
under() { # TOOL COMMAND...: runs the command under the lock, or fails at once
    local tool=$1
    shift
    case $tool in
        flock) root/usr/bin/flock -n lock "$@" ;;
        setlock) root/usr/bin/setlock -n lock "$@" ;;
        chpst) root/usr/bin/chpst -L lock "$@" ;;
        with-lock-ex) root/usr/bin/with-lock-ex -f lock "$@" ;;
        zsystem) root/bin/zsh5 -fc 'module_path=('"$work"'/root/usr/lib/x86_64-linux-gnu/zsh/5.9)
            zmodload zsh/system && zsystem flock -t 0 lock && "$@"' zsh "$@" ;;
    esac 2>/dev/null
}
tools=(flock setlock chpst with-lock-ex zsystem)
beside() { # TOOL: which of the tools run a command while this one holds the lock
    local tool holder line
    coproc under "$1" sh -c 'echo held; read -r line'
    holder=$COPROC_PID
    exec 7>&"${COPROC[1]}"
    read -r line <&"${COPROC[0]}" && [ "$line" = held ]
    for tool in "${tools[@]}"; do ! under "$tool" true || printf '%s ' "$tool"; done
    echo >&7
    wait "$holder"
}
expect 'alone' 'flock setlock chpst with-lock-ex zsystem ' \
    "$(for tool in "${tools[@]}"; do ! under "$tool" true || printf '%s ' "$tool"; done)"
expect 'beside flock' 'with-lock-ex zsystem ' "$(beside flock)"
expect 'beside setlock' 'with-lock-ex zsystem ' "$(beside setlock)"
expect 'beside chpst' 'with-lock-ex zsystem ' "$(beside chpst)"
expect 'beside with-lock-ex' 'flock setlock chpst ' "$(beside with-lock-ex)"
expect 'beside zsystem flock' 'flock setlock chpst ' "$(beside zsystem)"
finish
