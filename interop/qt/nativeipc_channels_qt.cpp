/* SPDX-License-Identifier: MIT
 *
 * The devices of nativeipc_channels_qt.h, on nativeipc_channels.h. */
#include "nativeipc_channels_qt.h"

#include <QtCore/QMetaMethod>
#include <QtCore/QMutex>
#include <QtCore/QPointer>
#include <QtCore/QThread>
#include <QtCore/QWaitCondition>

#include <atomic>
#include <csignal>

/* The thread that sleeps for a device which has signals connected. Armed, it waits until a word has moved or "ended"
 * has changed; then it posts one event, and rests until the device arms it again. */
class NativeIpcChannel::Watcher : public QThread {
public:
    Watcher(NativeIpcChannel *device, int generation, uint32_t *bell, const uint64_t *word, bool isShared)
        : m_device(device), m_channel(&device->m_channel), m_generation(generation), m_bell(bell), m_word(word),
          m_isShared(isShared) {
        setObjectName(QStringLiteral("nativeipc-bell"));
        start();
    }

    ~Watcher() override {
        {
            QMutexLocker lock(&m_mutex);
            m_isOver = true;
            halt();
            m_changed.wakeAll();
        }
        wait();
    }

    void arm(quint64 seen, quint32 ended) {
        QMutexLocker lock(&m_mutex);
        if (m_state != Idle) return; /* an event is under way, or it sleeps already */
        m_seen = seen;
        m_ended = ended;
        m_state = Armed;
        m_changed.wakeAll();
    }

    /* It sleeps no more, so that another one may at the same bell. */
    void disarm() {
        QMutexLocker lock(&m_mutex);
        halt();
    }

    /* The event has arrived. */
    void taken() {
        QMutexLocker lock(&m_mutex);
        if (m_state == Posted) m_state = Idle;
    }

protected:
    void run() override {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr); /* they are for threads of the program */
        QMutexLocker lock(&m_mutex);
        for (;;) {
            while (m_state != Armed && !m_isOver) m_changed.wait(&m_mutex);
            if (m_isOver) return;
            m_state = Sleeping;
            lock.unlock();
            int had = nativeipc_channel_wait(m_channel, m_bell, m_isShared, &m_habit, hasNews, this, -1);
            lock.relock();
            if (had != 0 && !m_isHalted) m_changed.wait(&m_mutex, 10); /* a sandbox refuses futex(2): look again */
            m_state = m_isHalted ? Idle : differs() ? Posted : Armed;
            if (m_state == Posted) post();
            m_changed.wakeAll();
        }
    }

private:
    enum State { Idle, Armed, Sleeping, Posted };

    /* R1 Race: the thread sets the bell and looks before it sleeps, while this says that it is to stop. Safe because:
     * both make a full fence between their store and what follows. Either its look sees m_isHalted, or the 0 here
     * comes behind its 1: then it does not sleep, or is woken. Others that this wakes ring themselves in again. */
    void halt() {
        m_isHalted = true;
        while (m_state == Sleeping) {
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (m_channel->can_write) nativeipc_channel_ring(m_bell);
            m_changed.wait(&m_mutex, 20);
        }
        m_isHalted = false;
        if (m_state == Armed) m_state = Idle;
    }

    bool differs() const {
        return __atomic_load_n(m_word, __ATOMIC_ACQUIRE) != m_seen ||
            __atomic_load_n(&m_channel->header->ended, __ATOMIC_ACQUIRE) != m_ended;
    }

    static int hasNews(void *user) {
        auto *self = static_cast<Watcher *>(user);
        return self->m_isHalted || self->differs();
    }

    void post() {
        NativeIpcChannel *device = m_device;
        int generation = m_generation;
        QMetaObject::invokeMethod(device, [device, generation] { device->handleNews(generation); },
            Qt::QueuedConnection);
    }

    NativeIpcChannel *m_device;
    nativeipc_channel *m_channel;
    int m_generation;
    uint32_t *m_bell;
    const uint64_t *m_word;
    bool m_isShared;
    QMutex m_mutex;
    QWaitCondition m_changed;
    State m_state = Idle;
    bool m_isOver = false;
    std::atomic<bool> m_isHalted{false};
    quint64 m_seen = 0;
    quint32 m_ended = 0;
    nativeipc_channel_habit m_habit = {};
};

