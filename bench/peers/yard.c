/* C: what the operating system gives with nothing on top. The base of every ratio. Variants of segments: @reserve also
   reserves the memory, @qtproto does what Qt's protocol asks for (the segment's semaphore opened, taken and given back
   around it), @populate fills the mapping, @whole promises what the library does (promises.h). */
#include "yard.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/syscall.h>
#ifndef Y_PEER
#define Y_PEER "c"
#endif

static int y_undo; /* SEM_UNDO */
union semun { int val; };

static char path[160];
static const char *posix_name(const char *name)
{
    snprintf(path, sizeof path, "/%s", name);
    return path;
}
static const char *key_file(const char *name)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "/tmp", name);
    return path;
}
static key_t new_key(const char *name)
{
    close(Y_PASS_ERRORS(open(key_file(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), -1));
    return ftok(path, 'Q');
}
Y_INLINE void sysv_op(void *s, int op)
{
    struct sembuf b = {0, (short)op, (short)(y_undo ? SEM_UNDO : 0)};
    while (semop((int)(intptr_t)s, &b, 1) < 0)
        if (errno != EINTR)
            y_die("semop");
}

static void *p_sem_create(enum y_kind k, const char *name, unsigned count)
{
    if (k == Y_POSIX)
        return Y_PASS_ERRORS(sem_open(posix_name(name), O_CREAT | O_EXCL, 0600, count), SEM_FAILED);
    int id = Y_PASS_ERRORS(semget(new_key(name), 1, IPC_CREAT | IPC_EXCL | 0600), -1);
    semctl(id, 0, SETVAL, (union semun){(int)count});
    return (void *)(intptr_t)id;
}
static void *p_sem_open(enum y_kind k, const char *name)
{
    if (k == Y_POSIX)
        return Y_PASS_ERRORS(sem_open(posix_name(name), 0), SEM_FAILED);
    return (void *)(intptr_t)Y_PASS_ERRORS(semget(ftok(key_file(name), 'Q'), 1, 0600), -1);
}
static void p_sem_close(enum y_kind k, void *s)
{
    if (k == Y_POSIX)
        sem_close((sem_t *)s);
}
static void p_sem_remove(enum y_kind k, const char *name, void *s)
{
    if (k == Y_POSIX)
        sem_unlink(posix_name(name));
    else
        semctl((int)(intptr_t)s, 0, IPC_RMID), unlink(key_file(name));
}
Y_INLINE void p_acquire(enum y_kind k, void *s)
{
    if (k == Y_SYSV)
        sysv_op(s, -1);
    else
        while (sem_wait((sem_t *)s))
            ;
}
Y_INLINE void p_try(enum y_kind k, void *s)
{
    if (k == Y_POSIX)
        sem_trywait((sem_t *)s);
}
Y_INLINE void p_release(enum y_kind k, void *s)
{
    if (k == Y_SYSV)
        sysv_op(s, 1);
    else
        sem_post((sem_t *)s);
}

/* The lock of a segment is a semaphore of value 1. */
static void *p_lock_open(enum y_kind k, const char *name) { return p_sem_create(k, name, 1); }
static void p_lock(enum y_kind k, void *s) { p_acquire(k, s); }
static void p_unlock(enum y_kind k, void *s) { p_release(k, s); }
static void p_lock_close(enum y_kind k, const char *name, void *s)
{
    p_sem_close(k, s);
    p_sem_remove(k, name, s);
}

static void posix_map(int fd, struct y_segment *m, enum y_how how)
{
    m->data = (char *)Y_PASS_ERRORS(
        mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | (how == Y_POPULATE ? MAP_POPULATE : 0), fd, 0),
        MAP_FAILED);
    close(fd);
}
static void p_seg_create(enum y_kind k, const char *name, struct y_segment *m, enum y_how how)
{
    if (k == Y_POSIX) {
        char lock[80];
        /* the lock has the segment's key: /dev/shm/sem.NAME beside /dev/shm/NAME */
        snprintf(lock, sizeof lock, "/%s", name);
        if (how == Y_QTPROTO) {
            m->own = Y_PASS_ERRORS(sem_open(lock, O_CREAT | O_EXCL, 0600, 1), SEM_FAILED);
            sem_wait((sem_t *)m->own);
        }
        int fd = Y_PASS_ERRORS(shm_open(lock, O_RDWR | O_CREAT | O_EXCL, 0600), -1);
        if (how == Y_RESERVE ? fallocate(fd, 0, 0, m->size) : ftruncate(fd, m->size))
            y_die("size");
        posix_map(fd, m, how);
        if (how == Y_QTPROTO)
            sem_post((sem_t *)m->own);
        return;
    }
    key_t key = new_key(name);
    void *lock = NULL;
    if (how == Y_QTPROTO) {
        int id = Y_PASS_ERRORS(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600), -1);
        semctl(id, 0, SETVAL, (union semun){1});
        lock = m->own = (void *)(intptr_t)id;
        sysv_op(lock, -1);
    }
    m->id = Y_PASS_ERRORS(shmget(key, m->size, IPC_CREAT | IPC_EXCL | 0600), -1);
    m->data = (char *)Y_PASS_ERRORS(shmat(m->id, NULL, 0), (void *)-1);
    if (how == Y_QTPROTO)
        sysv_op(lock, 1);
}
static void p_seg_attach(enum y_kind k, const char *name, struct y_segment *m, enum y_how how)
{
    if (k == Y_POSIX) {
        struct stat st;
        if (how == Y_QTPROTO) {
            m->own = Y_PASS_ERRORS(sem_open(posix_name(name), 0), SEM_FAILED);
            sem_wait((sem_t *)m->own);
        }
        int fd = Y_PASS_ERRORS(shm_open(posix_name(name), O_RDWR, 0600), -1);
        if (fstat(fd, &st))
            y_die("fstat");
        m->size = st.st_size;
        posix_map(fd, m, how);
        if (how == Y_QTPROTO)
            sem_post((sem_t *)m->own);
        return;
    }
    struct shmid_ds ds;
    key_t key = ftok(key_file(name), 'Q');
    if (how == Y_QTPROTO) {
        void *lock = (void *)(intptr_t)Y_PASS_ERRORS(semget(key, 1, 0600), -1);
        sysv_op(lock, -1);
        m->id = shmget(key, 0, 0600);
        m->data = (char *)Y_PASS_ERRORS(shmat(m->id, NULL, 0), (void *)-1);
        shmctl(m->id, IPC_STAT, &ds);
        sysv_op(lock, 1);
        return;
    }
    m->id = shmget(key, 0, 0600);
    m->data = (char *)Y_PASS_ERRORS(shmat(m->id, NULL, 0), (void *)-1);
    shmctl(m->id, IPC_STAT, &ds);
    m->size = (long)ds.shm_segsz;
}
static void p_seg_detach(enum y_kind k, struct y_segment *m)
{
    if (k == Y_SYSV)
        shmdt(m->data);
    else
        munmap(m->data, m->size);
    if (k == Y_POSIX && m->own)
        sem_close((sem_t *)m->own);
}
static void p_seg_remove(enum y_kind k, const char *name, struct y_segment *m)
{
    if (k == Y_SYSV) {
        shmctl(m->id, IPC_RMID, NULL);
        if (m->own)
            semctl((int)(intptr_t)m->own, 0, IPC_RMID);
        unlink(key_file(name));
        return;
    }
    shm_unlink(posix_name(name));
    if (m->own)
        sem_unlink(posix_name(name));
}

