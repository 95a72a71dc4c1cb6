// SPDX-License-Identifier: MIT
//
// A Qt program that shares segments and semaphores through QSharedMemory and QSystemSemaphore. One source for Qt 5.15,
// 6.4 and 6.8; it speaks the line protocol of tests/peers/PROTOCOL.md. From Qt 6.6 on, keys are taken as key text
// (QNativeIpcKey::fromString). Before, a key with a legacy key is setKey(), another System V key is setNativeKey() of a
// segment.
//
// What Qt's calls mean in the words of the protocol: `sem create` and `sem createorreset` are its mode Create,
// `sem open NAME KEY [COUNT]` and `sem createoropen` its mode Open, which makes a semaphore that is missing.
//
// Beyond the protocol:
//     shm create|open|close ... watch=OTHER   prints `opening` or `closing` before the call, and answers with `seen=N`:
//                                             the u32 at offset 0 of segment OTHER as it was when the call came back
//     shm create|open ... native              from 6.6 on, too, by setNativeKey() instead of key text
//     shm attach NAME rw|ro                   attaches the object of a failed create, which `shm create` keeps
//     key safe|legacy shm|sem TYPE NAME       the key text of platformSafeKey() and legacyNativeKey(); before 6.6, the
//                                             native key of setKey()
//     guard new|run|other|close NAME [TEXT]   the RunGuard idiom: run() and isAnotherRunning()
//     single start|block|close NAME [TEXT legacy|posix|systemv]   the block that SingleApplication shares
#include <QtCore>

#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#if QT_VERSION >= QT_VERSION_CHECK(6, 6, 0)
#define HAS_NATIVE_KEYS 1
#else
#define HAS_NATIVE_KEYS 0
#endif

namespace {

void line(const QString &text)
{
    std::cout << text.toStdString() << std::endl;
}

void fail(const char *kind, const QString &message)
{
    QString oneLine = message;
    line(QStringLiteral("error %1 %2").arg(QLatin1String(kind), oneLine.replace(QLatin1Char('\n'), QLatin1Char(' '))));
}

const char *kindOf(QSharedMemory::SharedMemoryError error)
{
    switch (error) {
    case QSharedMemory::PermissionDenied: return "PermissionDenied";
    case QSharedMemory::InvalidSize: return "InvalidSize";
    case QSharedMemory::KeyError: return "KeyError";
    case QSharedMemory::AlreadyExists: return "AlreadyExists";
    case QSharedMemory::NotFound: return "NotFound";
    case QSharedMemory::LockError: return "LockError";
    case QSharedMemory::OutOfResources: return "OutOfResources";
    default: return "Unknown";
    }
}

const char *kindOf(QSystemSemaphore::SystemSemaphoreError error)
{
    switch (error) {
    case QSystemSemaphore::PermissionDenied: return "PermissionDenied";
    case QSystemSemaphore::KeyError: return "KeyError";
    case QSystemSemaphore::AlreadyExists: return "AlreadyExists";
    case QSystemSemaphore::NotFound: return "NotFound";
    case QSystemSemaphore::OutOfResources: return "OutOfResources";
    default: return "Unknown";
    }
}

QString decoded(const QString &word)
{
    return QString::fromUtf8(QByteArray::fromPercentEncoding(word.toUtf8()));
}

QString quoted(QString text)
{
    return text.replace(QLatin1Char('%'), QStringLiteral("%25")).replace(QLatin1Char(' '), QStringLiteral("%20"));
}

#if !HAS_NATIVE_KEYS
// Key text, for a Qt that does not know it.
struct Key
{
    bool systemV = false;
    QString native;
    QString legacy;

