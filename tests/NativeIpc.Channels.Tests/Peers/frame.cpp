// Fills a Frame by name and compares it with the one of C#: frame SAME OUT. Then each word of the head
// is another one. With Qt it has QString.
#include "sample.hpp"
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

using namespace sample;
using nativeipc::set_text;

static std::vector<std::uint64_t> read_all(const char *path, std::size_t &length)
{
    std::ifstream file(path, std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    length = all.size();
    std::vector<std::uint64_t> words((length + 7) / 8);
    std::memcpy(words.data(), all.data(), length);
    return words;
}

static bool fill(Frame &frame)
{
    frame.type = 1;
    frame.small = -2;
    frame.width = 3;
    frame.height = -4;
    frame.stride = 5;
    frame.signed_ = -6;
    frame.large = UINT64_C(0xF000000000000007);
    frame.negative = -8;
    frame.single = 1.5f;
    frame.double_ = -2.25;
    frame.format = PixelFormat::Bgra32;
    frame.marks = Marks::Key | Marks::Lost;
    frame.depth = Depth::Lowest;
    frame.camera.x = 1, frame.camera.y = 2, frame.camera.weight = 3;
    for (int i = 0; i < 2; i++)
        frame.corners[i].x = 4 + 3 * i, frame.corners[i].y = 5 + 3 * i, frame.corners[i].weight = 6 + 3 * float(i);
    frame.samples[0] = 10, frame.samples[1] = -11, frame.samples[2] = 12;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) frame.matrix[i][j] = std::int16_t((i + 1) * 100 + j);
    frame.shape.kind = 13;
    frame.shape.centre.y = 14, frame.shape.centre.weight = 15;
    frame.shape.code = UINT64_C(0x1122334455667788);
    frame.shape.at_middle.middle = 0xABCD;
    frame.shape.last = 16;
    frame.store_sequence(16);
    if (frame.add_sequence(1) != 17) return false;
    frame.store_readers(18);
#ifdef QT_CORE_LIB
    return set_text(frame.title, QStringLiteral("gr\u00fcn")) && nativeipc::qtext(frame.title).size() == 4
        && set_text(frame.titles[0], QStringLiteral("one")) && set_text(frame.titles[1], QStringLiteral("twelve bytes"))
        && !set_text(frame.titles[1], QStringLiteral("thirteen byte"));
#else
    return set_text(frame.title, "gr\xc3\xbcn") && nativeipc::text(frame.title).size() == 5
        && set_text(frame.titles[0], "one") && set_text(frame.titles[1], "twelve bytes")
        && nativeipc::text(frame.titles[1]) == "twelve bytes" && !set_text(frame.titles[1], "thirteen byte");
#endif
}

template <typename T> static void refused(void *segment, std::size_t length)
{
    try {
        nativeipc::open_layout<T>(segment, length);
        std::cout << "opened\n";
    } catch (const nativeipc::layout_mismatch &failure) {
        std::cout << failure.what() << "\n";
    }
}

int main(int count, char **arguments)
{
    std::size_t length = 0;
    if (count != 3) return 2;
    std::vector<std::uint64_t> bytes = read_all(arguments[1], length);
    if (nativeipc::open_layout<Frame>(bytes.data(), length).load_sequence() != 17) return 5;
    std::vector<std::uint64_t> own(bytes.size());
    refused<Frame>(own.data(), length);
    if (!fill(nativeipc::create_layout<Frame>(own.data(), length))) return 4;
    std::ofstream(arguments[2], std::ios::binary).write(reinterpret_cast<const char *>(own.data()), length);
    char *head = reinterpret_cast<char *>(bytes.data());
    for (int word : {4, 8, 16, 20, 0}) {
        head[word] ^= 1;
        refused<Frame>(head, length);
        head[word] ^= 1;
    }
    return 0;
}
