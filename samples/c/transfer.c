/*
 * The receiving end of the demo (samples/dotnet/Transfer), in C: no library but libc.
 *
 *     transfer SEGMENT FREE FILLED
 *
 * Each argument is the text form of a key, as NativeIpc and Qt 6.6 or later write it:
 *
 *     posix:/name            shm_open(name), sem_open(name)
 *     systemv:/path          shmget and semget with ftok(path, 81)
 *     systemv-N:/path        the same with ftok(path, N)
 *
 * The segment is a ring of four slots; each is a length, a sequence number (both 32 bits in native order) and the data.
 * The semaphore FREE counts the slots that may be filled, FILLED those that may be read; length 0 ends the transfer.
 * When all three objects are open this program prints "ready", and at the end "sha256 DIGEST COUNT" with the number of
 * bytes.
 *
 *     cc -O2 -std=c11 -pthread -o transfer transfer.c        (glibc before 2.34: and -lrt)
 */
#define _GNU_SOURCE /* semtimedop, strncasecmp */
#define _DARWIN_C_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 4, HEADER = 8, PATIENCE_SECONDS = 20 };

static void fail(const char *what, const char *object)
{
    fprintf(stderr, "transfer: %s %s: %s\n", what, object, strerror(errno));
    exit(3);
}

static void refuse(const char *why, const char *text)
{
    fprintf(stderr, "transfer: %s: %s\n", why, text);
    exit(2);
}

/* ---- Keys ---- */

struct key {
    int project; /* 0: POSIX; 1 to 255: System V, the project id for ftok */
    char *native;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* Decodes %XX in place. As in Qt, one '%' without two hex digits behind it means that nothing of this part is
 * decoded. */
static void percent_decode(char *part, const char *text)
{
    for (const char *p = part; *p; p++)
        if (*p == '%' && (hex(p[1]) < 0 || hex(p[2]) < 0)) return;

    char *out = part;
    for (const char *p = part; *p; p++) {
        if (*p == '%') {
            *out = (char)(hex(p[1]) * 16 + hex(p[2]));
            if (*out == 0) refuse("a name with a NUL in it cannot be opened", text);
            p += 2;
        } else {
            *out = *p;
        }
        out++;
    }
    *out = 0;
}

/* The only thing that a query may hold is legacyKey. It names the lock of a segment, which is not used here. */
static void check_query(const char *query, const char *text)
{
    static const char name[] = "legacyKey";
    const size_t length = sizeof name - 1;
    while (*query) {
        if (strncmp(query, name, length) != 0 || (query[length] != 0 && query[length] != '=' && query[length] != '&'))
            refuse("a key with an unknown query", text);
        query += strcspn(query, "&");
        if (*query == '&') query++;
    }
}

static struct key parse_key(const char *text)
{
    struct key key = { 0, NULL };
    const char *colon = strchr(text, ':');
    if (!colon) refuse("not a key", text);
    size_t scheme = (size_t)(colon - text);

    if (scheme == 5 && strncasecmp(text, "posix", 5) == 0) {
        key.project = 0;
    } else if (scheme == 7 && strncasecmp(text, "systemv", 7) == 0) {
        key.project = 81; /* 'Q', as in Qt */
    } else if (scheme > 8 && strncasecmp(text, "systemv-", 8) == 0) {
        for (const char *digit = text + 8; digit < colon; digit++) {
            if (*digit < '0' || *digit > '9') refuse("not a key", text);
            key.project = key.project * 10 + (*digit - '0');
            if (key.project > 255) break;
        }
        if (key.project < 1 || key.project > 255) refuse("a System V key needs a project id from 1 to 255", text);
    } else {
        refuse("not a key of a type that this program knows", text);
    }

    char *path = strdup(colon + 1);
    if (!path) fail("cannot copy", text);
    path[strcspn(path, "#")] = 0;
    char *query = path + strcspn(path, "?");
    if (*query) {
        *query++ = 0;
        check_query(query, text);
    }

    /* "//" at the start is an empty authority, as in a URL; a native key that starts with two slashes is written
     * "/%2F". */
    if (strncmp(path, "//", 2) == 0) {
        size_t end = 2 + strcspn(path + 2, "/");
        size_t length = end - 2;
        if (length > 2 || strspn(path + 2, "@:") < length || (length == 2 && strncmp(path + 2, "@:", 2) != 0))
            refuse("a key cannot name a host", text);
        memmove(path, path + end, strlen(path + end) + 1);
    }

    percent_decode(path, text);
    key.native = path;
    return key;
}

static key_t system_v_key(const struct key *key)
{
    key_t number = ftok(key->native, key->project);
    if (number == (key_t)-1) fail("ftok", key->native);
    return number;
}

/* ---- The segment ---- */

static const unsigned char *open_segment(const struct key *key, size_t *size)
{
    if (key->project) {
        int id = shmget(system_v_key(key), 0, 0);
        struct shmid_ds status;
        if (id < 0) fail("shmget", key->native);
        const void *address = shmat(id, NULL, SHM_RDONLY);
        if (address == (void *)-1) fail("shmat", key->native);
        if (shmctl(id, IPC_STAT, &status) != 0) fail("shmctl", key->native);
        *size = status.shm_segsz;
        return address;
    }

    int descriptor = shm_open(key->native, O_RDONLY, 0);
    struct stat status;
    if (descriptor < 0) fail("shm_open", key->native);
    if (fstat(descriptor, &status) != 0) fail("fstat", key->native);
    const void *address = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) fail("mmap", key->native);
    close(descriptor);
    *size = (size_t)status.st_size;
    return address;
}

/* ---- The semaphores ---- */

