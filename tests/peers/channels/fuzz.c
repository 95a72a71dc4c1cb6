/* Garbage in the control words of rings of both forms and topics: every call of nativeipc_channels.h gives sound
 * messages or an error, ends, and touches nothing outside the segment. Built with -fsanitize=address,undefined; a page
 * that nobody may touch stands before and behind the segment.
 *   fuzz prove            reads the byte behind the segment, and is ended for it
 *   fuzz COUNT SEED       COUNT mutated headers, records and stamps for rings, and as many for rings of many and for
 *                         topics; a part of them is changed by another thread while they are read. Prints
 *                         "ring N damaged D read R", likewise "many", "topic" and "open".
 * Locks, futexes and /proc are left out of the many, so that they take minutes: what is tried is what is read. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_fast; /* no system calls */

static void *guarded_map(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    size_t page = 4096, whole = (size + page - 1) / page * page;
    uint8_t *area;
    (void)at;
    area = (uint8_t *)mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return area;
    return mmap(area + page, size, protection, flags | MAP_FIXED, file, offset);
}
static int guarded_unmap(void *at, size_t size) {
    size_t page = 4096, whole = (size + page - 1) / page * page;
    return munmap((uint8_t *)at - page, whole + 2 * page);
}
static long quick_syscall(long number, ...) {
    long rest[6] = {0};
    va_list list;
    va_start(list, number);
    for (int i = 0; i < (number == SYS_futex ? 6 : 3); i++) rest[i] = va_arg(list, long);
    va_end(list);
    return is_fast ? 0 : syscall(number, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]);
}
static int quick_lock(int file, int command, struct flock *range) {
    return is_fast ? 0 : fcntl(file, command, range);
}
#define mmap guarded_map
#define munmap guarded_unmap
#define syscall quick_syscall
#define fcntl quick_lock
#define fopen(path, mode) (is_fast ? NULL : fopen(path, mode))
#define stat(path, to) (is_fast ? -1 : stat(path, to))
#include "nativeipc_channels.h"
#undef mmap
#undef munmap

enum { SIZE = 8192, DATA = 4096, TOPIC = 0, RING = 1, MANY = 2 };
static uint8_t sound[SIZE], copy[DATA];
static nativeipc_channel channel;
static volatile uint64_t steps;
static uint64_t state;
static const char *now = "";
static volatile int races; /* another thread writes garbage */

static uint64_t next_random(void) { /* xorshift64* */
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}
static uint64_t below(uint64_t most) { return next_random() % most; }

static void fail(const char *what) {
    printf("FAILED %s: %s, at step %llu\n", now, what, (unsigned long long)steps);
    fflush(stdout);
    abort();
}

/* Every 10 s: has anything happened? */
static void on_alarm(int number) {
    static uint64_t before = (uint64_t)-1;
    (void)number;
    if (steps == before) fail("it hangs");
    before = steps;
    alarm(10);
}

static uint64_t *word_at(size_t at) { return (uint64_t *)(void *)((uint8_t *)channel.header + at); }

static void mutate(int form) {
    /* Of whose turn it is: free, kept, slots that somebody has, or nobody, or that there are not */
    static const uint32_t turns[] = {0, 1, 2, 3, 1024, 1025, UINT32_C(1) << 31, (UINT32_C(1) << 31) + 1, UINT32_MAX};
    int is_ring = form != TOPIC;
    static const uint16_t ring_words[] = {128, 136, 256, 384, 512, 640, 648, 664, 768, 776, 792};
    uint64_t tail = *word_at(128), head = *word_at(256);
    for (uint64_t left = 1 + below(3); left > 0; left--) {
        size_t at = below(3) == 0 ? 128 : below(2) == 0 ? ring_words[below(11)]
            : is_ring ? 4096 + 8 * below(512) : 4096 + 1024 * below(4) + 8 * below(2);
        uint64_t *word = word_at(at), old = __atomic_load_n(word, __ATOMIC_RELAXED), fresh;
        switch (below(7)) {
        case 0: fresh = old ^ (UINT64_C(1) << below(64)); break;
        case 1: fresh = tail + 8 * below(1200) - 4800; break;
        case 2: fresh = head + below(10000) - 5000; break;
        case 3: fresh = below(5000) | UINT64_C(1) << 32; break;
        case 4: fresh = below(5000) | UINT64_C(2) << 32; break;
        case 5: fresh = old + below(40) - 20; break;
        default: fresh = next_random(); break;
        }
        __atomic_store_n(word, fresh, __ATOMIC_RELAXED);
    }
    if (form == MANY && below(3) == 0)
        __atomic_store_n((uint32_t *)(void *)word_at(below(2) == 0 ? 640 : 768), turns[below(9)], __ATOMIC_RELAXED);
}

