/* The workloads, once for every peer in C and C++. Before it is included, a peer defines Y_PEER (a word for its names),
   the list `static const char *const y_names[]`, and:
     p_sem_create, p_sem_open, p_sem_close, p_sem_remove, p_acquire, p_try, p_release    a semaphore is a void *
     p_seg_create, p_seg_attach, p_seg_detach, p_seg_remove                              a segment is a struct y_segment
     p_lock_open, p_lock, p_unlock, p_lock_close                                         the lock of a segment
   The kind is a constant wherever they are called, so that nothing is decided in a loop. */
static char y_name[64];
static enum y_how y_how_now;
static long y_size;
static int y_writes;

/* A name of this peer's own, for an object of this kind. */
static const char *y_called(const char *what, int n)
{
    snprintf(y_name, sizeof y_name, "yard_" Y_PEER "_%s%d", what, n);
    return y_name;
}
static enum y_kind y_kind_of(const char *name) { return strstr(name, "sysv") ? Y_SYSV : Y_POSIX; }
static int y_number(const char *name) { return atoi(strrchr(name, '.') + 1); }

/* Two functions of a body, one for each kind. */
#define Y_BOTH(body)                                                                  \
    static void body##_posix(void *c, long n) { body(c, n, Y_POSIX); }                \
    static void body##_sysv(void *c, long n) { body(c, n, Y_SYSV); }
#define Y_PICK(body, kind) ((kind) == Y_SYSV ? body##_sysv : body##_posix)

/* ---- pairs ---- */
Y_INLINE void w_wait(void *c, long n, enum y_kind k)
{
    while (n--) {
        p_acquire(k, c);
        p_release(k, c);
    }
}
Y_INLINE void w_try(void *c, long n, enum y_kind k)
{
    while (n--) {
        p_try(k, c);
        p_release(k, c);
    }
}
Y_INLINE void w_lock(void *c, long n, enum y_kind k)
{
    while (n--) {
        p_lock(k, c);
        p_unlock(k, c);
    }
}
Y_BOTH(w_wait)
Y_BOTH(w_try)
Y_BOTH(w_lock)
static void *y_fresh(enum y_kind k, const char *what, unsigned count)
{
    return p_sem_create(k, y_called(what, 0), count);
}
static void y_drop(enum y_kind k, void *s, const char *what)
{
    p_sem_close(k, s);
    p_sem_remove(k, y_called(what, 0), s);
}
static void run_pair(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_undo = strstr(name, "undo") != NULL;
    void *s = y_fresh(k, "pair", 1);
    y_print(name, "", y_measure(strstr(name, "try") ? Y_PICK(w_try, k) : Y_PICK(w_wait, k), s, 11));
    y_drop(k, s, "pair");
}
static void run_lock(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_undo = 1;
    void *lock = p_lock_open(k, y_called("lock", 0));
    y_print(name, "", y_measure(Y_PICK(w_lock, k), lock, 11));
    p_lock_close(k, y_called("lock", 0), lock);
}

/* ---- ping-pong ---- */
struct y_pp { void *a, *b; };
Y_INLINE void w_trip(void *c, long n, enum y_kind k)
{
    struct y_pp *p = (struct y_pp *)c;
    while (n--) {
        p_release(k, p->a);
        p_acquire(k, p->b);
    }
}
Y_INLINE void w_echo(void *c, long n, enum y_kind k)
{
    struct y_pp *p = (struct y_pp *)c;
    while (n--) {
        p_acquire(k, p->a);
        p_release(k, p->b);
    }
}
Y_BOTH(w_trip)
Y_BOTH(w_echo)
static void run_pingpong(const char *name)
{
    enum y_kind k = y_kind_of(name);
    char where = name[strlen(name) - 1]; /* x: two cores, 1: one core, else free */
    double v[20];
    y_undo = 0; /* used from one side only, undo fails after 32,767 releases */
    struct y_pp p = {y_fresh(k, "a", 0), y_fresh(k, "b", 0)};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        y_pin(where == 'x' ? 1 : where == '1' ? 0 : -1);
        Y_PICK(w_echo, k)(&p, 1L << 40);
    }
    y_pin(where == 'x' || where == '1' ? 0 : -1);
    y_body trip = Y_PICK(w_trip, k);
    trip(&p, 200);
    int64_t cpu = y_cpu(getpid()) + y_cpu(child);
    const int rounds = y_quick() ? 2 : 20;
    for (int i = 0; i < rounds; i++) {
        int64_t t = y_now();
        trip(&p, 500);
        v[i] = (double)(y_now() - t) / 500;
    }
    cpu = y_cpu(getpid()) + y_cpu(child) - cpu;
    y_pin(-1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    y_print(name, "", y_median(v, rounds));
    y_print(name, ".cpu", (double)cpu / (rounds * 500));
    y_drop(k, p.a, "a"), y_drop(k, p.b, "b");
}

