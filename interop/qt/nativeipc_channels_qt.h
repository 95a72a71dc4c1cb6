/* SPDX-License-Identifier: MIT
 *
 * nativeipc_channels_qt.h: rings and topics of NativeIpc as devices of Qt (5.15, 6; C++17; Linux). Add this file,
 * nativeipc_channels_qt.cpp and include/nativeipc_channels.h to a target that links to QtCore. moc has nothing to do.
 *
 *     NativeIpcRing ring("posix:/org.example.frames");   // or "/org.example.frames", or "systemv:/path"
 *     ring.setCapacity(1 << 20);                         // makes the ring if need be
 *     if (!ring.open(QIODevice::WriteOnly)) qFatal("%s", qPrintable(ring.errorString()));
 *     ring.writeMessage("hello", QDeadlineTimer(1000));
 *
 *     NativeIpcRing ring("posix:/org.example.frames");   // in another process
 *     QObject::connect(&ring, &QIODevice::readyRead, [&] {
 *         for (QByteArray message = ring.take(); !message.isNull(); message = ring.take()) {
 *             use(message);                              // in place: no copy
 *             ring.release();
 *         }
 *     });
 *     ring.open(QIODevice::ReadOnly);
 *
 * A device is a writer or a reader, by its mode; its roles are those of docs/channels.md. It belongs to one thread, its
 * object's. Deadlines: QDeadlineTimer(0), the default, tries once; QDeadlineTimer::Forever waits for ever.
 *
 * Threads: none, until readyRead or readChannelFinished of a reader, or bytesWritten of a ring's writer, is connected
 * (in the device's thread). From then until close() there is one, "nativeipc-bell". It sleeps on the channel's bell and
 * posts an event to the device; all signals are emitted by the device's own thread. A call with a deadline that has to
 * wait stops that thread meanwhile.
 *
 * readyRead: there are messages that were not there at the last one, as with a socket. Read until a null QByteArray.
 *
 * As any QIODevice the devices take and give bytes, too: write(), read(), readLine(), QDataStream. They do so without
 * waiting: write() to a ring without room takes fewer bytes, or 0. read() knows no messages: it gives the bytes of one
 * after the other. After peek(), ungetChar() and within transactions, read no messages before those bytes are read. */
#ifndef NATIVEIPC_CHANNELS_QT_H
#define NATIVEIPC_CHANNELS_QT_H

#include "nativeipc_channels.h"

#include <QtCore/QByteArray>
#include <QtCore/QDeadlineTimer>
#include <QtCore/QIODevice>
#include <QtCore/QString>

namespace nativeipc {
template <typename T> struct layout_of; /* of the declarations that NativeIpc writes for C++ */
}

/* What a ring and a topic have in common. */
class NativeIpcChannel : public QIODevice {
public:
    enum Error {
        NoError,
        NotFound,
        InvalidKey,       /* no key that a channel can have, or a mode, a size that it cannot have */
        OtherContent,     /* what has the key is no such channel, is of another version, or too small */
        HalfMade,         /* its maker was killed at making it */
        PermissionDenied, /* also: it belongs to neither this user nor root, so it may be planted */
        RoleTaken,        /* another one is its writer, or its reader */
        NothingYet,       /* no message, or no room for one, within the deadline */
        Completed,        /* the writer has said that nothing more comes, and all was read */
        TooLong,
        Damaged,          /* a control word has a value that no peer writes that keeps to the layout */
        Overwritten,      /* what was read of a topic in place was overwritten meanwhile */
        OtherLayout,      /* its messages have another layout */
        NotOpen,          /* or not open for this; nothing was reserved */
        UnknownError      /* errorString() says what the system says */
    };

    ~NativeIpcChannel() override;

    QString key() const { return m_key; }

    /* Why the last call failed; NoError after one that did not. errorString() has it in words. */
    Error error() const { return m_error; }

