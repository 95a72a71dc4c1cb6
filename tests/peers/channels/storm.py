"""The peer of ChannelStormTests and LastWakeTests in Python: the verbs of storm.c. The folder of the module is in
PYTHONPATH. A step is "line": the NTH line of the module that runs once the role is waited for, or the call is made."""

import ctypes
import mmap
import os
import signal
import struct
import sys

import nativeipc_channels
from message import message_of, number_of, say
from nativeipc_channels import Ring, Topic


class Storm:
    """What storm.c has, under its words."""

    STOP, LAST, AGAIN, LOST, WRITERS, READERS, TOLD_WRITERS, TOLD_READERS, TOLD_OF_NOBODY, LAST_READER = range(10)
    WRITER_ROWS, READER_ROWS, SIZE, NUMBER = 512, 131072, 2 << 20, 0xFFFFFFFF

    def __init__(self, ledger, step, nth):
        file = os.open("/dev/shm/" + ledger.lstrip("/"), os.O_RDWR | os.O_CLOEXEC)
        self.words = memoryview(mmap.mmap(file, self.SIZE)).cast("Q")
        os.close(file)
        self.left = nth
        self.end = nth if step == "-" else None
        if step != "-":
            sys.settrace(self.enter)

    def enter(self, frame, _event, _argument):
        return self.line if frame.f_code.co_filename == nativeipc_channels.__file__ else None

    def line(self, _frame, event, _argument):
        if event == "line":
            self.left -= 1
            if self.left == 0 and not self.words[self.STOP]:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line

    def join(self, count, told_at, rows, width, told):
        words = self.words
        number = words[count] + 1
        before = words[rows + (number - 1) * width] if number > 1 else 4
        words[count] = number
        words[rows + number * width] = 2 | told
        assert told or before & 4, "It was not told of a killed one."
        if told:
            words[told_at] += 1
            if before & 4:
                words[self.TOLD_OF_NOBODY] += 1
        return number

    def write(self, ring):
        words = self.words
        with ring.open_writer(300) as writer:
            own = self.join(self.WRITERS, self.TOLD_WRITERS, self.WRITER_ROWS, 4, writer.took_over)
            row, number = self.WRITER_ROWS + own * 4, 0
            while (self.end is None or number < self.end) and not words[self.STOP]:
                batch = 5 if number % 7 == 0 else 1
                words[row + 1] = number + batch
                while batch > 0:
                    number += 1
                    batch -= 1
                    message = message_of(own, number)
                    if batch == 0:
                        assert writer.write(message, 300)
                    else:
                        while not writer.try_append(message):
                            writer.flush()
                words[row + 2] = number
            if words[self.STOP]:
                writer.complete()
            sys.settrace(None)
            words[row] |= 4

    def read(self, ring, once):
        words, given = self.words, 0
        with ring.open_reader(300) as reader:
            own = self.join(self.READERS, self.TOLD_READERS, self.READER_ROWS, 1, reader.took_over)
            while self.end is None or given < self.end or words[self.STOP]:
                message = reader.read(300)
                if message is None:
                    assert reader.is_completed, "nothing came"
                    break
                copy = bytes(message)
                message.release()
                if once:
                    reader.release()
                self.check(own, struct.unpack_from("=Q", copy)[0], number_of(copy), given == 0, once)
                given += 1
                if not once:
                    reader.release()
            sys.settrace(None)
            words[self.READER_ROWS + own] |= 4

    def check(self, own, writer, number, first, once):
        words, rows = self.words, self.WRITER_ROWS
        before, last, lost = words[self.LAST] >> 32, words[self.LAST] & self.NUMBER, 0
        if writer == before and number == last:
            words[self.AGAIN] += 1
            assert first and not once, f"{number} of {writer} again"
        elif writer == before:
            lost = number - last - 1
        else:
            assert writer > before
            if before:
                lost = max(0, words[rows + before * 4 + 2] - last)
            lost += sum(words[rows + one * 4 + 2] for one in range(before + 1, writer)) + number - 1
        most = own - words[self.LAST_READER] if first and once else 0  # one each that killed readers had
        assert 0 <= lost <= most and number <= words[rows + writer * 4 + 1], (
            f"{number} of {writer} after {last} of {before}, lost {lost}, first: {first}"
        )
        words[self.LOST] += lost
        words[self.LAST_READER] = own
        words[self.LAST] = writer << 32 | number


verb, name, *rest = sys.argv[1:]
if verb in ("show", "free", "show-topic", "end"):
    # The step is the number of a line of the module, counted from the call on.
    left = int(rest[0])

    def traced(frame, event, _argument):
        global left
        if frame.f_code.co_filename != nativeipc_channels.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return traced

    with (Topic if verb == "show-topic" else Ring).open(name) as channel:
        with channel.open_reader() if verb == "free" else channel.open_writer() as role:
            say("open")
            sys.stdin.readline()
            if rest[1:] == ["unlisted"]:  # as in a thread of musl
                ctypes.CDLL(None).syscall(ctypes.c_long(273), None, ctypes.c_long(24))
            sys.settrace(traced)
            if verb == "free":
                role.try_read()
                role.release()
            elif verb == "end":
                role.complete()
            else:
                role.write(b"one")
            sys.settrace(None)
            say({"free": "freed", "end": "ended"}.get(verb, "shown"))
elif verb in ("storm-write", "storm-read"):
    storm = Storm(rest[0], rest[1], int(rest[2]))
    with Ring.open(name) as ring:
        if verb == "storm-write":
            storm.write(ring)
        else:
            storm.read(ring, rest[3] == "once")
else:
    sys.exit(2)
