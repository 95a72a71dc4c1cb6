/* What C has to move messages with: our layout by include/nativeipc_channels.h (ring.64), and as variants the best that
   is published for one writer and one reader (@best: slots of one size, indices on lines of their own, each side with a
   copy of the other's, batches; it only spins), the same with the length before each message, as a ring for messages of
   any length needs (@records: 72 bytes, not 64), a FIFO, Unix domain sockets, a message queue of POSIX. @memcpy is a
   copy of the same bytes into shared memory that nobody reads; with .used and .4k, that another process reads whole, by
   a flag for each. And topics. */
#include "nativeipc_channels.h"
#include <mqueue.h>
#include <sys/socket.h>

enum y_way { RING, BEST, RECORDS, FIFO, STREAM, SEQPACKET, QUEUE, COPY };

enum { BEST_SLOTS = 1 << 14, BEST_RECORD = Y_SMALL + 8, COPY_BYTES = 4 << 20, COPY_SLOTS = 256 };
struct best {
    _Alignas(128) uint64_t tail;
    _Alignas(128) uint64_t head;
    _Alignas(128) char slots[BEST_SLOTS * BEST_RECORD];
};
struct copy { /* places for messages, four of 1 MiB or 256 of 4 KiB, each with a flag */
    struct { _Alignas(128) uint32_t full; } flags[COPY_SLOTS];
    _Alignas(4096) char places[COPY_BYTES];
};

struct y_link {
    char name[48];
    int is_receiver, fds[2];
    mqd_t queue;
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    nativeipc_ring_reader reader;
    struct best *best;
    struct copy *copy;
    uint64_t own, shown, other; /* of @best: one's index, up to where it is shown, the other's as last seen */
    uint64_t slots;             /* of @memcpy */
    long size;
    char *buffer;
};

static enum y_way p_way(const char *name)
{
    const char *variant = strchr(name, '@');
    return !variant ? RING : !strcmp(variant, "@best") ? BEST : !strcmp(variant, "@fifo") ? FIFO
        : !strcmp(variant, "@unix") ? STREAM : !strcmp(variant, "@seqpacket") ? SEQPACKET
        : !strcmp(variant, "@mq") ? QUEUE : !strcmp(variant, "@records") ? RECORDS : COPY;
}

