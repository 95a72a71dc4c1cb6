/* SPDX-License-Identifier: MIT
 *
 * nativeipc_channels.h: rings and topics of NativeIpc for C11 and C++11 on Linux (gcc, clang), in one header. A ring
 * takes messages from one writer to one reader, or from many to many (nativeipc_ring_create_many); a topic takes the
 * latest ones from one writer to any number of readers that never slow it down. NativeIpc's SharedRing and SharedTopic
 * and its Python module meet in the same one under the same name. What they are made of, byte for byte, and each step:
 * docs/layouts.md of NativeIpc.
 *
 *     #define _GNU_SOURCE
 *     #include "nativeipc_channels.h"
 *
 *     nativeipc_channel ring;
 *     nativeipc_ring_writer writer;
 *     if (nativeipc_ring_create_or_open(&ring, "/com.example.frames", 1 << 20, 0600) != 0 ||
 *         nativeipc_ring_open_writer(&ring, &writer, 0) != 0)
 *         return perror("ring"), 1;
 *     nativeipc_ring_write(&writer, "hello", 5, -1);
 *     nativeipc_ring_close_writer(&writer);
 *     nativeipc_channel_close(&ring);
 *
 * A name is that of a POSIX segment, as above, or the text of a key of System V, "systemv:/path/of/key/file" (also
 * "systemv-N:", with the project id N): nativeipc_channel_remove says who removes those.
 *
 * Nothing to link. Close writers and readers before their channel: who comes after one that was not closed is told that
 * it was killed. After fork(2) a child has the role as well, until its last copy of the descriptor is closed: let it do
 * nothing with the channel but exec(2) or _exit(2). A writer and a reader are of one thread at a time each.
 * Times are in milliseconds; 0 tries once, -1 waits for ever. What fails gives -1 and errno:
 *     ENOENT, EEXIST      no channel has the name; one has it
 *     EINVAL              a name that is none, a size that there is not
 *     EMEDIUMTYPE         what has the name is no such channel, is of another version, or too small
 *     EAGAIN              there is no room, or no message, or it is another one's turn, now; half made by somebody
 *     ETIMEDOUT           the time has passed
 *     ENODATA             nothing more comes: the writer has said so, and all was read
 *     EBUSY               another one has the role; many to many: there are 1,024 on this side
 *     EMSGSIZE            a message that is too long; for a copy, a buffer that is too short
 *     EBADMSG             a control word has a value that no peer writes that keeps to the layout
 *     EINTR               a signal handler ran while it waited
 *     EPROTOTYPE          its messages have another layout: nativeipc_channel_layout_text says which
 *     EPERM               it belongs to neither this user nor root, so it may be planted
 *     and what open(2), mmap(2), fcntl(2) say
 */
#ifndef NATIVEIPC_CHANNELS_H
#define NATIVEIPC_CHANNELS_H

#ifndef __linux__
#error "nativeipc_channels.h is for Linux: it needs futex(2) and locks of open file descriptions."
#endif
#ifndef _GNU_SOURCE
#error "Define _GNU_SOURCE before the first #include (O_TMPFILE, F_OFD_SETLK, syscall)."
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* For tests: what a thread does between two steps, where a death may come. */
#ifndef NATIVEIPC_CHANNELS_STEP
#define NATIVEIPC_CHANNELS_STEP(name) ((void)0)
#endif

enum {
    NATIVEIPC_CHANNEL_HEADER = 4096,
    NATIVEIPC_CHANNEL_RING = 1,
    NATIVEIPC_CHANNEL_MANY = 2, /* a ring of many to many */
    NATIVEIPC_CHANNEL_TOPIC = 3,
    NATIVEIPC_CHANNEL_VERSION = 1,
    NATIVEIPC_CHANNEL_RECORD = 8, /* bytes before those of a message in a ring */
    NATIVEIPC_CHANNEL_SLOT = 64,  /* the same in a topic */
    NATIVEIPC_CHANNEL_GATHERS = 31, /* pauses in which messages gather, at most: about a microsecond */
    NATIVEIPC_CHANNEL_MOST = 1024 /* writers, and readers, of a ring of many to many */
};
#define NATIVEIPC_CHANNEL_MAGIC UINT64_C(0x4E4148434350494E)
#define NATIVEIPC_CHANNEL_MAKING_BYTE (INT64_C(1) << 62)
#define NATIVEIPC_CHANNEL_WRITER_BYTE ((INT64_C(1) << 62) + 1)
#define NATIVEIPC_CHANNEL_READER_BYTE ((INT64_C(1) << 62) + 2)
#define NATIVEIPC_CHANNEL_WRITER_SLOTS ((INT64_C(1) << 62) + 16)
#define NATIVEIPC_CHANNEL_READER_SLOTS ((INT64_C(1) << 62) + 16 + NATIVEIPC_CHANNEL_MOST)
#define NATIVEIPC_CHANNEL_WAITERS (UINT32_C(1) << 31) /* of a turn: others sleep */

/* The first 4,096 bytes, in the byte order of the machine. */
struct nativeipc_channel_note {
    uint32_t turn; /* many to many: slot + 1 of whose turn it is, and NATIVEIPC_CHANNEL_WAITERS */
    uint32_t process;
    uint64_t start_time;
    uint64_t pid_namespace;
    uint32_t is_held; /* many to many: slot + 1 of whom the note is */
    uint8_t unused[100];
};
struct nativeipc_channel_header {
    uint64_t magic;
    uint16_t version;
    uint16_t kind;
    uint32_t header_size;
    uint64_t capacity; /* ring: bytes; topic: slots */
    uint64_t slot_size;
    uint64_t fingerprint;
    uint64_t device, inode; /* System V: of the key file, on which the locks of roles are */
    uint8_t unused0[72];
    uint64_t tail; /* topic: number of the latest message */
    uint32_t ended; /* many to many: bit 0; the rest counts openings */
    uint8_t unused1[116];
    uint64_t head;
    uint8_t unused2[120];
    uint32_t reader_bell;
    uint32_t waking; /* topic, many to many: 1 while a writer wakes the readers */
    uint8_t unused3[120];
    uint32_t writer_bell;
    uint8_t unused4[124];
    struct nativeipc_channel_note writer_note;
    struct nativeipc_channel_note reader_note;
    uint8_t unused5[3200];
};
#ifdef __cplusplus
#define NATIVEIPC_CHANNELS_ASSERT static_assert
#else
#define NATIVEIPC_CHANNELS_ASSERT _Static_assert
#endif
NATIVEIPC_CHANNELS_ASSERT(sizeof(struct nativeipc_channel_header) == 4096, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, tail) == 128, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, head) == 256, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, reader_bell) == 384, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, writer_bell) == 512, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, writer_note) == 640, "the layout");
NATIVEIPC_CHANNELS_ASSERT(offsetof(struct nativeipc_channel_header, reader_note) == 768, "the layout");

/* A channel that is open. Its members are read only. */
typedef struct nativeipc_channel {
    struct nativeipc_channel_header *header;
    uint8_t *data;
    size_t mapped;
    uint64_t capacity, slot_size;
    int file;       /* -1: a key file that may not be opened, for reading only */
    int project;    /* System V's id; 0: POSIX */
    int kind;
    int created;    /* whether this call made it */
    int can_write;
    int barriers;   /* whether barriers of sleepers reach this process */
    int can_spin;   /* whether there is more than one processor */
    int role_taken; /* atomic; bit 0: its writer, bit 1: its reader is open here */
    uint32_t slots[2][NATIVEIPC_CHANNEL_MOST / 32]; /* atomic; many to many: of the writers and readers open here */
} nativeipc_channel;

typedef struct nativeipc_channel_habit {
    int skip, penalty;
} nativeipc_channel_habit;

/* How long copies of large messages took, through the caches and around them. */
typedef struct nativeipc_channel_copies {
    uint32_t count;
    int go_around;
    double times[2];
} nativeipc_channel_copies;

/* The turn to write, or to read, in a ring of many to many. */
typedef struct nativeipc_ring_turn {
    nativeipc_channel *channel;
    struct nativeipc_channel_note *note;
    int64_t first;   /* the byte of the side's slot 0 */
    uint32_t *slots; /* the channel's */
    uint32_t me;     /* slot + 1; 0 in a ring of one to one, whose turn is always mine */
    int is_mine, was_killed, is_noted, in_a_row;
    struct nativeipc_channel_note self;
    long long kept_since;
    nativeipc_channel_habit habit;
} nativeipc_ring_turn;

typedef struct nativeipc_ring_writer {
    nativeipc_channel *channel;
    uint64_t tail, shown, head, wanted;
    size_t reserved;
    int is_reserved;
    int took_over; /* whether the writer before was killed; many to many: whether it has had a killed one's turn */
    nativeipc_channel_habit habit;
    nativeipc_ring_turn turn;
    int has_begun, has_appended, is_completed;
    nativeipc_channel_copies copies;
} nativeipc_ring_writer;

typedef struct nativeipc_ring_reader {
    nativeipc_channel *channel;
    uint64_t cursor, head, tail;
    int took_over; /* whether the reader before was killed; many to many: whether it has had a killed one's turn */
    nativeipc_channel_habit habit;
    nativeipc_ring_turn turn;
    int has_begun, is_in_hand;
    int gathers; /* pauses before it looks at the tail */
    uint32_t looks;
} nativeipc_ring_reader;

typedef struct nativeipc_topic_writer {
    nativeipc_channel *channel;
    uint64_t latest;
    size_t reserved;
    int is_reserved;
    int took_over;
    nativeipc_channel_copies copies;
} nativeipc_topic_writer;

typedef struct nativeipc_topic_reader {
    nativeipc_channel *channel;
    uint64_t given;    /* number of the last message that was given or missed */
    uint64_t missed;   /* how many were overwritten before this reader came to them */
    uint64_t in_place; /* number of what is read in place; 0: nothing */
    nativeipc_channel_habit habit;
} nativeipc_topic_reader;

/* ---- below ---- */

static inline int nativeipc_channel_fail(int number) {
    errno = number;
    return -1;
}

static inline long long nativeipc_channel_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

#if defined(__SSE2__)
/* Copies around the caches: whole lines, which are then seen before what is stored after them. */
static inline void nativeipc_channel_copy_around(uint8_t *place, const uint8_t *message, size_t length) {
    size_t at = (size_t)(-(uintptr_t)place & 63);
    memcpy(place, message, at);
    for (; at + 64 <= length; at += 64) {
        __m128i parts[4];
        for (int i = 0; i < 4; i++) parts[i] = _mm_loadu_si128((const __m128i *)(const void *)(message + at + 16 * i));
        for (int i = 0; i < 4; i++) _mm_stream_si128((__m128i *)(void *)(place + at + 16 * i), parts[i]);
    }
    memcpy(place + at, message + at, length - at);
    _mm_sfence();
}

/* A store through the caches first fetches the line that a reader has, and the reader then fetches it from this
 * processor: cheap where the two share a cache, and ten times dearer than around them where they do not. So a large
 * message goes the way that took less time lately. Each 64th copy tries the other one, each 8th is timed. Not inlined:
 * it would take registers from the writing of small messages. */
__attribute__((noinline, unused)) static void nativeipc_channel_copy_large(nativeipc_channel_copies *copies,
    void *place, const void *message, size_t length) {
    uint32_t count = copies->count++;
    int is_trial = count % 64 == 63, way = copies->go_around ^ is_trial, is_timed = is_trial || count % 8 == 0;
    long long begin = is_timed ? nativeipc_channel_now() : 0;
    double *known = &copies->times[way], *other = &copies->times[!copies->go_around];
    if (way) nativeipc_channel_copy_around((uint8_t *)place, (const uint8_t *)message, length);
    else memcpy(place, message, length);
    if (is_timed) {
        double time = (double)(nativeipc_channel_now() - begin) * 4096 / (double)length;
        if (*known == 0) *known = time;
        else *known += ((time < 4 * *known ? time : 4 * *known) - *known) / 4; /* it may have been interrupted */
        if (*other > 0 && *other < copies->times[copies->go_around] * 0.8) copies->go_around ^= 1;
    }
}
#endif

/* Copies a message into a channel. */
static inline void nativeipc_channel_copy(nativeipc_channel_copies *copies, void *place, const void *message,
    size_t length) {
#if defined(__SSE2__)
    if (length >= 4096) {
        nativeipc_channel_copy_large(copies, place, message, length);
        return;
    }
#else
    (void)copies;
#endif
    if (length != 0) memcpy(place, message, length);
}