/* ---- many processes for 300 ms ---- */
struct y_many { volatile int ready, done; volatile int64_t start, count[64]; };
/* Starts n children that repeat `body` and count; the time and the CPU time of all of them for one operation. */
static void y_many_run(const char *name, int n, y_body body, void **contexts, pid_t *others, int n_others)
{
    const int64_t span = y_quick() ? 30000000 : 300000000;
    struct y_many *page = (struct y_many *)y_shared_page();
    pid_t pid[64];
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            body(contexts[i], 100);
            __atomic_add_fetch(&page->ready, 1, __ATOMIC_SEQ_CST);
            while (!page->start || y_now() < page->start)
                usleep(500);
            int64_t end = page->start + span, count = 0;
            for (; y_now() < end; count += 16)
                body(contexts[i], 16);
            page->count[i] = count;
            __atomic_add_fetch(&page->done, 1, __ATOMIC_SEQ_CST);
            for (;;)
                pause();
        }
    }
    while (page->ready < n)
        usleep(1000);
    int64_t cpu = 0, total = 0;
    for (int i = 0; i < n; i++)
        cpu -= y_cpu(pid[i]);
    for (int i = 0; i < n_others; i++)
        cpu -= y_cpu(others[i]);
    page->start = y_now() + 20000000;
    while (page->done < n)
        usleep(1000);
    for (int i = 0; i < n_others; i++)
        cpu += y_cpu(others[i]);
    for (int i = 0; i < n; i++) {
        cpu += y_cpu(pid[i]);
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
        total += page->count[i];
    }
    munmap(page, 4096);
    y_print(name, "", total ? (double)span / (double)total : 0);
    y_print(name, ".cpu", total ? (double)cpu / (double)total : 0);
}
static void run_contention(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_undo = 1;
    void *s = y_fresh(k, "contended", 1), *all[64];
    for (int i = 0; i < 64; i++)
        all[i] = s;
    y_many_run(name, y_number(name), Y_PICK(w_wait, k), all, NULL, 0);
    y_drop(k, s, "contended");
}
/* As many ping-pongs at once as the name says, with no core of their own. */
static void run_crowd(const char *name)
{
    int n = y_number(name);
    struct y_pp pp[16];
    void *all[16];
    pid_t echo[16];
    char what[16];
    y_undo = 0;
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        snprintf(what, sizeof what, "a%d_", i);
        pp[i].a = y_fresh(Y_POSIX, what, 0);
        snprintf(what, sizeof what, "b%d_", i);
        pp[i].b = y_fresh(Y_POSIX, what, 0);
        all[i] = &pp[i];
        echo[i] = fork();
        if (echo[i] == 0)
            w_echo_posix(&pp[i], 1L << 40);
    }
    y_many_run(name, n, w_trip_posix, all, echo, n);
    for (int i = 0; i < n; i++) {
        kill(echo[i], SIGKILL);
        waitpid(echo[i], NULL, 0);
        snprintf(what, sizeof what, "a%d_", i);
        y_drop(Y_POSIX, pp[i].a, what);
        snprintf(what, sizeof what, "b%d_", i);
        y_drop(Y_POSIX, pp[i].b, what);
    }
}

