// Prints, as JSON lines, what Qt (6.6 or newer) returns for the inputs given on standard input, which
// eng/platforms/qt-keys.py writes.
// Input:  one request per line, fields separated by one space; text is UTF-16 code units in hex
//         ("-" for empty text). Output: one JSON object per line, pure ASCII.
#include <QtCore/QCoreApplication>
#include <QtCore/QNativeIpcKey>
#include <QtCore/QSharedMemory>
#include <QtCore/QSystemSemaphore>
#include <QtCore/QStandardPaths>
#include <QtCore/QDir>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>
#include <sys/stat.h>
#include <sys/ipc.h>

using Type = QNativeIpcKey::Type;

static QString fromHex(const std::string &h)
{
    QString s;
    if (h == "-")
        return QString("");
    for (size_t i = 0; i + 4 <= h.size(); i += 4)
        s += QChar(ushort(std::stoul(h.substr(i, 4), nullptr, 16)));
    return s;
}

static std::string js(const QString &s)
{
    if (s.isNull())
        return "null";
    std::string o = "\"";
    char b[8];
    for (QChar c : s) {
        ushort u = c.unicode();
        if (u >= 0x20 && u < 0x7f && u != '"' && u != '\\')
            o += char(u);
        else {
            std::snprintf(b, sizeof b, "\\u%04x", u);
            o += b;
        }
    }
    return o + "\"";
}
static std::string jb(bool b) { return b ? "true" : "false"; }
static std::string ji(long long v) { return std::to_string(v); }

// The legacy text stored inside a key. Only reachable through an object of a supported type, so
// another type is first turned into POSIX by swapping the scheme in the string form.
static QString legacyOf(const QNativeIpcKey &k)
{
    if (!k.isValid())
        return QString();
    int t = int(k.type());
    if (t == 0x100 || (t >= 1 && t <= 0xff))
        return QSharedMemory(k).key();
    QString s = k.toString();
    QNativeIpcKey p = QNativeIpcKey::fromString("posix" + s.mid(s.indexOf(':')));
    return QSharedMemory(p).key();
}

static std::string keyJson(const QNativeIpcKey &k)
{
    std::string o = "{\"isValid\":" + jb(k.isValid()) + ",\"type\":" + ji(int(k.type()))
            + ",\"nativeKey\":" + js(k.nativeKey()) + ",\"legacyKey\":" + js(legacyOf(k))
            + ",\"isEmpty\":" + jb(k.isEmpty()) + ",\"toString\":" + js(k.toString());
    return o + "}";
}

int main(int argc, char **argv)
{
    QCoreApplication app(argc, argv);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream is(line);
        std::vector<std::string> f;
        for (std::string w; is >> w;)
            f.push_back(w);
        if (f.empty())
            continue;
        std::string o;
        if (f[0] == "tostring") {               // tostring TYPE NATIVE
            QNativeIpcKey k(fromHex(f[2]), Type(std::stoi(f[1])));
            QString s = k.toString();
            QNativeIpcKey r = QNativeIpcKey::fromString(s);
            o = "{\"isValid\":" + jb(k.isValid()) + ",\"toString\":" + js(s) + ",\"roundTrip\":" + keyJson(r)
                    + ",\"roundTripEqual\":" + jb(r == k) + "}";
        } else if (f[0] == "legacystring") {    // legacystring TYPE LEGACY
            QNativeIpcKey k = QSharedMemory::legacyNativeKey(fromHex(f[2]), Type(std::stoi(f[1])));
            QString s = k.toString();
            QNativeIpcKey r = QNativeIpcKey::fromString(s);
            o = "{\"isValid\":" + jb(k.isValid()) + ",\"nativeKey\":" + js(k.nativeKey())
                    + ",\"legacyKey\":" + js(legacyOf(k))
                    + ",\"toString\":" + js(s) + ",\"roundTrip\":" + keyJson(r)
                    + ",\"roundTripEqual\":" + jb(r == k) + "}";
        } else if (f[0] == "fromstring") {      // fromstring TEXT
            o = keyJson(QNativeIpcKey::fromString(fromHex(f[1])));
        } else if (f[0] == "psk" || f[0] == "legacy") {  // psk|legacy TYPE TEXT
            Type t = Type(std::stoi(f[1]));
            QString in = fromHex(f[2]);
            bool l = f[0] == "legacy";
            QNativeIpcKey a = l ? QSharedMemory::legacyNativeKey(in, t) : QSharedMemory::platformSafeKey(in, t);
            QNativeIpcKey b = l ? QSystemSemaphore::legacyNativeKey(in, t) : QSystemSemaphore::platformSafeKey(in, t);
            o = "{\"shm\":" + keyJson(a) + ",\"sem\":" + keyJson(b) + "}";
        } else if (f[0] == "supported") {
            Type t = Type(std::stoi(f[1]));
            o = "{\"shm\":" + jb(QSharedMemory::isKeyTypeSupported(t))
                    + ",\"sem\":" + jb(QSystemSemaphore::isKeyTypeSupported(t)) + "}";
        } else if (f[0] == "equal") {           // equal TEXT TEXT
            QNativeIpcKey a = QNativeIpcKey::fromString(fromHex(f[1])), b = QNativeIpcKey::fromString(fromHex(f[2]));
            o = "{\"equal\":" + jb(a == b) + ",\"hashEqual\":" + jb(qHash(a, 7) == qHash(b, 7)) + "}";
        } else if (f[0] == "mutate") {          // mutate TEXT (settype N | setnative HEX)...
            QNativeIpcKey k = QNativeIpcKey::fromString(fromHex(f[1]));
            for (size_t i = 2; i + 1 < f.size(); i += 2) {
                if (f[i] == "settype")
                    k.setType(Type(std::stoi(f[i + 1])));
                else
                    k.setNativeKey(fromHex(f[i + 1]));
            }
            o = keyJson(k);
        } else if (f[0] == "dirs") {
            o = "{\"temp\":" + js(QDir::tempPath())
                    + ",\"tempLocation\":" + js(QStandardPaths::writableLocation(QStandardPaths::TempLocation))
                    + ",\"runtime\":" + js(QStandardPaths::writableLocation(QStandardPaths::RuntimeLocation)) + "}";
        } else if (f[0] == "ftok") {            // ftok ID PATH(utf8, no spaces)
            struct stat st {};
            int r = ::stat(f[2].c_str(), &st);
            key_t k = ::ftok(f[2].c_str(), std::stoi(f[1]));
            o = "{\"stat\":" + ji(r) + ",\"dev\":\"" + std::to_string((unsigned long long)st.st_dev) + "\",\"ino\":\""
                    + std::to_string((unsigned long long)st.st_ino) + "\",\"key\":" + ji(k) + "}";
        } else if (f[0] == "defaults") {
            o = "{\"qt\":" + js(qVersion())
                    + ",\"default\":" + ji(int(QNativeIpcKey::DefaultTypeForOs)) + ",\"legacyDefault\":"
                    + ji(int(QNativeIpcKey::legacyDefaultTypeForOs())) + "}";
        }
        std::puts(o.c_str());
        std::fflush(stdout);
    }
}