/* Until when, in nanoseconds of the monotonic clock; -1: for ever. */
static inline long long nativeipc_channel_until(int milliseconds) {
    return milliseconds < 0 ? -1 : nativeipc_channel_now() + milliseconds * 1000000LL;
}

static inline int nativeipc_channel_is_over(long long until) { return until >= 0 && nativeipc_channel_now() >= until; }

static inline int nativeipc_channel_membarrier(int command) {
#if defined(SYS_membarrier)
    return (int)syscall(SYS_membarrier, command, 0, 0);
#else
    (void)command;
    return nativeipc_channel_fail(ENOSYS);
#endif
}

/* FUTEX_WAIT (0) for a slice, no longer than until; -1 for what is no end of a sleep. */
static inline int nativeipc_channel_sleep(uint32_t *word, uint32_t expected, long long slice, long long until) {
    struct timespec time;
    if (until >= 0) {
        long long left = until - nativeipc_channel_now();
        if (left < slice) slice = left > 0 ? left : 0;
    }
    time.tv_sec = (time_t)(slice / 1000000000LL);
    time.tv_nsec = (long)(slice % 1000000000LL);
    if (syscall(SYS_futex, word, 0, expected, &time, NULL, 0) == 0) return 0;
    return errno == EAGAIN || errno == ETIMEDOUT ? 0 : -1; /* a sandbox may refuse it: no reason to spin */
}

static inline void nativeipc_channel_wake(uint32_t *word, int most) {
    (void)syscall(SYS_futex, word, 1, most, NULL, NULL, 0);
}

/* The kernel's list of this thread's robust futexes (get_robust_list(2)). When the thread dies, the kernel wakes one
 * sleeper of the word that is pending, if it is 0 (Linux 5.5): made for one who dies between unlocking and waking, it
 * is good for one between showing and waking, too. glibc registers a list for each thread, musl with the first robust
 * mutex of a thread: until then an empty one of ours does. NULL where there is none. */
struct nativeipc_channel_robust {
    void *list;
    long offset;
    void *pending;
};
static inline struct nativeipc_channel_robust *nativeipc_channel_robust_list(void) {
#if defined(SYS_get_robust_list) && defined(SYS_set_robust_list)
    static __thread struct nativeipc_channel_robust *list, *own;
    static __thread int is_known;
    size_t size = 0;
    struct nativeipc_channel_robust *found = NULL;
    if (is_known && own == NULL) return list;
    /* Where it is ours, anew each time: the C library may have registered its own meanwhile, and a child of fork(2) has
     * none. */
    if (syscall(SYS_get_robust_list, 0, &found, &size) != 0 || (found != NULL && size != sizeof *found)) found = NULL;
    else if (found == NULL) {
        /* Never freed: the kernel reads it when the thread has ended. */
        if (own == NULL) own = (struct nativeipc_channel_robust *)calloc(1, sizeof *own);
        if (own != NULL) {
            own->list = own; /* empty: it leads to itself */
            if (syscall(SYS_set_robust_list, own, sizeof *own) == 0) found = own;
        }
    }
    is_known = 1;
    return list = found;
#else
    return NULL;
#endif
}

/* If this thread dies from here on, until nativeipc_channel_rung, a sleeper is woken. */
static inline void nativeipc_channel_ringing(uint32_t *bell) {
    struct nativeipc_channel_robust *list = nativeipc_channel_robust_list();
    if (list != NULL)
        __atomic_store_n(&list->pending, (void *)((char *)(void *)bell - list->offset), __ATOMIC_RELEASE);
    __atomic_store_n(bell, 0, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("cleared");
}

/* What is to be seen is shown by now. All are woken, though one sleeps: before it there may be a wait that has ended,
 * of a process that was stopped or killed before its kernel was told. */
static inline void nativeipc_channel_rung(uint32_t *bell) {
    struct nativeipc_channel_robust *list = nativeipc_channel_robust_list();
    nativeipc_channel_wake(bell, INT_MAX);
    if (list != NULL) __atomic_store_n(&list->pending, (void *)NULL, __ATOMIC_RELEASE);
}

/* Rings a bell, whatever it is. */
static inline void nativeipc_channel_ring(uint32_t *bell) {
    nativeipc_channel_ringing(bell);
    nativeipc_channel_rung(bell);
}

/* The same for readers that share a bell, of whom the kernel wakes one: who is woken meanwhile wakes the others. */
static inline void nativeipc_channel_ringing_all(struct nativeipc_channel_header *header) {
    __atomic_store_n(&header->waking, 1, __ATOMIC_RELEASE);
    nativeipc_channel_ringing(&header->reader_bell);
}
static inline void nativeipc_channel_rung_all(struct nativeipc_channel_header *header) {
    nativeipc_channel_rung(&header->reader_bell);
    __atomic_store_n(&header->waking, 0, __ATOMIC_RELEASE);
}

/* Behind the store of what is shown, before the look at the bell. */
static inline void nativeipc_channel_order(const nativeipc_channel *channel) {
    if (channel->barriers) __atomic_signal_fence(__ATOMIC_SEQ_CST);
    else __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void nativeipc_channel_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb");
#endif
}

static inline int nativeipc_channel_fcntl(const nativeipc_channel *channel, int command, int64_t at, int count,
    short *type);

/* Many to many: whether somebody of the other side of a bell who lives has the turn, and so may show something and
 * have looked at the bell before it was set. What a killed one has shown is seen by the look after this. One of this
 * channel, which the kernel does not tell, is not killed without the sleeper. */
static inline int nativeipc_channel_is_at_work(const nativeipc_channel *channel, const uint32_t *bell) {
    int is_reader = bell == &channel->header->reader_bell;
    const struct nativeipc_channel_note *note =
        is_reader ? &channel->header->writer_note : &channel->header->reader_note;
    int64_t first = is_reader ? NATIVEIPC_CHANNEL_WRITER_SLOTS : NATIVEIPC_CHANNEL_READER_SLOTS;
    uint32_t holder;
    short type = F_WRLCK;
    if (channel->kind != NATIVEIPC_CHANNEL_MANY) return 0;
    holder = __atomic_load_n(&note->turn, __ATOMIC_ACQUIRE) & ~NATIVEIPC_CHANNEL_WAITERS;
    return holder != 0 && holder <= NATIVEIPC_CHANNEL_MOST &&
        (nativeipc_channel_fcntl(channel, F_OFD_GETLK, first + holder - 1, 1, &type) != 0 || type != F_UNLCK);
}

/* Wakes the others that sleep at a bell, if their writer may have been killed before it had woken all. */
static inline void nativeipc_channel_pass_on(const nativeipc_channel *channel, uint32_t *bell) {
    if (__atomic_load_n(&channel->header->waking, __ATOMIC_ACQUIRE) != 0) nativeipc_channel_wake(bell, INT_MAX);
}

/* Sleeps at a bell until has_news; -1 with ETIMEDOUT, EINTR, or what futex(2) says. */
static inline int nativeipc_channel_wait(nativeipc_channel *channel, uint32_t *bell, int is_shared,
    nativeipc_channel_habit *habit, int (*has_news)(void *), void *user, long long until) {
    const long long least = 150000000LL, most = 5000000000LL;
    long long look = 1000000LL;
    uint32_t slept = 0;
    if (has_news(user)) return 0;
    if (nativeipc_channel_is_over(until)) return nativeipc_channel_fail(ETIMEDOUT);
    if (habit->skip > 0) {
        habit->skip--;
    } else if (channel->can_spin) {
        long long end = nativeipc_channel_now() + 50000;
        do {
            for (int i = 0; i < 32; i++) {
                if (has_news(user)) {
                    habit->penalty = 0;
                    return 0;
                }
                nativeipc_channel_pause();
            }
        } while (nativeipc_channel_now() < end);
        habit->penalty = habit->penalty == 0 ? 1 : habit->penalty >= 512 ? 1024 : habit->penalty * 2;
        habit->skip = habit->penalty;
    }
    for (;;) {
        uint32_t expected, *at = bell;
        long long slice = least;
        if (channel->can_write) {
            /* One who looked at the bell just before it was set, was stopped, and is killed when it has shown
             * something, wakes nobody: so a sleep is short unless the bell stayed as it was in the sleep before. Where
             * it is set, it is left as it is: who clears it at this moment lets the sleep end at once. Of several that
             * sleep here each sets another number: otherwise one that sets it again would let another one sleep that
             * looked before it was cleared. No process has such a number: of a killed one that rings, the kernel takes
             * a bell with its number for a lock of its own. */
            expected = __atomic_load_n(bell, __ATOMIC_ACQUIRE);
            if (expected == 0) {
                expected = is_shared ? ((uint32_t)nativeipc_channel_now() & 0x1FFFFFFF) | 0x20000000 : 1;
                __atomic_store_n(bell, expected, __ATOMIC_RELEASE);
            } else if (expected == slept) {
                slice = most;
            }
            slept = expected;
            NATIVEIPC_CHANNELS_STEP("armed");
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (nativeipc_channel_membarrier(2) != 0) slice = 10000000LL;
            else if (slice == most && nativeipc_channel_is_at_work(channel, bell)) slice = least;
            if (has_news(user)) {
                if (!is_shared) __atomic_store_n(bell, 0, __ATOMIC_RELEASE);
                else nativeipc_channel_pass_on(channel, bell);
                return 0;
            }
            if (slice == most) NATIVEIPC_CHANNELS_STEP("long");
        } else {
            uint32_t *low = (uint32_t *)&channel->header->tail;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            low++;
#endif
            at = low;
            expected = __atomic_load_n(low, __ATOMIC_ACQUIRE);
            slice = look;
            look = look * 2 < 20000000LL ? look * 2 : 20000000LL;
            if (has_news(user)) return 0;
        }
        if (nativeipc_channel_sleep(at, expected, slice, until) != 0) return -1;
        if (has_news(user)) {
            if (is_shared && channel->can_write) nativeipc_channel_pass_on(channel, bell);
            return 0;
        }
        if (nativeipc_channel_is_over(until)) return nativeipc_channel_fail(ETIMEDOUT);
    }
}

/* ---- locks of the open file description, on bytes of the file ---- */

static inline int nativeipc_channel_fcntl(const nativeipc_channel *channel, int command, int64_t at, int count,
    short *type) {
    struct flock range;
    int had;
    memset(&range, 0, sizeof range);
    range.l_type = *type;
    range.l_whence = SEEK_SET;
    range.l_start = (off_t)(at + ((int64_t)channel->project << 32)); /* several ids may share a key file */
    range.l_len = count;
    had = fcntl(channel->file, command, &range);
    *type = range.l_type;
    return had;
}

static inline void nativeipc_channel_unlock(const nativeipc_channel *channel, int64_t at) {
    short type = F_UNLCK;
    (void)nativeipc_channel_fcntl(channel, F_OFD_SETLK, at, 1, &type);
}

/* Locks a byte; EAGAIN when another one has it. */
static inline int nativeipc_channel_lock(const nativeipc_channel *channel, int64_t at) {
    short type = F_WRLCK;
    if (channel->project == 0) return nativeipc_channel_fcntl(channel, F_OFD_SETLK, at, 1, &type);
    /* A key file may be open for reading only, so that it can have shared locks alone: who has one and then sees no
     * other has it for itself. Two that lock at once see each other and step back, each for another time. */
    for (unsigned tries = 0, seed = (unsigned)nativeipc_channel_now() | 1;; tries++) {
        type = F_WRLCK;
        if (nativeipc_channel_fcntl(channel, F_OFD_GETLK, at, 1, &type) != 0) return -1;
        if (type == F_UNLCK) {
            type = F_RDLCK;
            if (nativeipc_channel_fcntl(channel, F_OFD_SETLK, at, 1, &type) != 0) return -1;
            type = F_WRLCK;
            if (nativeipc_channel_fcntl(channel, F_OFD_GETLK, at, 1, &type) == 0 && type == F_UNLCK) return 0;
            nativeipc_channel_unlock(channel, at);
        }
        if (tries == 6) return nativeipc_channel_fail(EAGAIN);
        seed = seed * 1103515245 + 12345;
        for (unsigned i = (seed >> 16) % (64u << tries); i > 0; i--) nativeipc_channel_pause();
    }
}

/* ---- the segment ---- */

/* The path of the file on which roles are locked; System V's project id, or 0. */
static inline int nativeipc_channel_path(const char *name, char *path, size_t size, int *project) {
    *project = 0;
    if (strncmp(name, "systemv", 7) == 0) {
        char *rest = (char *)name + 7;
        size_t length = 0;
        long id = *rest == ':' ? 81 : *rest == '-' && rest[1] > '0' && rest[1] <= '9' ? strtol(rest + 1, &rest, 10) : 0;
        if (*rest++ != ':' || id < 1 || id > 255 || *rest == 0) return nativeipc_channel_fail(EINVAL);
        for (; *rest != 0 && *rest != '?' && *rest != '#'; rest++) {
            char digits[3] = {0, 0, 0};
            if (length + 1 >= size) return nativeipc_channel_fail(ENAMETOOLONG);
            if (*rest == '%' && (digits[0] = rest[1]) != 0 && (digits[1] = rest[2]) != 0) {
                path[length++] = (char)strtol(digits, NULL, 16);
                rest += 2;
            } else {
                path[length++] = *rest;
            }
        }
        path[length] = 0;
        *project = (int)id;
        return strlen(path) == length ? 0 : nativeipc_channel_fail(EINVAL);
    }
    while (*name == '/') name++;
    if (*name == 0 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return nativeipc_channel_fail(EINVAL);
    if (strlen(name) > 255) return nativeipc_channel_fail(ENAMETOOLONG);
    snprintf(path, size, "/dev/shm/%s", name);
    return 0;
}

static inline void nativeipc_channel_close(nativeipc_channel *channel) {
    int kept = errno;
    if (channel->header != NULL && channel->project != 0) shmdt((void *)channel->header);
    else if (channel->header != NULL) munmap((void *)channel->header, channel->mapped);
    if (channel->file >= 0) close(channel->file);
    channel->header = NULL;
    channel->file = -1;
    errno = kept;
}

/* Maps a POSIX file that is open. */
static inline int nativeipc_channel_map(nativeipc_channel *channel) {
    struct stat status;
    void *mapped;
    if (fstat(channel->file, &status) != 0) return -1;
    if (!S_ISREG(status.st_mode) || status.st_size < NATIVEIPC_CHANNEL_HEADER)
        return nativeipc_channel_fail(S_ISREG(status.st_mode) && status.st_size == 0 ? EAGAIN : EMEDIUMTYPE);
    if (status.st_uid != geteuid() && status.st_uid != 0) return nativeipc_channel_fail(EPERM);
    mapped = mmap(NULL, (size_t)status.st_size, channel->can_write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
        channel->file, 0);
    if (mapped == MAP_FAILED) return -1;
    channel->mapped = (size_t)status.st_size;
    channel->header = (struct nativeipc_channel_header *)mapped;
    return 0;
}

/* ftok(3) of the key file that is open, or else has the path; it takes the file's lock (flock(2)), under which segments
 * are made and removed, until nativeipc_channel_attach. EAGAIN while another one has that, or the path. */
static inline int nativeipc_channel_ftok(const nativeipc_channel *channel, const char *path, struct stat *status,
    key_t *key) {
    if (channel->file >= 0) {
        struct stat now;
        if (flock(channel->file, LOCK_EX | LOCK_NB) != 0 && errno != ENOLCK && errno != EOPNOTSUPP) return -1;
        if (fstat(channel->file, status) != 0) return -1;
        if (stat(path, &now) != 0 || now.st_ino != status->st_ino || now.st_dev != status->st_dev)
            return nativeipc_channel_fail(EAGAIN);
    } else if (stat(path, status) != 0) {
        return -1;
    }
    if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode)) return nativeipc_channel_fail(EMEDIUMTYPE);
    if (status->st_uid != geteuid() && status->st_uid != 0) return nativeipc_channel_fail(EPERM);
    *key = (key_t)(((uint32_t)channel->project << 24) | ((uint32_t)(status->st_dev & 0xff) << 16) |
        ((uint32_t)status->st_ino & 0xffff));
    return 0;
}