/* ---- semaphores: open, create ---- */
Y_INLINE void w_open(void *c, long n, enum y_kind k)
{
    while (n--)
        p_sem_close(k, p_sem_open(k, (const char *)c));
}
Y_INLINE void w_create(void *c, long n, enum y_kind k)
{
    while (n--) {
        void *s = p_sem_create(k, (const char *)c, 1);
        p_sem_close(k, s);
        p_sem_remove(k, (const char *)c, s);
    }
}
Y_BOTH(w_open)
Y_BOTH(w_create)
static void *y_held;
static struct y_segment y_held_segment;
static void hold_semaphore(const char *name) { y_held = y_fresh(y_kind_of(name), "open", 1); }
static void drop_semaphore(const char *name) { y_drop(y_kind_of(name), y_held, "open"); }
static void run_open(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_undo = 1;
    struct y_keeper keeper = y_keep(hold_semaphore, drop_semaphore, name);
    y_print(name, "", y_measure(Y_PICK(w_open, k), (void *)y_called("open", 0), 11));
    y_dismiss(keeper);
}
static void run_create(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_undo = 1;
    y_print(name, "", y_measure(Y_PICK(w_create, k), (void *)y_called("open", 0), 11));
}

/* ---- segments: create, attach ---- */
Y_INLINE void w_seg_create(void *c, long n, enum y_kind k)
{
    while (n--) {
        struct y_segment m = {NULL, y_size, NULL, 0};
        p_seg_create(k, (const char *)c, &m, y_how_now);
        if (y_size == Y_BIG)
            y_write(m.data, y_size);
        p_seg_detach(k, &m);
        p_seg_remove(k, (const char *)c, &m);
    }
}
Y_INLINE void w_seg_attach(void *c, long n, enum y_kind k)
{
    while (n--) {
        struct y_segment m = {NULL, y_size, NULL, 0};
        p_seg_attach(k, (const char *)c, &m, y_how_now);
        if (y_size == Y_BIG && y_writes)
            y_write(m.data, y_size);
        else if (y_size == Y_BIG)
            y_sink = y_read(m.data, y_size);
        p_seg_detach(k, &m);
    }
}
Y_BOTH(w_seg_create)
Y_BOTH(w_seg_attach)
static void hold_segment(const char *name)
{
    y_held_segment.size = y_size;
    p_seg_create(y_kind_of(name), y_called("segment", 0), &y_held_segment, y_how_now);
    y_write(y_held_segment.data, y_size);
}
static void drop_segment(const char *name)
{
    p_seg_detach(y_kind_of(name), &y_held_segment);
    p_seg_remove(y_kind_of(name), y_called("segment", 0), &y_held_segment);
}
static void run_segment(const char *name)
{
    enum y_kind k = y_kind_of(name);
    y_size = strstr(name, "64m") ? Y_BIG : 4096;
    y_writes = strstr(name, "write") != NULL;
    y_how_now = strstr(name, "@reserve") ? Y_RESERVE : strstr(name, "@populate") ? Y_POPULATE
        : strstr(name, "@qtproto") ? Y_QTPROTO : Y_PLAIN;
    int batches = y_size == Y_BIG ? 5 : 11;
    y_undo = 1;
    if (strstr(name, "create")) {
        y_print(name, "", y_measure(Y_PICK(w_seg_create, k), (void *)y_called("segment", 0), batches));
        return;
    }
    struct y_keeper keeper = y_keep(hold_segment, drop_segment, name);
    y_print(name, "", y_measure(Y_PICK(w_seg_attach, k), (void *)y_called("segment", 0), batches));
    y_dismiss(keeper);
}

