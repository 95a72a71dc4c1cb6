"""Garbage in the control words of a ring and a topic: nativeipc_channels gives sound messages or its own error.
The folder of the module is in PYTHONPATH.
    fuzz.py RING TOPIC COUNT SEED    COUNT mutated segments of each, and COUNT heads that are opened; prints
                                     "ring D R", "topic D R" and "open D": damaged, and messages that were read"""

import errno
import mmap
import random
import sys

import nativeipc_channels
from nativeipc_channels import Ring, Topic

DATA, SLOT = 4096, 192
WORDS = [128, 136, 256, 384, 388, 512, 640, 648, 656, 664, 768, 776, 784, 792]
LAST = 2**64 - 1


def mutate(words, chance, is_ring):
    tail, head = words[128 // 8], words[256 // 8]
    for _ in range(chance.randrange(1, 4)):
        at = chance.choice((
            chance.choice(WORDS), 128, 256 if is_ring else 128,
            4096 + 8 * chance.randrange(DATA // 8) if is_ring else 4096 + SLOT * chance.randrange(8)
            + 8 * chance.randrange(2),
        ))
        words[at // 8] = chance.choice((
            words[at // 8] ^ 1 << chance.randrange(64),
            tail + 8 * chance.randrange(-600, 600) & LAST,
            head + chance.randrange(-5000, 5000) & LAST,
            chance.randrange(5000) | 1 << 32,
            chance.randrange(5000) | 2 << 32,
            LAST - chance.randrange(3),
            chance.getrandbits(64),
        ))


def use(channel, raw, chance, is_ring):
    """One mutated segment; how many messages a reader was given."""
    read, is_late = 0, chance.randrange(2) == 0
    if not is_late:
        mutate(raw, chance, is_ring)
    with channel.open_reader() as reader:
        if not is_ring and chance.randrange(4) > 0:
            reader.rewind()
        with channel.open_writer() as writer:
            if is_late:
                if chance.randrange(2) == 0:
                    reader.try_read()
                mutate(raw, chance, is_ring)
            while (message := reader.read(0)) is not None:
                read += 1
                assert len(message) <= channel.longest_message and read <= DATA, "not sound"
                if is_ring:
                    bytes(message)
                    if chance.randrange(2) == 0:
                        reader.release()
            if not is_ring:
                reader.try_read_latest()
            for _ in range(chance.randrange(4)):
                message = bytes(chance.randrange(channel.longest_message + 1))
                if not is_ring:
                    writer.write(message)
                elif chance.randrange(2) == 0:
                    writer.write(message, 0)
                else:
                    writer.try_append(message)
            if is_ring:
                writer.flush()
                reader.release()
            reader.is_completed  # read for what it raises
    return read


def run(channel, count, seed):
    """All segments of a channel: how many were damaged, and the messages that were read."""
    is_ring, damaged, read = isinstance(channel, Ring), 0, 0
    with channel.open_writer() as writer, channel.open_reader() as reader:
        for number in range(30):
            if not is_ring:
                writer.write(bytes(number * 4))
                continue
            while not writer.try_write(bytes(number * 13)):
                reader.try_read()
                reader.release()
    sound = bytes(channel._bytes)
    for step in range(count):
        chance = random.Random(f"{seed} {step}")
        channel._bytes[:] = sound
        try:
            read += use(channel, channel._long, chance, is_ring)
        except OSError as told:
            assert told.errno == errno.EBADMSG and "is damaged" in str(told), f"step {step}: {told!r}"
            damaged += 1
        except BaseException:
            print(f"failed at step {step} of seed {seed}", flush=True)
            raise
    channel._bytes[:] = sound
    assert damaged > count / 20 and read > count / 20, f"{damaged} damaged, {read} messages"
    return damaged, read


def heads(name, count, seed):
    """Heads of a segment that are opened: how many were refused."""
    path, refused = nativeipc_channels._path(name)[0], 0
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as segment:
        words = memoryview(segment).cast("Q")
        sound = words[:5].tolist()
        for step in range(count):
            chance = random.Random(f"{seed} head {step}")
            for at, word in enumerate(sound):
                words[at] = word
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(5)
                words[at] = chance.choice((words[at] ^ 1 << chance.randrange(64), 1 << chance.randrange(64), LAST,
                                           chance.getrandbits(64)))
            try:
                # Once: one without a magic is being made, and waited for
                with Ring._open_once(path, 0, True) as ring, ring.open_reader() as reader:
                    while reader.try_read() is not None:
                        reader.release()
            except OSError as told:
                assert told.errno in (errno.EBADMSG, errno.EMEDIUMTYPE, errno.EAGAIN), f"step {step}: {told!r}"
                refused += 1
        words.release()
    assert refused > count / 2, f"{refused} refused"
    return refused


ring_name, topic_name, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
nativeipc_channels._own_note = lambda: (1, 2)  # what is tried is what is read, not /proc
with Ring.create(ring_name, DATA) as ring:
    print("ring", *run(ring, count, seed), flush=True)
with Topic.create(topic_name, 128, 7) as topic:
    print("topic", *run(topic, count, seed), flush=True)
print("open", heads(ring_name, count, seed), flush=True)