    explicit Key(const QString &text)
    {
        const int colon = text.indexOf(QLatin1Char(':'));
        const int query = text.indexOf(QLatin1String("?legacyKey="));
        systemV = text.startsWith(QLatin1String("systemv:"));
        native = decoded(text.mid(colon + 1, query < 0 ? -1 : query - colon - 1));
        if (query >= 0) legacy = decoded(text.mid(query + 11));
    }
};
#endif

std::unique_ptr<QSharedMemory> segmentOf(const QString &text, bool native)
{
#if HAS_NATIVE_KEYS
    if (native) {
        const QNativeIpcKey key = QNativeIpcKey::fromString(text);
        auto segment = std::make_unique<QSharedMemory>(QNativeIpcKey());
        segment->setNativeKey(key.nativeKey(), key.type());
        return segment;
    }
    return std::make_unique<QSharedMemory>(QNativeIpcKey::fromString(text));
#else
    Q_UNUSED(native);
    const Key key(text);
    if (!key.systemV) return nullptr;
    auto segment = std::make_unique<QSharedMemory>();
    if (key.legacy.isEmpty()) segment->setNativeKey(key.native);
    else segment->setKey(key.legacy);
    return segment;
#endif
}

std::unique_ptr<QSystemSemaphore> semaphoreOf(const QString &text, int count, QSystemSemaphore::AccessMode mode)
{
#if HAS_NATIVE_KEYS
    return std::make_unique<QSystemSemaphore>(QNativeIpcKey::fromString(text), count, mode);
#else
    const Key key(text);
    if (!key.systemV || key.legacy.isEmpty()) return nullptr;
    return std::make_unique<QSystemSemaphore>(key.legacy, count, mode);
#endif
}

std::unique_ptr<QSharedMemory> legacySegment(const QString &name)
{
#if HAS_NATIVE_KEYS
    return std::make_unique<QSharedMemory>(QSharedMemory::legacyNativeKey(name));
#else
    return std::make_unique<QSharedMemory>(name);
#endif
}

std::unique_ptr<QSystemSemaphore> legacySemaphore(const QString &name, int count)
{
#if HAS_NATIVE_KEYS
    return std::make_unique<QSystemSemaphore>(QSystemSemaphore::legacyNativeKey(name), count, QSystemSemaphore::Open);
#else
    return std::make_unique<QSystemSemaphore>(name, count, QSystemSemaphore::Open);
#endif
}

// The idiom that programs use to run once: a semaphore around a segment whose being there means "one runs".
class Guard
{
public:
    explicit Guard(const QString &name)
        : m_lock(legacySemaphore(hash(name, "_memLockKey"), 1))
        , m_segment(legacySegment(hash(name, "_sharedmemKey")))
    {
        // On Unix a crashed program leaves the segment; the last one to detach removes it.
        m_lock->acquire();
        {
            std::unique_ptr<QSharedMemory> leftover = legacySegment(hash(name, "_sharedmemKey"));
            leftover->attach();
        }
        m_lock->release();
    }

    ~Guard() { release(); }

    bool isAnotherRunning()
    {
        if (m_segment->isAttached()) return false;
        m_lock->acquire();
        const bool runs = m_segment->attach();
        if (runs) m_segment->detach();
        m_lock->release();
        return runs;
    }

    bool tryToRun()
    {
        if (isAnotherRunning()) return false;
        m_lock->acquire();
        const bool made = m_segment->create(8);
        m_lock->release();
        if (made) return true;
        release();
        return false;
    }

private:
    void release()
    {
        m_lock->acquire();
        if (m_segment->isAttached()) m_segment->detach();
        m_lock->release();
    }

    static QString hash(const QString &name, const char *salt)
    {
        return QString::fromLatin1(QCryptographicHash::hash(name.toUtf8() + salt, QCryptographicHash::Sha1).toHex());
    }

