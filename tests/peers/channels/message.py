"""The messages of tests/NativeIpc.Channels.Peer/Message.cs, for peer.py and storm.py."""

import struct


def sum_of(data):
    total = 14695981039346656037
    for one in data:
        total = (total ^ one) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return total


def message_of(writer, number):
    length = 24 + number * 7919 % 1977
    body = struct.pack("=QQ", writer, number) + bytes((number + i) & 255 for i in range(16, length - 8))
    return body + struct.pack("=Q", sum_of(body))


def number_of(message):
    message = bytes(message)
    assert len(message) >= 24 and struct.unpack("=Q", message[-8:])[0] == sum_of(message[:-8]), "torn"
    return struct.unpack_from("=Q", message, 8)[0]


def say(text):
    print(text, flush=True)
