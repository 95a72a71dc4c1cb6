/* The peer of ChannelStormTests, ManyStormTests and LastWakeTests in C. NAME and LEDGER are those of segments, with
 * their slashes.
 *   show NAME STEP, show-topic NAME STEP, free NAME STEP, end NAME STEP
 *                                  write a message, or read one and release it, or say that nothing more comes, once a
 *                                  line has come: "open" before; kill themselves at a step
 *   storm-write NAME LEDGER STEP NTH, storm-read NAME LEDGER STEP NTH once|again
 *                                  wait for the role, work, and kill themselves the NTH time that they come to a step;
 *                                  "-": end by themselves after NTH messages
 *   storm-put NAME LEDGER ID STEP NTH END, storm-take NAME LEDGER ID STEP NTH END once|again
 *                                  the same with many writers and readers; they end by themselves after END messages
 * Messages are those of tests/NativeIpc.Channels.Peer/Message.cs. */
#define _GNU_SOURCE
static void reached(const char *step);
#define NATIVEIPC_CHANNELS_STEP(name) reached(name)
#include "nativeipc_channels.h"
#include "message.h"
#include <signal.h>

/* ---- the storm ---- */
enum { STOP, LAST, AGAIN, LOST, WRITERS, READERS, TOLD_WRITERS, TOLD_READERS, TOLD_OF_NOBODY, LAST_READER,
    WRITER_ROWS = 512, READER_ROWS = 131072, LEDGER = 2 << 20, MOST = 16000 };
static uint64_t *ledger;
static const char *last_step;
static long left;

static uint64_t word_of(long at) { return __atomic_load_n(&ledger[at], __ATOMIC_ACQUIRE); }
static void put(long at, uint64_t value) { __atomic_store_n(&ledger[at], value, __ATOMIC_RELEASE); }

static void note_death(const char *step);

static void reached(const char *step) {
    if (last_step == NULL || strcmp(step, last_step) != 0 || --left > 0) return;
    if (ledger == NULL || word_of(STOP) == 0) {
        note_death(step);
        kill(getpid(), SIGKILL);
    }
    last_step = NULL;
}

/* Notes who has the role, and whether it was told of a killed one when there was one. */
static uint64_t join(int count, int told_at, long rows, long width, int told) {
    uint64_t number = word_of(count) + 1, before = number > 1 ? word_of(rows + (long)(number - 1) * width) : 4;
    put(count, number);
    put(rows + (long)number * width, 2 | (uint64_t)told);
    if ((before & 4) == 0 && !told) return 0; /* the last one did not end by itself */
    if (told) put(told_at, word_of(told_at) + 1);
    if (told && (before & 4) != 0) put(TOLD_OF_NOBODY, word_of(TOLD_OF_NOBODY) + 1); /* killed before it came here */
    return number < MOST ? number : 0;
}

static int open_storm(nativeipc_channel *ring, char **words) {
    char path[300];
    int file;
    snprintf(path, sizeof path, "/dev/shm/%s", words[1] + 1);
    file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return -1;
    ledger = (uint64_t *)mmap(NULL, LEDGER, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    left = atol(words[3]);
    last_step = strcmp(words[2], "-") == 0 ? NULL : words[2];
    return ledger == MAP_FAILED ? -1 : nativeipc_ring_open(ring, words[0]);
}

static int storm_write(char **words) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    uint64_t self, number = 0, end = UINT64_MAX;
    long row;
    if (open_storm(&ring, words) != 0) return fail("open");
    if (last_step == NULL) end = (uint64_t)left;
    if (nativeipc_ring_open_writer(&ring, &writer, 300000) != 0) return fail("open_writer");
    self = join(WRITERS, TOLD_WRITERS, WRITER_ROWS, 4, writer.took_over);
    if (self == 0) return fail("it was not told");
    row = WRITER_ROWS + (long)self * 4;
    while (number < end && word_of(STOP) == 0) {
        uint64_t batch = number % 7 == 0 ? 5 : 1;
        put(row + 1, number + batch);
        for (; batch > 0; batch--) {
            size_t length = length_of(++number);
            void *place;
            while ((place = nativeipc_ring_reserve(&writer, length)) == NULL) {
                nativeipc_ring_flush(&writer);
                if (nativeipc_channel_wait(&ring, &ring.header->writer_bell, 0, &writer.habit,
                        nativeipc_ring_writer_news, &writer, nativeipc_channel_until(300000)) != 0)
                    return fail("room");
            }
            fill((uint8_t *)place, length, self, number);
            (void)nativeipc_ring_append(&writer, length);
        }
        nativeipc_ring_flush(&writer);
        put(row + 2, number);
    }
    last_step = NULL;
    if (word_of(STOP) != 0) nativeipc_ring_complete(&writer);
    put(row, word_of(row) | 4);
    nativeipc_ring_close_writer(&writer);
    return 0;
}