static void check_place(const void *place, size_t length) {
    const uint8_t *first = (const uint8_t *)place;
    if (length > DATA || first < channel.data || first + length > channel.data + DATA) fail("a place outside");
}

/* One ring: what a reader gives, and then a writer. */
static int try_ring(int form, int is_opened, int is_raced, uint64_t *read) {
    nativeipc_ring_reader reader;
    nativeipc_ring_writer writer;
    const void *message;
    size_t length;
    int given = 0, damaged = 0;
    if (is_opened) mutate(form);
    channel.role_taken = 0;
    memset(channel.slots, 0, sizeof channel.slots);
    if (nativeipc_ring_open_reader(&channel, &reader, 0) != 0) return 1;
    if (nativeipc_ring_open_writer(&channel, &writer, 0) != 0) return 1;
    reader.turn.habit.skip = writer.turn.habit.skip = 1000; /* nobody else passes a turn */
    if (!is_opened) mutate(form);
    while (nativeipc_ring_try_read(&reader, &message, &length) == 0) {
        check_place(message, length);
        memcpy(copy, message, length);
        if (!is_raced && ++given > DATA / 8) fail("more messages than there is room for");
        if (is_raced && ++given > 4 * DATA) break; /* the other one may let it go on */
        ++*read;
        if (below(2) == 0) nativeipc_ring_release(&reader);
    }
    damaged |= errno == EBADMSG;
    for (uint64_t left = below(6); left > 0; left--) {
        size_t wanted = below(2100);
        void *place = nativeipc_ring_reserve(&writer, wanted);
        if (place == NULL) {
            damaged |= errno == EBADMSG;
            continue;
        }
        check_place(place, wanted);
        memset(place, 1, wanted);
        if (nativeipc_ring_append(&writer, wanted - below(wanted + 1)) != 0) fail("append");
        if (below(2) == 0) nativeipc_ring_flush(&writer);
    }
    (void)nativeipc_ring_write(&writer, copy, below(300), 0);
    (void)nativeipc_ring_writer_news(&writer), (void)nativeipc_ring_reader_news(&reader);
    nativeipc_ring_release(&reader);
    return damaged;
}

static int try_topic(int is_opened, uint64_t *read) {
    nativeipc_topic_reader reader;
    nativeipc_topic_writer writer;
    const void *message;
    size_t length;
    int damaged = 0;
    channel.role_taken = 0;
    if (is_opened) mutate(TOPIC);
    nativeipc_topic_open_reader(&channel, &reader);
    if (below(2) == 0) nativeipc_topic_rewind(&reader);
    if (!is_opened) mutate(TOPIC);
    for (int i = 0; i < 6; i++) {
        int result;
        size_t room = below(2) == 0 ? DATA : below(DATA);
        switch (below(3)) {
        case 0: result = nativeipc_topic_try_read(&reader, copy, room, &length); break;
        case 1: result = nativeipc_topic_try_read_latest(&reader, copy, room, &length); break;
        default:
            result = nativeipc_topic_begin_read(&reader, &message, &length);
            if (result != 0) break;
            check_place(message, length);
            memcpy(copy, message, length);
            (void)nativeipc_topic_end_read(&reader);
        }
        if (result == 0) ++*read;
        else damaged |= errno == EBADMSG;
    }
    if (below(4) == 0) {
        int is_high = *word_at(128) >> 63 != 0, had = nativeipc_topic_open_writer(&channel, &writer, 0);
        if (!races && (had != (is_high ? -1 : 0) || (is_high && errno != EBADMSG))) fail("a number of no topic");
        for (int i = 0; i < 6 && had == 0; i++) {
            size_t wanted = below(1000);
            void *place = nativeipc_topic_reserve(&writer, wanted);
            if (place == NULL) continue;
            check_place(place, wanted);
            memset(place, 2, wanted);
            (void)nativeipc_topic_commit(&writer, wanted);
        }
    }
    (void)nativeipc_topic_news(&reader);
    return damaged;
}

/* Another one that writes garbage all the time, at places that come quickly one after the other. */
static void *scribble(void *unused) {
    uint64_t own = 88172645463325252u;
    while (__atomic_load_n(&races, __ATOMIC_RELAXED)) {
        own ^= own << 13, own ^= own >> 7, own ^= own << 17;
        size_t at = own % 4 == 0 ? 128 : own % 4 == 1 ? 256 : 4096 + (own >> 8) % 512 * 8;
        uint64_t fresh = own % 3 == 0 ? (own >> 20) % 5000 | UINT64_C(1) << 32 : own % 3 == 1 ? (own >> 20) % 9000 * 8
            : own;
        __atomic_store_n(word_at(at), fresh, __ATOMIC_RELAXED);
    }
    return unused;
}

