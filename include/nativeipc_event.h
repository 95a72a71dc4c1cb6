/* SPDX-License-Identifier: MIT
 *
 * nativeipc_event.h: named events of NativeIpc for C11 and C++11 on Linux, in one header. An event is auto-reset or
 * manual-reset, as on Windows; programs with glibc and with musl, NativeIpc's SystemEvent and its Python module meet in
 * the same one under the same name. What it is made of, byte for byte, and each step: docs/layouts.md of NativeIpc.
 *
 *     #define _GNU_SOURCE
 *     #include "nativeipc_event.h"
 *
 *     nativeipc_event event;
 *     if (nativeipc_event_create_or_open(&event, "/com.example.ready", NATIVEIPC_EVENT_AUTO, 0, 0600, 0) != 0)
 *         return perror("event"), 1;
 *     nativeipc_event_wait(&event);              // until somebody calls nativeipc_event_set
 *     nativeipc_event_close(&event);
 *
 * Nothing to link. Any thread may call any function of an open event at any time, but for nativeipc_event_close, which
 * comes last. A child of fork() shares the events that were open. What fails gives -1 and errno:
 *     ENOENT, EEXIST      no event has the name; one has it
 *     EINVAL              a name without a letter after its slashes, with a slash inside, "." or ".."; a mode or
 *                         permissions that there are not
 *     ENAMETOOLONG        a name of more than NATIVEIPC_EVENT_LONGEST_NAME bytes
 *     EBADMSG             what has the name is no event, or one of another version
 *     EPROTOTYPE          create_or_open: the event has the other mode
 *     EPERM               it belongs to neither this user nor root, so it may be planted; or its owner is not mapped in
 *                         this user namespace, so nobody knows whose it is (NATIVEIPC_EVENT_ANY_OWNER takes it)
 *     ETIMEDOUT, EAGAIN   the time has passed; try: it is not set
 *     EINTR               a signal handler ran while it waited, as with sem_wait(3)
 *     and what open(2), mmap(2), link(2) say: EACCES, EMFILE, ENOSPC, ...
 */
#ifndef NATIVEIPC_EVENT_H
#define NATIVEIPC_EVENT_H

#ifndef __linux__
#error "nativeipc_event.h is for Linux: it needs futex(2)."
#endif
#ifndef _GNU_SOURCE
#error "Define _GNU_SOURCE before the first #include (O_TMPFILE, syscall)."
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#include <atomic>
typedef std::atomic<uint32_t> nativeipc_event_atomic;
#define NATIVEIPC_EVENT_STD std::
static_assert(sizeof(nativeipc_event_atomic) == 4 && ATOMIC_INT_LOCK_FREE == 2, "a word that processes can share");
#else
#include <stdatomic.h>
typedef _Atomic(uint32_t) nativeipc_event_atomic;
#define NATIVEIPC_EVENT_STD
_Static_assert(sizeof(nativeipc_event_atomic) == 4 && ATOMIC_INT_LOCK_FREE == 2, "a word that processes can share");
#endif

/* For tests: what a thread does between two steps, where a death may come; and NATIVEIPC_EVENT_NO_TMPFILE, which makes
 * events as on a file system without O_TMPFILE. */
#ifndef NATIVEIPC_EVENT_STEP
#define NATIVEIPC_EVENT_STEP(name) ((void)0)
#endif

#define NATIVEIPC_EVENT_FOLDER "/dev/shm"
#define NATIVEIPC_EVENT_PREFIX "nativeipc-event."

enum {
    NATIVEIPC_EVENT_AUTO = 1,   /* each Set lets one through */
    NATIVEIPC_EVENT_MANUAL = 2, /* a Set lets all through until the next Reset */

    NATIVEIPC_EVENT_ANY_OWNER = 1, /* a flag: takes an event whoever owns it */

    NATIVEIPC_EVENT_LONGEST_NAME = 255 - (int)(sizeof NATIVEIPC_EVENT_PREFIX - 1) /* in bytes, without its slash */
};

/* The object: 64 bytes of a file in /dev/shm, in the byte order of the machine. */
struct nativeipc_event_object {
    nativeipc_event_atomic state;   /* bit 0: set; the others: grants (auto-reset) or the generation (manual-reset) */
    nativeipc_event_atomic waiters; /* threads that sleep or are about to; more, after kills */
    uint32_t magic;
    uint16_t version;
    uint16_t mode;
    uint8_t reserved[48];
};

