/* Timing, batching, pinning and children, shared by the yardsticks in C and C++. NativeIpc.Yardstick/Harness.cs is the
   same in C#: the two have to measure alike. A peer includes this file, defines the p_ functions that workloads.h asks
   for and the list of its workloads, and includes workloads.h. */
#ifndef YARD_H
#define YARD_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define Y_BIG (64L << 20)
#define Y_SMALL 64 /* bytes of a message */
#define Y_INLINE static inline __attribute__((always_inline, unused))
#define Y_UNUSED __attribute__((unused))
#define Y_PASS_ERRORS(call, failed) \
    __extension__({ __typeof__(call) y_result = (call); if (y_result == (failed)) y_die(#call); y_result; })

enum y_kind { Y_POSIX, Y_SYSV };
/* What a variant (name@variant) asks of a segment. Only C has them. */
enum y_how { Y_PLAIN, Y_RESERVE, Y_POPULATE, Y_QTPROTO };

/* A segment in use; `own` is whatever the peer keeps of it. */
struct y_segment { char *data; long size; void *own; int id; };

Y_UNUSED static void y_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

Y_UNUSED static int64_t y_clock(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t))
        y_die("clock_gettime");
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
Y_UNUSED static int64_t y_now(void) { return y_clock(CLOCK_MONOTONIC); }

/* CPU time of all threads of a process. */
Y_UNUSED static int64_t y_cpu(pid_t p)
{
    clockid_t clock;
    if (clock_getcpuclockid(p, &clock))
        y_die("clock_getcpuclockid");
    return y_clock(clock);
}

static int y_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
Y_UNUSED static double y_median(double *v, int n)
{
    qsort(v, n, sizeof *v, y_compare);
    return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

Y_UNUSED static void y_print(const char *name, const char *suffix, double value)
{
    printf("%s%s\t%.2f\n", name, suffix, value);
    fflush(stdout);
}

/* Only shows that everything runs (bench.sh --quick): the numbers mean nothing. */
Y_UNUSED static int y_quick(void)
{
    const char *quick = getenv("YARD_QUICK");
    return quick && !strcmp(quick, "1");
}

/* Does the operation n times. */
typedef void (*y_body)(void *context, long n);

/* Grows n until a batch lasts about 10 ms; the median time of an operation over so many batches. */
Y_UNUSED static double y_measure(y_body f, void *context, int batches)
{
    const int64_t batch = y_quick() ? 1000000 : 10000000;
    double v[16];
    long n = 1;
    if (y_quick())
        batches = 1;
    f(context, 1);
    for (;;) {
        int64_t t = y_now();
        f(context, n);
        t = y_now() - t;
        if (t >= batch / 2 || n > 1L << 30)
            break;
        n = t < batch / 16 ? n * 8 : (long)((double)n * batch / (double)t) + 1;
    }
    for (int i = 0; i < batches; i++) {
        int64_t t = y_now();
        f(context, n);
        v[i] = (double)(y_now() - t) / (double)n;
    }
    return y_median(v, batches);
}

/* Binds the caller to one core; -1: to none. */
Y_UNUSED static void y_pin(int core)
{
    cpu_set_t s;
    CPU_ZERO(&s);
    for (int i = 0; i < 64; i++)
        if (core < 0 || i == core)
            CPU_SET(i, &s);
    sched_setaffinity(0, sizeof s, &s);
}

/* Memory shared with children. */
Y_UNUSED static void *y_shared_page(void)
{
    return Y_PASS_ERRORS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
}

/* A child that keeps an object alive while the parent measures, as another process would. It ends in good order. */
struct y_keeper { pid_t pid; int fd; };
Y_UNUSED static struct y_keeper y_keep(void (*hold)(const char *), void (*let_go)(const char *), const char *name)
{
    int up[2], down[2];
    char c;
    if (pipe(up) || pipe(down))
        y_die("pipe");
    fflush(stdout);
    struct y_keeper k = {fork(), down[1]};
    if (k.pid == 0) {
        close(down[1]);
        hold(name);
        if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 0)
            _exit(1);
        let_go(name);
        _exit(0);
    }
    close(up[1]), close(down[0]);
    if (read(up[0], &c, 1) != 1)
        y_die("keeper");
    close(up[0]);
    return k;
}
Y_UNUSED static void y_dismiss(struct y_keeper k)
{
    close(k.fd);
    waitpid(k.pid, NULL, 0);
}

static volatile long y_sink Y_UNUSED;
Y_INLINE void y_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}
Y_UNUSED static void y_write(volatile char *p, long size)
{
    for (long i = 0; i < size; i += 4096)
        p[i] = 1;
}
Y_UNUSED static long y_read(const volatile char *p, long size)
{
    long sum = 0;
    for (long i = 0; i < size; i += 4096)
        sum += p[i];
    return sum;
}
#endif
