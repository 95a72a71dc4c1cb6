/* The peer of NativeIpc.Channels.Rings in C11 and C++11. NAME is that of the segment, with its slash.
 *   send NAME WRITER COUNT         makes the ring if need be; writes COUNT messages, and says that no more come
 *   receive NAME                   makes the ring if need be; "ready", then "received N" once nothing more comes
 *   publish NAME WRITER COUNT      the same with a topic
 *   follow NAME [read]             the same with a topic: "followed N M", given and missed; read: mapped for reading
 *   latest NAME                    makes a topic, writes 20 messages and reads the latest: "latest N M", its number and
 *                                  how many were missed
 *   hold NAME [topic]              becomes the writer of the ring: "held", then waits for a line; topic: of the topic,
 *                                  with half of a message written
 *   put NAME LEDGER ID POINT NTH COUNT [go], take NAME LEDGER AREA POINT NTH once|again, turn NAME write|read,
 *   await NAME write|read|follow, half NAME WRITER [topic],
 *   lapped NAME found|copied|place as tests/NativeIpc.Channels.Peer/Program.cs has them
 *   unfenced PROGRAM ...           becomes the program, which the kernel refuses membarrier(2)
 * Messages are those of tests/NativeIpc.Channels.Peer/Message.cs. */
#define _GNU_SOURCE
static void step(const char *name);
#define NATIVEIPC_CHANNELS_STEP(name) step(name)
#include "nativeipc_channels.h"
#include "message.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>

/* The named step at which this process is killed, when it has come there so often. */
static const char *point = "-";
static int left_until;
static int tells_sleeps;
static const char *stop = "-"; /* the step at which it waits for a line, once */

static void say_and_wait(const char *what) {
    printf("%s\n", what);
    (void)getchar();
}

static void step(const char *name) {
    if (strcmp(name, stop) == 0) {
        stop = "-";
        say_and_wait(name);
    }
    if (tells_sleeps && (strcmp(name, "armed") == 0 || strcmp(name, "long") == 0)) printf("%s\n", name);
    if (strcmp(name, point) == 0 && --left_until == 0) kill(getpid(), SIGKILL);
}

static int send_all(const char *name, uint64_t writer_id, uint64_t count) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    if (nativeipc_ring_create_or_open(&ring, name, 16384, 0600) != 0) return fail("create_or_open");
    if (nativeipc_ring_open_writer(&ring, &writer, 30000) != 0) return fail("open_writer");
    if (writer.took_over) printf("took over\n");
    for (uint64_t number = 1; number <= count; number++) {
        size_t length = length_of(number);
        if (number % 3 == 0) {
            void *place;
            while ((place = nativeipc_ring_reserve(&writer, length)) == NULL) {
                if (errno != EAGAIN) return fail("reserve");
                nativeipc_ring_flush(&writer);
            }
            fill((uint8_t *)place, length, writer_id, number);
            if (nativeipc_ring_append(&writer, length) != 0) return fail("append");
            if (number % 2 == 0) nativeipc_ring_flush(&writer);
        } else {
            fill(buffer, length, writer_id, number);
            if (nativeipc_ring_write(&writer, buffer, length, 30000) != 0) return fail("write");
        }
    }
    nativeipc_ring_complete(&writer);
    nativeipc_ring_close_writer(&writer);
    nativeipc_channel_close(&ring);
    printf("sent\n");
    return 0;
}

static int receive_all(const char *name) {
    nativeipc_channel ring;
    nativeipc_ring_reader reader;
    uint64_t expected = 1;
    const void *message;
    size_t length;
    if (nativeipc_ring_create_or_open(&ring, name, 16384, 0600) != 0) return fail("create_or_open");
    if (nativeipc_ring_open_reader(&ring, &reader, 30000) != 0) return fail("open_reader");
    printf("ready\n");
    while (nativeipc_ring_read(&reader, &message, &length, 30000) == 0) {
        if (number_of((const uint8_t *)message, length) != expected) return fail("order");
        expected++;
        nativeipc_ring_release(&reader);
    }
    if (errno != ENODATA) return fail("read");
    nativeipc_ring_close_reader(&reader);
    nativeipc_channel_close(&ring);
    printf("received %llu\n", (unsigned long long)expected - 1);
    return 0;
}