enum { NATIVEIPC_EVENT_MAGIC = 0x7645494E, NATIVEIPC_EVENT_VERSION = 1, NATIVEIPC_EVENT_SIZE = 64 };

/* An event that is open. Its members are read only. */
typedef struct nativeipc_event {
    struct nativeipc_event_object *object;
    int mode;    /* NATIVEIPC_EVENT_AUTO or NATIVEIPC_EVENT_MANUAL */
    int created; /* whether this call made it */
} nativeipc_event;

/* ---- the words ---- */

static inline long nativeipc_event_futex(nativeipc_event_atomic *word, int operation, uint32_t value,
    const struct timespec *until) {
    /* Operations of <linux/futex.h>, which musl-gcc has not: 1 wakes, 9 waits until a time of the monotonic clock. */
#if defined(SYS_futex_time64) && !defined(__LP64__)
    long long time[2] = {until != NULL ? until->tv_sec : 0, until != NULL ? until->tv_nsec : 0};
    return syscall(SYS_futex_time64, word, operation, value, until != NULL ? time : NULL, NULL, 0xffffffffu);
#else
    return syscall(SYS_futex, word, operation, value, until, NULL, 0xffffffffu);
#endif
}

static inline long nativeipc_event_wake(nativeipc_event *event, int most) {
    NATIVEIPC_EVENT_STEP("wake");
    return nativeipc_event_futex(&event->object->state, 1, (uint32_t)most, NULL);
}

static inline uint32_t nativeipc_event_waiters(nativeipc_event *event) {
    NATIVEIPC_EVENT_STEP("look");
    return NATIVEIPC_EVENT_STD atomic_load(&event->object->waiters);
}

/* Takes what there is; if there is nothing: 0, and the state that was seen. first: the state when the wait began. Only
 * who has been counted in takes grants: they were given to such. */
static inline int nativeipc_event_take(nativeipc_event *event, uint32_t first, int is_waiter, uint32_t *seen) {
    uint32_t state = NATIVEIPC_EVENT_STD atomic_load(&event->object->state);
    if (event->mode == NATIVEIPC_EVENT_MANUAL) {
        *seen = state;
        return (state & 1) != 0 || state >> 1 != first >> 1;
    }
    while (is_waiter ? state != 0 : (state & 1) != 0) {
        NATIVEIPC_EVENT_STEP("take");
        if (NATIVEIPC_EVENT_STD atomic_compare_exchange_strong(&event->object->state, &state,
                is_waiter && state > 1 ? state - 2 : state & ~(uint32_t)1))
            return 1;
    }
    *seen = 0;
    return 0;
}

/* Nobody was woken for a grant: it becomes the set bit, unless somebody came and took it. */
static inline int nativeipc_event_give_back(nativeipc_event *event) {
    uint32_t state = NATIVEIPC_EVENT_STD atomic_load(&event->object->state);
    while (state > 1) {
        NATIVEIPC_EVENT_STEP("give back");
        if (NATIVEIPC_EVENT_STD atomic_compare_exchange_strong(&event->object->state, &state, (state - 2) | 1))
            return (state & 1) == 0;
    }
    return 1;
}

/* Sets it. 1 when that changed something; 0 when it was set already. */
static inline int nativeipc_event_set(nativeipc_event *event) {
    int all = event->mode == NATIVEIPC_EVENT_MANUAL;
    for (;;) {
        NATIVEIPC_EVENT_STEP("set");
        uint32_t state = NATIVEIPC_EVENT_STD atomic_load(&event->object->state);
        if ((state & 1) != 0) {
            /* Written all the same: who takes the event after that sees what this thread wrote before it. */
            if ((NATIVEIPC_EVENT_STD atomic_fetch_or(&event->object->state, 0u) & 1) == 0) continue;
            /* Somebody may sleep whom a killed setter did not wake. */
            if (nativeipc_event_waiters(event) != 0) nativeipc_event_wake(event, all ? INT_MAX : 1);
            return 0;
        }
        if (all || nativeipc_event_waiters(event) <= state >> 1) {
            NATIVEIPC_EVENT_STEP("exchange");
            if (!NATIVEIPC_EVENT_STD atomic_compare_exchange_strong(&event->object->state, &state,
                    all ? state + 3 : state | 1))
                continue;
            /* Race: one counted itself in and slept since the look. Safe because: looks again, after the exchange. */
            if (nativeipc_event_waiters(event) != 0) nativeipc_event_wake(event, all ? INT_MAX : 1);
            return 1;
        }
        NATIVEIPC_EVENT_STEP("grant");
        if (NATIVEIPC_EVENT_STD atomic_compare_exchange_strong(&event->object->state, &state, state + 2))
            return nativeipc_event_wake(event, 1) > 0 ? 1 : nativeipc_event_give_back(event);
    }
}