/* Attaches a segment of System V. */
static inline int nativeipc_channel_attach(nativeipc_channel *channel, int id) {
    struct shmid_ds about;
    void *mapped;
    if (id < 0 || shmctl(id, IPC_STAT, &about) != 0) return -1;
    if ((about.shm_perm.uid != geteuid() && about.shm_perm.uid != 0) ||
        (about.shm_perm.cuid != geteuid() && about.shm_perm.cuid != 0))
        return nativeipc_channel_fail(EPERM);
    if (about.shm_segsz < NATIVEIPC_CHANNEL_HEADER) return nativeipc_channel_fail(EMEDIUMTYPE);
    mapped = shmat(id, NULL, channel->can_write ? 0 : SHM_RDONLY);
    if (mapped == (void *)-1) return -1;
    channel->mapped = (size_t)about.shm_segsz;
    channel->header = (struct nativeipc_channel_header *)mapped;
    if (channel->file >= 0) flock(channel->file, LOCK_UN);
    return 0;
}

static inline uint64_t nativeipc_channel_device(const struct stat *status) {
    uint64_t device = (uint64_t)status->st_dev; /* major(3) and minor(3), which are macros */
    uint64_t high = ((device >> 8) & 0xfff) | ((device >> 32) & 0xfffff000);
    return high << 32 | (device & 0xff) | ((device >> 12) & 0xffffff00);
}

/* Maps what is open, and checks each number once. kind 0: a ring of either form. */
static inline int nativeipc_channel_take(nativeipc_channel *channel, const char *path, int kind) {
    struct stat status;
    uint64_t room, capacity, slot;
    key_t key;
    int there;
    if ((channel->project == 0 ? nativeipc_channel_map(channel)
                               : nativeipc_channel_ftok(channel, path, &status, &key) != 0 ||
                    nativeipc_channel_attach(channel, shmget(key, 0, 0)) != 0) != 0)
        return -1;
    channel->data = (uint8_t *)channel->header + NATIVEIPC_CHANNEL_HEADER;
    if (__atomic_load_n(&channel->header->magic, __ATOMIC_ACQUIRE) == 0) return nativeipc_channel_fail(EAGAIN);
    there = __atomic_load_n(&channel->header->kind, __ATOMIC_RELAXED);
    if (channel->header->magic != NATIVEIPC_CHANNEL_MAGIC || channel->header->version != NATIVEIPC_CHANNEL_VERSION ||
        channel->header->header_size != NATIVEIPC_CHANNEL_HEADER ||
        (kind != 0 ? there != kind : there != NATIVEIPC_CHANNEL_RING && there != NATIVEIPC_CHANNEL_MANY))
        return nativeipc_channel_fail(EMEDIUMTYPE);
    /* Two key files can have one key of System V: then roles would be locked twice */
    if (channel->project != 0 && (channel->header->inode != (uint64_t)status.st_ino ||
                                     channel->header->device != nativeipc_channel_device(&status)))
        return nativeipc_channel_fail(EMEDIUMTYPE);
    capacity = __atomic_load_n(&channel->header->capacity, __ATOMIC_RELAXED);
    slot = __atomic_load_n(&channel->header->slot_size, __ATOMIC_RELAXED);
    room = (uint64_t)channel->mapped - NATIVEIPC_CHANNEL_HEADER;
    if ((capacity & (capacity - 1)) != 0) return nativeipc_channel_fail(EBADMSG);
    if (there != NATIVEIPC_CHANNEL_TOPIC
            ? capacity < 4096 || capacity > UINT64_C(1) << 40 || slot != 0 || capacity > room
            : capacity < 2 || capacity > 1 << 20 || slot < 128 || slot > UINT64_C(1) << 31 || slot % 64 != 0 ||
                slot > room / capacity)
        return nativeipc_channel_fail(EBADMSG);
    channel->capacity = capacity;
    channel->slot_size = slot;
    channel->kind = there;
    channel->barriers = nativeipc_channel_membarrier(4) == 0;
    channel->can_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    return 0;
}

static inline int nativeipc_channel_open(nativeipc_channel *channel, const char *name, int kind, int is_reader) {
    char path[PATH_MAX];
    int project;
    memset(channel, 0, sizeof *channel);
    channel->file = -1;
    if (nativeipc_channel_path(name, path, sizeof path, &project) != 0) return -1;
    for (int tries = 0;; tries++) {
        struct timespec pause = {0, 1000000};
        channel->project = project;
        channel->can_write = !is_reader;
        /* Who may write a segment of System V may read its key file, and not more; a link may lead to that. A
         * stranger's pipe of the name must not hold this up. */
        channel->file = open(path, O_CLOEXEC | O_NONBLOCK |
            (project != 0 ? O_RDONLY : (is_reader ? O_RDONLY : O_RDWR) | O_NOFOLLOW));
        if (channel->file < 0 && (project == 0 || !is_reader || errno != EACCES)) return -1;
        if (nativeipc_channel_take(channel, path, kind) == 0) return 0;
        nativeipc_channel_close(channel);
        if (errno != EAGAIN || tries == 1000) return -1;
        nanosleep(&pause, NULL); /* somebody makes it */
    }
}

/* Makes a file whole and gives it its name then, so that nobody meets a half-made one. */
static inline int nativeipc_channel_make(const char *path, int kind, uint64_t capacity, uint64_t slot, int mode) {
    struct nativeipc_channel_header header;
    char from[64];
    int file, number;
    off_t size = (off_t)(NATIVEIPC_CHANNEL_HEADER + capacity * (slot != 0 ? slot : 1));
    file = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    memset(&header, 0, sizeof header);
    header.magic = NATIVEIPC_CHANNEL_MAGIC;
    header.version = NATIVEIPC_CHANNEL_VERSION;
    header.kind = (uint16_t)kind;
    header.header_size = NATIVEIPC_CHANNEL_HEADER;
    header.capacity = capacity;
    header.slot_size = slot;
    number = posix_fallocate(file, 0, size);
    if (number == 0 && (fchmod(file, (mode_t)mode) != 0 || write(file, &header, sizeof header) != sizeof header))
        number = errno;
    if (number == 0) {
        snprintf(from, sizeof from, "/proc/self/fd/%d", file);
        if (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0) number = errno;
    }
    close(file);
    return number == 0 ? 0 : nativeipc_channel_fail(number);
}

/* Opens or makes a key file. */
static inline int nativeipc_channel_key_file(const char *path, int mode, int *made) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *made = 0;
    if (file >= 0 || errno != ENOENT) return file;
    file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return errno == EEXIST ? nativeipc_channel_fail(EAGAIN) : -1;
    *made = 1;
    /* Who may write the segment may read it */
    (void)fchmod(file, (mode_t)(0600 | ((mode & 020) != 0 ? 040 : 0) | ((mode & 02) != 0 ? 04 : 0)));
    return file;
}

/* One try to make a segment of System V, or to finish one that is half made; EAGAIN: again, EEXIST: it is there. The
 * channel is only attached then, for the segment to stay. */
static inline int nativeipc_channel_make_attached(nativeipc_channel *channel, const char *path, int kind,
    uint64_t capacity, uint64_t slot, int mode, int may_exist) {
    size_t size = (size_t)(NATIVEIPC_CHANNEL_HEADER + capacity * (slot != 0 ? slot : 1));
    struct nativeipc_channel_header *header;
    struct stat status;
    int made, id, number = 0;
    key_t key;
    channel->can_write = 1;
    channel->file = nativeipc_channel_key_file(path, mode, &made);
    if (channel->file < 0 || nativeipc_channel_ftok(channel, path, &status, &key) != 0) return -1;
    /* The mark of a file that several segments may use, so that the last of NativeIpc's does not take it along */
    if (!made && S_ISREG(status.st_mode) && status.st_size == 0 && shmget(key, 0, 0) < 0 && errno == ENOENT)
        (void)fchmod(channel->file, (status.st_mode & 07777) | 0100);
    id = shmget(key, size, IPC_CREAT | IPC_EXCL | mode);
    if (id < 0 && errno != EEXIST && made) number = errno, unlink(path), errno = number;
    if (id < 0 && (errno != EEXIST || !may_exist)) return -1;
    if (id < 0 && (id = shmget(key, size, 0)) < 0) return nativeipc_channel_fail(EEXIST); /* it is smaller */
    if (nativeipc_channel_attach(channel, id) != 0) return -1;
    header = channel->header;
    if (nativeipc_channel_lock(channel, NATIVEIPC_CHANNEL_MAKING_BYTE) != 0) return -1;
    if (__atomic_load_n(&header->magic, __ATOMIC_ACQUIRE) == 0) {
        header->version = NATIVEIPC_CHANNEL_VERSION;
        header->kind = (uint16_t)kind;
        header->header_size = NATIVEIPC_CHANNEL_HEADER;
        header->capacity = capacity;
        header->slot_size = slot;
        header->device = nativeipc_channel_device(&status);
        header->inode = (uint64_t)status.st_ino;
        __atomic_store_n(&header->magic, NATIVEIPC_CHANNEL_MAGIC, __ATOMIC_RELEASE);
    } else {
        number = EEXIST;
    }
    nativeipc_channel_unlock(channel, NATIVEIPC_CHANNEL_MAKING_BYTE);
    return number == 0 ? 0 : nativeipc_channel_fail(number);
}

