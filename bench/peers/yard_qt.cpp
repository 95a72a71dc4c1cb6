// Qt 6.6 or later: QSystemSemaphore and QSharedMemory with both native key types.
#include "yard.h"
#include <QNativeIpcKey>
#include <QSharedMemory>
#include <QSystemSemaphore>
#define Y_PEER "qt"

static int y_undo Y_UNUSED; // Qt always undoes on System V

static QNativeIpcKey::Type type(enum y_kind k)
{
    return k == Y_SYSV ? QNativeIpcKey::Type::SystemV : QNativeIpcKey::Type::PosixRealtime;
}
static QSystemSemaphore *semaphore(enum y_kind k, const char *name, int count, QSystemSemaphore::AccessMode mode)
{
    QSystemSemaphore *s =
        new QSystemSemaphore(QSystemSemaphore::platformSafeKey(QLatin1String(name), type(k)), count, mode);
    if (s->error() != QSystemSemaphore::NoError)
        y_die(qPrintable(s->errorString()));
    return s;
}
static void *p_sem_create(enum y_kind k, const char *name, unsigned count)
{
    return semaphore(k, name, (int)count, QSystemSemaphore::Create);
}
static void *p_sem_open(enum y_kind k, const char *name) { return semaphore(k, name, 1, QSystemSemaphore::Open); }
static void p_sem_close(enum y_kind, void *s) { delete (QSystemSemaphore *)s; } // its creator removes it
static void p_sem_remove(enum y_kind, const char *, void *) {}
Y_INLINE void p_acquire(enum y_kind, void *s) { ((QSystemSemaphore *)s)->acquire(); }
Y_INLINE void p_try(enum y_kind, void *) { abort(); } // Qt has none
Y_INLINE void p_release(enum y_kind, void *s) { ((QSystemSemaphore *)s)->release(); }

static QSharedMemory *segment(enum y_kind k, const char *name)
{
    return new QSharedMemory(QSharedMemory::platformSafeKey(QLatin1String(name), type(k)));
}
static QSharedMemory *checked(QSharedMemory *m, bool done)
{
    if (!done)
        y_die(qPrintable(m->errorString()));
    return m;
}
static void p_seg_create(enum y_kind k, const char *name, struct y_segment *m, enum y_how)
{
    QSharedMemory *s = segment(k, name);
    m->own = checked(s, s->create(m->size));
    m->data = (char *)s->data();
}
static void p_seg_attach(enum y_kind k, const char *name, struct y_segment *m, enum y_how)
{
    QSharedMemory *s = segment(k, name);
    m->own = checked(s, s->attach());
    m->data = (char *)s->data();
}
static void p_seg_detach(enum y_kind, struct y_segment *m) { delete (QSharedMemory *)m->own; }
static void p_seg_remove(enum y_kind k, const char *name, struct y_segment *)
{
    char posix[80];
    snprintf(posix, sizeof posix, "/%s", name);
    if (k == Y_POSIX)
        shm_unlink(posix); // Qt itself never removes a POSIX segment on Linux
}

static void *p_lock_open(enum y_kind k, const char *name)
{
    QSharedMemory *m = segment(k, name);
    return checked(m, m->create(4096));
}
static void p_lock(enum y_kind, void *m) { ((QSharedMemory *)m)->lock(); }
static void p_unlock(enum y_kind, void *m) { ((QSharedMemory *)m)->unlock(); }
static void p_lock_close(enum y_kind k, const char *name, void *m)
{
    delete (QSharedMemory *)m;
    p_seg_remove(k, name, nullptr);
}

static const char *const y_names[] = {
    "posix.wait_pair", "sysv.pair_undo", "lock.posix", "lock.sysv", "pp.posix.x", "pp.posix.1", "pp.posix.free",
    "pp.crowd.4",
    "contend.posix.2", "contend.posix.4", "contend.posix.8", "contend.sysv.2", "contend.sysv.4", "contend.sysv.8",
    "posix.sem.open_close", "posix.sem.create_destroy", "sysv.sem.open", "sysv.sem.create_destroy",
    "posix.shm4k.create_destroy", "posix.shm4k.attach_detach", "sysv.shm4k.create_destroy", "sysv.shm4k.attach_detach",
    "posix.shm64m.create_touch", "posix.shm64m.attach_touch", "posix.shm64m.attach_write", "sysv.shm64m.create_touch",
    "sysv.shm64m.attach_touch",
    "copy.in64m", "copy.out64m", "copy.4k", "rand.read8",
    "scale.posix.sem.100", "scale.posix.sem.1000", "scale.posix.sem.10000", "scale.posix.shm.100",
    "scale.posix.shm.1000", "scale.posix.shm.4000",
    "scale.sysv.sem.100", "scale.sysv.sem.1000", "scale.sysv.sem.10000", "scale.sysv.shm.100", "scale.sysv.shm.1000",
    "scale.sysv.shm.4000",
};
#include "workloads.h"
