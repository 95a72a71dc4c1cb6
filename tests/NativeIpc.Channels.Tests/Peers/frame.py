# Fills a Frame by name and compares it with the one of C#: frame.py SAME OUT [numpy]. Then each word of the head
# is another one.
import ctypes
import sys

import sample


def fill(frame, text):
    frame["type"] = 1
    frame["small"] = -2
    frame["width"] = 3
    frame["height"] = -4
    frame["stride"] = 5
    frame["signed"] = -6
    frame["large"] = 0xF000000000000007
    frame["negative"] = -8
    frame["single"] = 1.5
    frame["double"] = -2.25
    frame["format"] = sample.PixelFormat.BGRA32
    frame["marks"] = sample.Marks.KEY | sample.Marks.LOST
    frame["depth"] = sample.Depth.LOWEST
    for name, value in (("x", 1), ("y", 2), ("weight", 3)):
        frame["camera"][name] = value
        for i in range(2):
            frame["corners"][i][name] = value + 3 + 3 * i
    frame["samples"][:] = [10, -11, 12]
    for i in range(2):
        for j in range(3):
            frame["matrix"][i][j] = (i + 1) * 100 + j
    frame["title"] = "grün".encode()
    text(frame["titles"], 0, b"one")
    text(frame["titles"], 1, b"twelve bytes")
    shape = frame["shape"]
    shape["kind"] = 13
    shape["centre"]["y"] = 14
    shape["centre"]["weight"] = 15
    shape["code"] = 0x1122334455667788
    shape["middle"] = 0xABCD
    shape["last"] = 16
    frame["sequence"] = 17
    frame["readers"] = 18


class ByName:
    """A ctypes value whose fields are indexed, as NumPy's are."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, name):
        inner = getattr(self.value, name) if isinstance(name, str) else self.value[name]
        return ByName(inner) if isinstance(inner, (ctypes.Structure, ctypes.Array)) else inner

    def __setitem__(self, name, value):
        if isinstance(name, str):
            setattr(self.value, name, value)
        else:
            self.value[name] = value


def set_item(array, index, value):
    if isinstance(array, ByName):
        array.value[index].value = value
    else:
        array[index] = value


def refused(segment):
    try:
        sample.open_layout(segment, sample.Frame)
        print("opened")
    except sample.LayoutMismatch as failure:
        print(failure)


with open(sys.argv[1], "rb") as file:
    same = bytearray(file.read())
theirs = sample.open_layout(same, sample.Frame)
assert theirs.sequence == 17 and sample.text(theirs.title) == "grün"
assert sample.text(theirs.titles[1].value) == "twelve bytes"
own = bytearray(len(same))
refused(own)
ours = sample.create_layout(own, sample.Frame)
if "numpy" in sys.argv:
    for layout in (sample.Frame, sample.Point, sample.Shape):
        data_type = getattr(sample, layout.__name__.upper() + "_DTYPE")
        for name in data_type.names:
            assert data_type.fields[name][1] == getattr(layout, name).offset, f"{layout.__name__}.{name}"
        assert data_type.itemsize == ctypes.sizeof(layout)
    values = sample.numpy.frombuffer(own, sample.FRAME_DTYPE, 1, sample.LAYOUT_HEAD)
    fill(values[0], set_item)
else:
    fill(ByName(ours), set_item)
with open(sys.argv[2], "wb") as file:
    file.write(own)
for word in (4, 8, 16, 20, 0):
    other = bytearray(same)
    other[word] ^= 1
    refused(other)