static void p_link_make(enum y_way way, struct y_link *l, const char *what, long size)
{
    struct mq_attr attributes = {0};
    snprintf(l->name, sizeof l->name, "/yard_c_%s", what);
    l->buffer = (char *)aligned_alloc(4096, 1 << 20);
    memset(l->buffer, 0, 1 << 20);
    l->size = size;
    l->slots = size == 4096 ? COPY_SLOTS : COPY_BYTES >> 20;
    switch (way) {
    case RING:
        nativeipc_channel_remove(l->name);
        if (nativeipc_ring_create(&l->ring, l->name, size > 1 << 16 ? 4 << 20 : 1 << 20, 0600))
            y_die("nativeipc_ring_create");
        nativeipc_channel_close(&l->ring);
        break;
    case BEST:
    case RECORDS:
    case COPY:
        l->best = (struct best *)Y_PASS_ERRORS(mmap(NULL, way == COPY ? sizeof *l->copy : sizeof *l->best,
            PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
        l->copy = (struct copy *)(void *)l->best;
        break;
    case FIFO:
        if (pipe(l->fds)) /* the same in the kernel as a pipe that has a name */
            y_die("pipe");
        break;
    case STREAM:
    case SEQPACKET:
        if (socketpair(AF_UNIX, way == STREAM ? SOCK_STREAM : SOCK_SEQPACKET, 0, l->fds))
            y_die("socketpair");
        break;
    case QUEUE:
        mq_unlink(l->name);
        attributes.mq_maxmsg = 10, attributes.mq_msgsize = size; /* 10: what any user may have */
        l->queue = Y_PASS_ERRORS(mq_open(l->name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes), (mqd_t)-1);
        break;
    }
}

static void p_link_open(enum y_way way, struct y_link *l, int is_receiver)
{
    l->is_receiver = is_receiver;
    if (way == FIFO || way == STREAM || way == SEQPACKET) {
        close(l->fds[is_receiver]); /* of a pipe 0 is read */
        l->fds[0] = l->fds[!is_receiver];
    }
    if (way != RING)
        return;
    if (nativeipc_ring_open(&l->ring, l->name))
        y_die("nativeipc_ring_open");
    if (is_receiver ? nativeipc_ring_open_reader(&l->ring, &l->reader, 0)
                    : nativeipc_ring_open_writer(&l->ring, &l->writer, 0))
        y_die("role");
}

static void p_link_end(enum y_way way, struct y_link *l, const char *what)
{
    (void)what;
    free(l->buffer);
    if (way == RING) {
        if (l->is_receiver)
            nativeipc_ring_close_reader(&l->reader);
        else
            nativeipc_ring_close_writer(&l->writer);
        nativeipc_channel_close(&l->ring);
        nativeipc_channel_remove(l->name);
    } else if (way == BEST || way == RECORDS || way == COPY) {
        munmap(l->best, way == COPY ? sizeof *l->copy : sizeof *l->best);
    } else if (way == QUEUE) {
        mq_close(l->queue);
        mq_unlink(l->name);
    } else {
        close(l->fds[0]);
    }
}

Y_INLINE void best_append(enum y_way way, struct y_link *l, const void *bytes)
{
    char *place;
    while (l->own - l->other == BEST_SLOTS) {
        l->other = __atomic_load_n(&l->best->head, __ATOMIC_ACQUIRE);
        if (l->own - l->other == BEST_SLOTS)
            y_pause();
    }
    place = l->best->slots + l->own++ % BEST_SLOTS * (way == BEST ? Y_SMALL : BEST_RECORD);
    if (way == RECORDS) {
        *(uint64_t *)(void *)place = Y_SMALL;
        place += 8;
    }
    memcpy(place, bytes, Y_SMALL);
}
Y_INLINE void best_flush(struct y_link *l) { __atomic_store_n(&l->best->tail, l->own, __ATOMIC_RELEASE); }
Y_INLINE const void *best_try(enum y_way way, struct y_link *l)
{
    const char *place;
    if (l->own == l->other) {
        l->other = __atomic_load_n(&l->best->tail, __ATOMIC_ACQUIRE);
        if (l->own == l->other)
            return NULL;
    }
    place = l->best->slots + l->own++ % BEST_SLOTS * (way == BEST ? Y_SMALL : BEST_RECORD);
    if (way == BEST)
        return place;
    if (*(const uint64_t *)(const void *)place != Y_SMALL)
        y_die("a length");
    return place + 8;
}
Y_INLINE char *copy_place(struct y_link *l) { return l->copy->places + l->own % l->slots * (uint64_t)l->size; }

Y_INLINE void p_append(enum y_way way, struct y_link *l, const void *bytes, long size)
{
    if (way == BEST || way == RECORDS) {
        best_append(way, l, bytes);
        return;
    }
    while (nativeipc_ring_append_message(&l->writer, bytes, (size_t)size)) {
        nativeipc_ring_flush(&l->writer);
        y_pause();
    }
}
Y_INLINE void p_flush(enum y_way way, struct y_link *l)
{
    if (way == BEST || way == RECORDS)
        best_flush(l);
    else
        nativeipc_ring_flush(&l->writer);
}

Y_INLINE void p_send(enum y_way way, struct y_link *l, const void *bytes, long size)
{
    if (way == RING) {
        if (nativeipc_ring_write(&l->writer, bytes, (size_t)size, -1))
            y_die("nativeipc_ring_write");
    } else if (way == BEST || way == RECORDS) {
        best_append(way, l, bytes);
        best_flush(l);
    } else if (way == COPY) {
        while (__atomic_load_n(&l->copy->flags[l->own % l->slots].full, __ATOMIC_ACQUIRE))
            y_pause();
        memcpy(copy_place(l), bytes, (size_t)size);
        __atomic_store_n(&l->copy->flags[l->own++ % l->slots].full, 1, __ATOMIC_RELEASE);
    } else if (way == QUEUE) {
        if (mq_send(l->queue, (const char *)bytes, (size_t)size, 0))
            y_die("mq_send");
    } else {
        for (long done = 0; done < size;)
            done += Y_PASS_ERRORS(write(l->fds[0], (const char *)bytes + done, (size_t)(size - done)), -1);
    }
}

Y_INLINE const void *p_receive(enum y_way way, struct y_link *l, long size)
{
    const void *message;
    size_t length;
    if (way == RING) {
        if (nativeipc_ring_read(&l->reader, &message, &length, -1))
            y_die("nativeipc_ring_read");
        return message;
    }
    if (way == BEST || way == RECORDS) {
        while (!(message = best_try(way, l)))
            y_pause();
        return message;
    }
    if (way == COPY) {
        while (!__atomic_load_n(&l->copy->flags[l->own % l->slots].full, __ATOMIC_ACQUIRE))
            y_pause();
        return copy_place(l);
    }
    if (way == QUEUE) {
        if (mq_receive(l->queue, l->buffer, (size_t)size, NULL) != size)
            y_die("mq_receive");
        return l->buffer;
    }
    for (long done = 0; done < size;) {
        long got = Y_PASS_ERRORS(read(l->fds[0], l->buffer + done, (size_t)(size - done)), -1);
        if (got == 0)
            _exit(0);
        done += got;
    }
    return l->buffer;
}
Y_INLINE const void *p_poll(enum y_way way, struct y_link *l, long size)
{
    const void *message;
    size_t length;
    (void)size;
    if (way == BEST || way == RECORDS)
        return best_try(way, l);
    return nativeipc_ring_try_read(&l->reader, &message, &length) ? NULL : message;
}
Y_INLINE void p_received(enum y_way way, struct y_link *l)
{
    if (way == RING)
        nativeipc_ring_release(&l->reader);
    else if (way == BEST || way == RECORDS)
        __atomic_store_n(&l->best->head, l->own, __ATOMIC_RELEASE);
    else if (way == COPY)
        __atomic_store_n(&l->copy->flags[l->own++ % l->slots].full, 0, __ATOMIC_RELEASE);
}

Y_INLINE void *p_place(enum y_way way, struct y_link *l, long size)
{
    void *place;
    if (way == FIFO || way == STREAM)
        return l->buffer;
    if (way == COPY) {
        while (__atomic_load_n(&l->copy->flags[l->own % l->slots].full, __ATOMIC_ACQUIRE))
            y_pause();
        return copy_place(l);
    }
    while (!(place = nativeipc_ring_reserve(&l->writer, (size_t)size)))
        y_pause();
    return place;
}
Y_INLINE void p_show(enum y_way way, struct y_link *l, long size)
{
    if (way == FIFO || way == STREAM) {
        p_send(way, l, l->buffer, size);
    } else if (way == COPY) {
        __atomic_store_n(&l->copy->flags[l->own++ % l->slots].full, 1, __ATOMIC_RELEASE);
    } else {
        nativeipc_ring_append(&l->writer, (size_t)size);
        nativeipc_ring_flush(&l->writer);
    }
}

#include "moving.h"
Y_WAY(RING)
Y_WAY(BEST)
Y_WAY(RECORDS)
Y_WAY(FIFO)
Y_WAY(STREAM)
Y_WAY(SEQPACKET)
Y_WAY(QUEUE)
Y_WAY(COPY)
Y_WAYS(Y_WAY_ROW(RING), Y_WAY_ROW(BEST), Y_WAY_ROW(RECORDS), Y_WAY_ROW(FIFO), Y_WAY_ROW(STREAM), Y_WAY_ROW(SEQPACKET),
    Y_WAY_ROW(QUEUE), Y_WAY_ROW(COPY))

/* ---- a topic ---- */
struct topic { nativeipc_channel channel; nativeipc_topic_writer writer; char *bytes; size_t size; };
static void w_publish(void *c, long n)
{
    struct topic *t = (struct topic *)c;
    while (n--)
        if (nativeipc_topic_write(&t->writer, t->bytes, t->size))
            y_die("nativeipc_topic_write");
}
static void follow(const char *name, volatile long *ready)
{
    nativeipc_channel channel;
    nativeipc_topic_reader reader;
    char *own;
    size_t longest, length;
    if (nativeipc_topic_open(&channel, name, 0))
        y_die("nativeipc_topic_open");
    longest = nativeipc_topic_longest(&channel);
    own = (char *)malloc(longest);
    nativeipc_topic_open_reader(&channel, &reader);
    if (ready)
        __atomic_fetch_add(ready, 1, __ATOMIC_SEQ_CST);
    else
        puts("ready"), fflush(stdout);
    for (;;)
        if (nativeipc_topic_wait(&reader, -1) || (nativeipc_topic_try_read_latest(&reader, own, longest, &length)
            && errno != EAGAIN))
            y_die("follow");
}
/* The time of a message of 64 KiB or 1 MiB, in 64 or 8 places, while 0, 1 or 8 readers on the other core copy the
   latest one, as often as they come to it. */
static void run_topic(const char *name)
{
    int readers = atoi(strrchr(name, '.') + 1), is_large = strstr(name, ".1m.") != NULL;
    pid_t children[8];
    volatile long *ready = (volatile long *)y_shared_page();
    struct topic t;
    t.size = is_large ? 1 << 20 : 64 << 10;
    t.bytes = (char *)aligned_alloc(4096, t.size);
    memset(t.bytes, 1, t.size); /* else all its pages are the kernel's one of zeros */
    nativeipc_channel_remove("/yard_c_topic");
    if (nativeipc_topic_create(&t.channel, "/yard_c_topic", (uint32_t)t.size, is_large ? 7 : 63, 0600) ||
        nativeipc_topic_open_writer(&t.channel, &t.writer, 0))
        y_die("nativeipc_topic_create");
    fflush(stdout);
    for (int i = 0; i < readers; i++)
        if ((children[i] = fork()) == 0) {
            y_pin(1);
            follow("/yard_c_topic", ready);
        }
    while (*ready < readers)
        sched_yield();
    y_pin(0);
    y_print(name, "", y_measure(w_publish, &t, 11));
    y_pin(-1);
    for (int i = 0; i < readers; i++)
        kill(children[i], SIGKILL), waitpid(children[i], NULL, 0);
    nativeipc_topic_close_writer(&t.writer);
    nativeipc_channel_close(&t.channel);
    nativeipc_channel_remove("/yard_c_topic");
    free(t.bytes);
    munmap((void *)ready, 4096);
}

/* ---- the other side of a ring of ours: yard_c --drain|--answer THERE BACK CORE SIZE BATCH WHOLE; of a topic:
   yard_c --follow NAME ---- */
static int serve(char **words)
{
    struct y_move m;
    long ack = 0;
    int batch;
    if (!strcmp(words[0], "--follow")) {
        y_pin(1);
        follow(words[1], NULL);
    }
    batch = atoi(words[5]);
    memset(&m, 0, sizeof m);
    m.acks = m.ready = &ack;
    m.size = atol(words[4]);
    m.whole = atoi(words[6]);
    m.bytes = m.last = (char *)calloc(1, (size_t)m.size);
    snprintf(m.there.name, sizeof m.there.name, "%s", words[1]);
    snprintf(m.back.name, sizeof m.back.name, "%s", words[2]);
    y_pin(atoi(words[3]));
    p_link_open(RING, &m.there, 1);
    p_link_open(RING, &m.back, 0);
    puts("ready");
    fflush(stdout);
    if (!strcmp(words[0], "--answer"))
        w_answer_RING(&m);
    for (;;) { /* the last of a round is answered */
        const char *message = (const char *)p_receive(RING, &m.there, m.size);
        int last = message[0];
        y_sink += y_use(message, m.size, m.whole);
        for (int i = 1; i < batch && !last && (message = (const char *)p_poll(RING, &m.there, m.size)); i++) {
            last = message[0];
            y_sink += y_use(message, m.size, m.whole);
        }
        p_received(RING, &m.there);
        if (last)
            p_send(RING, &m.back, m.bytes, Y_SMALL);
    }
    return 1;
}

#define CHANNEL_NAMES                                                                                               \
    "ring.64", "ring.64@best", "ring.64@records", "ring.64@fifo", "ring.64@unix", "ring.64@seqpacket",              \
        "ring.64@mq", "ring.64x32", "ring.64x32@best", "ring.64x32@records", "ring.trip.x", "ring.trip.x@best",     \
        "ring.trip.x@fifo", "ring.trip.x@unix", "ring.trip.x@seqpacket", "ring.trip.x@mq", "ring.trip.1",           \
        "ring.trip.1@fifo", "ring.trip.1@unix", "ring.trip.1@seqpacket", "ring.trip.1@mq", "ring.trip.asleep",      \
        "ring.trip.asleep@fifo", "ring.trip.asleep@unix", "ring.trip.asleep@seqpacket", "ring.trip.asleep@mq",      \
        "ring.4k", "ring.4k@memcpy", "ring.4k@fifo", "ring.4k@unix", "ring.4k@seqpacket", "ring.4k@mq",             \
        "ring.1m", "ring.1m@memcpy", "ring.1m@fifo", "ring.1m@unix", "ring.1m.used", "ring.1m.used@memcpy",         \
        "topic.64k.0", "topic.64k.1", "topic.64k.8", "topic.1m.0", "topic.1m.1", "topic.1m.8"
#define CHANNEL_RUNS {"ring.1m@memcpy", run_copy_alone}, {"ring.", run_move}, {"topic.", run_topic},

/* memcpy of the same bytes, into four places in turn, and nobody reads. */
static void w_copy_alone(void *c, long n)
{
    struct y_link *l = (struct y_link *)c;
    while (n--)
        memcpy(copy_place(l), l->buffer, 1 << 20), l->own++;
}
static void run_copy_alone(const char *name)
{
    struct y_link link;
    memset(&link, 0, sizeof link);
    p_link_make(COPY, &link, "copy", 1 << 20);
    y_pin(0);
    y_print(name, "", y_measure(w_copy_alone, &link, 11));
    y_pin(-1);
    p_link_end(COPY, &link, "copy");
}