static int publish_all(const char *name, uint64_t writer_id, uint64_t count) {
    nativeipc_channel topic;
    nativeipc_topic_writer writer;
    if (nativeipc_topic_create_or_open(&topic, name, 2048, 7, 0600) != 0) return fail("create_or_open");
    if (nativeipc_topic_open_writer(&topic, &writer, 30000) != 0) return fail("open_writer");
    if (writer.took_over) printf("took over\n");
    for (uint64_t number = 1; number <= count; number++) {
        size_t length = length_of(number);
        void *place = nativeipc_topic_reserve(&writer, length);
        if (place == NULL) return fail("reserve");
        fill((uint8_t *)place, length, writer_id, number);
        if (nativeipc_topic_commit(&writer, length) != 0) return fail("commit");
    }
    nativeipc_topic_complete(&writer);
    nativeipc_topic_close_writer(&writer);
    nativeipc_channel_close(&topic);
    printf("sent\n");
    return 0;
}

static int follow_all(const char *name, int is_reader) {
    nativeipc_channel topic;
    nativeipc_topic_reader reader;
    uint64_t given = 0;
    if ((is_reader ? nativeipc_topic_open(&topic, name, 1)
                   : nativeipc_topic_create_or_open(&topic, name, 2048, 7, 0600)) != 0)
        return fail("open");
    nativeipc_topic_open_reader(&topic, &reader);
    printf("ready\n");
    for (;;) {
        size_t length;
        if (nativeipc_topic_try_read(&reader, buffer, sizeof buffer, &length) == 0) {
            if (number_of(buffer, length) != reader.given) return fail("order");
            given++;
        } else if (errno == ENODATA) {
            break;
        } else if (errno != EAGAIN || nativeipc_topic_wait(&reader, 30000) != 0) {
            return fail("read");
        }
    }
    nativeipc_channel_close(&topic);
    printf("followed %llu %llu\n", (unsigned long long)given, (unsigned long long)reader.missed);
    return 0;
}

static int latest(const char *name) {
    nativeipc_channel topic;
    nativeipc_topic_writer writer;
    nativeipc_topic_reader reader;
    size_t length;
    if (nativeipc_topic_create(&topic, name, 2048, 7, 0600) != 0) return fail("create");
    if (nativeipc_topic_open_writer(&topic, &writer, 0) != 0) return fail("open_writer");
    nativeipc_topic_open_reader(&topic, &reader);
    for (int i = 0; i < 20; i++)
        if (nativeipc_topic_write(&writer, "x", 1) != 0) return fail("write");
    if (nativeipc_topic_try_read_latest(&reader, buffer, sizeof buffer, &length) != 0) return fail("read");
    if (nativeipc_topic_try_read_latest(&reader, buffer, sizeof buffer, &length) != -1 || errno != EAGAIN)
        return fail("read again");
    printf("latest %llu %llu\n", (unsigned long long)reader.given, (unsigned long long)reader.missed);
    nativeipc_topic_close_writer(&writer);
    nativeipc_channel_close(&topic);
    return 0;
}

static int hold_topic(const char *name) {
    nativeipc_channel topic;
    nativeipc_topic_writer writer;
    void *place;
    if (nativeipc_topic_open(&topic, name, 0) != 0) return fail("open");
    if (nativeipc_topic_open_writer(&topic, &writer, 0) != 0) return fail("open_writer");
    if ((place = nativeipc_topic_reserve(&writer, 100)) == NULL) return fail("reserve");
    memset(place, 1, 50);
    say_and_wait("held");
    return 0;
}

