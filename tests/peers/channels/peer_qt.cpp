/* The peer of NativeIpc.Channels.Rings in C++ with Qt: the verbs of peer.c. "receive" and "follow" are driven by
 * signals. Also:
 *   self NAME                      a device alone: errors, deadlines, bytes, signals, threads; "self ok" */
#include "nativeipc_channels_qt.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QDataStream>
#include <QtCore/QDir>
#include <QtCore/QElapsedTimer>
#include <QtCore/QTimer>
#include <cstdio>

static uint64_t sumOf(const char *bytes, size_t length) {
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++) sum = (sum ^ uint8_t(bytes[i])) * UINT64_C(1099511628211);
    return sum;
}

static void fill(char *message, size_t length, uint64_t writer, uint64_t number) {
    memcpy(message, &writer, 8);
    memcpy(message + 8, &number, 8);
    for (size_t i = 16; i < length - 8; i++) message[i] = char(number + i);
    uint64_t sum = sumOf(message, length - 8);
    memcpy(message + length - 8, &sum, 8);
}

static uint64_t numberOf(const QByteArray &message) {
    if (message.size() < 24) return 0;
    uint64_t number, sum;
    memcpy(&number, message.constData() + 8, 8);
    memcpy(&sum, message.constData() + message.size() - 8, 8);
    return sum == sumOf(message.constData(), size_t(message.size()) - 8) ? number : 0;
}

static size_t lengthOf(uint64_t number) { return 24 + size_t(number * 7919 % 1977); }

static int fail(const char *what, const NativeIpcChannel &channel) {
    printf("error %d %s: %s\n", int(channel.error()), what, qPrintable(channel.errorString()));
    return 1;
}

static const QDeadlineTimer &soon() {
    static QDeadlineTimer deadline(30000);
    return deadline;
}

static int sendAll(const QString &name, uint64_t writer, uint64_t count) {
    NativeIpcRing ring(name);
    ring.setCapacity(16384);
    if (!ring.open(QIODevice::WriteOnly, soon())) return fail("open", ring);
    if (ring.tookOver()) printf("took over\n");
    QByteArray message;
    for (uint64_t number = 1; number <= count; number++) {
        size_t length = lengthOf(number);
        if (number % 3 == 0) {
            char *place = ring.reserve(qint64(length), soon());
            if (place == nullptr) return fail("reserve", ring);
            fill(place, length, writer, number);
            if (!ring.append(qint64(length))) return fail("append", ring);
            if (number % 2 == 0 && !ring.flush()) return fail("flush", ring);
        } else {
            message.resize(int(length));
            fill(message.data(), length, writer, number);
            while (number % 2 == 0 && !ring.writeMessage(message)) { /* tries, and waits by another call */
                if (ring.error() != NativeIpcChannel::NothingYet) return fail("write", ring);
                if (!ring.waitForBytesWritten(30000)) return fail("wait", ring);
            }
            if (number % 2 != 0 && !ring.writeMessage(message, soon())) return fail("write", ring);
        }
    }
    if (!ring.complete()) return fail("complete", ring);
    printf("sent\n");
    return 0;
}

static int receiveAll(const QString &name) {
    NativeIpcRing ring(name);
    uint64_t expected = 1;
    bool isGood = true;
    QObject::connect(&ring, &QIODevice::readyRead, [&] {
        while (ring.hasMessage()) {
            QByteArray message = expected % 2 == 0 ? ring.take() : ring.readMessage();
            isGood = isGood && numberOf(message) == expected;
            if (expected % 2 == 0) ring.release();
            expected++;
        }
    });
    QObject::connect(&ring, &QIODevice::readChannelFinished, [&] {
        if (ring.isCompleted()) QCoreApplication::quit();
    });
    ring.setCapacity(16384);
    if (!ring.open(QIODevice::ReadOnly, soon())) return fail("open", ring);
    printf("ready\n");
    QCoreApplication::exec();
    if (!isGood || ring.error() != NativeIpcChannel::NoError) return fail("order", ring);
    printf("received %llu\n", (unsigned long long)expected - 1);
    return 0;
}

static int publishAll(const QString &name, uint64_t writer, uint64_t count) {
    NativeIpcTopic topic(name);
    topic.setSize(2048, 7);
    if (!topic.open(QIODevice::WriteOnly, soon())) return fail("open", topic);
    if (topic.tookOver()) printf("took over\n");
    for (uint64_t number = 1; number <= count; number++) {
        size_t length = lengthOf(number);
        char *place = topic.reserve(qint64(length));
        if (place == nullptr) return fail("reserve", topic);
        fill(place, length, writer, number);
        if (!topic.commit(qint64(length))) return fail("commit", topic);
    }
    topic.complete();
    printf("sent\n");
    return 0;
}