    std::unique_ptr<QSystemSemaphore> m_lock;
    std::unique_ptr<QSharedMemory> m_segment;
};

// The block of a program that runs once and hears of later starts.
struct Block
{
    bool primary;
    quint32 secondaries;
    qint64 pid;
    char user[128];
    quint16 checksum;
};
static_assert(sizeof(Block) == 152 && offsetof(Block, user) == 16 && offsetof(Block, checksum) == 144,
    "the layout that is shared");

quint16 checksumOf(const Block *block)
{
#if QT_VERSION >= QT_VERSION_CHECK(6, 0, 0)
    return qChecksum(QByteArrayView(reinterpret_cast<const char *>(block), offsetof(Block, checksum)));
#else
    return qChecksum(reinterpret_cast<const char *>(block), offsetof(Block, checksum));
#endif
}

class Single
{
public:
    Single(const QString &name, const QString &keys)
    {
        QString key = QString::fromLatin1(QCryptographicHash::hash(
            QByteArray("SingleApplication") + name.toUtf8(), QCryptographicHash::Sha256).toBase64());
        key.replace(QLatin1Char('/'), QLatin1Char('_'));
#if HAS_NATIVE_KEYS
        if (keys == QLatin1String("posix"))
            m_segment = std::make_unique<QSharedMemory>(
                QSharedMemory::platformSafeKey(key, QNativeIpcKey::Type::PosixRealtime));
        else if (keys == QLatin1String("systemv"))
            m_segment = std::make_unique<QSharedMemory>(
                QSharedMemory::platformSafeKey(key, QNativeIpcKey::Type::SystemV));
#else
        Q_UNUSED(keys);
#endif
        if (!m_segment) m_segment = legacySegment(key);
    }

    QString start(const QString &user)
    {
        if (m_segment->create(sizeof(Block))) {
            m_segment->lock();
            std::memset(m_segment->data(), 0, sizeof(Block));
            sign();
            m_segment->unlock();
        } else if (!m_segment->attach()) {
            return QStringLiteral("error Unknown %1").arg(m_segment->errorString());
        }
        if (!m_segment->lock()) return QStringLiteral("error LockError %1").arg(m_segment->errorString());
        Block *block = data();
        QString answer;
        if (checksumOf(block) != block->checksum) {
            answer = QStringLiteral("error Unknown the checksum is wrong");
        } else if (!block->primary) {
            block->primary = true;
            block->pid = QCoreApplication::applicationPid();
            qstrncpy(block->user, user.toUtf8().constData(), sizeof block->user);
            sign();
            answer = QStringLiteral("ok primary");
        } else {
            block->secondaries++;
            sign();
            answer = QStringLiteral("ok secondary %1").arg(block->secondaries);
        }
        m_segment->unlock();
        return answer;
    }

    QString describe()
    {
        if (!m_segment->lock()) return QStringLiteral("error LockError %1").arg(m_segment->errorString());
        const Block *block = data();
        const QString answer = QStringLiteral("ok %1 %2 %3 %4 %5")
            .arg(block->primary ? QStringLiteral("true") : QStringLiteral("false"))
            .arg(block->secondaries).arg(block->pid)
            .arg(quoted(QString::fromUtf8(block->user)),
                checksumOf(block) == block->checksum ? QStringLiteral("true") : QStringLiteral("false"));
        m_segment->unlock();
        return answer;
    }

private:
    Block *data() { return static_cast<Block *>(m_segment->data()); }
    void sign() { data()->checksum = checksumOf(data()); }

    std::unique_ptr<QSharedMemory> m_segment;
};

class Peer
{
public:
    // False when the program is to end.
    bool run(const std::string &text)
    {
        m_words = QString::fromStdString(text).split(QLatin1Char(' '));
        const QString first = word(0);
        if (first == QLatin1String("shm")) segment();
        else if (first == QLatin1String("sem")) semaphore();
        else if (first == QLatin1String("key")) key();
        else if (first == QLatin1String("guard")) guard();
        else if (first == QLatin1String("single")) single();
        else if (first == QLatin1String("reset")) { clear(); line(QStringLiteral("ok")); }
        else if (first == QLatin1String("quit")) { clear(); line(QStringLiteral("ok")); return false; }
        else if (first == QLatin1String("exit")) { line(QStringLiteral("ok")); std::exit(0); }
        else fail("Unsupported", QStringLiteral("no such command"));
        return true;
    }