static int half(const char *name, uint64_t self, int is_topic) {
    nativeipc_channel channel;
    nativeipc_ring_writer writer;
    nativeipc_topic_writer speaker;
    uint8_t *place;
    const size_t length = 1000;
    fill(buffer, length, self, 1);
    if ((is_topic ? nativeipc_topic_open(&channel, name, 0) : nativeipc_ring_open(&channel, name)) != 0)
        return fail("open");
    if ((is_topic ? nativeipc_topic_open_writer(&channel, &speaker, 0)
                  : nativeipc_ring_open_writer(&channel, &writer, 0)) != 0)
        return fail("open_writer");
    place = (uint8_t *)(is_topic ? nativeipc_topic_reserve(&speaker, length) : nativeipc_ring_reserve(&writer, length));
    if (place == NULL) return fail("reserve");
    memcpy(place, buffer, length / 2);
    say_and_wait("half");
    memcpy(place + length / 2, buffer + length / 2, length - length / 2);
    if (is_topic) {
        if (nativeipc_topic_commit(&speaker, length) != 0) return fail("commit");
        nativeipc_topic_close_writer(&speaker);
    } else {
        if (nativeipc_ring_append(&writer, length) != 0 || nativeipc_ring_flush(&writer) != 0) return fail("flush");
        nativeipc_ring_close_writer(&writer);
    }
    printf("whole\n");
    nativeipc_channel_close(&channel);
    return 0;
}

static int lapped(const char *name, const char *where) {
    nativeipc_channel topic;
    nativeipc_topic_reader reader;
    const void *message;
    size_t length;
    if (nativeipc_topic_open(&topic, name, 0) != 0) return fail("open");
    nativeipc_topic_open_reader(&topic, &reader);
    nativeipc_topic_rewind(&reader);
    stop = where;
    if (strcmp(where, "place") == 0) {
        int is_whole;
        if (nativeipc_topic_begin_read(&reader, &message, &length) != 0) return fail("begin_read");
        say_and_wait(where);
        is_whole = nativeipc_topic_end_read(&reader);
        printf("%s %llu %llu\n", is_whole == 1 ? "read" : is_whole == 0 ? "overwritten" : "failed",
            (unsigned long long)reader.given, (unsigned long long)reader.missed);
        if (nativeipc_topic_end_read(&reader) != -1 || errno != EINVAL) return fail("end_read again");
    }
    if (nativeipc_topic_try_read(&reader, buffer, sizeof buffer, &length) != 0) return fail("read");
    if (number_of(buffer, length) != reader.given) return fail("torn");
    printf("read %llu %llu\n", (unsigned long long)reader.given, (unsigned long long)reader.missed);
    nativeipc_channel_close(&topic);
    return 0;
}

static int hold(const char *name) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    if (nativeipc_ring_open(&ring, name) != 0) return fail("open");
    if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
    printf("held\n");
    (void)getchar();
    return 0;
}

/* Says or verifies a layout: "same", or what is said of another one. */
static int layout(const char *name, uint64_t fingerprint, int is_reader) {
    char why[200];
    nativeipc_channel topic;
    if (nativeipc_topic_open(&topic, name, is_reader) != 0) return fail("open");
    if (nativeipc_channel_use_layout(&topic, fingerprint) == 0) printf("same\n");
    else if (errno == EPROTOTYPE)
        printf("%s\n", nativeipc_channel_layout_text(&topic, "Frame", fingerprint, why, sizeof why));
    else return fail("use_layout");
    nativeipc_channel_close(&topic);
    return 0;
}

static uint64_t state;

static uint32_t next_random(uint32_t below) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(state >> 33) % below;
}

/* So that the other side sleeps as well. */
static void rest_at_times(void) {
    struct timespec pause = {0, 1000000};
    if (next_random(100) == 0) nanosleep(&pause, NULL);
}

static uint64_t *map_ledger(const char *name) {
    char path[300];
    struct stat status;
    int file;
    snprintf(path, sizeof path, "/dev/shm/%s", name + 1);
    file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) return NULL;
    return (uint64_t *)mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
}

static uint8_t large[65536];