static inline int nativeipc_channel_make_system_v(const char *path, int project, int kind, uint64_t capacity,
    uint64_t slot, int mode, int may_exist, nativeipc_channel *attached) {
    for (int tries = 0;; tries++) {
        struct timespec pause = {0, 1000000};
        memset(attached, 0, sizeof *attached);
        attached->project = project;
        if (nativeipc_channel_make_attached(attached, path, kind, capacity, slot, mode, may_exist) == 0) return 0;
        nativeipc_channel_close(attached);
        if (errno != EAGAIN || tries == 1000) return -1;
        nanosleep(&pause, NULL);
    }
}

static inline int nativeipc_channel_create(nativeipc_channel *channel, const char *name, int kind, uint64_t capacity,
    uint64_t slot, int mode, int may_exist) {
    char path[PATH_MAX];
    int project;
    channel->file = -1;
    channel->header = NULL;
    if ((mode & ~0777) != 0) return nativeipc_channel_fail(EINVAL);
    if (nativeipc_channel_path(name, path, sizeof path, &project) != 0) return -1;
    for (int tries = 0; tries < 100; tries++) {
        nativeipc_channel made;
        int had;
        if (may_exist && project == 0) {
            if (nativeipc_channel_open(channel, name, kind, 0) == 0) {
                if (channel->capacity >= capacity && channel->slot_size >= slot) return 0;
                nativeipc_channel_close(channel);
                return nativeipc_channel_fail(EMEDIUMTYPE);
            }
            if (errno != ENOENT) return -1;
        }
        memset(&made, 0, sizeof made);
        made.file = -1;
        if (project == 0) had = nativeipc_channel_make(path, kind, capacity, slot, mode);
        else had = nativeipc_channel_make_system_v(path, project, kind, capacity, slot, mode, may_exist, &made);
        if (had == 0 || (project != 0 && may_exist && errno == EEXIST)) {
            int opened = nativeipc_channel_open(channel, name, kind, 0);
            nativeipc_channel_close(&made);
            if (opened != 0 && had != 0 && errno == ENOENT) continue; /* it has gone meanwhile */
            if (opened != 0) return -1;
            channel->created = had == 0;
            if (channel->capacity >= capacity && channel->slot_size >= slot) return 0;
            nativeipc_channel_close(channel);
            return nativeipc_channel_fail(EMEDIUMTYPE);
        }
        if (errno != EEXIST || !may_exist) return -1;
    }
    return -1;
}

/* Removes the name of a channel; whoever has it open keeps it. Of System V: the segment, and its key file if that is
 * empty and not marked (u+x). One that C has made stays until this, or until a process of NativeIpc is the last to
 * detach from it. */
static inline int nativeipc_channel_remove(const char *name) {
    char path[PATH_MAX];
    nativeipc_channel channel;
    struct stat status;
    key_t key;
    int had;
    memset(&channel, 0, sizeof channel);
    if (nativeipc_channel_path(name, path, sizeof path, &channel.project) != 0) return -1;
    if (channel.project == 0) return unlink(path);
    for (int tries = 0; tries < 1000; tries++) {
        struct timespec pause = {0, 1000000};
        channel.file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (channel.file < 0) return -1;
        if (nativeipc_channel_ftok(&channel, path, &status, &key) == 0) {
            int id = shmget(key, 0, 0);
            had = id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
            if (had == 0 && S_ISREG(status.st_mode) && status.st_size == 0 && (status.st_mode & 0100) == 0)
                had = unlink(path);
            nativeipc_channel_close(&channel);
            return had;
        }
        nativeipc_channel_close(&channel);
        if (errno != EAGAIN) return -1;
        nanosleep(&pause, NULL);
    }
    return nativeipc_channel_fail(EAGAIN);
}

static inline uint64_t nativeipc_channel_power(uint64_t number, uint64_t least) {
    while (least < number) least *= 2;
    return least;
}

/* ---- roles ---- */

/* Who this process is. */
static inline void nativeipc_channel_self(struct nativeipc_channel_note *self) {
    FILE *file;
    struct stat status;
    self->process = (uint32_t)getpid();
    self->start_time = 0;
    self->pid_namespace = stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
    if ((file = fopen("/proc/self/stat", "re")) != NULL) {
        char text[1024], *field = NULL;
        size_t got = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[got] = 0;
        field = strrchr(text, ')');
        for (int i = 2; field != NULL && i < 22; i++) field = strchr(field + 1, ' ');
        if (field != NULL) self->start_time = strtoull(field + 1, NULL, 10);
    }
}

/* Says it in a note; the mark is written last. */
static inline void nativeipc_channel_write_note(struct nativeipc_channel_note *note,
    const struct nativeipc_channel_note *self, uint32_t mark) {
    note->process = self->process;
    note->start_time = self->start_time;
    note->pid_namespace = self->pid_namespace;
    __atomic_store_n(&note->is_held, mark, __ATOMIC_RELEASE);
}

