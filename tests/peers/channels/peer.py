"""The peer of NativeIpc.Channels.Rings in Python: the verbs of peer.c. The folder of the module is in PYTHONPATH."""

import errno
import sys

import nativeipc_channels
from message import message_of, number_of, say
from nativeipc_channels import Ring, Topic

verb, name, *rest = sys.argv[1:]
if verb == "send":
    with Ring.create_or_open(name, 16384) as ring, ring.open_writer(30) as writer:
        if writer.took_over:
            say("took over")
        for number in range(1, int(rest[1]) + 1):
            message = message_of(int(rest[0]), number)
            if number % 3 == 0:
                while not writer.try_append(message):
                    writer.flush()
                if number % 2 == 0:
                    writer.flush()
            else:
                assert writer.write(message, 30)
        writer.complete()
    say("sent")
elif verb == "receive":
    with Ring.create_or_open(name, 16384) as ring, ring.open_reader(30) as reader:
        say("ready")
        expected = 1
        for message in reader:
            assert number_of(message) == expected, f"{number_of(message)}, not {expected}"
            message.release()
            reader.release()
            expected += 1
    say(f"received {expected - 1}")
elif verb == "publish":
    with Topic.create_or_open(name, 2048, 7) as topic, topic.open_writer(30) as writer:
        if writer.took_over:
            say("took over")
        for number in range(1, int(rest[1]) + 1):
            writer.write(message_of(int(rest[0]), number))
        writer.complete()
    say("sent")
elif verb == "follow":
    with Topic.open(name, True) if rest else Topic.create_or_open(name, 2048, 7) as topic:
        with topic.open_reader() as reader:
            say("ready")
            given = 0
            for message in reader:
                assert number_of(message) == reader.position
                given += 1
            say(f"followed {given} {reader.missed}")
elif verb == "latest":
    with Topic.create(name, 2048, 7) as topic, topic.open_writer() as writer, topic.open_reader() as reader:
        for _ in range(20):
            writer.write(b"x")
        assert reader.try_read_latest() == b"x" and reader.try_read_latest() is None
        say(f"latest {reader.position} {reader.missed}")
elif verb == "refused":
    try:
        Ring.open(name)
    except OSError as told:
        say(told.strerror)
elif verb == "hold" and rest:
    with Topic.open(name) as topic, topic.open_writer() as writer:
        start = topic._start(writer.latest + 1)
        topic._long[start // 8] = 2 * (writer.latest + 1) - 1  # as write begins: half of a message
        say("held")
        sys.stdin.readline()
elif verb == "lapped":

    class Stopped:
        """The bytes of a topic: the first part that is copied is copied before or behind a line."""

        def __init__(self, whole):
            self.whole = whole

        def __getitem__(self, place):
            topic._bytes = self.whole
            copy = self.whole[place].tobytes() if rest[0] == "copied" else None
            say(rest[0])
            sys.stdin.readline()
            return self.whole[place] if copy is None else copy

    with Topic.open(name) as topic, topic.open_reader() as reader:
        reader.rewind()
        topic._bytes = Stopped(topic._bytes)
        assert number_of(reader.try_read()) == reader.position
        say(f"read {reader.position} {reader.missed}")
elif verb == "hold":
    with Ring.open(name) as ring, ring.open_writer() as writer:
        say("held")
        sys.stdin.readline()
elif verb == "await":
    sleep = nativeipc_channels._sleep

    def told(address, expected, seconds):
        say("armed")
        if seconds > 1:
            say("long")
        sleep(address, expected, seconds)

    nativeipc_channels._sleep = told
    with (Topic if rest[0] == "follow" else Ring).open(name) as channel:
        if rest[0] == "write":
            with channel.open_writer() as writer:
                assert writer.write(bytes(2000), None)
        else:
            with channel.open_reader() as reader:
                assert reader.read(None) is not None
    say("done")
elif verb == "layout":
    with Topic.open(name, read_only=len(rest) > 1) as topic:
        try:
            topic.use_layout(type("Frame", (), {"FINGERPRINT": int(rest[0], 16)}))
            say("same")
        except OSError as failure:
            assert failure.errno == errno.EPROTOTYPE
            say(failure.strerror.removeprefix("The messages have "))
else:
    sys.exit(2)