static int put(const char *name, const char *ledger_name, uint64_t self, uint64_t count, int waits) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    uint64_t *ledger = map_ledger(ledger_name), next = 1;
    size_t longest;
    state = self + 1;
    if (ledger == NULL || nativeipc_ring_open(&ring, name) != 0) return fail("open");
    if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
    longest = nativeipc_ring_longest(&ring);
    if (longest > sizeof large) longest = sizeof large;
    printf("writing\n");
    if (waits) (void)getchar();
    while ((count == 0 || next <= count) && __atomic_load_n(&ledger[0], __ATOMIC_ACQUIRE) == 0) {
        uint32_t batch = next_random(4) == 0 ? 1 + next_random(5) : 1;
        if (count != 0 && batch > count - next + 1) batch = (uint32_t)(count - next + 1);
        __atomic_store_n(&ledger[16 + 2 * self], next + batch - 1, __ATOMIC_RELEASE);
        for (uint32_t i = 0; i < batch; i++, next++) {
            size_t length = 24 + next_random(next_random(8) == 0 ? (uint32_t)longest - 24 : 200);
            void *place = NULL;
            if (batch > 1 || next_random(2) == 0) {
                place = nativeipc_ring_reserve(&writer, length);
                if (place == NULL && errno != EAGAIN) return fail("reserve");
            }
            if (place != NULL) {
                fill((uint8_t *)place, length, self, next);
                if (nativeipc_ring_append(&writer, length) != 0) return fail("append");
                if (batch == 1 && nativeipc_ring_flush(&writer) != 0) return fail("flush");
            } else {
                fill(large, length, self, next);
                if (nativeipc_ring_write(&writer, large, length, -1) != 0) return fail("write");
            }
        }
        if (nativeipc_ring_flush(&writer) != 0) return fail("flush");
        __atomic_store_n(&ledger[16 + 2 * self + 1], next - 1, __ATOMIC_RELEASE);
        rest_at_times();
    }
    if (nativeipc_ring_complete(&writer) != 0) return fail("complete");
    nativeipc_ring_close_writer(&writer);
    nativeipc_channel_close(&ring);
    printf("done %s\n", writer.took_over ? "True" : "False");
    return 0;
}

static int take(const char *name, const char *ledger_name, uint64_t area, int once) {
    static uint64_t own[4096];
    nativeipc_channel ring;
    nativeipc_ring_reader reader;
    uint64_t *ledger = map_ledger(ledger_name), *count;
    const void *message;
    size_t length;
    state = area + 1;
    if (ledger == NULL || nativeipc_ring_open(&ring, name) != 0) return fail("open");
    if (nativeipc_ring_open_reader(&ring, &reader, 0) != 0) return fail("open_reader");
    count = &ledger[8192 + 4 * area];
    printf("reading\n");
    while (nativeipc_ring_read(&reader, &message, &length, -1) == 0) {
        uint64_t writer, number = 0, *last;
        if (once) {
            memcpy(large, message, length);
            message = large;
            if (nativeipc_ring_release(&reader) != 0) return fail("release");
        }
        memcpy(&writer, message, 8);
        number = number_of((const uint8_t *)message, length);
        if (number == 0 || writer >= 4096) return fail("torn");
        last = once ? &own[writer] : &ledger[4096 + writer];
        if (once ? number <= *last : number != *last && number != *last + 1) return fail("order");
        if (number == *last) count[1]++;
        __atomic_store_n(last, number, __ATOMIC_RELEASE);
        __atomic_store_n(&count[0], count[0] + 1, __ATOMIC_RELEASE);
        if (!once && nativeipc_ring_release(&reader) != 0) return fail("release");
        rest_at_times();
    }
    if (errno != ENODATA) return fail("read");
    nativeipc_ring_close_reader(&reader);
    nativeipc_channel_close(&ring);
    printf("done\n");
    return 0;
}