/* Takes back a Set that nobody has used. Who was let through stays so. 1 when it was set. */
static inline int nativeipc_event_reset(nativeipc_event *event) {
    NATIVEIPC_EVENT_STEP("reset");
    return (int)(NATIVEIPC_EVENT_STD atomic_fetch_and(&event->object->state, ~(uint32_t)1) & 1);
}

static inline int nativeipc_event_is_set(nativeipc_event *event) {
    return (int)(NATIVEIPC_EVENT_STD atomic_load(&event->object->state) & 1);
}

static inline int nativeipc_event_is_later(const struct timespec *one, const struct timespec *other) {
    return one->tv_sec != other->tv_sec ? one->tv_sec > other->tv_sec : one->tv_nsec > other->tv_nsec;
}

/* Counts one out. If it had nothing: a grant for which no waiter is left, of a killed setter, becomes the set bit, and
 * what there is wakes another one, since a wake-up may have come to this one. */
static inline void nativeipc_event_leave(nativeipc_event *event, int got) {
    NATIVEIPC_EVENT_STEP("leave");
    NATIVEIPC_EVENT_STD atomic_fetch_sub(&event->object->waiters, 1u);
    if (got || event->mode == NATIVEIPC_EVENT_MANUAL) return;
    uint32_t state = NATIVEIPC_EVENT_STD atomic_load(&event->object->state);
    while ((state & 1) == 0 && state >> 1 > nativeipc_event_waiters(event)
        && !NATIVEIPC_EVENT_STD atomic_compare_exchange_strong(&event->object->state, &state, (state - 2) | 1)) {
    }
    if (NATIVEIPC_EVENT_STD atomic_load(&event->object->state) != 0 && nativeipc_event_waiters(event) != 0)
        nativeipc_event_wake(event, 1);
}

/* Waits until it is set, until a time of CLOCK_MONOTONIC, or for ever (NULL). */
static inline int nativeipc_event_wait_until(nativeipc_event *event, const struct timespec *deadline) {
    uint32_t first = NATIVEIPC_EVENT_STD atomic_load(&event->object->state), seen;
    if (nativeipc_event_take(event, first, 0, &seen)) return 0;
    NATIVEIPC_EVENT_STEP("count");
    NATIVEIPC_EVENT_STD atomic_fetch_add(&event->object->waiters, 1u);
    int got, error = 0;
    /* After an error it asks once more: what it was given meanwhile it takes. */
    while (!(got = nativeipc_event_take(event, first, 1, &seen)) && error == 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 10; /* looks by itself, since a killed setter wakes nobody */
        int is_last = deadline != NULL && !nativeipc_event_is_later(deadline, &until);
        NATIVEIPC_EVENT_STEP("sleep");
        if (nativeipc_event_futex(&event->object->state, 9, seen, is_last ? deadline : &until) != 0
            && errno != EAGAIN && (errno != ETIMEDOUT || is_last))
            error = errno;
        NATIVEIPC_EVENT_STEP("awake");
    }
    nativeipc_event_leave(event, got);
    if (got) return 0;
    errno = error;
    return -1;
}

/* Waits until it is set, as long as it takes. */
static inline int nativeipc_event_wait(nativeipc_event *event) { return nativeipc_event_wait_until(event, NULL); }

/* Waits until it is set, or for a time: of the monotonic clock, whatever happens to the wall clock. */
static inline int nativeipc_event_wait_for(nativeipc_event *event, const struct timespec *time) {
    struct timespec deadline;
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec > 999999999) {
        errno = EINVAL;
        return -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    if (time->tv_sec > INT_MAX - deadline.tv_sec - 1) return nativeipc_event_wait(event); /* decades */
    deadline.tv_sec += time->tv_sec;
    deadline.tv_nsec += time->tv_nsec;
    if (deadline.tv_nsec > 999999999) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return nativeipc_event_wait_until(event, &deadline);
}

