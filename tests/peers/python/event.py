#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Python program that meets events through interop/python/nativeipc_event.py. It speaks the commands `event` of
tests/peers/PROTOCOL.md, but `stopat`."""

import errno
import os
import random
import sys
import urllib.parse

from nativeipc_event import Event

KINDS = {
    errno.EACCES: "PermissionDenied",
    errno.EPERM: "PermissionDenied",
    errno.EEXIST: "AlreadyExists",
    errno.ENOENT: "NotFound",
    errno.EBADMSG: "KeyError",
    errno.EPROTOTYPE: "KeyError",
    errno.ENOSPC: "OutOfResources",
}


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def truth(value):
    return "ok true" if value else "ok false"


def native(key):
    scheme, name = key.split(":", 1)
    if scheme != "posix":
        raise ValueError("the key is not posix:")
    return urllib.parse.unquote(name)


def storm(event, rounds, seed):
    """Everything that an event can do, in an order by chance; what changed something is counted."""
    chances = random.Random(seed)
    changed = taken = reset = 0
    for _ in range(rounds):
        chance = chances.randrange(100)
        if chance < 40:
            changed += event.set()
        elif chance < 45:
            reset += event.reset()
        elif chance < 65:
            taken += event.try_wait()
        else:
            taken += event.wait(chances.random() * 3e-5)
    return f"ok {changed} {taken} {reset}"


def run(events, words):
    verb = words[1]
    if verb == "open":
        events[words[2]] = event = Event.open(native(words[3]), "others" in words[4:])
        return "ok opened"
    if verb in ("create", "createoropen"):
        mode = Event.MANUAL if words[4] == "manual" else Event.AUTO
        make = Event.create if verb == "create" else Event.create_or_open
        events[words[2]] = event = make(native(words[3]), mode, words[5:6] == ["1"])
        return "ok created" if event.created else "ok opened"
    if verb == "remove":
        try:
            Event.unlink(native(words[2]))
            return "ok true"
        except FileNotFoundError:
            return "ok false"
    event = events[words[2]]
    if verb == "mode":
        return "ok auto" if event.mode == Event.AUTO else "ok manual"
    if verb == "set":
        return f"ok {sum(event.set() for _ in range(int(words[3]) if len(words) > 3 else 1))}"
    if verb == "reset":
        return truth(event.reset())
    if verb == "pulse":
        event.set()
        return truth(event.reset())
    if verb == "isset":
        return truth(event.is_set())
    if verb == "trywait":
        if len(words) == 3:
            return truth(event.try_wait())
        say("waiting")
        return truth(event.wait(int(words[3]) / 1000))
    if verb == "wait":
        say("waiting")
        for _ in range(int(words[3]) if len(words) > 3 else 1):
            event.wait()
        return "ok"
    if verb == "relay":
        say("waiting")
        for _ in range(int(words[4])):
            event.wait()
            events[words[3]].set()
        return "ok"
    if verb == "storm":
        return storm(event, int(words[3]), int(words[4]))
    if verb == "close":
        events.pop(words[2]).close()
        return "ok"
    return "error Unsupported no such command"


def main():
    if sys.argv[1:] == ["--version"]:
        say("Python " + sys.version.split()[0])
        return
    events = {}
    for text in sys.stdin:
        words = text.split()
        if words and words[0] in ("quit", "exit"):
            say("ok")
            sys.stdout.flush()
            os._exit(0)
        if len(words) < 3 or words[0] != "event":
            say("error Unsupported no such command")
            continue
        try:
            say(run(events, words))
        except OSError as failure:
            say(f"error {KINDS.get(failure.errno, 'Unknown')} {failure}")
        except ValueError as failure:
            say(f"error KeyError {failure}")


main()