static inline int nativeipc_channel_take_role(nativeipc_channel *channel, int role, int milliseconds, int *took_over) {
    struct nativeipc_channel_note *note = role == 1 ? &channel->header->writer_note : &channel->header->reader_note;
    int64_t at = role == 1 ? NATIVEIPC_CHANNEL_WRITER_BYTE : NATIVEIPC_CHANNEL_READER_BYTE;
    long long until = nativeipc_channel_until(milliseconds);
    struct nativeipc_channel_note self;
    if (!channel->can_write) return nativeipc_channel_fail(EACCES);
    for (;;) {
        uint32_t turn = __atomic_load_n(&note->turn, __ATOMIC_ACQUIRE);
        /* Two threads with this channel share its file description, so the kernel would let both. */
        if ((__atomic_fetch_or(&channel->role_taken, role, __ATOMIC_SEQ_CST) & role) == 0) {
            int number;
            if (nativeipc_channel_lock(channel, at) == 0) break;
            number = errno;
            __atomic_fetch_and(&channel->role_taken, ~role, __ATOMIC_SEQ_CST);
            if (number != EAGAIN && number != EACCES) return nativeipc_channel_fail(number);
        }
        if (nativeipc_channel_is_over(until)) return nativeipc_channel_fail(EBUSY);
        if (nativeipc_channel_sleep(&note->turn, turn, 50000000LL, until) != 0) return -1;
    }
    NATIVEIPC_CHANNELS_STEP("locked");
    *took_over = __atomic_load_n(&note->is_held, __ATOMIC_ACQUIRE) != 0;
    nativeipc_channel_self(&self);
    nativeipc_channel_write_note(note, &self, 1);
    NATIVEIPC_CHANNELS_STEP("noted");
    __atomic_fetch_add(&note->turn, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static inline void nativeipc_channel_give_up_role(nativeipc_channel *channel, int role) {
    struct nativeipc_channel_note *note = role == 1 ? &channel->header->writer_note : &channel->header->reader_note;
    __atomic_store_n(&note->is_held, 0, __ATOMIC_RELEASE);
    nativeipc_channel_unlock(channel, role == 1 ? NATIVEIPC_CHANNEL_WRITER_BYTE : NATIVEIPC_CHANNEL_READER_BYTE);
    __atomic_fetch_and(&channel->role_taken, ~role, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&note->turn, 1, __ATOMIC_SEQ_CST);
    nativeipc_channel_wake(&note->turn, INT_MAX);
}

/* Says which layout the messages have: NAME_FINGERPRINT of the declarations that NativeIpc writes. Where that was said
 * before, in whatever language, it verifies that it is the same: EPROTOTYPE when it is not, or when nothing was said
 * and the channel is open for reading only. nativeipc_channel_layout_text has that in words. */
static inline int nativeipc_channel_use_layout(nativeipc_channel *channel, uint64_t fingerprint) {
    uint64_t *word = &channel->header->fingerprint;
    uint64_t found = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    struct timespec pause = {0, 1000000};
    if (fingerprint == 0) return nativeipc_channel_fail(EINVAL);
    for (int tries = 0; found == 0 && channel->can_write; tries++) {
        if (nativeipc_channel_lock(channel, NATIVEIPC_CHANNEL_MAKING_BYTE) == 0) {
            found = __atomic_load_n(word, __ATOMIC_ACQUIRE);
            if (found == 0) __atomic_store_n(word, found = fingerprint, __ATOMIC_RELEASE);
            nativeipc_channel_unlock(channel, NATIVEIPC_CHANNEL_MAKING_BYTE);
            break;
        }
        if ((errno != EAGAIN && errno != EACCES) || tries == 1000) return -1;
        nanosleep(&pause, NULL); /* another one is at it */
        found = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    }
    return found == fingerprint ? 0 : nativeipc_channel_fail(EPROTOTYPE);
}

/* Says in words why nativeipc_channel_use_layout gave EPROTOTYPE, as far as `size` bytes go (200 will do); `name` is
 * that of the layout. Returns `why`:
 *     "another layout than Frame of this program: fingerprint 0c9b57a1e36b4a2d, instead of 5d1f2be0a6c93847"
 *     "another layout than Frame of this program: no layout was said yet, instead of 5d1f2be0a6c93847" */
static inline const char *nativeipc_channel_layout_text(const nativeipc_channel *channel, const char *name,
    uint64_t fingerprint, char *why, size_t size) {
    unsigned long long found = __atomic_load_n(&channel->header->fingerprint, __ATOMIC_ACQUIRE);
    char said[40] = "no layout was said yet";
    if (found != 0) snprintf(said, sizeof said, "fingerprint %016llx", found);
    snprintf(why, size, "another layout than %s of this program: %s, instead of %016llx", name, said,
        (unsigned long long)fingerprint);
    return why;
}

/* ---- turns, in a ring of many to many ---- */

/* Takes a slot, if nobody who lives has it; EBUSY when somebody has. */
static inline int nativeipc_ring_claim(nativeipc_ring_turn *turn, uint32_t slot) {
    uint32_t bit = UINT32_C(1) << slot % 32, *word = &turn->slots[slot / 32];
    int number;
    /* Those of this channel share its file description, so the kernel would give each what another one has. */
    if ((__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit) != 0) return nativeipc_channel_fail(EBUSY);
    if (nativeipc_channel_lock(turn->channel, turn->first + slot) == 0) return 0;
    number = errno;
    __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    return nativeipc_channel_fail(number == EAGAIN || number == EACCES ? EBUSY : number);
}

static inline void nativeipc_ring_give_up(nativeipc_ring_turn *turn, uint32_t slot) {
    nativeipc_channel_unlock(turn->channel, turn->first + slot); /* first, since it is shared */
    __atomic_fetch_and(&turn->slots[slot / 32], ~(UINT32_C(1) << slot % 32), __ATOMIC_SEQ_CST);
}

/* Whether anybody has a slot of this side; -1 when the system does not say. */
static inline int nativeipc_ring_is_any_left(nativeipc_ring_turn *turn) {
    short type = F_WRLCK;
    for (int i = 0; i < NATIVEIPC_CHANNEL_MOST / 32; i++)
        if (__atomic_load_n(&turn->slots[i], __ATOMIC_SEQ_CST) != 0) return 1;
    if (nativeipc_channel_fcntl(turn->channel, F_OFD_GETLK, turn->first, NATIVEIPC_CHANNEL_MOST, &type) != 0) return -1;
    return type != F_UNLCK;
}

static inline void nativeipc_ring_has_turn(nativeipc_ring_turn *turn, int was_killed) {
    turn->is_mine = 1;
    turn->was_killed = was_killed;
    turn->kept_since = 0;
    NATIVEIPC_CHANNELS_STEP("turn_taken");
    if (turn->is_noted && turn->note->is_held == turn->me) return;
    __atomic_store_n(&turn->note->is_held, 0, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    nativeipc_channel_write_note(turn->note, &turn->self, turn->me);
    turn->is_noted = 1;
    turn->in_a_row = 0; /* another one has had it */
    NATIVEIPC_CHANNELS_STEP("turn_noted");
}

/* Joins a side: takes a slot for as long as it is open. */
static inline int nativeipc_ring_join(nativeipc_channel *ring, nativeipc_ring_turn *turn, int role, int milliseconds) {
    long long until = nativeipc_channel_until(milliseconds);
    memset(turn, 0, sizeof *turn);
    turn->channel = ring;
    turn->note = role == 1 ? &ring->header->writer_note : &ring->header->reader_note;
    turn->first = role == 1 ? NATIVEIPC_CHANNEL_WRITER_SLOTS : NATIVEIPC_CHANNEL_READER_SLOTS;
    turn->slots = ring->slots[role - 1];
    if (!ring->can_write) return nativeipc_channel_fail(EACCES);
    nativeipc_channel_self(&turn->self);
    for (;;) {
        struct timespec pause = {0, 50000000};
        for (uint32_t slot = 0; slot < NATIVEIPC_CHANNEL_MOST; slot++) {
            if (nativeipc_ring_claim(turn, slot) == 0) {
                turn->me = slot + 1;
                NATIVEIPC_CHANNELS_STEP("turn_joined");
                return 0;
            }
            if (errno != EBUSY) return -1;
        }
        if (nativeipc_channel_is_over(until)) return nativeipc_channel_fail(EBUSY);
        if (nanosleep(&pause, NULL) != 0) return -1;
    }
}

/* Takes the turn from one whose slot nobody has any more: 1; 0 when it lives, stopped or not. */
static inline int nativeipc_ring_take_over(nativeipc_ring_turn *turn, uint32_t holder) {
    int taken = 0;
    short type = F_WRLCK;
    if (nativeipc_channel_fcntl(turn->channel, F_OFD_GETLK, turn->first + holder - 1, 1, &type) != 0) return -1;
    if (type != F_UNLCK) return 0;
    if (nativeipc_ring_claim(turn, holder - 1) != 0) return errno == EBUSY ? 0 : -1;
    NATIVEIPC_CHANNELS_STEP("turn_claimed");
    for (;;) {
        /* Whoever has that slot's turn has its lock, which is here: the word is a dead one's, or another slot's. */
        uint32_t seen = __atomic_load_n(&turn->note->turn, __ATOMIC_ACQUIRE);
        if ((seen & ~NATIVEIPC_CHANNEL_WAITERS) != holder) break;
        if (__atomic_compare_exchange_n(&turn->note->turn, &seen, turn->me | NATIVEIPC_CHANNEL_WAITERS, 0,
                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            nativeipc_ring_has_turn(turn, 1);
            taken = 1;
            break;
        }
    }
    nativeipc_ring_give_up(turn, holder - 1);
    return taken;
}

/* Looks once: 1, it is mine; 0, at what value to sleep; -1. */
static inline int nativeipc_ring_look_at_turn(nativeipc_ring_turn *turn, int has_slept, uint32_t *seen) {
    for (;;) {
        uint32_t word = __atomic_load_n(&turn->note->turn, __ATOMIC_ACQUIRE);
        uint32_t holder = word & ~NATIVEIPC_CHANNEL_WAITERS;
        *seen = word;
        if (holder > NATIVEIPC_CHANNEL_MOST || holder == turn->me) return nativeipc_channel_fail(EBADMSG);
        if (holder != 0) return nativeipc_ring_take_over(turn, holder);
        if (word != 0 && !has_slept) {
            /* Kept for one that sleeps, which may have been killed. */
            long long now = nativeipc_channel_now();
            if (turn->kept_since == 0) turn->kept_since = now;
            if (now - turn->kept_since <= 50000000) return 0;
        }
        if (__atomic_compare_exchange_n(&turn->note->turn, &word,
                turn->me | (has_slept ? NATIVEIPC_CHANNEL_WAITERS : word), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            nativeipc_ring_has_turn(turn, 0);
            return 1;
        }
    }
}

/* Takes the turn; until 0: tries, EAGAIN. */
static inline int nativeipc_ring_take_turn(nativeipc_ring_turn *turn, long long until) {
    uint32_t seen = 0;
    int has_slept = 0, took;
    if (__atomic_compare_exchange_n(&turn->note->turn, &seen, turn->me, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        nativeipc_ring_has_turn(turn, 0);
        return 0;
    }
    if (turn->habit.skip > 0) {
        turn->habit.skip--;
    } else if (turn->channel->can_spin) {
        long long end = nativeipc_channel_now() + 50000;
        int paid = 0;
        do {
            for (int i = 0; i < 32 && !paid; i++) {
                paid = __atomic_load_n(&turn->note->turn, __ATOMIC_ACQUIRE) == 0;
                nativeipc_channel_pause();
            }
        } while (!paid && nativeipc_channel_now() < end);
        turn->habit.penalty = paid ? 0 : turn->habit.penalty == 0 ? 1
            : turn->habit.penalty >= 512 ? 1024 : turn->habit.penalty * 2;
        turn->habit.skip = turn->habit.penalty;
    }
    while ((took = nativeipc_ring_look_at_turn(turn, has_slept, &seen)) != 1) {
        uint32_t marked = seen | NATIVEIPC_CHANNEL_WAITERS;
        int is_over = nativeipc_channel_is_over(until);
        if (took < 0) return -1;
        if (is_over && !has_slept) return nativeipc_channel_fail(until == 0 ? EAGAIN : ETIMEDOUT);
        /* The mark also when the time is over: it may have been woken for a turn that another one got. */
        if (seen != marked && !__atomic_compare_exchange_n(&turn->note->turn, &seen, marked, 0, __ATOMIC_SEQ_CST,
                __ATOMIC_SEQ_CST))
            continue;
        if (is_over) return nativeipc_channel_fail(ETIMEDOUT);
        NATIVEIPC_CHANNELS_STEP("turn_marked");
        errno = 0;
        if (nativeipc_channel_sleep(&turn->note->turn, marked, 50000000LL, until) != 0) return -1;
        if (errno != EAGAIN) has_slept = 1;
    }
    return 0;
}

/* Whether the word still says so: it is looked at before anything is shown. */
static inline int nativeipc_ring_check_turn(nativeipc_ring_turn *turn) {
    if ((__atomic_load_n(&turn->note->turn, __ATOMIC_ACQUIRE) & ~NATIVEIPC_CHANNEL_WAITERS) == turn->me) return 0;
    turn->is_mine = 0;
    return nativeipc_channel_fail(EBADMSG);
}

static inline int nativeipc_ring_pass_turn(nativeipc_ring_turn *turn) {
    uint32_t seen = turn->me;
    if (__atomic_compare_exchange_n(&turn->note->turn, &seen, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        turn->is_mine = 0;
        return 0;
    }
    if (nativeipc_ring_check_turn(turn) != 0) return -1;
    turn->is_mine = 0;
    if (++turn->in_a_row < 16) {
        __atomic_store_n(&turn->note->turn, 0, __ATOMIC_SEQ_CST);
        NATIVEIPC_CHANNELS_STEP("turn_passed");
        nativeipc_channel_wake(&turn->note->turn, 1);
        return 0;
    }
    /* Free, but for who has slept: otherwise this one could be faster than any sleeper for ever. */
    turn->in_a_row = 0;
    __atomic_store_n(&turn->note->turn, NATIVEIPC_CHANNEL_WAITERS, __ATOMIC_SEQ_CST);
    NATIVEIPC_CHANNELS_STEP("turn_kept");
    if (syscall(SYS_futex, &turn->note->turn, 1, 1, NULL, NULL, 0) > 0) return 0;
    seen = NATIVEIPC_CHANNEL_WAITERS;
    if (__atomic_compare_exchange_n(&turn->note->turn, &seen, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        nativeipc_channel_wake(&turn->note->turn, 1);
    return 0;
}

static inline void nativeipc_ring_leave(nativeipc_ring_turn *turn) {
    if (turn->is_mine) (void)nativeipc_ring_pass_turn(turn);
    turn->is_mine = 0;
    nativeipc_ring_give_up(turn, turn->me - 1);
}

/* ---- rings ---- */

/* Makes a ring that must not exist yet. The capacity, in bytes, is rounded up to a power of two, 4,096 at least. */
static inline int nativeipc_ring_create(nativeipc_channel *ring, const char *name, uint64_t capacity, int mode) {
    if (capacity == 0 || capacity > UINT64_C(1) << 40) return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(ring, name, NATIVEIPC_CHANNEL_RING, nativeipc_channel_power(capacity, 4096), 0,
        mode, 0);
}

/* Opens a ring, or makes it; a larger one that exists is fine. */
static inline int nativeipc_ring_create_or_open(nativeipc_channel *ring, const char *name, uint64_t capacity,
    int mode) {
    if (capacity == 0 || capacity > UINT64_C(1) << 40) return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(ring, name, NATIVEIPC_CHANNEL_RING, nativeipc_channel_power(capacity, 4096), 0,
        mode, 1);
}

/* The same with a ring of many to many. */
static inline int nativeipc_ring_create_many(nativeipc_channel *ring, const char *name, uint64_t capacity, int mode) {
    if (capacity == 0 || capacity > UINT64_C(1) << 40) return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(ring, name, NATIVEIPC_CHANNEL_MANY, nativeipc_channel_power(capacity, 4096), 0,
        mode, 0);
}

static inline int nativeipc_ring_create_or_open_many(nativeipc_channel *ring, const char *name, uint64_t capacity,
    int mode) {
    if (capacity == 0 || capacity > UINT64_C(1) << 40) return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(ring, name, NATIVEIPC_CHANNEL_MANY, nativeipc_channel_power(capacity, 4096), 0,
        mode, 1);
}

/* Opens a ring of either form. */
static inline int nativeipc_ring_open(nativeipc_channel *ring, const char *name) {
    return nativeipc_channel_open(ring, name, 0, 0);
}

/* The longest message, in bytes. */
static inline size_t nativeipc_ring_longest(const nativeipc_channel *ring) {
    uint64_t longest = ring->capacity / 2 - NATIVEIPC_CHANNEL_RECORD;
    return (size_t)(longest < INT_MAX - 15 ? longest : INT_MAX - 15);
}

/* Whether a new writer or reader of a ring can find these. No ring comes to 2^63: below it, no sum goes round. */
static inline int nativeipc_ring_is_sound(const nativeipc_channel *ring, uint64_t head, uint64_t tail) {
    return head % 8 == 0 && tail % 8 == 0 && tail - head <= ring->capacity && (head | tail) >> 63 == 0;
}

__attribute__((noinline, unused)) static void nativeipc_ring_ring_readers(nativeipc_ring_writer *writer) {
    struct nativeipc_channel_header *header = writer->channel->header;
    if (writer->turn.me == 0) {
        nativeipc_channel_ring(&header->reader_bell);
        return;
    }
    nativeipc_channel_ringing_all(header);
    nativeipc_channel_rung_all(header);
}

/* Sees what the writer before has left, at the beginning of a turn. */
static inline int nativeipc_ring_begin_write(nativeipc_ring_writer *writer) {
    nativeipc_channel *ring = writer->channel;
    uint64_t tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
    if (!writer->has_begun || tail % 8 != 0 || tail - writer->head > ring->capacity) {
        uint64_t head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
        if (!nativeipc_ring_is_sound(ring, head, tail)) {
            if (nativeipc_ring_pass_turn(&writer->turn) != 0) return -1;
            return nativeipc_channel_fail(EBADMSG);
        }
        writer->head = head;
        writer->has_begun = 1;
    }
    writer->tail = writer->shown = tail;
    writer->has_appended = 0;
    if (writer->turn.was_killed) {
        writer->took_over = 1;
        nativeipc_ring_ring_readers(writer); /* the killed one may not have come to that */
    }
    return 0;
}

static inline int nativeipc_ring_turn_to_write(nativeipc_ring_writer *writer, long long until) {
    if (writer->is_completed) return nativeipc_channel_fail(EINVAL);
    return nativeipc_ring_take_turn(&writer->turn, until) != 0 ? -1 : nativeipc_ring_begin_write(writer);
}

/* Takes the turn of a killed one that had this slot; 1, 0 when there was none. */
static inline int nativeipc_ring_inherit(nativeipc_ring_turn *turn) {
    uint32_t seen = __atomic_load_n(&turn->note->turn, __ATOMIC_ACQUIRE);
    if ((seen & ~NATIVEIPC_CHANNEL_WAITERS) != turn->me) return 0;
    nativeipc_ring_has_turn(turn, 1);
    return 1;
}

/* Becomes the writer; EBUSY when another one has been it for so long. Many to many: becomes one of them. */
static inline int nativeipc_ring_open_writer(nativeipc_channel *ring, nativeipc_ring_writer *writer,
    int milliseconds) {
    memset(writer, 0, sizeof *writer);
    writer->channel = ring;
    if (ring->kind == NATIVEIPC_CHANNEL_MANY) {
        uint32_t seen = __atomic_load_n(&ring->header->ended, __ATOMIC_ACQUIRE);
        if (nativeipc_ring_join(ring, &writer->turn, 1, milliseconds) != 0) return -1;
        while (!__atomic_compare_exchange_n(&ring->header->ended, &seen, (seen & ~UINT32_C(1)) + 2, 0,
            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
        if (!nativeipc_ring_inherit(&writer->turn)) return 0;
        if (nativeipc_ring_begin_write(writer) == 0 && nativeipc_ring_pass_turn(&writer->turn) == 0) return 0;
        nativeipc_ring_leave(&writer->turn);
        return nativeipc_channel_fail(EBADMSG);
    }
    writer->turn.is_mine = 1;
    if (nativeipc_channel_take_role(ring, 1, milliseconds, &writer->took_over) != 0) return -1;
    writer->tail = writer->shown = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
    writer->head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
    if (!nativeipc_ring_is_sound(ring, writer->head, writer->tail)) {
        nativeipc_channel_give_up_role(ring, 1);
        return nativeipc_channel_fail(EBADMSG);
    }
    __atomic_store_n(&ring->header->ended, 0, __ATOMIC_RELEASE);
    nativeipc_ring_ring_readers(writer); /* the one before may have been killed before it rang */
    return 0;
}

/* Gives the role up. What was appended and not flushed is gone. */
static inline void nativeipc_ring_close_writer(nativeipc_ring_writer *writer) {
    if (writer->turn.me == 0) nativeipc_channel_give_up_role(writer->channel, 1);
    else if (!writer->is_completed) nativeipc_ring_leave(&writer->turn);
}

/* Whether a reader that keeps to the layout can have written it. */
static inline int nativeipc_ring_is_head(const nativeipc_ring_writer *writer, uint64_t head) {
    return head % 8 == 0 && head - writer->head <= writer->shown - writer->head;
}

/* Writes the 8 bytes of a record. */
static inline void nativeipc_ring_put(uint8_t *record, uint32_t length, uint32_t kind) {
    uint32_t parts[2];
    uint64_t word;
    parts[0] = length;
    parts[1] = kind;
    memcpy(&word, parts, sizeof word);
    __atomic_store_n((uint64_t *)(void *)record, word, __ATOMIC_RELAXED);
}

/* A place for a message of so many bytes; NULL with EAGAIN when there is no room now. */
static inline void *nativeipc_ring_room(nativeipc_ring_writer *writer, size_t length) {
    nativeipc_channel *ring = writer->channel;
    uint64_t capacity = ring->capacity, place = writer->tail & (capacity - 1), rest = capacity - place;
    uint64_t size = ((uint64_t)length + 15) & ~UINT64_C(7), wanted;
    wanted = size <= rest ? size : rest + size;
    if (writer->tail + wanted - writer->head > capacity) {
        uint64_t head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
        if (!nativeipc_ring_is_head(writer, head)) return errno = EBADMSG, (void *)NULL;
        writer->head = head;
        writer->wanted = wanted;
        if (writer->tail + wanted - head > capacity) return errno = EAGAIN, (void *)NULL;
    }
    if (size > rest) {
        nativeipc_ring_put(ring->data + place, (uint32_t)(rest - NATIVEIPC_CHANNEL_RECORD), 2);
        writer->tail += rest;
        place = 0;
    }
    nativeipc_ring_put(ring->data + place, (uint32_t)length, 1); /* before what comes behind it: see at_once */
    NATIVEIPC_CHANNELS_STEP("reserved");
    writer->reserved = length;
    writer->is_reserved = 1;
    return ring->data + place + NATIVEIPC_CHANNEL_RECORD;
}

/* Passes the turn; what was not shown in it is gone. */
static inline int nativeipc_ring_end_write(nativeipc_ring_writer *writer) {
    writer->tail = writer->shown;
    writer->has_appended = writer->is_reserved = 0;
    return nativeipc_ring_pass_turn(&writer->turn);
}

/* Gives a place for a message of so many bytes, to be filled; NULL with EAGAIN when there is no room now. Many to many:
 * also while another one has the turn; the writer has it then until flush or abandon. */
static inline void *nativeipc_ring_reserve(nativeipc_ring_writer *writer, size_t length) {
    void *place;
    if (length > nativeipc_ring_longest(writer->channel)) return errno = EMSGSIZE, (void *)NULL;
    if (!writer->turn.is_mine && nativeipc_ring_turn_to_write(writer, 0) != 0) return NULL;
    place = nativeipc_ring_room(writer, length);
    if (place == NULL && writer->turn.me != 0 && !writer->has_appended) {
        int number = errno;
        if (nativeipc_ring_end_write(writer) == 0) errno = number;
    }
    return place;
}

/* Whether a message is copied by words, and how: a record begins at a multiple of 8, so that wider stores go over the
 * ends of cache lines, which the reader has. */
static inline int nativeipc_ring_is_small(size_t length) { return length <= 128 && length % 8 == 0; }
static inline void nativeipc_ring_fill_words(void *place, const void *message, size_t length) {
    for (const uint8_t *from = (const uint8_t *)message, *end = from + length; from != end; from += 8) {
        uint64_t word;
        memcpy(&word, from, sizeof word);
        __atomic_store_n((uint64_t *)place, word, __ATOMIC_RELAXED); /* not made wider */
        place = (uint8_t *)place + sizeof word;
    }
}

/* Fills a place that was reserved with a copy. */
static inline void nativeipc_ring_fill(nativeipc_ring_writer *writer, void *place, const void *message,
    size_t length) {
    if (nativeipc_ring_is_small(length)) nativeipc_ring_fill_words(place, message, length);
    else nativeipc_channel_copy(&writer->copies, place, message, length);
}

/* Writes a record of a small message where that needs no more than what is known: one to one, and room in one piece.
 * Gives the tail behind it; 0 when it has to be done step by step. Stores wait in order for the lines that the reader
 * has, so each one counts that goes to another line in between, onto the stack, too: a writer that keeps its own state
 * at every step, and saves registers for calls, takes twice the time. */
__attribute__((always_inline)) static inline uint64_t nativeipc_ring_at_once(nativeipc_ring_writer *writer,
    const void *message, size_t length) {
    nativeipc_channel *ring = writer->channel;
    uint64_t tail = writer->tail, capacity = ring->capacity, place = tail & (capacity - 1);
    uint64_t size = (uint64_t)length + NATIVEIPC_CHANNEL_RECORD;
    uint8_t *record = ring->data + place;
    if (!nativeipc_ring_is_small(length) || writer->turn.me != 0 || writer->is_reserved || size > capacity - place ||
        tail + size - writer->head > capacity)
        return 0;
    nativeipc_ring_put(record, (uint32_t)length, 1);
    NATIVEIPC_CHANNELS_STEP("reserved");
    nativeipc_ring_fill_words(record + NATIVEIPC_CHANNEL_RECORD, message, length);
    NATIVEIPC_CHANNELS_STEP("filled");
    return tail + size;
}

/* Gives a place that was reserved up. */
static inline int nativeipc_ring_abandon(nativeipc_ring_writer *writer) {
    writer->is_reserved = 0;
    return writer->turn.me == 0 || !writer->turn.is_mine || writer->has_appended ? 0
        : nativeipc_ring_end_write(writer);
}

/* Makes the first bytes of what was reserved a message, part of a batch that nativeipc_ring_flush shows. */
static inline int nativeipc_ring_append(nativeipc_ring_writer *writer, size_t length) {
    uint8_t *record = writer->channel->data + (writer->tail & (writer->channel->capacity - 1));
    if (!writer->is_reserved || length > writer->reserved) return nativeipc_channel_fail(EINVAL);
    NATIVEIPC_CHANNELS_STEP("filled");
    writer->is_reserved = 0;
    if (length != writer->reserved) nativeipc_ring_put(record, (uint32_t)length, 1);
    writer->tail += ((uint64_t)length + 15) & ~UINT64_C(7);
    writer->has_appended = 1;
    return 0;
}

__attribute__((noinline, unused)) static int nativeipc_ring_append_by_steps(nativeipc_ring_writer *writer,
    const void *message, size_t length) {
    void *place = nativeipc_ring_reserve(writer, length);
    if (place == NULL) return -1;
    nativeipc_ring_fill(writer, place, message, length);
    return nativeipc_ring_append(writer, length);
}

/* Makes a copy of a message part of a batch that nativeipc_ring_flush shows; EAGAIN when there is no room now. */
static inline int nativeipc_ring_append_message(nativeipc_ring_writer *writer, const void *message, size_t length) {
    uint64_t next = nativeipc_ring_at_once(writer, message, length);
    if (next == 0) return nativeipc_ring_append_by_steps(writer, message, length);
    writer->tail = next;
    return 0;
}

static inline int nativeipc_ring_show(nativeipc_ring_writer *writer) {
    nativeipc_channel *ring = writer->channel;
    uint32_t *bell = &ring->header->reader_bell;
    int is_asleep, is_many = writer->turn.me != 0;
    if (writer->shown == writer->tail) return 0;
    if (is_many && nativeipc_ring_check_turn(&writer->turn) != 0) return -1;
    writer->shown = writer->tail;
    writer->has_appended = 0;
    is_asleep = __atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0;
    if (is_asleep) { /* killed from here on, it wakes a reader all the same */
        if (is_many) nativeipc_channel_ringing_all(ring->header);
        else nativeipc_channel_ringing(bell);
    }
    __atomic_store_n(&ring->header->tail, writer->tail, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("shown");
    nativeipc_channel_order(ring);
    if (__atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0) nativeipc_ring_ring_readers(writer);
    else if (is_asleep && is_many) nativeipc_channel_rung_all(ring->header);
    else if (is_asleep) nativeipc_channel_rung(bell);
    return 0;
}

/* Shows what was appended to the reader, in one step. Many to many: passes the turn; EBADMSG when a peer has written
 * over it. */
static inline int nativeipc_ring_flush(nativeipc_ring_writer *writer) {
    if (nativeipc_ring_show(writer) != 0) return -1;
    return writer->turn.me == 0 || !writer->turn.is_mine || writer->is_reserved ? 0
        : nativeipc_ring_pass_turn(&writer->turn);
}

static inline int nativeipc_ring_writer_news(void *user) {
    nativeipc_ring_writer *writer = (nativeipc_ring_writer *)user;
    uint64_t head = __atomic_load_n(&writer->channel->header->head, __ATOMIC_ACQUIRE);
    return head != writer->head && (writer->tail + writer->wanted - head <= writer->channel->capacity ||
                                       !nativeipc_ring_is_head(writer, head));
}

/* In a ring of many to many: waits for the turn, and in it for room. Otherwise short messages of others would fill what
 * comes, and a long one would wait for ever. */
static inline int nativeipc_ring_write_in_turn(nativeipc_ring_writer *writer, const void *message, size_t length,
    long long until) {
    void *place;
    if (!writer->turn.is_mine && nativeipc_ring_turn_to_write(writer, until) != 0) return -1;
    while ((place = nativeipc_ring_room(writer, length)) == NULL) {
        int number;
        if (errno == EAGAIN && nativeipc_ring_show(writer) == 0 &&
            nativeipc_channel_wait(writer->channel, &writer->channel->header->writer_bell, 0, &writer->habit,
                nativeipc_ring_writer_news, writer, until) == 0)
            continue;
        number = errno;
        if (writer->turn.is_mine) (void)nativeipc_ring_end_write(writer);
        return nativeipc_channel_fail(number);
    }
    nativeipc_ring_fill(writer, place, message, length);
    (void)nativeipc_ring_append(writer, length);
    return nativeipc_ring_flush(writer);
}

__attribute__((noinline, unused)) static int nativeipc_ring_write_by_steps(nativeipc_ring_writer *writer,
    const void *message, size_t length, int milliseconds) {
    long long until = 0; /* the clock is read when it has to wait */
    void *place;
    while ((place = nativeipc_ring_reserve(writer, length)) == NULL) {
        if (errno != EAGAIN || milliseconds == 0) return -1;
        if (until == 0) until = nativeipc_channel_until(milliseconds);
        if (writer->turn.me != 0) return nativeipc_ring_write_in_turn(writer, message, length, until);
        (void)nativeipc_ring_flush(writer);
        /* A full ring has enough to be read. A writer that looks for room for one message again and again takes the
         * line of the head from the reader after each one. */
        for (int i = writer->channel->can_spin ? 0 : NATIVEIPC_CHANNEL_GATHERS; i < NATIVEIPC_CHANNEL_GATHERS; i++)
            nativeipc_channel_pause();
        if (nativeipc_channel_wait(writer->channel, &writer->channel->header->writer_bell, 0, &writer->habit,
                nativeipc_ring_writer_news, writer, until) != 0)
            return -1;
    }
    nativeipc_ring_fill(writer, place, message, length);
    (void)nativeipc_ring_append(writer, length);
    return nativeipc_ring_flush(writer);
}

/* Writes a message, waiting for room. */
static inline int nativeipc_ring_write(nativeipc_ring_writer *writer, const void *message, size_t length,
    int milliseconds) {
    struct nativeipc_channel_header *header = writer->channel->header;
    uint64_t next = __atomic_load_n(&header->reader_bell, __ATOMIC_ACQUIRE) == 0
        ? nativeipc_ring_at_once(writer, message, length) : 0;
    if (next == 0) return nativeipc_ring_write_by_steps(writer, message, length, milliseconds);
    __atomic_store_n(&header->tail, next, __ATOMIC_RELEASE);
    writer->tail = writer->shown = next;
    NATIVEIPC_CHANNELS_STEP("shown");
    nativeipc_channel_order(writer->channel);
    if (__atomic_load_n(&header->reader_bell, __ATOMIC_ACQUIRE) != 0) nativeipc_ring_ring_readers(writer);
    return 0;
}

/* Says that nothing more comes. The next writer takes that back. Many to many: this one writes no more; that nothing
 * more comes is so when the last writer that is open says it. */
static inline int nativeipc_ring_complete(nativeipc_ring_writer *writer) {
    uint32_t *ended = &writer->channel->header->ended, seen;
    int is_ringing = 0;
    if (writer->turn.me == 0) {
        (void)nativeipc_ring_flush(writer);
        nativeipc_channel_ringing(&writer->channel->header->reader_bell);
        __atomic_store_n(ended, 1, __ATOMIC_RELEASE);
        NATIVEIPC_CHANNELS_STEP("ended");
        nativeipc_ring_ring_readers(writer);
        return 0;
    }
    if (writer->is_completed) return 0;
    if (nativeipc_ring_abandon(writer) != 0 || nativeipc_ring_flush(writer) != 0) return -1;
    writer->is_completed = 1;
    seen = __atomic_load_n(ended, __ATOMIC_SEQ_CST); /* before the look at the slots: who comes after it changes it */
    nativeipc_ring_leave(&writer->turn);
    NATIVEIPC_CHANNELS_STEP("left");
    while ((seen & 1) == 0) {
        int left = nativeipc_ring_is_any_left(&writer->turn), had;
        if (left != 0) {
            if (is_ringing) nativeipc_channel_rung_all(writer->channel->header);
            return left < 0 ? -1 : 0;
        }
        nativeipc_channel_ringing_all(writer->channel->header); /* killed from here on, it wakes them all the same */
        is_ringing = 1;
        had = __atomic_compare_exchange_n(ended, &seen, seen | 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        NATIVEIPC_CHANNELS_STEP("ended");
        if (had) break;
    }
    nativeipc_ring_ring_readers(writer);
    return 0;
}

/* Sees what the reader before has left, at the beginning of a turn. */
static inline int nativeipc_ring_begin_read(nativeipc_ring_reader *reader) {
    nativeipc_channel *ring = reader->channel;
    uint64_t head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
    if (!reader->has_begun || head % 8 != 0 || reader->tail - head > ring->capacity) {
        uint64_t tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
        if (!nativeipc_ring_is_sound(ring, head, tail)) {
            if (nativeipc_ring_pass_turn(&reader->turn) != 0) return -1;
            return nativeipc_channel_fail(EBADMSG);
        }
        reader->tail = tail;
        reader->has_begun = 1;
    }
    reader->cursor = reader->head = head;
    reader->is_in_hand = 0;
    if (reader->turn.was_killed) {
        reader->took_over = 1;
        nativeipc_channel_ring(&ring->header->writer_bell); /* the killed one may not have come to that */
    }
    return 0;
}

static inline int nativeipc_ring_turn_to_read(nativeipc_ring_reader *reader, long long until) {
    return nativeipc_ring_take_turn(&reader->turn, until) != 0 ? -1 : nativeipc_ring_begin_read(reader);
}

/* Becomes the reader; EBUSY when another one has been it for so long. Many to many: becomes one of them. */
static inline int nativeipc_ring_open_reader(nativeipc_channel *ring, nativeipc_ring_reader *reader,
    int milliseconds) {
    memset(reader, 0, sizeof *reader);
    reader->channel = ring;
    if (ring->kind == NATIVEIPC_CHANNEL_MANY) {
        if (nativeipc_ring_join(ring, &reader->turn, 2, milliseconds) != 0) return -1;
        if (!nativeipc_ring_inherit(&reader->turn)) return 0;
        if (nativeipc_ring_begin_read(reader) == 0 && nativeipc_ring_pass_turn(&reader->turn) == 0) return 0;
        nativeipc_ring_leave(&reader->turn);
        return nativeipc_channel_fail(EBADMSG);
    }
    reader->turn.is_mine = 1;
    if (nativeipc_channel_take_role(ring, 2, milliseconds, &reader->took_over) != 0) return -1;
    reader->cursor = reader->head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
    reader->tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
    if (!nativeipc_ring_is_sound(ring, reader->head, reader->tail)) {
        nativeipc_channel_give_up_role(ring, 2);
        return nativeipc_channel_fail(EBADMSG);
    }
    nativeipc_channel_ring(&ring->header->writer_bell); /* the one before may have been killed before it rang */
    return 0;
}

/* Gives the role up. What was given and not released is given to the next reader. */
static inline void nativeipc_ring_close_reader(nativeipc_ring_reader *reader) {
    if (reader->turn.me == 0) nativeipc_channel_give_up_role(reader->channel, 2);
    else nativeipc_ring_leave(&reader->turn);
}

static inline int nativeipc_ring_has_ended(nativeipc_ring_reader *reader) {
    uint32_t ended = __atomic_load_n(&reader->channel->header->ended, __ATOMIC_ACQUIRE);
    return (reader->turn.me == 0 ? ended : ended & 1) != 0;
}

/* Finds the next message and passes padding over. */
static inline int nativeipc_ring_find(nativeipc_ring_reader *reader, const void **message, size_t *length) {
    nativeipc_channel *ring = reader->channel;
    int has_looked = 0;
    for (;;) {
        uint64_t place = reader->cursor & (ring->capacity - 1), word, size, rest = ring->capacity - place;
        uint32_t parts[2];
        if (reader->cursor == reader->tail) {
            int ended = nativeipc_ring_has_ended(reader);
            uint64_t tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
            if (tail == reader->cursor) return nativeipc_channel_fail(ended ? ENODATA : EAGAIN);
            if (tail % 8 != 0 || tail - reader->head > ring->capacity ||
                tail - reader->head < reader->tail - reader->head)
                return nativeipc_channel_fail(EBADMSG);
            reader->tail = tail;
            has_looked = 1;
        }
        word = __atomic_load_n((uint64_t *)(void *)(ring->data + place), __ATOMIC_RELAXED); /* once, then checked */
        memcpy(parts, &word, sizeof parts);
        size = ((uint64_t)parts[0] + 15) & ~UINT64_C(7);
        if (size > reader->tail - reader->cursor || size > rest ||
            (parts[1] == 1 ? parts[0] > nativeipc_ring_longest(ring)
                           : parts[1] != 2 || size != rest || parts[0] != rest - NATIVEIPC_CHANNEL_RECORD))
            return nativeipc_channel_fail(EBADMSG);
        reader->cursor += size;
        if (parts[1] == 2) continue;
        *message = ring->data + place + NATIVEIPC_CHANNEL_RECORD;
        *length = parts[0];
        if (has_looked) /* whether the look has brought several */
            reader->gathers = reader->cursor == reader->tail ? reader->gathers / 2
                : reader->gathers < NATIVEIPC_CHANNEL_GATHERS / 2 ? reader->gathers * 2 + 1 : NATIVEIPC_CHANNEL_GATHERS;
        NATIVEIPC_CHANNELS_STEP("taken");
        return 0;
    }
}

/* Before a look of one that may wait. A reader that is as fast as the writer would look at the tail, and at the record
 * behind it, after each message, and take their lines from the writer each time. While looks bring several messages, it
 * lets some gather; one that comes alone is had at once. Now and then it tries whether several would come. */
static inline void nativeipc_ring_gather(nativeipc_ring_reader *reader) {
    if (reader->cursor != reader->tail || reader->turn.me != 0 || !reader->channel->can_spin) return;
    if (reader->gathers == 0 && ++reader->looks % 64 == 0) reader->gathers = 7;
    for (int i = 0; i < reader->gathers; i++) nativeipc_channel_pause();
}

/* Gives the room of all messages that were given back to the writer. Many to many: passes the turn; EBADMSG when a peer
 * has written over it. */
static inline int nativeipc_ring_release(nativeipc_ring_reader *reader) {
    nativeipc_channel *ring = reader->channel;
    uint32_t *bell = &ring->header->writer_bell;
    int is_asleep;
    if (reader->turn.me != 0) {
        if (!reader->turn.is_mine) return 0;
        if (nativeipc_ring_check_turn(&reader->turn) != 0) return -1;
    }
    is_asleep = __atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0;
    NATIVEIPC_CHANNELS_STEP("used");
    reader->head = reader->cursor;
    if (is_asleep) nativeipc_channel_ringing(bell);
    __atomic_store_n(&ring->header->head, reader->cursor, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("released");
    nativeipc_channel_order(ring);
    if (__atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0) nativeipc_channel_ring(bell);
    else if (is_asleep) nativeipc_channel_rung(bell);
    if (reader->turn.me == 0) return 0;
    reader->is_in_hand = 0;
    return nativeipc_ring_pass_turn(&reader->turn);
}

/* Whether there is something that no reader has released, as it looks without the turn. */
static inline int nativeipc_ring_is_any_shown(nativeipc_ring_reader *reader) {
    return __atomic_load_n(&reader->channel->header->head, __ATOMIC_ACQUIRE) !=
        __atomic_load_n(&reader->channel->header->tail, __ATOMIC_ACQUIRE);
}

/* Gives the next message, in place until nativeipc_ring_release; EAGAIN when there is none now, ENODATA when none
 * comes. Many to many: EAGAIN also while another one has the turn; the reader has it then until the release. Who wants
 * each message at most once copies it, and releases before the use. */
static inline int nativeipc_ring_try_read(nativeipc_ring_reader *reader, const void **message, size_t *length) {
    int number;
    if (reader->turn.me == 0) return nativeipc_ring_find(reader, message, length);
    if (!reader->turn.is_mine) {
        int ended = nativeipc_ring_has_ended(reader);
        if (!nativeipc_ring_is_any_shown(reader)) return nativeipc_channel_fail(ended ? ENODATA : EAGAIN);
        if (nativeipc_ring_turn_to_read(reader, 0) != 0) return -1;
    }
    if (nativeipc_ring_find(reader, message, length) == 0) {
        reader->is_in_hand = 1;
        return 0;
    }
    number = errno;
    if (!reader->is_in_hand) {
        /* Padding is nobody's, and must not look as if there were something. */
        if (reader->cursor != reader->head) (void)nativeipc_ring_release(reader);
        else (void)nativeipc_ring_pass_turn(&reader->turn);
    }
    return nativeipc_channel_fail(number);
}

static inline int nativeipc_ring_reader_news(void *user) {
    nativeipc_ring_reader *reader = (nativeipc_ring_reader *)user;
    return (reader->turn.is_mine
                   ? __atomic_load_n(&reader->channel->header->tail, __ATOMIC_ACQUIRE) != reader->cursor
                   : nativeipc_ring_is_any_shown(reader)) ||
        nativeipc_ring_has_ended(reader);
}

/* The same, waiting for it. */
static inline int nativeipc_ring_read(nativeipc_ring_reader *reader, const void **message, size_t *length,
    int milliseconds) {
    long long until = 0; /* the clock is read when it has to wait */
    if (milliseconds != 0) nativeipc_ring_gather(reader);
    while (nativeipc_ring_try_read(reader, message, length) != 0) {
        if (errno != EAGAIN || milliseconds == 0) return -1;
        if (until == 0) until = nativeipc_channel_until(milliseconds);
        /* Many to many: without the turn, so that it may be stopped here, and the others go on. */
        if (nativeipc_channel_wait(reader->channel, &reader->channel->header->reader_bell, reader->turn.me != 0,
                &reader->habit, nativeipc_ring_reader_news, reader, until) != 0)
            return -1;
        if (!reader->turn.is_mine && nativeipc_ring_is_any_shown(reader) &&
            nativeipc_ring_turn_to_read(reader, until) != 0)
            return -1;
    }
    return 0;
}

/* ---- topics ---- */

/* Makes a topic that must not exist yet. longest: bytes of the longest message; history: how many messages back a
 * reader may be. */
static inline int nativeipc_topic_create(nativeipc_channel *topic, const char *name, uint32_t longest,
    uint32_t history, int mode) {
    if (longest == 0 || longest > (UINT32_C(1) << 31) - 128 || history == 0 || history >= 1 << 20)
        return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(topic, name, NATIVEIPC_CHANNEL_TOPIC,
        nativeipc_channel_power((uint64_t)history + 1, 2), 64 + ((uint64_t)longest + 63) / 64 * 64, mode, 0);
}

/* Opens a topic, or makes it; one with longer messages or more history is fine. */
static inline int nativeipc_topic_create_or_open(nativeipc_channel *topic, const char *name, uint32_t longest,
    uint32_t history, int mode) {
    if (longest == 0 || longest > (UINT32_C(1) << 31) - 128 || history == 0 || history >= 1 << 20)
        return nativeipc_channel_fail(EINVAL);
    return nativeipc_channel_create(topic, name, NATIVEIPC_CHANNEL_TOPIC,
        nativeipc_channel_power((uint64_t)history + 1, 2), 64 + ((uint64_t)longest + 63) / 64 * 64, mode, 1);
}

/* is_reader: map it for reading only; it is looked at then, instead of being woken. */
static inline int nativeipc_topic_open(nativeipc_channel *topic, const char *name, int is_reader) {
    return nativeipc_channel_open(topic, name, NATIVEIPC_CHANNEL_TOPIC, is_reader);
}

static inline size_t nativeipc_topic_longest(const nativeipc_channel *topic) {
    return (size_t)topic->slot_size - NATIVEIPC_CHANNEL_SLOT;
}

static inline int nativeipc_topic_open_writer(nativeipc_channel *topic, nativeipc_topic_writer *writer,
    int milliseconds) {
    memset(writer, 0, sizeof *writer);
    writer->channel = topic;
    if (nativeipc_channel_take_role(topic, 1, milliseconds, &writer->took_over) != 0) return -1;
    writer->latest = __atomic_load_n(&topic->header->tail, __ATOMIC_ACQUIRE);
    if (writer->latest >> 63 != 0) { /* no topic comes to that: a stamp is twice the number */
        nativeipc_channel_give_up_role(topic, 1);
        return nativeipc_channel_fail(EBADMSG);
    }
    __atomic_store_n(&topic->header->ended, 0, __ATOMIC_RELEASE);
    nativeipc_channel_ringing_all(topic->header);
    nativeipc_channel_rung_all(topic->header);
    return 0;
}

static inline void nativeipc_topic_close_writer(nativeipc_topic_writer *writer) {
    nativeipc_channel_give_up_role(writer->channel, 1);
}

static inline uint8_t *nativeipc_topic_slot(const nativeipc_channel *topic, uint64_t number) {
    return topic->data + (number & (topic->capacity - 1)) * topic->slot_size;
}

/* Gives the place of the next message, to be filled; NULL with EMSGSIZE for one that is too long. */
static inline void *nativeipc_topic_reserve(nativeipc_topic_writer *writer, size_t length) {
    uint8_t *slot = nativeipc_topic_slot(writer->channel, writer->latest + 1);
    if (length > nativeipc_topic_longest(writer->channel)) return errno = EMSGSIZE, (void *)NULL;
    __atomic_store_n((uint64_t *)(void *)slot, 2 * (writer->latest + 1) - 1, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("stamped");
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the stamp, then the bytes */
    writer->reserved = length;
    writer->is_reserved = 1;
    return slot + NATIVEIPC_CHANNEL_SLOT;
}

/* Shows the first bytes of what was reserved to the readers. */
static inline int nativeipc_topic_commit(nativeipc_topic_writer *writer, size_t length) {
    nativeipc_channel *topic = writer->channel;
    uint32_t *bell = &topic->header->reader_bell;
    uint8_t *slot = nativeipc_topic_slot(topic, writer->latest + 1);
    int is_asleep;
    if (!writer->is_reserved || length > writer->reserved) return nativeipc_channel_fail(EINVAL);
    writer->is_reserved = 0;
    *(uint32_t *)(void *)(slot + 8) = (uint32_t)length;
    writer->latest++;
    __atomic_store_n((uint64_t *)(void *)slot, 2 * writer->latest, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("whole");
    is_asleep = __atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0;
    if (is_asleep) nativeipc_channel_ringing_all(topic->header);
    __atomic_store_n(&topic->header->tail, writer->latest, __ATOMIC_RELEASE);
    NATIVEIPC_CHANNELS_STEP("shown");
    nativeipc_channel_order(topic);
    if (__atomic_load_n(bell, __ATOMIC_ACQUIRE) != 0) {
        is_asleep = 1;
        nativeipc_channel_ringing_all(topic->header);
    }
    if (is_asleep) nativeipc_channel_rung_all(topic->header);
    return 0;
}

static inline int nativeipc_topic_write(nativeipc_topic_writer *writer, const void *message, size_t length) {
    void *place = nativeipc_topic_reserve(writer, length);
    if (place == NULL) return -1;
    nativeipc_channel_copy(&writer->copies, place, message, length);
    return nativeipc_topic_commit(writer, length);
}

static inline void nativeipc_topic_complete(nativeipc_topic_writer *writer) {
    nativeipc_channel_ringing_all(writer->channel->header);
    __atomic_store_n(&writer->channel->header->ended, 1, __ATOMIC_RELEASE);
    nativeipc_channel_ringing_all(writer->channel->header);
    nativeipc_channel_rung_all(writer->channel->header);
}

/* A reader, of as many as there are, behind the message that is the latest now. Nothing to close. */
static inline void nativeipc_topic_open_reader(nativeipc_channel *topic, nativeipc_topic_reader *reader) {
    memset(reader, 0, sizeof *reader);
    reader->channel = topic;
    reader->given = __atomic_load_n(&topic->header->tail, __ATOMIC_ACQUIRE);
}

static inline uint64_t nativeipc_topic_oldest(const nativeipc_channel *topic, uint64_t latest) {
    return latest < topic->capacity ? 1 : latest + 2 - topic->capacity;
}

/* Goes back to the oldest message that is there. */
static inline void nativeipc_topic_rewind(nativeipc_topic_reader *reader) {
    reader->given = nativeipc_topic_oldest(reader->channel,
                        __atomic_load_n(&reader->channel->header->tail, __ATOMIC_ACQUIRE)) - 1;
}

static inline int nativeipc_topic_is_whole(const uint8_t *slot, uint64_t number) {
    return __atomic_load_n((const uint64_t *)(const void *)slot, __ATOMIC_ACQUIRE) == 2 * number;
}

/* The length of a message that stands there whole: 1; 0 when it was overwritten. */
static inline int nativeipc_topic_look(nativeipc_topic_reader *reader, uint64_t number, size_t *length) {
    nativeipc_channel *topic = reader->channel;
    uint8_t *slot = nativeipc_topic_slot(topic, number);
    uint32_t there;
    if (!nativeipc_topic_is_whole(slot, number)) {
        uint64_t latest = __atomic_load_n(&topic->header->tail, __ATOMIC_ACQUIRE);
        return number >= nativeipc_topic_oldest(topic, latest) ? nativeipc_channel_fail(EBADMSG) : 0;
    }
    there = __atomic_load_n((uint32_t *)(void *)(slot + 8), __ATOMIC_ACQUIRE);
    if (there > nativeipc_topic_longest(topic)) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return nativeipc_topic_is_whole(slot, number) ? nativeipc_channel_fail(EBADMSG) : 0;
    }
    *length = there;
    return 1;
}

/* Finds the next message, and counts those that were missed. */
static inline int nativeipc_topic_find(nativeipc_topic_reader *reader, uint64_t *number) {
    nativeipc_channel *topic = reader->channel;
    uint32_t ended = __atomic_load_n(&topic->header->ended, __ATOMIC_ACQUIRE);
    uint64_t latest = __atomic_load_n(&topic->header->tail, __ATOMIC_ACQUIRE), oldest;
    *number = reader->given + 1;
    if (latest == reader->given) return nativeipc_channel_fail(ended != 0 ? ENODATA : EAGAIN);
    if (latest < reader->given) return nativeipc_channel_fail(EBADMSG);
    oldest = nativeipc_topic_oldest(topic, latest);
    if (*number < oldest) {
        reader->missed += oldest - *number;
        reader->given = oldest - 1;
        *number = oldest;
    }
    return 0;
}

/* A whole copy of a message; 0 when it was overwritten meanwhile, 1 when it was had. */
static inline int nativeipc_topic_copy(nativeipc_topic_reader *reader, uint64_t number, void *buffer, size_t size,
    size_t *length) {
    uint8_t *slot = nativeipc_topic_slot(reader->channel, number);
    int found = nativeipc_topic_look(reader, number, length);
    if (found != 1) return found;
    NATIVEIPC_CHANNELS_STEP("found");
    if (*length <= size) memcpy(buffer, slot + NATIVEIPC_CHANNEL_SLOT, *length);
    NATIVEIPC_CHANNELS_STEP("copied");
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!nativeipc_topic_is_whole(slot, number)) return 0;
    return *length <= size ? 1 : nativeipc_channel_fail(EMSGSIZE);
}

/* Gives a copy of the next message; EAGAIN when there is none now, ENODATA when none comes. */
static inline int nativeipc_topic_try_read(nativeipc_topic_reader *reader, void *buffer, size_t size, size_t *length) {
    for (;;) {
        uint64_t number;
        int had;
        if (nativeipc_topic_find(reader, &number) != 0) return -1;
        had = nativeipc_topic_copy(reader, number, buffer, size, length);
        if (had < 0) return -1;
        if (had == 0) continue;
        reader->given = number;
        return 0;
    }
}

/* Gives a copy of the latest message, if it was not given yet. Those before it are passed over on purpose: they do not
 * count as missed. */
static inline int nativeipc_topic_try_read_latest(nativeipc_topic_reader *reader, void *buffer, size_t size,
    size_t *length) {
    for (;;) {
        uint32_t ended = __atomic_load_n(&reader->channel->header->ended, __ATOMIC_ACQUIRE);
        uint64_t number = __atomic_load_n(&reader->channel->header->tail, __ATOMIC_ACQUIRE);
        int had;
        if (number == reader->given) return nativeipc_channel_fail(ended != 0 ? ENODATA : EAGAIN);
        if (number < reader->given) return nativeipc_channel_fail(EBADMSG);
        had = nativeipc_topic_copy(reader, number, buffer, size, length);
        if (had < 0) return -1;
        if (had == 0) continue;
        reader->given = number;
        return 0;
    }
}

/* Gives the next message in place, until nativeipc_topic_end_read. */
static inline int nativeipc_topic_begin_read(nativeipc_topic_reader *reader, const void **message, size_t *length) {
    for (;;) {
        uint64_t number;
        int had;
        if (nativeipc_topic_find(reader, &number) != 0) return -1;
        had = nativeipc_topic_look(reader, number, length);
        if (had < 0) return -1;
        if (had == 0) continue;
        reader->given = reader->in_place = number;
        *message = nativeipc_topic_slot(reader->channel, number) + NATIVEIPC_CHANNEL_SLOT;
        return 0;
    }
}

/* Ends a read in place: 1, or 0 when the message was overwritten meanwhile: what was made of it is to be thrown
 * away. */
static inline int nativeipc_topic_end_read(nativeipc_topic_reader *reader) {
    uint64_t number = reader->in_place;
    if (number == 0) return nativeipc_channel_fail(EINVAL);
    reader->in_place = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (nativeipc_topic_is_whole(nativeipc_topic_slot(reader->channel, number), number)) return 1;
    reader->missed++;
    return 0;
}

static inline int nativeipc_topic_news(void *user) {
    nativeipc_topic_reader *reader = (nativeipc_topic_reader *)user;
    return __atomic_load_n(&reader->channel->header->tail, __ATOMIC_ACQUIRE) != reader->given ||
        __atomic_load_n(&reader->channel->header->ended, __ATOMIC_ACQUIRE) != 0;
}

/* Waits until there is a message that was not given yet, or none comes. */
static inline int nativeipc_topic_wait(nativeipc_topic_reader *reader, int milliseconds) {
    return nativeipc_channel_wait(reader->channel, &reader->channel->header->reader_bell, 1, &reader->habit,
        nativeipc_topic_news, reader, nativeipc_channel_until(milliseconds));
}

#endif