/* The name of the C header for a key of the type posix, by its text or as it is, or systemv; empty for others. */
static QByteArray nativeKeyOf(const QString &key) {
    if (key.startsWith(QLatin1String("systemv"))) return key.toUtf8();
    if (!key.startsWith(QLatin1String("posix:"))) return key.startsWith(QLatin1Char('/')) ? key.toUtf8() : QByteArray();
    QByteArray text = key.mid(6).toUtf8();
    for (char end : {'#', '?'}) {
        if (text.indexOf(end) >= 0) text.truncate(text.indexOf(end));
    }
    return QByteArray::fromPercentEncoding(text);
}

static long long untilOf(QDeadlineTimer deadline) {
    return deadline.isForever() ? -1 : nativeipc_channel_now() + deadline.remainingTimeNSecs();
}

static int millisecondsOf(QDeadlineTimer deadline) {
    return deadline.isForever() ? -1 : int(qMin<qint64>(deadline.remainingTime(), INT_MAX));
}

/* Who has a role, as its note says; for people only. */
static QString holderOf(const nativeipc_channel_note &note) {
    struct stat status;
    bool isKnown = stat("/proc/self/ns/pid", &status) == 0 && note.pid_namespace == quint64(status.st_ino) &&
        __atomic_load_n(&note.is_held, __ATOMIC_ACQUIRE) != 0;
    return isKnown ? QStringLiteral("process %1").arg(note.process) : QStringLiteral("another process");
}

NativeIpcChannel::NativeIpcChannel(const QString &key, int kind, QObject *parent)
    : QIODevice(parent), m_channel(), m_key(key), m_kind(kind) {
    m_channel.file = -1;
}

NativeIpcChannel::~NativeIpcChannel() { Q_ASSERT(m_watcher == nullptr && m_channel.header == nullptr); }

const char *NativeIpcChannel::name() const { return m_kind == NATIVEIPC_CHANNEL_RING ? "ring" : "topic"; }

bool NativeIpcChannel::succeed() {
    m_error = NoError;
    return true;
}

/* Says why, in words; always false. */
bool NativeIpcChannel::fail(const char *what, int number) {
    bool isRead = (openMode() & ReadOnly) != 0;
    QString why;
    switch (number) {
    case ENOENT:
        m_error = NotFound;
        why = QStringLiteral("there is none");
        break;
    case EINVAL:
        m_error = InvalidKey;
        why = QStringLiteral("it needs ReadOnly or WriteOnly, a key of the type posix or systemv, and a good size");
        break;
    case ENAMETOOLONG:
        m_error = InvalidKey;
        why = QStringLiteral("a key has 255 bytes at most");
        break;
    case EMEDIUMTYPE:
        m_error = OtherContent;
        why = QStringLiteral("what has the key is no such channel, is of another version or form, or is too small");
        break;
    case EPERM:
    case EACCES:
        m_error = PermissionDenied;
        why = number == EPERM ? QStringLiteral("it is another user's, and may be planted")
                              : QStringLiteral("this user has no right to it");
        break;
    case EBUSY:
        m_error = RoleTaken;
        why = QStringLiteral("%1 is. There is one at a time").arg(m_holder);
        break;
    case EAGAIN:
    case ETIMEDOUT:
        m_error = isOpen() ? NothingYet : HalfMade;
        why = !isOpen() ? QStringLiteral("it is half made; its maker was killed at it, or is stopped")
            : isRead    ? QStringLiteral("there is no message yet")
                        : QStringLiteral("there is no room yet");
        break;
    case ENODATA:
        m_error = Completed;
        why = QStringLiteral("all was read, and the writer has said that nothing more comes");
        break;
    case EMSGSIZE:
        m_error = TooLong;
        why = QStringLiteral("the message is too long; the longest one has %1 bytes").arg(longestMessage());
        break;
    case EBADMSG:
        m_error = Damaged;
        why = QStringLiteral("it is damaged: a peer has written what the layout does not allow");
        break;
    case EOVERFLOW:
        m_error = Overwritten;
        why = QStringLiteral("the message was overwritten meanwhile");
        break;
    case EPROTOTYPE:
        m_error = OtherLayout;
        why = QStringLiteral("its messages have ") + QString::fromUtf8(m_layout);
        break;
    case EBADF:
        m_error = NotOpen;
        why = QStringLiteral("it is not open for that, or nothing as long was reserved");
        break;
    default:
        m_error = UnknownError;
        why = qt_error_string(number);
        break;
    }
    setErrorString(QStringLiteral("Cannot %1 the %2 %3: %4.")
            .arg(QLatin1String(what), QLatin1String(name()), m_key, why));
    return false;
}