static void many(int form, uint64_t count) {
    uint64_t damaged = 0, read = 0, raced = count / 10;
    pthread_t other;
    now = form == RING ? "ring" : form == MANY ? "many" : "topic";
    is_fast = 1;
    for (uint64_t i = 0; i < count; i++, steps++) {
        int is_raced = i >= count - raced;
        if (is_raced && !races) {
            races = 1;
            if (pthread_create(&other, NULL, scribble, NULL) != 0) fail("pthread_create");
        }
        memcpy((uint8_t *)channel.header + 128, sound + 128, SIZE - 128);
        damaged += (uint64_t)(form == TOPIC ? try_topic(below(2) == 0, &read)
                                           : try_ring(form, below(2) == 0, is_raced, &read));
    }
    if (races) {
        races = 0;
        pthread_join(other, NULL);
    }
    is_fast = 0;
    printf("%s %llu damaged %llu read %llu\n", now, (unsigned long long)count, (unsigned long long)damaged,
        (unsigned long long)read);
    if (damaged < count / 50 || read < count / 50) fail("it tried too little");
}

/* The first words, by real opening. */
static void opening(const char *name, int kind, uint64_t count) {
    uint64_t refused = 0;
    now = "open";
    for (uint64_t i = 0; i < count; i++, steps++) {
        nativeipc_channel other;
        memcpy(channel.header, sound, 128);
        for (uint64_t left = 1 + below(3); left > 0; left--) {
            uint64_t *word = word_at(8 * (1 + below(4)));
            *word = below(2) == 0 ? *word ^ UINT64_C(1) << below(64) : below(3) == 0 ? next_random()
                : UINT64_C(1) << below(64);
        }
        if (nativeipc_channel_open(&other, name, kind, (int)below(2)) != 0) {
            refused++;
            continue;
        }
        if (other.capacity * (kind == NATIVEIPC_CHANNEL_TOPIC ? other.slot_size : 1) > DATA) fail("larger than it is");
        nativeipc_channel_close(&other);
    }
    memcpy(channel.header, sound, 128);
    printf("open %llu refused %llu\n", (unsigned long long)count, (unsigned long long)refused);
}

int main(int words, char **word) {
    char name[64];
    uint64_t count;
    if (words == 2 && strcmp(word[1], "prove") == 0) {
        snprintf(name, sizeof name, "/nativeipc_fuzz_%d", (int)getpid());
        if (nativeipc_ring_create(&channel, name, DATA, 0600) != 0) return perror("create"), 1;
        nativeipc_channel_remove(name);
        printf("reading\n");
        fflush(stdout);
        return *(volatile uint8_t *)(channel.data + DATA) == 0 ? 0 : 3;
    }
    if (words != 3) return 2;
    count = strtoull(word[1], NULL, 10);
    state = strtoull(word[2], NULL, 10) * 2 + 1;
    snprintf(name, sizeof name, "/nativeipc_fuzz_%d", (int)getpid());
    signal(SIGALRM, on_alarm);
    alarm(10);
    for (int form = MANY; form >= TOPIC; form--) {
        static const int kinds[] = {NATIVEIPC_CHANNEL_TOPIC, NATIVEIPC_CHANNEL_RING, NATIVEIPC_CHANNEL_MANY};
        if ((form == RING ? nativeipc_ring_create(&channel, name, DATA, 0600)
                    : form == MANY ? nativeipc_ring_create_many(&channel, name, DATA, 0600)
                                   : nativeipc_topic_create(&channel, name, 1024 - 64, 3, 0600)) != 0)
            return perror("create"), 1;
        if (channel.mapped != SIZE) fail("the guard is not right behind it");
        if (form != TOPIC) { /* that has been round */
            nativeipc_ring_writer writer;
            nativeipc_ring_reader reader;
            const void *message;
            size_t length;
            if (nativeipc_ring_open_writer(&channel, &writer, 0) != 0) return perror("writer"), 1;
            if (nativeipc_ring_open_reader(&channel, &reader, 0) != 0) return perror("reader"), 1;
            for (size_t i = 0; i < 30; i++)
                while (nativeipc_ring_write(&writer, copy, i * 13, 0) != 0) {
                    (void)nativeipc_ring_try_read(&reader, &message, &length);
                    nativeipc_ring_release(&reader);
                }
            nativeipc_ring_close_writer(&writer);
            nativeipc_ring_close_reader(&reader);
        } else {
            nativeipc_topic_writer writer;
            if (nativeipc_topic_open_writer(&channel, &writer, 0) != 0) return perror("writer"), 1;
            for (size_t i = 0; i < 9; i++) (void)nativeipc_topic_write(&writer, copy, i * 100);
            nativeipc_topic_close_writer(&writer);
        }
        memcpy(sound, channel.header, SIZE);
        many(form, count);
        memcpy(channel.header, sound, SIZE);
        opening(name, kinds[form], count / 100 + 100);
        nativeipc_channel_close(&channel);
        nativeipc_channel_remove(name);
    }
    printf("done\n");
    return 0;
}