    void clear()
    {
        m_segments.clear();
        m_readOnly.clear();
        m_semaphores.clear();
        m_guards.clear();
        m_singles.clear();
    }

private:
    QString word(int at) const { return m_words.value(at); }

    QString option(const QString &name) const
    {
        for (const QString &candidate : m_words) {
            if (candidate.startsWith(name + QLatin1Char('='))) return candidate.mid(name.size() + 1);
        }
        return QString();
    }

    void announce(const char *what) const
    {
        if (!option(QStringLiteral("watch")).isEmpty()) line(QLatin1String(what));
    }

    QString seen() const
    {
        const auto other = m_segments.find(option(QStringLiteral("watch")));
        if (other == m_segments.end()) return QString();
        const auto *number = static_cast<const volatile quint32 *>(other->second->constData());
        return QStringLiteral(" seen=%1").arg(*number);
    }

    void segment()
    {
        const QString verb = word(1);
        const QString name = word(2);
        if (verb == QLatin1String("create") || verb == QLatin1String("open")) {
            if (m_segments.find(name) == m_segments.end()) {
                std::unique_ptr<QSharedMemory> made = segmentOf(word(3), m_words.contains(QStringLiteral("native")));
                if (!made) return fail("Unsupported", QStringLiteral("this Qt has no such keys"));
                m_segments[name] = std::move(made);
            }
            announce("opening");
            const bool creates = verb == QLatin1String("create");
            m_readOnly[name] = !creates && word(4) == QLatin1String("ro");
            QSharedMemory &at = *m_segments[name];
            const bool done = creates ? at.create(word(4).toInt())
                : at.attach(m_readOnly[name] ? QSharedMemory::ReadOnly : QSharedMemory::ReadWrite);
            const QString note = seen();
            if (done)
                return line(QStringLiteral("ok %1 %2%3").arg(at.size())
                    .arg(creates ? QStringLiteral("created") : QStringLiteral("opened"), note));
            fail(kindOf(at.error()), at.errorString() + note);
            if (!creates) m_segments.erase(name);
            return;
        }
        if (verb == QLatin1String("remove")) return fail("Unsupported", QStringLiteral("Qt has no such call"));

        const auto found = m_segments.find(name);
        if (found == m_segments.end()) return fail("Usage", QStringLiteral("no such segment"));
        QSharedMemory &at = *found->second;
        char *bytes = static_cast<char *>(const_cast<void *>(at.constData()));
        const qint64 offset = word(3).toLongLong();
        if (verb == QLatin1String("attach")) {
            m_readOnly[name] = word(3) == QLatin1String("ro");
            if (at.attach(m_readOnly[name] ? QSharedMemory::ReadOnly : QSharedMemory::ReadWrite))
                line(QStringLiteral("ok %1 opened").arg(at.size()));
            else fail(kindOf(at.error()), at.errorString());
        } else if (verb == QLatin1String("size")) {
            line(QStringLiteral("ok %1").arg(at.size()));
        } else if (verb == QLatin1String("write")) {
            const QByteArray data = QByteArray::fromHex(word(4).toLatin1());
            if (m_readOnly[name]) return fail("PermissionDenied", QStringLiteral("it was attached for reading"));
            if (offset + data.size() > at.size()) return fail("Usage", QStringLiteral("past the end"));
            std::memcpy(bytes + offset, data.constData(), size_t(data.size()));
            line(QStringLiteral("ok"));
        } else if (verb == QLatin1String("read")) {
            if (offset + word(4).toInt() > at.size()) return fail("Usage", QStringLiteral("past the end"));
            line(QStringLiteral("ok ") + QString::fromLatin1(QByteArray(bytes + offset, word(4).toInt()).toHex()));
        } else if (verb == QLatin1String("add")) {
            line(QStringLiteral("locking"));
            auto *number = reinterpret_cast<volatile quint32 *>(bytes + offset);
            for (int i = word(4).toInt(); i > 0; i--) {
                if (!at.lock()) return fail(kindOf(at.error()), at.errorString());
                *number = *number + 1;
                if (!at.unlock()) return fail(kindOf(at.error()), at.errorString());
            }
            line(QStringLiteral("ok"));
        } else if (verb == QLatin1String("lock")) {
            line(QStringLiteral("locking"));
            if (at.lock()) line(QStringLiteral("ok"));
            else fail(kindOf(at.error()), at.errorString());
        } else if (verb == QLatin1String("unlock")) {
            if (at.unlock()) line(QStringLiteral("ok"));
            else fail(kindOf(at.error()), at.errorString());
        } else if (verb == QLatin1String("close")) {
            announce("closing");
            m_segments.erase(found); // the destructor detaches, and lets go of the lock
            line(QStringLiteral("ok") + seen());
        } else {
            fail("Unsupported", QStringLiteral("no such command"));
        }
    }