/* Whether what was given is what comes next: nothing is lost, but for what killed readers had, one each, when once. */
static int is_next(uint64_t self, uint64_t writer, uint64_t number, int is_first, int is_once) {
    uint64_t last = word_of(LAST), before = last >> 32, lost = 0;
    if (writer == before) {
        if (number == (last & 0xFFFFFFFF)) {
            put(AGAIN, word_of(AGAIN) + 1);
            return is_first && !is_once;
        }
        if (number < (last & 0xFFFFFFFF)) return 0;
        lost = number - (last & 0xFFFFFFFF) - 1;
    } else {
        uint64_t shown = word_of(WRITER_ROWS + (long)before * 4 + 2);
        if (writer < before) return 0;
        if (before != 0 && shown > (last & 0xFFFFFFFF)) lost = shown - (last & 0xFFFFFFFF);
        for (uint64_t i = before + 1; i < writer; i++) lost += word_of(WRITER_ROWS + (long)i * 4 + 2);
        lost += number - 1;
    }
    put(LOST, word_of(LOST) + lost);
    return number <= word_of(WRITER_ROWS + (long)writer * 4 + 1) &&
        lost <= (is_first && is_once ? self - word_of(LAST_READER) : 0);
}

static int storm_read(char **words) {
    nativeipc_channel ring;
    nativeipc_ring_reader reader;
    uint64_t self, given = 0, end = UINT64_MAX;
    int is_once = strcmp(words[4], "once") == 0;
    const void *message;
    size_t length;
    if (open_storm(&ring, words) != 0) return fail("open");
    if (last_step == NULL) end = (uint64_t)left;
    if (nativeipc_ring_open_reader(&ring, &reader, 300000) != 0) return fail("open_reader");
    self = join(READERS, TOLD_READERS, READER_ROWS, 1, reader.took_over);
    if (self == 0) return fail("it was not told");
    while (given < end || word_of(STOP) != 0) {
        uint64_t writer, number;
        if (nativeipc_ring_read(&reader, &message, &length, 300000) != 0) {
            if (errno == ENODATA) break;
            return fail("read");
        }
        memcpy(buffer, message, length);
        if (is_once) nativeipc_ring_release(&reader);
        reached("had");
        number = number_of(buffer, length);
        if (number == 0) return fail("torn");
        memcpy(&writer, buffer, 8);
        if (!is_next(self, writer, number, given == 0, is_once)) {
            printf("%llu of %llu after %llx\n", (unsigned long long)number, (unsigned long long)writer,
                (unsigned long long)word_of(LAST));
            return fail("order");
        }
        put(LAST_READER, self);
        put(LAST, writer << 32 | number);
        given++;
        if (!is_once) nativeipc_ring_release(&reader);
    }
    last_step = NULL;
    put(READER_ROWS + (long)self, word_of(READER_ROWS + (long)self) | 4);
    nativeipc_ring_close_reader(&reader);
    return 0;
}

/* ---- the storm of many writers and readers: the ledger of tests/NativeIpc.Channels.Peer/ManyStorm.cs ---- */
enum { GIVEN = 1, TOLD = 2, AT_DEATH = 4, EARLY = 6, MANY_MOST = 4096, MANY_WRITERS = 64,
    MANY_READERS = MANY_WRITERS + 4 * MANY_MOST, MANY_MESSAGES = 8 * (MANY_READERS + 4 * MANY_MOST),
    MOST_MESSAGES = 1000, MOST_IN_HAND = 4, MANY_LEDGER = MANY_MESSAGES + 4 * MANY_MOST * (MOST_MESSAGES + 1) };
static int is_greedy; /* has the turn nearly all the time */
static int is_many, is_reader, is_once_only; /* TOLD and the two behind it: of writers, and one further of readers */
static const int *took_over;                 /* of who is open now; NULL: nobody */
static uint64_t own_number, seed;
static uint8_t large[4096];

static uint32_t next_random(uint32_t below) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static void add(long at, uint64_t count) { __atomic_fetch_add(&ledger[at], count, __ATOMIC_SEQ_CST); }