static int followAll(const QString &name, bool isReader) {
    NativeIpcTopic topic(name);
    uint64_t given = 0;
    bool isGood = true;
    QObject::connect(&topic, &QIODevice::readyRead, [&] {
        for (;;) {
            QByteArray message = given % 2 == 0 ? topic.take() : topic.readMessage();
            if (message.isNull()) return;
            uint64_t number = numberOf(message);
            if (given % 2 == 0 && !topic.release()) continue; /* overwritten meanwhile: missed */
            isGood = isGood && number == topic.number();
            given++;
        }
    });
    QObject::connect(&topic, &QIODevice::readChannelFinished, [&] {
        if (topic.isCompleted()) QCoreApplication::quit();
    });
    if (!isReader) topic.setSize(2048, 7);
    if (!topic.open(QIODevice::ReadOnly)) return fail("open", topic);
    printf("ready\n");
    QCoreApplication::exec();
    if (!isGood) return fail("order", topic);
    printf("followed %llu %llu\n", (unsigned long long)given, (unsigned long long)topic.missed());
    return 0;
}

static int latest(const QString &name) {
    NativeIpcTopic writer(name), reader(name);
    writer.setSize(2048, 7);
    if (!writer.open(QIODevice::WriteOnly)) return fail("open", writer);
    if (!reader.open(QIODevice::ReadOnly)) return fail("open", reader);
    for (int i = 0; i < 20; i++)
        if (!writer.writeMessage("x", 1)) return fail("write", writer);
    if (reader.readLatest() != "x" || !reader.readLatest().isNull()) return fail("latest", reader);
    printf("latest %llu %llu\n", (unsigned long long)reader.number(), (unsigned long long)reader.missed());
    return 0;
}

static int hold(const QString &name, bool isTopic) {
    NativeIpcRing ring(name);
    NativeIpcTopic topic(name);
    if (isTopic) {
        if (!topic.open(QIODevice::WriteOnly)) return fail("open", topic);
        char *place = topic.reserve(100);
        if (place == nullptr) return fail("reserve", topic);
        memset(place, 1, 50);
    } else if (!ring.open(QIODevice::WriteOnly)) {
        return fail("open", ring);
    }
    printf("held\n");
    (void)getchar();
    return 0;
}

struct Frame {};
static uint64_t frame; /* its fingerprint */
template <> struct nativeipc::layout_of<Frame> { /* as NativeIpc writes it */
    static constexpr const char *name() { return "Frame"; }
    static uint64_t &fingerprint;
};
uint64_t &nativeipc::layout_of<Frame>::fingerprint = frame;

/* Says or verifies a layout: "same", or what is said of another one. */
static int layout(const QString &name, uint64_t fingerprint) {
    NativeIpcTopic topic(name);
    frame = fingerprint;
    if (topic.useLayout<Frame>() || topic.error() != NativeIpcChannel::NotOpen) return fail("before open", topic);
    if (!topic.open(QIODevice::ReadOnly)) return fail("open", topic);
    if (topic.useLayout<Frame>()) return printf("same\n"), 0;
    QString begin = "Cannot use the topic " + name + ": its messages have ";
    if (topic.error() != NativeIpcChannel::OtherLayout || !topic.errorString().startsWith(begin))
        return fail("use layout", topic);
    printf("%s\n", qPrintable(topic.errorString().mid(begin.size()).chopped(1)));
    return 0;
}