bool NativeIpcChannel::ready(OpenModeFlag mode) {
    return isOpen() && (openMode() & mode) != 0 ? true : fail(mode == ReadOnly ? "read from" : "write to", EBADF);
}

bool NativeIpcChannel::open(OpenMode mode, QDeadlineTimer deadline) {
    if (isOpen()) return fail("open", EBADF);
    mode &= ~OpenMode(Unbuffered);
    bool isReader = mode == OpenMode(ReadOnly);
    QByteArray native = nativeKeyOf(m_key);
    if ((!isReader && mode != OpenMode(WriteOnly)) || native.isEmpty()) return fail("open", EINVAL);
    if (openChannel(native.constData(), isReader) != 0) return fail("open", errno);
    m_tookOver = 0;
    while (openRole(isReader, millisecondsOf(deadline), &m_tookOver) != 0) {
        if (errno == EINTR && !deadline.hasExpired()) continue;
        int number = errno;
        m_holder = holderOf(isReader ? m_channel.header->reader_note : m_channel.header->writer_note);
        nativeipc_channel_close(&m_channel);
        return fail(isReader ? "be the reader of" : "be the writer of", number == EINTR ? EBUSY : number);
    }
    QIODevice::open(mode | Unbuffered); /* what a message's bytes are is not to be mixed with a buffer's */
    m_generation++;
    m_isEmitting = m_isEndTold = false;
    startWatcher();
    return succeed();
}

void NativeIpcChannel::close() {
    if (!isOpen()) return;
    bool isReader = (openMode() & ReadOnly) != 0;
    QIODevice::close();
    if (m_channel.header == nullptr) return; /* who heard of it has closed it */
    delete m_watcher;
    m_watcher = nullptr;
    m_generation++;
    m_begun.clear();
    closeRole(isReader);
    nativeipc_channel_close(&m_channel);
}

/* ---- signals ---- */

void NativeIpcChannel::connectNotify(const QMetaMethod &signal) {
    QIODevice::connectNotify(signal);
    startWatcher();
}

bool NativeIpcChannel::isWanted() const {
    if ((openMode() & ReadOnly) != 0) {
        return isSignalConnected(QMetaMethod::fromSignal(&QIODevice::readyRead)) ||
            isSignalConnected(QMetaMethod::fromSignal(&QIODevice::readChannelFinished));
    }
    return m_kind == NATIVEIPC_CHANNEL_RING && isSignalConnected(QMetaMethod::fromSignal(&QIODevice::bytesWritten));
}

void NativeIpcChannel::startWatcher() {
    if (!isOpen() || m_watcher != nullptr || !isWanted()) return;
    bool isReader = (openMode() & ReadOnly) != 0;
    nativeipc_channel_header *header = m_channel.header;
    m_watcher = new Watcher(this, m_generation, isReader ? &header->reader_bell : &header->writer_bell,
        isReader ? &header->tail : &header->head, m_kind == NATIVEIPC_CHANNEL_TOPIC);
    if (!isReader) m_freed = __atomic_load_n(&header->head, __ATOMIC_ACQUIRE); /* nobody heard of what was before */
    m_seen = position();
    m_seenEnd = isReader ? 0 : __atomic_load_n(&header->ended, __ATOMIC_ACQUIRE);
    resumeWatcher();
}

void NativeIpcChannel::resumeWatcher() {
    if (m_watcher != nullptr && !m_isEmitting) m_watcher->arm(qMax(m_seen, position()), m_seenEnd);
}

/* In the device's thread: something has come, or room. */
void NativeIpcChannel::handleNews(int generation) {
    if (generation != m_generation || m_watcher == nullptr) return;
    m_watcher->taken();
    if (!m_isEmitting && !tell()) return;
    resumeWatcher();
}

