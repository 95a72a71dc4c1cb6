/* Moving messages from one process to another, once for every peer in C and C++. Before it is included, a peer defines
   Y_PEER, enum y_way (by what), struct y_link (one direction), and, the way a constant wherever they are called:
     p_way                            the way that the name of a workload ends with (@variant)
     p_link_make, p_link_end          before the processes part, and after all
     p_link_open                      in each process, as the sender or the receiver
     p_send, p_receive, p_received    one message; a received one is used in place and then given back
     p_append, p_flush, p_poll        batches
     p_place, p_show                  a message that is filled in place
   Workloads: ring.64, ring.64x32 (batches of 32), ring.4k, ring.1m (in place; the receiver looks at its ends only),
   ring.1m.used (it reads a word of each line): the time of a message, sender and receiver on two cores, and the
   receiver has them all. ring.trip.x, ring.trip.1: a round trip of 64 bytes on two cores, on one. ring.trip.asleep:
   on two, both sides asleep for 2 ms before each. */
#ifndef Y_MOVING_H
#define Y_MOVING_H

enum { Y_BATCH = 32 };
#ifdef __cplusplus
#define Y_NOTHING {}
#else
#define Y_NOTHING {0}
#endif

struct y_move {
    struct y_link there, back;
    long size;
    int whole;         /* the receiver reads it all */
    char *bytes, *last; /* a message, and the last one of a round */
    volatile long *acks, *ready;
};

/* What a receiver does with a message. */
Y_INLINE long y_use(const char *message, long size, int whole)
{
    long sum = message[size - 1];
    if (whole)
        for (long i = 0; i < size; i += 64)
            sum += *(const long *)(const void *)(message + i);
    return sum;
}

Y_INLINE void w_send(void *c, long n, enum y_way way, int batch, int in_place)
{
    struct y_move *m = (struct y_move *)c;
    long acks = *m->acks;
    for (long i = 1; i <= n; i++) {
        const char *bytes = i == n ? m->last : m->bytes;
        if (in_place) {
            memcpy(p_place(way, &m->there, m->size), bytes, (size_t)m->size);
            p_show(way, &m->there, m->size);
        } else if (batch == 1) {
            p_send(way, &m->there, bytes, m->size);
        } else {
            p_append(way, &m->there, bytes, m->size);
            if (i % batch == 0 || i == n)
                p_flush(way, &m->there);
        }
    }
    while (*m->acks == acks)
        y_pause();
}

Y_INLINE void w_drain(struct y_move *m, enum y_way way, int batch)
{
    long sum = 0;
    for (;;) {
        const char *message = (const char *)p_receive(way, &m->there, m->size);
        int last = message[0];
        sum += y_use(message, m->size, m->whole);
        for (int i = 1; i < batch && !last && (message = (const char *)p_poll(way, &m->there, m->size)); i++) {
            last = message[0];
            sum += y_use(message, m->size, m->whole);
        }
        p_received(way, &m->there);
        if (last) {
            y_sink += sum;
            __atomic_store_n(m->acks, *m->acks + 1, __ATOMIC_RELEASE);
        }
    }
}

Y_INLINE void w_round(void *c, long n, enum y_way way)
{
    struct y_move *m = (struct y_move *)c;
    while (n--) {
        p_send(way, &m->there, m->bytes, m->size);
        y_sink += *(const char *)p_receive(way, &m->back, m->size);
        p_received(way, &m->back);
    }
}

Y_INLINE void w_answer(struct y_move *m, enum y_way way)
{
    for (;;) {
        y_sink += *(const char *)p_receive(way, &m->there, m->size);
        p_received(way, &m->there);
        p_send(way, &m->back, m->bytes, m->size);
    }
}