/* As a wait that does not wait: EAGAIN when it is not set. */
static inline int nativeipc_event_try(nativeipc_event *event) {
    uint32_t first = NATIVEIPC_EVENT_STD atomic_load(&event->object->state), seen;
    if (nativeipc_event_take(event, first, 0, &seen)) return 0;
    errno = EAGAIN;
    return -1;
}

/* ---- the name ---- */

/* Room for a path in the folder. */
enum { NATIVEIPC_EVENT_PATH = sizeof NATIVEIPC_EVENT_FOLDER + 1 + 255 };

static inline int nativeipc_event_path(const char *name, char path[NATIVEIPC_EVENT_PATH]) {
    while (*name == '/') name++;
    size_t length = strlen(name);
    if (length == 0 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    if (length > NATIVEIPC_EVENT_LONGEST_NAME) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(path, NATIVEIPC_EVENT_PATH, "%s/%s%s", NATIVEIPC_EVENT_FOLDER, NATIVEIPC_EVENT_PREFIX, name);
    return 0;
}

/* The whole of a small file, as text. */
static inline int nativeipc_event_read(const char *path, char *text, size_t room) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file == -1) return -1;
    ssize_t length = read(file, text, room - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? 0 : -1;
}

/* Whether a number of a user is somebody's. In a user namespace that does not map all, one number stands for all that
 * are not mapped. */
static inline int nativeipc_event_is_real(uid_t user) {
    char text[4096];
    unsigned long overflow = 65534;
    if (nativeipc_event_read("/proc/sys/kernel/overflowuid", text, sizeof text) == 0)
        overflow = strtoul(text, NULL, 10);
    if (user != (uid_t)overflow) return 1;
    if (nativeipc_event_read("/proc/self/uid_map", text, sizeof text) != 0)
        return access("/proc/self/stat", F_OK) == 0; /* a kernel without user namespaces; without /proc nobody knows */
    unsigned long long mapped = 0;
    for (char *line = text; *line != '\0';) {
        char *end;
        strtoul(line, &end, 10);
        strtoul(end, &end, 10);
        mapped += strtoull(end, &end, 10);
        if (end == line) break;
        line = end + strspn(end, " \n");
    }
    return mapped >= 4294967295u;
}

static inline int nativeipc_event_is_trusted(uid_t owner) {
    return (owner == geteuid() || owner == 0) && nativeipc_event_is_real(owner);
}

static inline int nativeipc_event_map(nativeipc_event *event, int file) {
    void *address = mmap(NULL, NATIVEIPC_EVENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address == MAP_FAILED) return -1;
    event->object = (struct nativeipc_event_object *)address;
    event->mode = event->object->mode;
    return 0;
}

static inline int nativeipc_event_fail(int file, int error) {
    if (file != -1) close(file);
    errno = error;
    return -1;
}

/* Opens an event that exists. flags: 0, or NATIVEIPC_EVENT_ANY_OWNER. */
static inline int nativeipc_event_open(nativeipc_event *event, const char *name, int flags) {
    char path[NATIVEIPC_EVENT_PATH];
    struct stat status;
    memset(event, 0, sizeof *event);
    if (nativeipc_event_path(name, path) != 0) return -1;
    int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file == -1) return -1;
    if (fstat(file, &status) != 0) return nativeipc_event_fail(file, errno);
    if (!S_ISREG(status.st_mode) || status.st_size != NATIVEIPC_EVENT_SIZE) return nativeipc_event_fail(file, EBADMSG);
    if ((flags & NATIVEIPC_EVENT_ANY_OWNER) == 0 && !nativeipc_event_is_trusted(status.st_uid))
        return nativeipc_event_fail(file, EPERM);
    if (nativeipc_event_map(event, file) != 0) return nativeipc_event_fail(file, errno);
    close(file);
    if (event->object->magic == NATIVEIPC_EVENT_MAGIC && event->object->version == NATIVEIPC_EVENT_VERSION
        && (event->mode == NATIVEIPC_EVENT_AUTO || event->mode == NATIVEIPC_EVENT_MANUAL))
        return 0;
    munmap(event->object, NATIVEIPC_EVENT_SIZE);
    memset(event, 0, sizeof *event);
    errno = EBADMSG;
    return -1;
}