static int turn(const char *name, int writes) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    nativeipc_ring_reader reader;
    const void *message;
    size_t length;
    if (nativeipc_ring_open(&ring, name) != 0) return fail("open");
    if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
    if (nativeipc_ring_open_reader(&ring, &reader, 0) != 0) return fail("open_reader");
    if (writes ? nativeipc_ring_reserve(&writer, 100) == NULL : nativeipc_ring_try_read(&reader, &message, &length))
        return fail("turn");
    printf("held\n");
    (void)getchar();
    return 0;
}

static int await_topic(const char *name) {
    nativeipc_channel topic;
    nativeipc_topic_reader reader;
    tells_sleeps = 1;
    if (nativeipc_topic_open(&topic, name, 0) != 0) return fail("open");
    nativeipc_topic_open_reader(&topic, &reader);
    if (nativeipc_topic_wait(&reader, -1) != 0) return fail("wait");
    nativeipc_channel_close(&topic);
    printf("done\n");
    return 0;
}

static int await_ring(const char *name, int writes) {
    nativeipc_channel ring;
    nativeipc_ring_writer writer;
    nativeipc_ring_reader reader;
    const void *message;
    size_t length;
    tells_sleeps = 1;
    if (nativeipc_ring_open(&ring, name) != 0) return fail("open");
    if (writes) {
        if (nativeipc_ring_open_writer(&ring, &writer, 0) != 0) return fail("open_writer");
        if (nativeipc_ring_write(&writer, large, 2000, -1) != 0) return fail("write");
        nativeipc_ring_close_writer(&writer);
    } else {
        if (nativeipc_ring_open_reader(&ring, &reader, 0) != 0) return fail("open_reader");
        if (nativeipc_ring_read(&reader, &message, &length, -1) != 0) return fail("read");
        nativeipc_ring_close_reader(&reader);
    }
    nativeipc_channel_close(&ring);
    printf("done\n");
    return 0;
}

static int unfenced(char **program) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof steps / sizeof steps[0], steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0)
        return fail("prctl");
    execv(program[0], program);
    return fail("execv");
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 5 && strcmp(words[1], "send") == 0)
        return send_all(words[2], strtoull(words[3], NULL, 10), strtoull(words[4], NULL, 10));
    if (count == 3 && strcmp(words[1], "receive") == 0) return receive_all(words[2]);
    if (count == 5 && strcmp(words[1], "publish") == 0)
        return publish_all(words[2], strtoull(words[3], NULL, 10), strtoull(words[4], NULL, 10));
    if (count >= 3 && strcmp(words[1], "follow") == 0) return follow_all(words[2], count == 4);
    if (count >= 8 && (strcmp(words[1], "put") == 0 || strcmp(words[1], "take") == 0)) {
        point = words[5];
        left_until = atoi(words[6]);
        return words[1][0] == 'p'
            ? put(words[2], words[3], strtoull(words[4], NULL, 10), strtoull(words[7], NULL, 10), count > 8)
            : take(words[2], words[3], strtoull(words[4], NULL, 10), strcmp(words[7], "once") == 0);
    }
    if (count == 4 && strcmp(words[1], "turn") == 0) return turn(words[2], strcmp(words[3], "write") == 0);
    if (count == 4 && strcmp(words[1], "await") == 0)
        return words[3][0] == 'f' ? await_topic(words[2]) : await_ring(words[2], words[3][0] == 'w');
    if (count > 2 && strcmp(words[1], "unfenced") == 0) return unfenced(words + 2);
    if (count == 3 && strcmp(words[1], "latest") == 0) return latest(words[2]);
    if (count == 3 && strcmp(words[1], "hold") == 0) return hold(words[2]);
    if (count == 4 && strcmp(words[1], "hold") == 0) return hold_topic(words[2]);
    if (count >= 4 && strcmp(words[1], "half") == 0)
        return half(words[2], strtoull(words[3], NULL, 10), count == 5);
    if (count == 4 && strcmp(words[1], "lapped") == 0) return lapped(words[2], words[3]);
    if (count >= 4 && strcmp(words[1], "layout") == 0)
        return layout(words[2], strtoull(words[3], NULL, 16), count == 5);
    return 2;
}