/* The bodies for one way. */
#define Y_WAY(way)                                                                         \
    static void w_one_##way(void *c, long n) { w_send(c, n, way, 1, 0); }                  \
    static void w_many_##way(void *c, long n) { w_send(c, n, way, Y_BATCH, 0); }           \
    static void w_large_##way(void *c, long n) { w_send(c, n, way, 1, 1); }                \
    static void w_round_##way(void *c, long n) { w_round(c, n, way); }                     \
    static void w_drain_##way(struct y_move *m) { w_drain(m, way, 1); }                    \
    static void w_drain_many_##way(struct y_move *m) { w_drain(m, way, Y_BATCH); }         \
    static void w_answer_##way(struct y_move *m) { w_answer(m, way); }
#define Y_WAY_ROW(way) \
    {w_one_##way, w_many_##way, w_large_##way, w_round_##way, w_drain_##way, w_drain_many_##way, w_answer_##way}
struct y_way_row {
    y_body one, many, large, round;
    void (*drain)(struct y_move *), (*drain_many)(struct y_move *), (*answer)(struct y_move *);
};

/* The row of a way; a peer defines it with Y_WAYS. */
static const struct y_way_row *y_row(enum y_way way);
#define Y_WAYS(...)                                                 \
    static const struct y_way_row *y_row(enum y_way way)            \
    {                                                               \
        static const struct y_way_row rows[] = {__VA_ARGS__};       \
        return &rows[way];                                          \
    }

static long y_size_of(const char *name)
{
    return strstr(name, ".1m") ? 1L << 20 : strstr(name, ".4k") ? 4096 : Y_SMALL;
}

/* Rounds between which both sides sleep; the time of the trips alone. */
static double y_asleep(y_body round, struct y_move *m)
{
    double v[11];
    const int rounds = y_quick() ? 1 : 11, trips = y_quick() ? 2 : 20;
    for (int i = -1; i < rounds; i++) {
        int64_t sum = 0;
        for (int j = 0; j < trips; j++) {
            struct timespec pause = {0, 2000000};
            nanosleep(&pause, NULL);
            int64_t t = y_now();
            round(m, 1);
            sum += y_now() - t;
        }
        if (i >= 0)
            v[i] = (double)sum / trips;
    }
    return y_median(v, rounds);
}

static void run_move(const char *name)
{
    enum y_way way = p_way(name);
    const struct y_way_row *row = y_row(way);
    int is_trip = strstr(name, ".trip.") != NULL, is_many = strstr(name, "x32") != NULL;
    int core = strstr(name, ".trip.1") ? 0 : 1;
    struct y_move m = Y_NOTHING;
    volatile long *page = (volatile long *)y_shared_page();
    m.size = y_size_of(name);
    m.whole = m.size == 4096 || strstr(name, ".used") != NULL;
    m.acks = page, m.ready = page + 32;
    m.bytes = (char *)aligned_alloc(4096, 1 << 20), m.last = (char *)aligned_alloc(4096, 1 << 20);
    memset(m.bytes, 0, 1 << 20), memset(m.last, 1, 1 << 20);
    p_link_make(way, &m.there, "there", m.size);
    if (is_trip)
        p_link_make(way, &m.back, "back", m.size);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        y_pin(core);
        p_link_open(way, &m.there, 1);
        if (is_trip)
            p_link_open(way, &m.back, 0);
        *m.ready = 1;
        (is_trip ? row->answer : is_many ? row->drain_many : row->drain)(&m);
    }
    p_link_open(way, &m.there, 0);
    if (is_trip)
        p_link_open(way, &m.back, 1);
    while (!*m.ready) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            y_die("the receiver");
        sched_yield();
    }
    y_pin(0);
    if (strstr(name, ".asleep"))
        y_print(name, "", y_asleep(row->round, &m));
    else
        y_print(name, "", y_measure(is_trip ? row->round : is_many ? row->many : m.size > 1 << 16 ? row->large
            : row->one, &m, 11));
    y_pin(-1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    p_link_end(way, &m.there, "there");
    if (is_trip)
        p_link_end(way, &m.back, "back");
    free(m.bytes), free(m.last);
    munmap((void *)page, 4096);
}
#endif