    void semaphore()
    {
        const QString verb = word(1);
        const QString name = word(2);
        const bool creates = verb == QLatin1String("create") || verb == QLatin1String("createorreset");
        if (creates || verb == QLatin1String("open") || verb == QLatin1String("createoropen")) {
            std::unique_ptr<QSystemSemaphore> made =
                semaphoreOf(word(3), word(4).toInt(), creates ? QSystemSemaphore::Create : QSystemSemaphore::Open);
            if (!made) return fail("Unsupported", QStringLiteral("this Qt has no such keys"));
            if (made->error() != QSystemSemaphore::NoError) return fail(kindOf(made->error()), made->errorString());
            m_semaphores[name] = std::move(made);
            return line(creates ? QStringLiteral("ok created") : QStringLiteral("ok opened"));
        }
        if (verb == QLatin1String("remove")) return fail("Unsupported", QStringLiteral("Qt has no such call"));
        const auto found = m_semaphores.find(name);
        if (found == m_semaphores.end()) return fail("Usage", QStringLiteral("no such semaphore"));
        QSystemSemaphore &at = *found->second;
        const int number = m_words.size() > 3 ? word(3).toInt() : 1;
        if (verb == QLatin1String("acquire")) {
            line(QStringLiteral("acquiring"));
            for (int i = 0; i < number; i++) {
                if (!at.acquire()) return fail(kindOf(at.error()), at.errorString());
            }
            line(QStringLiteral("ok"));
        } else if (verb == QLatin1String("release")) {
            if (at.release(number)) line(QStringLiteral("ok"));
            else fail(kindOf(at.error()), at.errorString());
        } else if (verb == QLatin1String("add")) {
            const auto segment = m_segments.find(word(3));
            if (segment == m_segments.end()) return fail("Usage", QStringLiteral("no such segment"));
            auto *counter = reinterpret_cast<volatile quint32 *>(
                static_cast<char *>(segment->second->data()) + word(4).toLongLong());
            line(QStringLiteral("acquiring"));
            for (int i = word(5).toInt(); i > 0; i--) {
                if (!at.acquire()) return fail(kindOf(at.error()), at.errorString());
                *counter = *counter + 1;
                if (!at.release()) return fail(kindOf(at.error()), at.errorString());
            }
            line(QStringLiteral("ok"));
        } else if (verb == QLatin1String("produce")) {
            for (int i = 0; i < number; i++) {
                if (!at.release()) return fail(kindOf(at.error()), at.errorString());
            }
            line(QStringLiteral("ok"));
        } else if (verb == QLatin1String("value")) {
            line(QStringLiteral("ok unknown"));
        } else if (verb == QLatin1String("close")) {
            m_semaphores.erase(found);
            line(QStringLiteral("ok"));
        } else {
            fail("Unsupported", QStringLiteral("no such command"));
        }
    }