    /* ReadOnly: as a reader. WriteOnly: as the writer. The deadline is for the role, while another one has it. */
    bool open(OpenMode mode) override { return open(mode, QDeadlineTimer(0)); }
    bool open(OpenMode mode, QDeadlineTimer deadline);
    void close() override;
    bool isSequential() const override { return true; }

    /* Whether the holder of the role before this one was killed. */
    bool tookOver() const { return m_tookOver; }

    /* The longest message, in bytes; 0 before it is open. */
    virtual qint64 longestMessage() const = 0;

    /* Says which layout the messages have: useLayout<app::Frame>() with the declarations that NativeIpc writes for C++.
     * Where that was said before, in whatever language, it verifies that it is the same; OtherLayout when it is not, or
     * when nothing was said and this process may only read. For a device that is open. */
    template <typename T> bool useLayout() {
        return useLayout(nativeipc::layout_of<T>::fingerprint, nativeipc::layout_of<T>::name());
    }
    bool useLayout(quint64 fingerprint, const char *layout);

    /* ---- The writer ---- */

    /* Writes a message, as a whole or not at all; a ring's writer waits for room until the deadline. */
    bool writeMessage(const QByteArray &message, QDeadlineTimer deadline = QDeadlineTimer(0));
    bool writeMessage(const char *message, qint64 length, QDeadlineTimer deadline = QDeadlineTimer(0));

    /* Gives a place for a message of so many bytes, in the channel itself; null when there is none. */
    virtual char *reserve(qint64 length, QDeadlineTimer deadline = QDeadlineTimer(0)) = 0;

    /* Shows the first bytes of what was reserved to the readers, as a message. */
    virtual bool commit(qint64 length) = 0;

    /* Says that nothing more comes. The next writer takes that back. */
    virtual bool complete() = 0;

    /* ---- The reader ---- */

    /* A copy of the next message; null, which an empty message is not, when there is none by the deadline. */
    virtual QByteArray readMessage(QDeadlineTimer deadline = QDeadlineTimer(0)) = 0;

    /* The next message in place: its bytes are those of the channel until release(), and not to be used after it. */
    QByteArray take(QDeadlineTimer deadline = QDeadlineTimer(0));

    /* Ends the use of all messages that were taken. False (a topic's only): the last one was overwritten meanwhile;
     * what was made of it is to be thrown away. */
    virtual bool release() = 0;

    /* Whether take() would give a message now. */
    bool hasMessage() const;

    /* Whether the writer has said that nothing more comes, and all was read. */
    bool isCompleted() const;

    /* Bytes of the next message; what is left of one that read() has begun. */
    qint64 bytesAvailable() const override;
    bool waitForReadyRead(int milliseconds) override;

protected:
    class Watcher;

    NativeIpcChannel(const QString &key, int kind, QObject *parent);

    qint64 readData(char *data, qint64 most) override;
    void connectNotify(const QMetaMethod &signal) override;

    bool ready(OpenModeFlag mode);
    bool succeed();
    bool fail(const char *what, int number);
    const char *name() const;
    bool isWanted() const;
    void startWatcher();
    void resumeWatcher();
    void handleNews(int generation);
    bool tell();
    bool awaitNews(const char *what, QDeadlineTimer deadline);

    virtual int openChannel(const char *name, bool isReader) = 0;
    virtual int openRole(bool isReader, int milliseconds, int *tookOver) = 0;
    virtual void closeRole(bool isReader) = 0;
    virtual int tryTake(const void **message, size_t *length) = 0;
    virtual int tryPeek(size_t *length) const = 0;
    virtual int sleep(long long until) = 0;
    virtual quint64 position() const = 0; /* what this side has come to, of the word that the other side moves */

    nativeipc_channel m_channel;
    QByteArray m_begun; /* what read() has left of a message */
    Watcher *m_watcher = nullptr;
    quint64 m_seen = 0; /* what signals were told up to */
    quint32 m_seenEnd = 0;
    bool m_isEmitting = false;
    bool m_isReadingBytes = false;
    quint64 m_freed = 0; /* where the reader was when bytesWritten was told last */

private:
    QString m_key;
    QString m_holder;
    QByteArray m_layout; /* what is said of another one */
    Error m_error = NoError;
    int m_kind;
    int m_tookOver = 0;
    int m_generation = 0;
    bool m_isEndTold = false;
};