static inline int nativeipc_event_fill(int file, int mode, int initially_set, mode_t permissions) {
    uint32_t words[NATIVEIPC_EVENT_SIZE / 4] = {initially_set != 0, 0, NATIVEIPC_EVENT_MAGIC, 0};
    uint16_t halves[2] = {NATIVEIPC_EVENT_VERSION, (uint16_t)mode};
    memcpy(&words[3], halves, sizeof halves);
    if (fchmod(file, permissions) != 0) return -1;
    ssize_t written = pwrite(file, words, sizeof words, 0);
    if (written == (ssize_t)sizeof words) return 0;
    if (written >= 0) errno = ENOSPC;
    return -1;
}

/* Makes the file whole, and only then gives it its name; nobody ever meets a half-made one. The descriptor, or -1. */
static inline int nativeipc_event_publish(const char *path, int mode, int initially_set, mode_t permissions) {
    char other[NATIVEIPC_EVENT_PATH];
#if defined(O_TMPFILE) && !defined(NATIVEIPC_EVENT_NO_TMPFILE)
    int file = open(NATIVEIPC_EVENT_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file != -1) {
        if (nativeipc_event_fill(file, mode, initially_set, permissions) != 0) return nativeipc_event_fail(file, errno);
        snprintf(other, sizeof other, "/proc/self/fd/%d", file);
        NATIVEIPC_EVENT_STEP("link");
        if (linkat(AT_FDCWD, other, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) return file;
        if (errno == EEXIST) return nativeipc_event_fail(file, EEXIST);
        close(file); /* no /proc, or it is refused: the other way */
    }
#endif
    for (unsigned attempt = 0;; attempt++) {
        snprintf(other, sizeof other, "%s/.%s%ld.%u", NATIVEIPC_EVENT_FOLDER, NATIVEIPC_EVENT_PREFIX, (long)getpid(),
            attempt);
        int temporary = open(other, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        /* Left by a killed one, or made by another thread. */
        if (temporary == -1 && errno == EEXIST && attempt < 1000) continue;
        if (temporary == -1) return -1;
        int error = 0;
        if (nativeipc_event_fill(temporary, mode, initially_set, permissions) != 0 || link(other, path) != 0)
            error = errno;
        NATIVEIPC_EVENT_STEP("unlink");
        unlink(other);
        return error == 0 ? temporary : nativeipc_event_fail(temporary, error);
    }
}

/* Makes an event that must not exist yet. permissions: read and write bits, set exactly, whatever the umask; the owner
 * has both. Using an event takes both. */
static inline int nativeipc_event_create(nativeipc_event *event, const char *name, int mode, int initially_set,
    mode_t permissions) {
    char path[NATIVEIPC_EVENT_PATH];
    memset(event, 0, sizeof *event);
    if (nativeipc_event_path(name, path) != 0) return -1;
    if ((mode != NATIVEIPC_EVENT_AUTO && mode != NATIVEIPC_EVENT_MANUAL) || (permissions & ~(mode_t)0666) != 0
        || (permissions & 0600) != 0600) {
        errno = EINVAL;
        return -1;
    }
    int file = nativeipc_event_publish(path, mode, initially_set, permissions);
    if (file == -1) return -1;
    if (nativeipc_event_map(event, file) != 0) {
        int error = errno;
        unlink(path);
        return nativeipc_event_fail(file, error);
    }
    close(file);
    event->created = 1;
    return 0;
}

static inline void nativeipc_event_close(nativeipc_event *event) {
    if (event->object != NULL) munmap(event->object, NATIVEIPC_EVENT_SIZE);
    memset(event, 0, sizeof *event);
}

/* Opens the event as it is, or makes it; event->created says which. */
static inline int nativeipc_event_create_or_open(nativeipc_event *event, const char *name, int mode, int initially_set,
    mode_t permissions, int flags) {
    /* Each lost round means that somebody else has made or removed it. */
    for (int round = 0; round < 1000; round++) {
        if (nativeipc_event_open(event, name, flags) == 0) {
            if (event->mode == mode) return 0;
            nativeipc_event_close(event);
            errno = EPROTOTYPE;
            return -1;
        }
        if (errno != ENOENT) return -1;
        if (nativeipc_event_create(event, name, mode, initially_set, permissions) == 0) return 0;
        if (errno != EEXIST) return -1;
    }
    return -1;
}

/* Removes the name. Those that have the event open keep it; whoever makes one next has another. */
static inline int nativeipc_event_unlink(const char *name) {
    char path[NATIVEIPC_EVENT_PATH];
    return nativeipc_event_path(name, path) == 0 ? unlink(path) : -1;
}

#endif