static void note_death(const char *step) {
    if (!is_many) return;
    if (took_over == NULL || strcmp(step, "turn_taken") == 0 || strcmp(step, "turn_noted") == 0)
        add(EARLY + is_reader, 1);
    else if (*took_over) add(AT_DEATH + is_reader, 1);
}

/* So that now one side sleeps, now the other one. */
static void rest_at_times(int is_mine) {
    struct timespec pause = {0, 1000000};
    if (!is_greedy && next_random(is_mine ? 10 : 100) == 0) nanosleep(&pause, NULL);
}

static int open_many(nativeipc_channel *ring, char **words) {
    char path[300];
    int file;
    snprintf(path, sizeof path, "/dev/shm/%s", words[1] + 1);
    file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return -1;
    ledger = (uint64_t *)mmap(NULL, MANY_LEDGER, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    own_number = strtoull(words[2], NULL, 10);
    seed = own_number + 1;
    left = atol(words[4]);
    last_step = words[3];
    is_greedy = strcmp(last_step, "turn_kept") == 0;
    is_many = 1;
    return ledger == MAP_FAILED ? -1 : nativeipc_ring_open(ring, words[0]);
}

static int storm_put(char **words) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    uint64_t next = 1, end;
    long row;
    if (open_many(&ring, words) != 0) return fail("open");
    end = strtoull(words[5], NULL, 10);
    row = MANY_WRITERS + 4 * (long)own_number;
    if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
    took_over = &writer.took_over;
    while (next <= end && word_of(STOP) == 0) {
        uint64_t batch = next_random(4) == 0 ? 1 + next_random(5) : 1;
        if (batch > end - next + 1) batch = end - next + 1;
        put(row, next + batch - 1);
        for (; batch > 0; batch--, next++) {
            size_t length = is_greedy ? 4000 : 24 + next_random(next_random(8) == 0 ? 4000 - 24 : 200);
            void *place = NULL;
            if (batch > 1 || next_random(2) == 0) {
                place = nativeipc_ring_reserve(&writer, length);
                if (place == NULL && errno != EAGAIN) return fail("reserve");
            }
            if (place != NULL) {
                fill((uint8_t *)place, length, own_number, next);
                if (nativeipc_ring_append(&writer, length) != 0) return fail("append");
            } else {
                fill(large, length, own_number, next);
                if (nativeipc_ring_write(&writer, large, length, 300000) != 0) return fail("write");
            }
        }
        if (nativeipc_ring_flush(&writer) != 0) return fail("flush");
        put(row + 1, next - 1);
        if (writer.took_over) {
            add(TOLD, 1);
            took_over = NULL;
            nativeipc_ring_close_writer(&writer);
            if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
            took_over = &writer.took_over;
        }
        rest_at_times(word_of(GIVEN) / 512 % 3 == 0);
    }
    if (nativeipc_ring_complete(&writer) != 0) return fail("complete");
    nativeipc_ring_close_writer(&writer);
    nativeipc_channel_close(&ring);
    return 0;
}

/* Enters a message in the ledger; 0 when it is torn, or not one that may come now. */
static int enter(const void *message, size_t length) {
    static uint64_t own[MANY_MOST];
    uint32_t *words = (uint32_t *)(void *)((uint8_t *)ledger + MANY_MESSAGES), before;
    uint64_t writer, number = number_of((const uint8_t *)message, length), last;
    long row;
    if (number == 0 || number > MOST_MESSAGES) return 0;
    memcpy(&writer, message, 8);
    if (writer >= MANY_MOST) return 0;
    row = MANY_WRITERS + 4 * (long)writer;
    before = __atomic_fetch_add(&words[writer * (MOST_MESSAGES + 1) + number], 1, __ATOMIC_SEQ_CST);
    if (is_once_only) {
        if (before != 0 || number <= own[writer]) return 0;
        own[writer] = number;
    } else {
        /* In the turn, so no other one counts meanwhile. */
        last = word_of(row + 2);
        if (before > 0 ? number > last : number != last + 1) return 0;
        if (before == 0) put(row + 2, number);
        else put(MANY_READERS + 4 * (long)own_number + 1, word_of(MANY_READERS + 4 * (long)own_number + 1) + 1);
    }
    put(MANY_READERS + 4 * (long)own_number, word_of(MANY_READERS + 4 * (long)own_number) + 1);
    add(GIVEN, 1);
    return number <= word_of(row);
}