/* Emits what there is to say; false when the device is gone or closed by then. */
bool NativeIpcChannel::tell() {
    QPointer<NativeIpcChannel> self(this);
    int generation = m_generation;
    bool isReader = (openMode() & ReadOnly) != 0;
    quint32 ended = __atomic_load_n(&m_channel.header->ended, __ATOMIC_ACQUIRE);
    quint64 word =
        __atomic_load_n(isReader ? &m_channel.header->tail : &m_channel.header->head, __ATOMIC_ACQUIRE);
    quint64 before = position();
    m_isEmitting = true;
    if (isReader) {
        if (word != m_seen) m_isEndTold = false; /* another writer's, whose end is told, too */
        if (word != before) Q_EMIT readyRead();
        if (self && generation == m_generation && ended != 0 && !m_isEndTold) {
            m_isEndTold = true;
            Q_EMIT readChannelFinished();
        }
    } else if (word > before && word - before <= m_channel.capacity) { /* else a peer wrote it that keeps to nothing */
        m_freed = word;
        Q_EMIT bytesWritten(qint64(word - before));
    }
    if (!self || generation != m_generation) return false;
    m_isEmitting = false;
    if (ended == 0) m_isEndTold = false;
    m_seen = word;
    m_seenEnd = ended;
    return true;
}

bool NativeIpcChannel::useLayout(quint64 fingerprint, const char *layout) {
    if (!isOpen()) return fail("use", EBADF);
    if (nativeipc_channel_use_layout(&m_channel, fingerprint) == 0) return succeed();
    int number = errno;
    if (number == EAGAIN || number == EACCES) { /* of the lock for making */
        m_error = HalfMade;
        setErrorString(QStringLiteral("Cannot use the %1 %2: another process is about to say its layout, and stopped.")
                .arg(QLatin1String(name()), m_key));
        return false;
    }
    char why[300];
    m_layout = nativeipc_channel_layout_text(&m_channel, layout, fingerprint, why, sizeof why);
    return fail("use", number);
}

/* ---- reading and writing ---- */

/* Waits for what the last try lacked. */
bool NativeIpcChannel::awaitNews(const char *what, QDeadlineTimer deadline) {
    if (deadline.hasExpired()) return fail(what, EAGAIN);
    if (m_watcher != nullptr) m_watcher->disarm();
    int number = sleep(untilOf(deadline)) == 0 ? 0 : errno;
    resumeWatcher();
    return number == 0 || number == EINTR || fail(what, number);
}

bool NativeIpcChannel::writeMessage(const QByteArray &message, QDeadlineTimer deadline) {
    return writeMessage(message.constData(), message.size(), deadline);
}

bool NativeIpcChannel::writeMessage(const char *message, qint64 length, QDeadlineTimer deadline) {
    char *place = reserve(length, deadline);
    if (place == nullptr) return false;
    if (length > 0) memcpy(place, message, size_t(length));
    return commit(length);
}

QByteArray NativeIpcChannel::take(QDeadlineTimer deadline) {
    if (!ready(ReadOnly)) return QByteArray();
    if (QIODevice::bytesAvailable() > 0 && !m_isReadingBytes) {
        fail("read a message behind unread bytes of", EBADF);
        return QByteArray();
    }
    if (!m_begun.isEmpty()) {
        succeed();
        QByteArray rest;
        rest.swap(m_begun);
        return rest;
    }
    for (;;) {
        const void *message;
        size_t length;
        if (tryTake(&message, &length) == 0) {
            succeed();
            return QByteArray::fromRawData(static_cast<const char *>(message), int(length));
        }
        if (errno != EAGAIN) {
            fail("read from", errno);
            return QByteArray();
        }
        if (!awaitNews("read from", deadline)) return QByteArray();
    }
}

bool NativeIpcChannel::hasMessage() const {
    size_t length;
    return isOpen() && (openMode() & ReadOnly) != 0 && (!m_begun.isEmpty() || tryPeek(&length) == 0);
}

bool NativeIpcChannel::isCompleted() const {
    size_t length;
    return isOpen() && (openMode() & ReadOnly) != 0 && m_begun.isEmpty() && tryPeek(&length) != 0 && errno == ENODATA;
}

qint64 NativeIpcChannel::bytesAvailable() const {
    size_t length = 0;
    if (isOpen() && (openMode() & ReadOnly) != 0) {
        if (!m_begun.isEmpty()) length = size_t(m_begun.size());
        else if (tryPeek(&length) != 0) length = 0;
    }
    return QIODevice::bytesAvailable() + qint64(length);
}