/* A ring: messages of any length up to half its capacity from one writer to one reader, each once, in order. */
class NativeIpcRing : public NativeIpcChannel {
public:
    explicit NativeIpcRing(const QString &key, QObject *parent = nullptr);
    ~NativeIpcRing() override;

    /* Before open(), which makes the ring then where there is none: bytes, rounded up to a power of two, and the mode
     * of its file. Without this the ring has to be there. */
    void setCapacity(qint64 bytes, int mode = 0600);

    qint64 longestMessage() const override;
    char *reserve(qint64 length, QDeadlineTimer deadline = QDeadlineTimer(0)) override;
    bool commit(qint64 length) override;

    /* As commit(), of a batch that flush() shows in one step. */
    bool append(qint64 length);
    bool flush();
    bool complete() override;
    QByteArray readMessage(QDeadlineTimer deadline = QDeadlineTimer(0)) override;
    bool release() override;

    /* Bytes of the ring that were shown and that the reader has not given back. */
    qint64 bytesToWrite() const override;

    /* Waits until the reader gives some back; false when there are none or the time has passed. bytesWritten says how
     * many. */
    bool waitForBytesWritten(int milliseconds) override;

protected:
    qint64 writeData(const char *data, qint64 length) override;
    int openChannel(const char *name, bool isReader) override;
    int openRole(bool isReader, int milliseconds, int *tookOver) override;
    void closeRole(bool isReader) override;
    int tryTake(const void **message, size_t *length) override;
    int tryPeek(size_t *length) const override;
    int sleep(long long until) override;
    quint64 position() const override;

private:
    qint64 m_capacity = 0;
    int m_mode = 0600;
    int m_taken = 0; /* messages that are used in place */
    nativeipc_ring_writer m_writer;
    nativeipc_ring_reader m_reader;
};

/* A topic: the latest messages of one writer, for any number of readers that never slow it down. */
class NativeIpcTopic : public NativeIpcChannel {
public:
    explicit NativeIpcTopic(const QString &key, QObject *parent = nullptr);
    ~NativeIpcTopic() override;

    /* Before open(), which makes the topic then where there is none: bytes of the longest message, how many messages
     * stay, and the mode of its file. Without this the topic has to be there. */
    void setSize(qint64 longestMessage, int history, int mode = 0600);

    qint64 longestMessage() const override;
    char *reserve(qint64 length, QDeadlineTimer deadline = QDeadlineTimer(0)) override;
    bool commit(qint64 length) override;
    bool complete() override;
    QByteArray readMessage(QDeadlineTimer deadline = QDeadlineTimer(0)) override;
    bool release() override;

    /* A copy of the latest message, if it was not given yet. Those before it do not count as missed. */
    QByteArray readLatest(QDeadlineTimer deadline = QDeadlineTimer(0));

    /* Goes back to the oldest message that is there: a new reader begins behind the latest one. */
    bool rewind();

    /* How many messages were overwritten before this reader came to them. */
    quint64 missed() const;

    /* The number of the last message that was given or missed; the writer's: of the last one that it wrote. */
    quint64 number() const;

protected:
    qint64 writeData(const char *data, qint64 length) override;
    int openChannel(const char *name, bool isReader) override;
    int openRole(bool isReader, int milliseconds, int *tookOver) override;
    void closeRole(bool isReader) override;
    int tryTake(const void **message, size_t *length) override;
    int tryPeek(size_t *length) const override;
    int sleep(long long until) override;
    quint64 position() const override;

private:
    QByteArray copied(QDeadlineTimer deadline, bool isLatest);

    qint64 m_longest = 0;
    int m_history = 0;
    int m_mode = 0600;
    nativeipc_topic_writer m_writer;
    nativeipc_topic_reader m_reader;
};

#endif