/* ---- cancelling a blocked wait, the portable way: sem_clockwait in slices of 50 ms ---- */
static struct { sem_t sem; volatile int cancelled, ends; volatile int64_t seen; sem_t waiting, done; } slices;
static void *slice_waiter(void *unused)
{
    (void)unused;
    do {
        sem_post(&slices.waiting);
        while (!slices.cancelled) {
            struct timespec t;
            clock_gettime(CLOCK_MONOTONIC, &t);
            t.tv_nsec += 50000000;
            if (t.tv_nsec >= 1000000000)
                t.tv_nsec -= 1000000000, t.tv_sec++;
            sem_clockwait(&slices.sem, CLOCK_MONOTONIC, &t);
        }
        slices.seen = y_now();
        slices.cancelled = 0;
        sem_post(&slices.done);
    } while (!slices.ends);
    return NULL;
}
static long switches_of(pid_t thread)
{
    char line[128];
    long n = -1;
    snprintf(line, sizeof line, "/proc/self/task/%d/status", thread);
    FILE *f = fopen(line, "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "voluntary_ctxt_switches: %ld", &n);
    if (f)
        fclose(f);
    return n;
}
static void run_cancel(const char *name);
static void run_lock_two(const char *name);
static void run_event_pair(const char *name);
static void run_event_wake(const char *name);
static void run_whole(const char *name);
static void run_resident(const char *name);
static void run_share(const char *name);
#include "channels.h"
static const char *const y_names[] = {
    "posix.try_pair", "posix.wait_pair", "sysv.pair", "sysv.pair_undo", "lock.posix", "lock.sysv", "lock.sysv@two",
    "pp.posix.x", "pp.posix.1", "pp.posix.free", "pp.sysv.x", "pp.crowd.4",
    "contend.posix.2", "contend.posix.4", "contend.posix.8", "contend.sysv.2", "contend.sysv.4", "contend.sysv.8",
    "posix.sem.open_close", "posix.sem.create_destroy", "sysv.sem.open", "sysv.sem.open@whole",
    "sysv.sem.create_destroy", "sysv.sem.create_destroy@whole",
    "posix.shm4k.create_destroy", "posix.shm4k.create_destroy@reserve", "posix.shm4k.create_destroy@whole",
    "posix.shm4k.attach_detach",
#ifdef __GLIBC__ /* musl's semaphores have the names of segments: the lock of one would be in its place */
    "posix.shm4k.create_destroy@qtproto", "posix.shm4k.attach_detach@qtproto",
#endif
    "sysv.shm4k.create_destroy", "sysv.shm4k.create_destroy@qtproto", "sysv.shm4k.attach_detach",
    "sysv.shm4k.attach_detach@qtproto",
    "posix.shm64m.create_touch", "posix.shm64m.attach_touch", "posix.shm64m.attach_write",
    "posix.shm64m.attach_write@populate",
    "sysv.shm64m.create_touch", "sysv.shm64m.attach_touch",
    "copy.in64m", "copy.out64m", "copy.4k", "rand.read8",
    "scale.posix.sem.100", "scale.posix.sem.1000", "scale.posix.sem.10000", "scale.posix.shm.100",
    "scale.posix.shm.1000", "scale.posix.shm.4000", "scale.posix.shm.4000@whole",
    "scale.sysv.sem.100", "scale.sysv.sem.1000", "scale.sysv.sem.10000", "scale.sysv.sem.10000@whole",
    "scale.sysv.shm.100", "scale.sysv.shm.1000", "scale.sysv.shm.4000",
    "event.pair", "event.wake100", "rss.posix.sem.10000", "rss.posix.shm.4000", "load.permits",
    "cancel", CHANNEL_NAMES,
};
#define Y_MORE {"cancel", run_cancel}, {"lock.sysv@two", run_lock_two}, {"event.pair", run_event_pair}, \
    {"event.wake100", run_event_wake}, {"sysv.sem.open@whole", run_whole}, \
    {"sysv.sem.create_destroy@whole", run_whole}, {"posix.shm4k.create_destroy@whole", run_whole}, \
    {"scale.posix.shm.4000@whole", run_whole}, {"scale.sysv.sem.10000@whole", run_whole}, \
    {"rss.", run_resident}, {"load.permits", run_share}, CHANNEL_RUNS
#define Y_SERVE serve
#include "workloads.h"
#include "promises.h"

/* A lock of two semaphores in one set, the second of which counts the takings: what a lock needs that tells of dead
   holders. */
static void w_lock_two(void *c, long n)
{
    struct sembuf take[] = {{1, 0, IPC_NOWAIT}, {0, -1, SEM_UNDO | IPC_NOWAIT}, {1, 1, IPC_NOWAIT}};
    struct sembuf give[] = {{0, 0, IPC_NOWAIT}, {0, 1, SEM_UNDO | IPC_NOWAIT}, {1, -1, IPC_NOWAIT}};
    while (n--)
        if (semop((int)(intptr_t)c, take, 3) || semop((int)(intptr_t)c, give, 3))
            y_die("semop");
}
static void run_lock_two(const char *name)
{
    int id = Y_PASS_ERRORS(semget(IPC_PRIVATE, 2, 0600), -1);
    semctl(id, 0, SETVAL, (union semun){1});
    y_print(name, "", y_measure(w_lock_two, (void *)(intptr_t)id, 11));
    semctl(id, 0, IPC_RMID);
}

/* What an event needs at least: an exchange to set its word, and one to take it. */
static void w_event(void *c, long n)
{
    uint32_t *word = (uint32_t *)c;
    while (n--) {
        uint32_t seen = 0;
        if (!__atomic_compare_exchange_n(word, &seen, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            y_die("set");
        seen = 1;
        if (!__atomic_compare_exchange_n(word, &seen, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            y_die("take");
    }
}
static void run_event_pair(const char *name)
{
    y_print(name, "", y_measure(w_event, y_shared_page(), 11));
}

/* A hundred threads that sleep on a word, from the step that wakes them all to the last one. */
enum { WAKE_WAITERS = 100, WAKE_ROUNDS = 101 };
static struct { uint32_t *word; int rounds; int up[WAKE_ROUNDS]; volatile int64_t last; } wake;
static void *wake_waiter(void *unused)
{
    for (int round = 0; round < wake.rounds; round++) {
        while (__atomic_load_n(wake.word, __ATOMIC_SEQ_CST) == (uint32_t)round)
            syscall(SYS_futex, wake.word, FUTEX_WAIT, round, NULL, NULL, 0);
        if (__atomic_add_fetch(&wake.up[round], 1, __ATOMIC_SEQ_CST) == WAKE_WAITERS)
            wake.last = y_now();
    }
    return unused;
}
static void run_event_wake(const char *name)
{
    pthread_t threads[WAKE_WAITERS];
    pthread_attr_t small;
    double v[WAKE_ROUNDS];
    wake.word = (uint32_t *)y_shared_page();
    wake.rounds = y_quick() ? 3 : WAKE_ROUNDS;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (int i = 0; i < WAKE_WAITERS; i++)
        if (pthread_create(&threads[i], &small, wake_waiter, NULL))
            y_die("pthread_create");
    for (int round = 0; round < wake.rounds; round++) {
        usleep(5000); /* until they sleep */
        wake.last = 0;
        int64_t t = y_now();
        __atomic_store_n(wake.word, round + 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, wake.word, FUTEX_WAKE, 0x7FFFFFFF, NULL, NULL, 0);
        while (!wake.last)
            usleep(1000);
        v[round] = (double)(wake.last - t);
    }
    for (int i = 0; i < WAKE_WAITERS; i++)
        pthread_join(threads[i], NULL);
    y_print(name, "", y_median(v, wake.rounds));
}

/* By how much resident memory grows with n objects that are open, each used once. */
static double resident_bytes(void)
{
    char line[128];
    long kilobytes = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "Rss: %ld", &kilobytes);
    if (f)
        fclose(f);
    return 1024.0 * (double)kilobytes;
}
static void resident_open(int n, struct y_segment *seg, void **sem, int segments)
{
    for (int i = 0; i < n; i++) {
        if (segments) {
            seg[i].size = 4096;
            p_seg_create(Y_POSIX, y_called("resident", i), &seg[i], Y_PLAIN);
            seg[i].data[0] = 1;
        } else {
            sem[i] = p_sem_create(Y_POSIX, y_called("resident", i), 1);
            w_wait_posix(sem[i], 1);
        }
    }
}
static void resident_close(int n, struct y_segment *seg, void **sem, int segments)
{
    for (int i = 0; i < n; i++) {
        if (segments)
            p_seg_detach(Y_POSIX, &seg[i]), p_seg_remove(Y_POSIX, y_called("resident", i), &seg[i]);
        else
            p_sem_close(Y_POSIX, sem[i]), p_sem_remove(Y_POSIX, y_called("resident", i), sem[i]);
    }
}
static void run_resident(const char *name)
{
    int n = y_number(name), segments = strstr(name, ".shm.") != NULL;
    if (y_quick())
        n = n / 20 < 50 ? 50 : n / 20;
    struct y_segment *seg = (struct y_segment *)calloc(n, sizeof *seg);
    void **sem = (void **)calloc(n, sizeof *sem);
    for (int i = 0; i < 20; i++) {
        resident_open(50, seg, sem, segments);
        resident_close(50, seg, sem, segments);
    }
    double before = resident_bytes();
    resident_open(n, seg, sem, segments);
    y_print(name, ".bytes", resident_bytes() - before);
    resident_close(n, seg, sem, segments);
    free(seg), free(sem);
}

/* A hundred threads of two processes that share ten permits; each lets others run while it has one. */
enum { SHARE_PERMITS = 10, SHARE_THREADS = 50 };
static struct { struct y_many *page; void *semaphore; int64_t span; } share;
static void *share_thread(void *count)
{
    int64_t own = 0;
    __atomic_add_fetch(&share.page->ready, 1, __ATOMIC_SEQ_CST);
    while (!share.page->start || y_now() < share.page->start)
        usleep(500);
    for (int64_t end = share.page->start + share.span; y_now() < end; own++) {
        p_acquire(Y_POSIX, share.semaphore);
        sched_yield();
        p_release(Y_POSIX, share.semaphore);
    }
    __atomic_add_fetch((int64_t *)count, own, __ATOMIC_SEQ_CST);
    return NULL;
}
static void share_process(int64_t *count)
{
    pthread_t threads[SHARE_THREADS];
    for (int i = 0; i < SHARE_THREADS; i++)
        if (pthread_create(&threads[i], NULL, share_thread, count))
            y_die("pthread_create");
    for (int i = 0; i < SHARE_THREADS; i++)
        pthread_join(threads[i], NULL);
    __atomic_add_fetch(&share.page->done, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
}
static void run_share(const char *name)
{
    pid_t pid[2];
    int64_t cpu = 0;
    share.page = (struct y_many *)y_shared_page();
    share.semaphore = y_fresh(Y_POSIX, "shared", SHARE_PERMITS);
    share.span = y_quick() ? 30000000 : 300000000;
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        if ((pid[i] = fork()) == 0)
            share_process((int64_t *)&share.page->count[i]);
    while (share.page->ready < 2 * SHARE_THREADS)
        usleep(1000);
    for (int i = 0; i < 2; i++)
        cpu -= y_cpu(pid[i]);
    share.page->start = y_now() + 20000000;
    while (share.page->done < 2)
        usleep(1000);
    for (int i = 0; i < 2; i++) {
        cpu += y_cpu(pid[i]);
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    double total = (double)(share.page->count[0] + share.page->count[1]);
    y_print(name, "", (double)share.span / total);
    y_print(name, ".cpu", (double)cpu / total);
    y_drop(Y_POSIX, share.semaphore, "shared");
}

/* The latencies of 40 cancellations at times that are not in step with the slices, and the wake-ups of ten idle
   seconds. */
static void run_cancel(const char *name)
{
    enum { COUNT = 40 };
    const int count = y_quick() ? 3 : COUNT;
    double v[COUNT];
    pthread_t thread;
    sem_init(&slices.sem, 0, 0), sem_init(&slices.waiting, 0, 0), sem_init(&slices.done, 0, 0);
    slices.ends = 0;
    pthread_create(&thread, NULL, slice_waiter, NULL);
    for (int i = 0; i < count; i++) {
        sem_wait(&slices.waiting);
        usleep(1000 + (i * 7919) % 50000);
        int64_t t = y_now();
        slices.cancelled = 1;
        sem_wait(&slices.done);
        v[i] = (double)(slices.seen - t);
    }
    double median = y_median(v, count), last = v[count - 1];
    sem_wait(&slices.waiting);
    int seconds = y_quick() ? 1 : 10;
    long sum = 0, before = 0;
    pid_t waiter = 0;
    for (pid_t t = getpid() + 1; t < getpid() + 100 && !waiter; t++)
        waiter = switches_of(t) >= 0 ? t : 0;
    before = switches_of(waiter);
    sleep(seconds);
    sum = switches_of(waiter) - before;
    slices.ends = slices.cancelled = 1;
    pthread_join(thread, NULL);
    y_print(name, ".median", median);
    y_print(name, ".p99", last);
    y_print(name, ".idle_wakeups_s", (double)sum / seconds);
}