bool NativeIpcChannel::waitForReadyRead(int milliseconds) {
    if (!ready(ReadOnly)) return false;
    QDeadlineTimer deadline(milliseconds);
    bool hasWaited = false;
    while (!hasMessage()) {
        if (isCompleted()) return fail("read from", ENODATA);
        if (!awaitNews("read from", deadline)) return false;
        hasWaited = true;
    }
    succeed();
    if (!hasWaited || m_isEmitting) return true;
    if (m_watcher != nullptr) m_watcher->disarm();
    if (tell()) resumeWatcher();
    return true;
}

/* Bytes, of one message after the other. */
qint64 NativeIpcChannel::readData(char *data, qint64 most) {
    while (m_begun.isEmpty()) {
        if (!hasMessage()) return isCompleted() ? -1 : 0;
        m_isReadingBytes = true; /* QIODevice has room in its buffer for them, which looks like bytes */
        m_begun = readMessage();
        m_isReadingBytes = false;
        if (m_begun.isNull()) return error() == NothingYet ? 0 : -1;
    }
    qint64 length = qMin<qint64>(most, m_begun.size());
    memcpy(data, m_begun.constData(), size_t(length));
    m_begun.remove(0, int(length));
    return length;
}

/* ---- the ring ---- */

NativeIpcRing::NativeIpcRing(const QString &key, QObject *parent)
    : NativeIpcChannel(key, NATIVEIPC_CHANNEL_RING, parent), m_writer(), m_reader() {}

NativeIpcRing::~NativeIpcRing() { close(); }

void NativeIpcRing::setCapacity(qint64 bytes, int mode) {
    m_capacity = bytes;
    m_mode = mode;
}

int NativeIpcRing::openChannel(const char *name, bool) {
    // Of one to one: the turns of many are not told apart from waits here.
    return m_capacity == 0 ? nativeipc_channel_open(&m_channel, name, NATIVEIPC_CHANNEL_RING, 0)
                           : nativeipc_ring_create_or_open(&m_channel, name, quint64(m_capacity), m_mode);
}

int NativeIpcRing::openRole(bool isReader, int milliseconds, int *tookOver) {
    int had = isReader ? nativeipc_ring_open_reader(&m_channel, &m_reader, milliseconds)
                       : nativeipc_ring_open_writer(&m_channel, &m_writer, milliseconds);
    *tookOver = isReader ? m_reader.took_over : m_writer.took_over;
    m_freed = m_writer.head;
    m_taken = 0;
    return had;
}

void NativeIpcRing::closeRole(bool isReader) {
    if (isReader) nativeipc_ring_close_reader(&m_reader);
    else nativeipc_ring_close_writer(&m_writer);
}

qint64 NativeIpcRing::longestMessage() const {
    return m_channel.header == nullptr ? 0 : qint64(nativeipc_ring_longest(&m_channel));
}

quint64 NativeIpcRing::position() const { return (openMode() & ReadOnly) != 0 ? m_reader.cursor : m_freed; }

int NativeIpcRing::sleep(long long until) {
    bool isReader = (openMode() & ReadOnly) != 0;
    return isReader ? nativeipc_channel_wait(&m_channel, &m_channel.header->reader_bell, 0, &m_reader.habit,
                          nativeipc_ring_reader_news, &m_reader, until)
                    : nativeipc_channel_wait(&m_channel, &m_channel.header->writer_bell, 0, &m_writer.habit,
                          nativeipc_ring_writer_news, &m_writer, until);
}

char *NativeIpcRing::reserve(qint64 length, QDeadlineTimer deadline) {
    if (!ready(WriteOnly)) return nullptr;
    for (;;) {
        void *place = length < 0 ? (errno = EMSGSIZE, nullptr) : nativeipc_ring_reserve(&m_writer, size_t(length));
        if (place != nullptr) {
            succeed();
            return static_cast<char *>(place);
        }
        if (errno != EAGAIN) {
            fail("write to", errno);
            return nullptr;
        }
        nativeipc_ring_flush(&m_writer);
        if (!awaitNews("write to", deadline)) return nullptr;
    }
}

bool NativeIpcRing::append(qint64 length) {
    if (!ready(WriteOnly)) return false;
    return length >= 0 && nativeipc_ring_append(&m_writer, size_t(length)) == 0 ? succeed() : fail("write to", EBADF);
}

bool NativeIpcRing::flush() {
    if (!ready(WriteOnly)) return false;
    nativeipc_ring_flush(&m_writer);
    return succeed();
}