    void key()
    {
        const QString verb = word(1);
#if HAS_NATIVE_KEYS
        if (verb == QLatin1String("parse")) {
            const QNativeIpcKey key = QNativeIpcKey::fromString(word(2));
            if (!key.isValid()) return fail("KeyError", QStringLiteral("Qt rejects it"));
            const QString text = key.toString();
            const int query = int(text.indexOf(QLatin1String("?legacyKey=")));
            return line(QStringLiteral("ok %1 %2 %3").arg(int(quint16(key.type())))
                .arg(quoted(key.nativeKey()), query < 0 ? QString() : quoted(decoded(text.mid(query + 11)))).trimmed());
        }
        const bool segments = word(2) == QLatin1String("shm");
        const QNativeIpcKey::Type type = word(3) == QLatin1String("posix") ? QNativeIpcKey::Type::PosixRealtime
            : QNativeIpcKey::Type::SystemV;
        const QString name = decoded(word(4));
        QNativeIpcKey key;
        if (verb == QLatin1String("safe"))
            key = segments ? QSharedMemory::platformSafeKey(name, type) : QSystemSemaphore::platformSafeKey(name, type);
        else if (verb == QLatin1String("legacy"))
            key = segments ? QSharedMemory::legacyNativeKey(name, type) : QSystemSemaphore::legacyNativeKey(name, type);
        else return fail("Unsupported", QStringLiteral("no such command"));
        line(QStringLiteral("ok ") + key.toString().replace(QLatin1Char(' '), QStringLiteral("%20")));
#else
        if (verb != QLatin1String("legacy") || word(2) != QLatin1String("shm"))
            return fail("Unsupported", QStringLiteral("this Qt has no key text"));
        QSharedMemory segment;
        segment.setKey(decoded(word(4)));
        line(QStringLiteral("ok ") + quoted(segment.nativeKey()));
#endif
    }

    void guard()
    {
        const QString verb = word(1);
        const QString name = word(2);
        const auto truth = [](bool value) { line(value ? QStringLiteral("ok true") : QStringLiteral("ok false")); };
        if (verb == QLatin1String("new")) {
            m_guards[name] = std::make_unique<Guard>(decoded(word(3)));
            return line(QStringLiteral("ok"));
        }
        const auto found = m_guards.find(name);
        if (found == m_guards.end()) return fail("Usage", QStringLiteral("no such guard"));
        if (verb == QLatin1String("run")) return truth(found->second->tryToRun());
        if (verb == QLatin1String("other")) return truth(found->second->isAnotherRunning());
        if (verb != QLatin1String("close")) return fail("Unsupported", QStringLiteral("no such command"));
        m_guards.erase(found);
        line(QStringLiteral("ok"));
    }

    void single()
    {
        const QString verb = word(1);
        const QString name = word(2);
        if (verb == QLatin1String("start")) {
            m_singles[name] = std::make_unique<Single>(decoded(word(3)), word(4));
            return line(m_singles[name]->start(QStringLiteral("qt user")));
        }
        const auto found = m_singles.find(name);
        if (found == m_singles.end()) return fail("Usage", QStringLiteral("no such application"));
        if (verb == QLatin1String("block")) return line(found->second->describe());
        if (verb != QLatin1String("close")) return fail("Unsupported", QStringLiteral("no such command"));
        m_singles.erase(found);
        line(QStringLiteral("ok"));
    }

    QStringList m_words;
    std::map<QString, std::unique_ptr<QSharedMemory>> m_segments;
    std::map<QString, bool> m_readOnly;
    std::map<QString, std::unique_ptr<QSystemSemaphore>> m_semaphores;
    std::map<QString, std::unique_ptr<Guard>> m_guards;
    std::map<QString, std::unique_ptr<Single>> m_singles;
};

} // namespace

int main(int argc, char **argv)
{
    // File names are bytes in the locale's encoding in Qt 5; keys are UTF-8.
    qputenv("LC_ALL", "C.UTF-8");
    QCoreApplication application(argc, argv);
    if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
        line(QStringLiteral("Qt ") + QLatin1String(qVersion()));
        return 0;
    }
    Peer peer;
    std::string text;
    while (std::getline(std::cin, text)) {
        if (!peer.run(text)) return 0;
    }
    std::exit(0); // nothing is destroyed, as with `exit`
}