/* ---- moving data ---- */
struct y_copy { char *to, *from; long size; int back; };
static void w_copy(void *c, long n)
{
    struct y_copy *p = (struct y_copy *)c;
    while (n--) {
        memcpy(p->to, p->from, p->size);
        __asm__ volatile("" ::: "memory");
        if (p->back)
            memcpy(p->from, p->to, p->size);
        __asm__ volatile("" ::: "memory");
    }
}
static void w_random(void *c, long n)
{
    uint64_t x = 88172645463325252ULL, sum = 0;
    const volatile uint64_t *w = (const volatile uint64_t *)c;
    while (n--) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        sum += w[x & (Y_BIG / 8 - 1)];
    }
    y_sink = (long)sum;
}
static void run_copy(const char *name)
{
    struct y_segment m = {NULL, Y_BIG, NULL, 0};
    p_seg_create(Y_POSIX, y_called("copy", 0), &m, Y_PLAIN);
    char *own = (char *)aligned_alloc(4096, Y_BIG);
    memset(m.data, 1, Y_BIG), memset(own, 2, Y_BIG);
    int out = strstr(name, "out64m") != NULL, small = strstr(name, "4k") != NULL && !strstr(name, "64m");
    struct y_copy p = {out ? own : m.data, out ? m.data : own, small ? 4096 : Y_BIG, small};
    y_print(name, "", !strncmp(name, "rand", 4) ? y_measure(w_random, m.data, 11) : y_measure(w_copy, &p, 11));
    free(own);
    p_seg_detach(Y_POSIX, &m);
    p_seg_remove(Y_POSIX, y_called("copy", 0), &m);
}

/* ---- many objects at once ---- */
static double y_scale_once(int n, enum y_kind k, int segments)
{
    struct y_segment *seg = (struct y_segment *)calloc(n, sizeof *seg);
    void **sem = (void **)calloc(n, sizeof *sem);
    int64_t t = y_now();
    for (int i = 0; i < n; i++) {
        seg[i].size = 4096;
        if (segments)
            p_seg_create(k, y_called("scale", i), &seg[i], Y_PLAIN);
        else
            sem[i] = p_sem_create(k, y_called("scale", i), 1);
    }
    for (int i = 0; i < n; i++) {
        if (segments)
            p_seg_detach(k, &seg[i]), p_seg_remove(k, y_called("scale", i), &seg[i]);
        else
            p_sem_close(k, sem[i]), p_sem_remove(k, y_called("scale", i), sem[i]);
    }
    t = y_now() - t;
    free(seg), free(sem);
    return (double)t / n;
}
static void run_scale(const char *name)
{
    int n = y_number(name);
    if (y_quick())
        n = n / 20 < 50 ? 50 : n / 20;
    int rounds = n <= 100 ? 9 : n <= 1000 ? 3 : 1;
    double v[9];
    y_undo = 1;
    for (int i = 0; i < rounds; i++)
        v[i] = y_scale_once(n, y_kind_of(name), strstr(name, ".shm.") != NULL);
    y_print(name, "", y_median(v, rounds));
}

static const struct { const char *prefix; void (*run)(const char *); } y_runs[] = {
#ifdef Y_MORE
    Y_MORE
#endif
    {"posix.try", run_pair}, {"posix.wait", run_pair}, {"sysv.pair", run_pair}, {"lock.", run_lock},
    {"pp.crowd.", run_crowd}, {"pp.", run_pingpong}, {"contend.", run_contention},
    {"posix.sem.open", run_open}, {"sysv.sem.open", run_open}, {"posix.sem.create", run_create},
    {"sysv.sem.create", run_create},
    {"posix.shm", run_segment}, {"sysv.shm", run_segment}, {"copy.", run_copy}, {"rand.", run_copy},
    {"scale.", run_scale},
};
static void y_run(const char *name)
{
    for (size_t i = 0; i < sizeof y_runs / sizeof *y_runs; i++)
        if (!strncmp(name, y_runs[i].prefix, strlen(y_runs[i].prefix))) {
            y_runs[i].run(name);
            return;
        }
    fprintf(stderr, "Nothing runs %s.\n", name);
    exit(2);
}
int main(int argc, char **argv)
{
#ifdef Y_SERVE
    if (argc > 2 && (!strcmp(argv[1], "--drain") || !strcmp(argv[1], "--answer") || !strcmp(argv[1], "--follow")))
        return Y_SERVE(argv + 1);
#endif
    for (size_t i = 0; i < sizeof y_names / sizeof *y_names; i++)
        for (int j = 1; j < argc; j++) {
            if (!strcmp(argv[j], "--list"))
                puts(y_names[i]);
            else if (!strncmp(y_names[i], argv[j], strlen(argv[j])))
                y_run(y_names[i]);
            else
                continue;
            break;
        }
    return 0;
}