struct semaphore {
    struct key key;
    sem_t *posix;
    int id;
};

static struct semaphore open_semaphore(const char *text)
{
    struct semaphore s = { parse_key(text), NULL, -1 };
    if (s.key.project) {
        s.id = semget(system_v_key(&s.key), 0, 0);
        if (s.id < 0) fail("semget", s.key.native);
    } else {
        s.posix = sem_open(s.key.native, 0);
        if (s.posix == SEM_FAILED) fail("sem_open", s.key.native);
    }
    return s;
}

/* No SEM_UNDO: the kernel would take the releases back when this process ends, and fail after 32,767 of them. */
static int operate(struct semaphore *s, short change, short flags)
{
    struct sembuf operation = { 0, change, flags };
    return semop(s->id, &operation, 1);
}

static void release(struct semaphore *s)
{
    int result;
    do {
        result = s->posix ? sem_post(s->posix) : operate(s, 1, 0);
    } while (result != 0 && errno == EINTR);
    if (result != 0) fail("cannot release", s->key.native);
}

/* Waits for at most a second. Returns 1 when a permit was taken. */
static int acquire_within_a_second(struct semaphore *s)
{
    int result;
#ifdef __APPLE__ /* has neither sem_timedwait nor semtimedop */
    const struct timespec nap = { 0, 200000 };
    for (int i = 0; i < 5000; i++) {
        result = s->posix ? sem_trywait(s->posix) : operate(s, -1, IPC_NOWAIT);
        if (result == 0) return 1;
        if (errno != EAGAIN && errno != EINTR) fail("cannot acquire", s->key.native);
        nanosleep(&nap, NULL);
    }
    return 0;
#else
    if (s->posix) {
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 1;
        do {
            result = sem_timedwait(s->posix, &deadline);
        } while (result != 0 && errno == EINTR);
    } else {
        const struct timespec slice = { 1, 0 };
        struct sembuf operation = { 0, -1, 0 };
        result = semtimedop(s->id, &operation, 1, &slice);
    }
    if (result == 0) return 1;
    if (errno != ETIMEDOUT && errno != EAGAIN && errno != EINTR) fail("cannot acquire", s->key.native);
    return 0;
#endif
}

/* A sender that has died must not hang this process. */
static void acquire(struct semaphore *s, pid_t parent)
{
    for (int seconds = 0; seconds < PATIENCE_SECONDS; seconds++) {
        if (acquire_within_a_second(s)) return;
        if (getppid() != parent) refuse("the process that started this one has ended; waiting for", s->key.native);
    }
    refuse("the sender is stuck; waiting for", s->key.native);
}

/* ---- SHA-256 (FIPS 180-4) ---- */

struct sha256 {
    uint32_t state[8];
    uint64_t count;
    unsigned char block[64];
};

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return (x >> n) | (x << (32 - n));
}

static void sha256_block(uint32_t state[8], const unsigned char *data)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8
            | data[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6],
        h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g))
            + sha256_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }

    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void sha256_start(struct sha256 *hash)
{
    static const uint32_t first[8] =
        { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    memcpy(hash->state, first, sizeof first);
    hash->count = 0;
}

static void sha256_add(struct sha256 *hash, const unsigned char *data, size_t length)
{
    size_t used = hash->count % 64;
    hash->count += length;
    if (used) {
        size_t part = 64 - used < length ? 64 - used : length;
        memcpy(hash->block + used, data, part);
        data += part;
        length -= part;
        if (used + part < 64) return;
        sha256_block(hash->state, hash->block);
    }
    for (; length >= 64; data += 64, length -= 64) sha256_block(hash->state, data);
    memcpy(hash->block, data, length);
}

static void sha256_finish(struct sha256 *hash, char text[65])
{
    uint64_t bits = hash->count * 8;
    unsigned char padding[72] = { 0x80 };
    size_t zeros = (119 - hash->count % 64) % 64 + 1; /* 0x80 and zeros up to 8 bytes before the end of a block */
    for (int i = 0; i < 8; i++) padding[zeros + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(hash, padding, zeros + 8);
    for (int i = 0; i < 8; i++) snprintf(text + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

/* ---- The transfer ---- */

int main(int argc, char **argv)
{
    pid_t parent = getppid();
    if (argc != 4) {
        fprintf(stderr, "usage: transfer SEGMENT FREE FILLED\n");
        return 2;
    }

    struct key segment_key = parse_key(argv[1]);
    size_t size;
    const unsigned char *segment = open_segment(&segment_key, &size);
    struct semaphore free_slots = open_semaphore(argv[2]);
    struct semaphore filled_slots = open_semaphore(argv[3]);
    const size_t slot_size = size / SLOTS;
    if (slot_size <= HEADER || slot_size % 8 != 0) refuse("a segment of this size is no ring", argv[1]);
    printf("ready\n");
    fflush(stdout);

    struct sha256 hash;
    sha256_start(&hash);
    for (uint32_t sequence = 0;; sequence++) {
        acquire(&filled_slots, parent);
        const unsigned char *slot = segment + (sequence % SLOTS) * slot_size;
        uint32_t header[2];
        memcpy(header, slot, sizeof header);
        if (header[0] > slot_size - HEADER || header[1] != sequence) refuse("the ring is damaged", argv[1]);
        if (header[0] == 0) break;
        sha256_add(&hash, slot + HEADER, header[0]);
        release(&free_slots);
    }

    char digest[65];
    unsigned long long count = (unsigned long long)hash.count;
    sha256_finish(&hash, digest);
    printf("sha256 %s %llu\n", digest, count);
    return fflush(stdout) == 0 ? 0 : 3;
}