bool NativeIpcRing::commit(qint64 length) { return append(length) && flush(); }

bool NativeIpcRing::complete() {
    if (!ready(WriteOnly)) return false;
    nativeipc_ring_complete(&m_writer);
    return succeed();
}

qint64 NativeIpcRing::writeData(const char *data, qint64 length) {
    qint64 longest = longestMessage() / 2, done = 0; /* so that the other side begins while this one still copies */
    while (done < length) {
        qint64 part = qMin(length - done, longest);
        void *place = nativeipc_ring_reserve(&m_writer, size_t(part));
        if (place == nullptr) {
            fail("write to", errno);
            if (error() != NothingYet && done == 0) return -1;
            break;
        }
        memcpy(place, data + done, size_t(part));
        (void)nativeipc_ring_append(&m_writer, size_t(part));
        done += part;
    }
    nativeipc_ring_flush(&m_writer);
    return done;
}

qint64 NativeIpcRing::bytesToWrite() const {
    if (!isOpen() || (openMode() & WriteOnly) == 0) return 0;
    quint64 head = __atomic_load_n(&m_channel.header->head, __ATOMIC_ACQUIRE);
    return nativeipc_ring_is_head(&m_writer, head) ? qint64(m_writer.shown - head) : 0;
}

static int hasMoved(void *user) {
    auto *writer = static_cast<nativeipc_ring_writer *>(user);
    return __atomic_load_n(&writer->channel->header->head, __ATOMIC_ACQUIRE) != writer->head;
}

bool NativeIpcRing::waitForBytesWritten(int milliseconds) {
    if (!ready(WriteOnly)) return false;
    QDeadlineTimer deadline(milliseconds);
    if (m_watcher != nullptr) m_watcher->disarm();
    nativeipc_ring_writer from = m_writer;
    from.head = m_freed;
    if (m_writer.shown == m_freed) return fail("wait for the reader of", EBADF);
    int number = 0;
    do {
        number = nativeipc_channel_wait(&m_channel, &m_channel.header->writer_bell, 0, &m_writer.habit, hasMoved,
                     &from, untilOf(deadline)) == 0 ? 0 : errno;
    } while (number == EINTR);
    if (number != 0) {
        resumeWatcher();
        return fail("write to", number);
    }
    succeed();
    if (m_isEmitting) return true;
    if (tell()) resumeWatcher();
    return true;
}

int NativeIpcRing::tryTake(const void **message, size_t *length) {
    if (nativeipc_ring_try_read(&m_reader, message, length) != 0) return -1;
    m_taken++;
    return 0;
}

int NativeIpcRing::tryPeek(size_t *length) const {
    nativeipc_ring_reader copy = m_reader;
    const void *message;
    return nativeipc_ring_try_read(&copy, &message, length);
}

QByteArray NativeIpcRing::readMessage(QDeadlineTimer deadline) {
    int before = m_taken;
    QByteArray message = take(deadline);
    if (m_taken == before) return message; /* none, or what read() had left */
    QByteArray copy(message.constData(), message.size());
    m_taken = before;
    if (before == 0) nativeipc_ring_release(&m_reader); /* else with those that are in use */
    return copy;
}

bool NativeIpcRing::release() {
    if (!ready(ReadOnly)) return false;
    m_taken = 0;
    nativeipc_ring_release(&m_reader);
    return succeed();
}

/* ---- the topic ---- */

NativeIpcTopic::NativeIpcTopic(const QString &key, QObject *parent)
    : NativeIpcChannel(key, NATIVEIPC_CHANNEL_TOPIC, parent), m_writer(), m_reader() {}

NativeIpcTopic::~NativeIpcTopic() { close(); }

void NativeIpcTopic::setSize(qint64 longestMessage, int history, int mode) {
    m_longest = longestMessage;
    m_history = history;
    m_mode = mode;
}

int NativeIpcTopic::openChannel(const char *name, bool isReader) {
    if (m_longest != 0) {
        if (m_longest < 0 || m_longest > INT_MAX || m_history < 0) return nativeipc_channel_fail(EINVAL);
        return nativeipc_topic_create_or_open(&m_channel, name, quint32(m_longest), quint32(m_history), m_mode);
    }
    if (nativeipc_topic_open(&m_channel, name, 0) == 0) return 0;
    /* One that may only be read: it is looked at, instead of being woken */
    return errno == EACCES && isReader ? nativeipc_topic_open(&m_channel, name, 1) : -1;
}