#define CHECK(what) \
    do { \
        if (!(what)) return printf("line %d: %s\n", __LINE__, #what), 1; \
    } while (0)

/* A thread that was waited for may still be on its way out. */
static bool hasThreads(int count) {
    QDeadlineTimer deadline(10000);
    while (QDir("/proc/self/task").entryList(QDir::Dirs | QDir::NoDotAndDotDot).size() != count)
        if (deadline.hasExpired()) return false;
    return true;
}

static int self(const QString &name) {
    NativeIpcRing writer(name), reader(name.startsWith('/') ? "posix:" + name : name), second(name);
    CHECK(!writer.open(QIODevice::WriteOnly) && writer.error() == NativeIpcChannel::NotFound);
    CHECK(writer.errorString() == "Cannot open the ring " + name + ": there is none.");
    NativeIpcRing wrong("windows:x");
    CHECK(!wrong.open(QIODevice::ReadOnly) && wrong.error() == NativeIpcChannel::InvalidKey);
    CHECK(!writer.writeMessage("x", 1) && writer.error() == NativeIpcChannel::NotOpen);
    writer.setCapacity(4096);
    CHECK(!writer.open(QIODevice::ReadWrite) && writer.error() == NativeIpcChannel::InvalidKey);
    CHECK(writer.open(QIODevice::WriteOnly) && reader.open(QIODevice::ReadOnly));
    CHECK(!second.open(QIODevice::WriteOnly) && second.error() == NativeIpcChannel::RoleTaken);
    CHECK(second.errorString().contains(QStringLiteral("process %1 is").arg(getpid())));
    NativeIpcTopic topic(name);
    CHECK(!topic.open(QIODevice::ReadOnly) && topic.error() == NativeIpcChannel::OtherContent);
    const int alone = 1;
    CHECK(hasThreads(alone));

    /* Messages, deadlines */
    CHECK(!reader.hasMessage() && reader.readMessage().isNull() && reader.error() == NativeIpcChannel::NothingYet);
    QElapsedTimer timer;
    timer.start();
    CHECK(reader.readMessage(QDeadlineTimer(30)).isNull() && timer.elapsed() >= 29);
    CHECK(writer.writeMessage("", 0) && reader.hasMessage() && reader.bytesAvailable() == 0);
    QByteArray empty = reader.readMessage();
    CHECK(!empty.isNull() && empty.isEmpty() && writer.bytesToWrite() == 0 && writer.waitForBytesWritten(0));
    QByteArray longest(int(writer.longestMessage()), 'x');
    CHECK(!writer.writeMessage(longest + 'x') && writer.error() == NativeIpcChannel::TooLong);
    CHECK(writer.writeMessage(longest) && writer.writeMessage(longest.mid(32)) && writer.bytesToWrite() > 4000);
    CHECK(!writer.writeMessage(longest, QDeadlineTimer(5)) && writer.error() == NativeIpcChannel::NothingYet);
    CHECK(writer.write("x", 1) == 1 && writer.write(longest) == 0 && !writer.waitForBytesWritten(1));
    QByteArray first = reader.take(), next = reader.take();
    CHECK(first.size() == longest.size() && next.size() == longest.size() - 32 && reader.readMessage() == "x");
    CHECK(writer.bytesToWrite() > 4000 && reader.release() && writer.bytesToWrite() == 0);
    CHECK(writer.waitForBytesWritten(0) && !writer.waitForBytesWritten(0));
    CHECK(!writer.commit(1) && writer.error() == NativeIpcChannel::NotOpen);
    CHECK(writer.reserve(8) != nullptr && !writer.commit(9) && writer.commit(8) && reader.readMessage().size() == 8);
    CHECK(hasThreads(alone));

    /* Bytes */
    QDataStream out(&writer), in(&reader);
    out << quint32(7) << QStringLiteral("seven");
    quint32 number = 0;
    QString text;
    in >> number >> text;
    CHECK(number == 7 && text == "seven" && in.status() == QDataStream::Ok && reader.bytesAvailable() == 0);
    CHECK(writer.write("one\ntwo\n") == 8 && reader.readLine() == "one\n" && reader.readMessage() == "two\n");
    CHECK(writer.write("abc") == 3 && reader.peek(2) == "ab" && reader.take().isNull());
    CHECK(reader.error() == NativeIpcChannel::NotOpen && reader.readAll() == "abc");

    /* Signals */
    int rounds = 0;
    qint64 written = 0;
    auto ready = QObject::connect(&reader, &QIODevice::readyRead, [&] {
        rounds++;
        if (rounds == 1) { /* reads no more than one, and waits for another one meanwhile */
            if (reader.readMessage() != "1") return;
            writer.writeMessage("2", 1);
            if (reader.readMessage(QDeadlineTimer(10000)) == "2") writer.writeMessage("3", 1);
        } else {
            while (reader.hasMessage()) reader.readMessage();
            QCoreApplication::quit();
        }
    });
    CHECK(hasThreads(alone + 1));
    QObject::connect(&writer, &QIODevice::bytesWritten, [&](qint64 bytes) { written += bytes; });
    CHECK(hasThreads(alone + 2));
    QTimer::singleShot(0, [&] { writer.writeMessage("1", 1); });
    QCoreApplication::exec();
    CHECK(rounds == 2 && !reader.hasMessage());
    while (written < 3 * 16) QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
    CHECK(written == 3 * 16);
    writer.writeMessage("4", 1);
    CHECK(reader.waitForReadyRead(10000) && reader.readMessage() == "4" && !reader.waitForReadyRead(1));
    QObject::disconnect(ready);

    /* The end, and a new writer */
    bool isFinished = false;
    QObject::connect(&reader, &QIODevice::readChannelFinished, [&] {
        isFinished = true;
        QCoreApplication::quit();
    });
    CHECK(writer.complete() && writer.isOpen());
    while (!isFinished) QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
    CHECK(reader.isCompleted() && reader.readMessage().isNull() && reader.error() == NativeIpcChannel::Completed);
    writer.close();
    CHECK(hasThreads(alone + 1) && second.open(QIODevice::WriteOnly) && !second.tookOver() && !reader.isCompleted());
    isFinished = false;
    second.writeMessage("5", 1);
    second.complete();
    while (!isFinished) QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
    CHECK(!reader.isCompleted() && reader.readMessage() == "5" && reader.isCompleted());
    reader.close();
    second.close();
    CHECK(hasThreads(alone));

    /* A topic: history, missed, in place */
    CHECK(nativeipc_channel_remove(qPrintable(name)) == 0);
    NativeIpcTopic publisher(name);
    publisher.setSize(64, 3);
    topic.setSize(64, 3);
    CHECK(publisher.open(QIODevice::WriteOnly) && topic.open(QIODevice::ReadOnly));
    for (char one = 'a'; one <= 'e'; one++) CHECK(publisher.writeMessage(&one, 1));
    CHECK(publisher.number() == 5 && topic.readMessage() == "c" && topic.missed() == 2 && topic.number() == 3);
    CHECK(topic.readLatest() == "e" && topic.missed() == 2 && topic.rewind() && topic.readMessage() == "c");
    QByteArray inPlace = topic.take();
    CHECK(inPlace == "d" && topic.readMessage() == "e" && topic.release() && topic.missed() == 2);
    publisher.writeMessage("f", 1);
    inPlace = topic.take();
    for (int i = 0; i < 4; i++) publisher.writeMessage("g", 1);
    CHECK(!topic.release() && topic.error() == NativeIpcChannel::Overwritten && topic.missed() == 3);
    CHECK(!publisher.writeMessage(QByteArray(65, 'x')) && publisher.error() == NativeIpcChannel::TooLong);

    /* Garbage in the control words */
    nativeipc_channel raw;
    const char *damaged = ": it is damaged: a peer has written what the layout does not allow.";
    CHECK(nativeipc_topic_open(&raw, qPrintable(name), 0) == 0);
    raw.header->tail = 1;
    CHECK(topic.take().isNull() && topic.error() == NativeIpcChannel::Damaged);
    CHECK(topic.errorString() == "Cannot read from the topic " + name + damaged);
    publisher.close();
    raw.header->tail = UINT64_MAX;
    CHECK(!publisher.open(QIODevice::WriteOnly) && publisher.error() == NativeIpcChannel::Damaged);
    topic.close();
    nativeipc_channel_close(&raw);
    CHECK(nativeipc_channel_remove(qPrintable(name)) == 0);
    CHECK(writer.open(QIODevice::WriteOnly) && reader.open(QIODevice::ReadOnly));
    CHECK(nativeipc_ring_open(&raw, qPrintable(name)) == 0);
    raw.header->tail = 3;
    CHECK(reader.readMessage().isNull() && reader.error() == NativeIpcChannel::Damaged && !reader.hasMessage());
    CHECK(reader.errorString() == "Cannot read from the ring " + reader.key() + damaged);
    raw.header->tail = 0;
    raw.header->head = 12;
    QByteArray half(int(writer.longestMessage()), 'x');
    while (writer.writeMessage(half)) continue;
    CHECK(writer.error() == NativeIpcChannel::Damaged);
    reader.close();
    CHECK(!reader.open(QIODevice::ReadOnly) && reader.error() == NativeIpcChannel::Damaged);
    nativeipc_channel_close(&raw);
    printf("self ok\n");
    return 0;
}

int main(int count, char **words) {
    QCoreApplication application(count, words);
    setvbuf(stdout, nullptr, _IOLBF, 0);
    QByteArray verb = count >= 3 ? words[1] : "";
    QString name = count >= 3 ? QString::fromUtf8(words[2]) : QString();
    if (verb == "send" && count == 5)
        return sendAll(name, strtoull(words[3], nullptr, 10), strtoull(words[4], nullptr, 10));
    if (verb == "receive") return receiveAll(name);
    if (verb == "publish" && count == 5)
        return publishAll(name, strtoull(words[3], nullptr, 10), strtoull(words[4], nullptr, 10));
    if (verb == "follow") return followAll(name, count == 4);
    if (verb == "latest") return latest(name);
    if (verb == "hold") return hold(name, count == 4);
    if (verb == "self") return self(name);
    if (verb == "layout" && count >= 4) return layout(name, strtoull(words[3], nullptr, 16));
    return 2;
}
