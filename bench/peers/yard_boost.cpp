// Boost.Interprocess: named_semaphore, shared_memory_object with mapped_region, xsi_shared_memory, message_queue.
#include "yard.h"
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#include <boost/interprocess/xsi_shared_memory.hpp>
#include <string>
#define Y_PEER "boost"

using namespace boost::interprocess;
static int y_undo Y_UNUSED;

static void *p_sem_create(enum y_kind, const char *name, unsigned count)
{
    return new named_semaphore(create_only, name, count, permissions(0600));
}
static void *p_sem_open(enum y_kind, const char *name) { return new named_semaphore(open_only, name); }
static void p_sem_close(enum y_kind, void *s) { delete (named_semaphore *)s; }
static void p_sem_remove(enum y_kind, const char *name, void *) { named_semaphore::remove(name); }
Y_INLINE void p_acquire(enum y_kind, void *s) { ((named_semaphore *)s)->wait(); }
Y_INLINE void p_try(enum y_kind, void *s) { ((named_semaphore *)s)->try_wait(); }
Y_INLINE void p_release(enum y_kind, void *s) { ((named_semaphore *)s)->post(); }

static void *p_lock_open(enum y_kind k, const char *name) { return p_sem_create(k, name, 1); }
static void p_lock(enum y_kind k, void *s) { p_acquire(k, s); }
static void p_unlock(enum y_kind k, void *s) { p_release(k, s); }
static void p_lock_close(enum y_kind k, const char *name, void *s)
{
    p_sem_close(k, s);
    p_sem_remove(k, name, s);
}

static std::string key_file(const char *name)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    return std::string(folder ? folder : "/tmp") + "/" + name;
}
template <class Memory> static void map(struct y_segment *m, const Memory &memory)
{
    mapped_region *region = new mapped_region(memory, read_write);
    m->own = region;
    m->data = (char *)region->get_address();
}
static void p_seg_create(enum y_kind k, const char *name, struct y_segment *m, enum y_how)
{
    if (k == Y_SYSV) {
        std::string file = key_file(name);
        close(open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        xsi_shared_memory memory(create_only, xsi_key(file.c_str(), 'Q'), m->size, permissions(0600));
        m->id = memory.get_shmid();
        map(m, memory);
        return;
    }
    shared_memory_object memory(create_only, name, read_write, permissions(0600));
    memory.truncate(m->size);
    map(m, memory);
}
static void p_seg_attach(enum y_kind k, const char *name, struct y_segment *m, enum y_how)
{
    if (k == Y_SYSV)
        map(m, xsi_shared_memory(open_only, xsi_key(key_file(name).c_str(), 'Q')));
    else
        map(m, shared_memory_object(open_only, name, read_write));
}
static void p_seg_detach(enum y_kind, struct y_segment *m) { delete (mapped_region *)m->own; }
static void p_seg_remove(enum y_kind k, const char *name, struct y_segment *m)
{
    if (k == Y_SYSV)
        xsi_shared_memory::remove(m->id), unlink(key_file(name).c_str());
    else
        shared_memory_object::remove(name);
}

// A message_queue; it copies in and out.
enum y_way { QUEUE };
struct y_link { message_queue *queue; char *buffer; };
static enum y_way p_way(const char *) { return QUEUE; }
static void p_link_make(enum y_way, struct y_link *l, const char *what, long size)
{
    std::string name = std::string("yard_boost_") + what;
    message_queue::remove(name.c_str());
    l->queue = new message_queue(create_only, name.c_str(), size > 65536 ? 4 : 1024, size, permissions(0600));
    l->buffer = (char *)aligned_alloc(4096, 1 << 20);
}
static void p_link_open(enum y_way, struct y_link *, int) {}
static void p_link_end(enum y_way, struct y_link *l, const char *what)
{
    delete l->queue;
    free(l->buffer);
    message_queue::remove((std::string("yard_boost_") + what).c_str());
}
Y_INLINE void p_send(enum y_way, struct y_link *l, const void *bytes, long size) { l->queue->send(bytes, size, 0); }
Y_INLINE const void *p_receive(enum y_way, struct y_link *l, long size)
{
    message_queue::size_type length;
    unsigned priority;
    l->queue->receive(l->buffer, size, length, priority);
    return l->buffer;
}
Y_INLINE const void *p_poll(enum y_way, struct y_link *, long) { return nullptr; }
Y_INLINE void p_received(enum y_way, struct y_link *) {}
Y_INLINE void p_append(enum y_way way, struct y_link *l, const void *bytes, long size) { p_send(way, l, bytes, size); }
Y_INLINE void p_flush(enum y_way, struct y_link *) {}
Y_INLINE void *p_place(enum y_way, struct y_link *l, long) { return l->buffer; }
Y_INLINE void p_show(enum y_way way, struct y_link *l, long size) { p_send(way, l, l->buffer, size); }
#include "moving.h"
Y_WAY(QUEUE)
Y_WAYS(Y_WAY_ROW(QUEUE))
#define Y_MORE {"ring.", run_move},

static const char *const y_names[] = {
    "posix.try_pair", "posix.wait_pair", "lock.posix", "pp.posix.x", "pp.posix.1", "pp.posix.free", "pp.crowd.4",
    "contend.posix.2", "contend.posix.4", "contend.posix.8", "posix.sem.open_close", "posix.sem.create_destroy",
    "posix.shm4k.create_destroy", "posix.shm4k.attach_detach", "sysv.shm4k.create_destroy", "sysv.shm4k.attach_detach",
    "posix.shm64m.create_touch", "posix.shm64m.attach_touch", "posix.shm64m.attach_write", "sysv.shm64m.create_touch",
    "sysv.shm64m.attach_touch",
    "copy.in64m", "copy.out64m", "copy.4k", "rand.read8",
    "scale.posix.sem.100", "scale.posix.sem.1000", "scale.posix.sem.10000", "scale.posix.shm.100",
    "scale.posix.shm.1000", "scale.posix.shm.4000",
    "ring.64", "ring.trip.x", "ring.trip.1", "ring.trip.asleep", "ring.4k", "ring.1m",
};
#include "workloads.h"