int NativeIpcTopic::openRole(bool isReader, int milliseconds, int *tookOver) {
    if (isReader) {
        nativeipc_topic_open_reader(&m_channel, &m_reader);
        return 0;
    }
    int had = nativeipc_topic_open_writer(&m_channel, &m_writer, milliseconds);
    *tookOver = m_writer.took_over;
    return had;
}

void NativeIpcTopic::closeRole(bool isReader) {
    if (!isReader) nativeipc_topic_close_writer(&m_writer);
}

qint64 NativeIpcTopic::longestMessage() const {
    return m_channel.header == nullptr ? 0 : qint64(nativeipc_topic_longest(&m_channel));
}

quint64 NativeIpcTopic::position() const { return m_reader.given; }

int NativeIpcTopic::sleep(long long until) {
    return nativeipc_channel_wait(&m_channel, &m_channel.header->reader_bell, 1, &m_reader.habit,
        nativeipc_topic_news, &m_reader, until);
}

char *NativeIpcTopic::reserve(qint64 length, QDeadlineTimer) {
    if (!ready(WriteOnly)) return nullptr;
    void *place = length < 0 ? (errno = EMSGSIZE, nullptr) : nativeipc_topic_reserve(&m_writer, size_t(length));
    if (place == nullptr) fail("write to", errno);
    else succeed();
    return static_cast<char *>(place);
}

bool NativeIpcTopic::commit(qint64 length) {
    if (!ready(WriteOnly)) return false;
    return length >= 0 && nativeipc_topic_commit(&m_writer, size_t(length)) == 0 ? succeed() : fail("write to", EBADF);
}

bool NativeIpcTopic::complete() {
    if (!ready(WriteOnly)) return false;
    nativeipc_topic_complete(&m_writer);
    return succeed();
}

qint64 NativeIpcTopic::writeData(const char *data, qint64 length) { return writeMessage(data, length) ? length : -1; }

int NativeIpcTopic::tryTake(const void **message, size_t *length) {
    return nativeipc_topic_begin_read(&m_reader, message, length);
}

int NativeIpcTopic::tryPeek(size_t *length) const {
    nativeipc_topic_reader copy = m_reader;
    const void *message;
    return nativeipc_topic_begin_read(&copy, &message, length);
}

/* A copy is as a use in place that ends well; one that was overwritten is followed by a newer one. */
QByteArray NativeIpcTopic::copied(QDeadlineTimer deadline, bool isLatest) {
    if (!m_begun.isEmpty()) return take();
    for (;;) {
        nativeipc_topic_reader before = m_reader;
        if (isLatest && ready(ReadOnly)) {
            quint64 latest = __atomic_load_n(&m_channel.header->tail, __ATOMIC_ACQUIRE);
            if (latest > m_reader.given) m_reader.given = latest - 1;
        }
        QByteArray message = take();
        if (message.isNull()) {
            if (isLatest) m_reader = before;
            if (error() != NothingYet || !awaitNews("read from", deadline)) return QByteArray();
            continue;
        }
        QByteArray copy(message.constData(), message.size());
        bool isWhole = nativeipc_topic_end_read(&m_reader) == 1;
        m_reader.in_place = before.in_place; /* what the program itself uses in place */
        if (isLatest) m_reader.missed = before.missed;
        if (isWhole) return copy;
        if (isLatest) m_reader.given = before.given;
    }
}

QByteArray NativeIpcTopic::readMessage(QDeadlineTimer deadline) { return copied(deadline, false); }

QByteArray NativeIpcTopic::readLatest(QDeadlineTimer deadline) { return copied(deadline, true); }

bool NativeIpcTopic::release() {
    if (!ready(ReadOnly)) return false;
    if (m_reader.in_place == 0 || nativeipc_topic_end_read(&m_reader) == 1) return succeed();
    return fail("read from", EOVERFLOW);
}

bool NativeIpcTopic::rewind() {
    if (!ready(ReadOnly)) return false;
    nativeipc_topic_rewind(&m_reader);
    return succeed();
}

quint64 NativeIpcTopic::missed() const { return m_reader.missed; }

quint64 NativeIpcTopic::number() const { return (openMode() & WriteOnly) != 0 ? m_writer.latest : m_reader.given; }