static int storm_take(char **words) {
    nativeipc_channel ring;
    nativeipc_ring_reader reader;
    const struct timespec pause = {0, 1000000};
    uint64_t given = 0, end;
    const void *message;
    size_t length;
    is_reader = 1;
    is_once_only = strcmp(words[6], "once") == 0;
    if (open_many(&ring, words) != 0) return fail("open");
    end = strtoull(words[5], NULL, 10);
    if (nativeipc_ring_open_reader(&ring, &reader, 0) != 0) return fail("open_reader");
    took_over = &reader.took_over;
    while (given < end || word_of(STOP) != 0) {
        uint32_t more = is_once_only ? 0 : next_random(8);
        if (nativeipc_ring_read(&reader, &message, &length, 300000) != 0) {
            if (errno == ENODATA) break;
            return fail("read");
        }
        if (is_once_only) {
            memcpy(large, message, length);
            message = large;
            if (nativeipc_ring_release(&reader) != 0) return fail("release");
        }
        reached("had");
        if (!enter(message, length)) return fail("torn, or out of order");
        given++;
        if (is_greedy && !is_once_only) nanosleep(&pause, NULL);
        for (; more > 0 && more < MOST_IN_HAND && nativeipc_ring_try_read(&reader, &message, &length) == 0; more--) {
            if (!enter(message, length)) return fail("torn, or out of order");
            given++;
        }
        if (!is_once_only && nativeipc_ring_release(&reader) != 0) return fail("release");
        if (reader.took_over) {
            add(TOLD + 1, 1);
            took_over = NULL;
            nativeipc_ring_close_reader(&reader);
            if (nativeipc_ring_open_reader(&ring, &reader, 0) != 0) return fail("open_reader");
            took_over = &reader.took_over;
        }
        rest_at_times(word_of(GIVEN) / 512 % 3 == 1);
    }
    nativeipc_ring_close_reader(&reader);
    nativeipc_channel_close(&ring);
    return 0;
}

static void await_line(const char *step) {
    printf("open\n");
    (void)getchar();
    last_step = step;
    left = 1;
}

static int show(const char *name, const char *step) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    if (nativeipc_ring_open(&ring, name) != 0 || nativeipc_ring_open_writer(&ring, &writer, 0) != 0)
        return fail("open");
    await_line(step);
    if (nativeipc_ring_write(&writer, "one", 3, 0) != 0) return fail("write");
    printf("shown\n");
    nativeipc_ring_close_writer(&writer);
    return 0;
}

static int show_topic(const char *name, const char *step) {
    nativeipc_channel topic;
    nativeipc_topic_writer writer;
    if (nativeipc_topic_open(&topic, name, 0) != 0 || nativeipc_topic_open_writer(&topic, &writer, 0) != 0)
        return fail("open");
    await_line(step);
    if (nativeipc_topic_write(&writer, "one", 3) != 0) return fail("write");
    printf("shown\n");
    nativeipc_topic_close_writer(&writer);
    return 0;
}

static int free_one(const char *name, const char *step) {
    nativeipc_channel ring;
    nativeipc_ring_reader reader;
    const void *message;
    size_t length;
    if (nativeipc_ring_open(&ring, name) != 0 || nativeipc_ring_open_reader(&ring, &reader, 0) != 0)
        return fail("open");
    await_line(step);
    if (nativeipc_ring_try_read(&reader, &message, &length) != 0) return fail("read");
    nativeipc_ring_release(&reader);
    printf("freed\n");
    nativeipc_ring_close_reader(&reader);
    return 0;
}

static int end(const char *name, const char *step) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    if (nativeipc_ring_open(&ring, name) != 0 || nativeipc_ring_open_writer(&ring, &writer, 0) != 0)
        return fail("open");
    await_line(step);
    if (nativeipc_ring_complete(&writer) != 0) return fail("complete");
    printf("ended\n");
    nativeipc_ring_close_writer(&writer);
    return 0;
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 6 && strcmp(words[1], "storm-write") == 0) return storm_write(words + 2);
    if (count == 7 && strcmp(words[1], "storm-read") == 0) return storm_read(words + 2);
    if (count == 8 && strcmp(words[1], "storm-put") == 0) return storm_put(words + 2);
    if (count == 9 && strcmp(words[1], "storm-take") == 0) return storm_take(words + 2);
    if (count == 4 && strcmp(words[1], "show") == 0) return show(words[2], words[3]);
    if (count == 4 && strcmp(words[1], "show-topic") == 0) return show_topic(words[2], words[3]);
    if (count == 4 && strcmp(words[1], "free") == 0) return free_one(words[2], words[3]);
    if (count == 4 && strcmp(words[1], "end") == 0) return end(words[2], words[3]);
    return 2;
}
