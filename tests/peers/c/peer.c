/* SPDX-License-Identifier: MIT
 *
 * A program that knows nothing of NativeIpc and shares segments and semaphores with it through the C library alone:
 * shm_open and sem_open, shmget and semget. It speaks the line protocol of tests/peers/PROTOCOL.md, and is built with
 * glibc and with musl.
 *
 *     gcc -std=c11 -O1 -Wall -Wextra -Werror -o peer peer.c
 *     musl-gcc -static -std=c11 -O1 -Wall -Wextra -Werror -o peer-musl peer.c
 *
 * Beyond the protocol:
 *     shm create NAME KEY SIZE stop-before-size    makes the POSIX name, or the System V key file, and nothing else, as
 *                                                  a creator does that dies in between
 *     shm open NAME KEY rw|ro part=OFFSET,LENGTH   maps only a part (POSIX); offsets are those of the segment all the
 *                                                  same
 *
 * With musl, a semaphore and a segment of one name are one file in /dev/shm, and a semaphore of glibc is another file.
 * So a POSIX segment has no lock here, and locking answers Unsupported.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_OBJECTS = 16, LINE = 1 << 20 };

struct key {
    int type; /* 256 is POSIX, 1 to 255 System V with that project id */
    char native[4096];
};

struct segment {
    char name[32];
    struct key key;
    uint8_t *address; /* NULL: not attached */
    uint64_t size;    /* of the whole segment */
    uint64_t from;    /* where the mapping begins */
    uint64_t mapped;
    int writable;
    sem_t *lock; /* POSIX */
    int lock_id; /* System V */
};

struct semaphore {
    char name[32];
    int type;
    sem_t *posix;
    int id;
};

static struct segment segments[MOST_OBJECTS];
static struct semaphore semaphores[MOST_OBJECTS];
static char *words[16];
static int count;

static void line(const char *text) {
    puts(text);
    fflush(stdout);
}

static void fail(const char *kind, const char *what) {
    printf("error %s %s\n", kind, what);
    fflush(stdout);
}

static void failed(const char *call) {
    int number = errno;
    const char *kind = number == EACCES || number == EPERM ? "PermissionDenied"
        : number == EEXIST ? "AlreadyExists"
        : number == ENOENT || number == EIDRM ? "NotFound"
        : number == ENAMETOOLONG || number == ENOTDIR ? "KeyError"
        : number == ENOSPC || number == ENOMEM || number == EMFILE || number == ERANGE || number == EOVERFLOW
            ? "OutOfResources"
        : "Unknown";
    printf("error %s %s: %s (%d)\n", kind, call, strerror(number), number);
    fflush(stdout);
}

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f' ? c - 'a' + 10
        : c >= 'A' && c <= 'F' ? c - 'A' + 10
        : -1;
}

/* Key text: TYPE:PATH[?...], percent escapes in the path; what this program does not need is not checked. */
static int parse_key(const char *text, struct key *key) {
    const char *colon = strchr(text, ':');
    if (colon == NULL) return 0;
    size_t length = (size_t)(colon - text);
    if (length == 5 && strncmp(text, "posix", 5) == 0) key->type = 256;
    else if (length == 7 && strncmp(text, "systemv", 7) == 0) key->type = 81;
    else if (length > 8 && strncmp(text, "systemv-", 8) == 0) key->type = atoi(text + 8);
    else return 0;

    size_t at = 0;
    for (const char *p = colon + 1; *p != '\0' && *p != '?' && *p != '#' && at + 1 < sizeof key->native; p++) {
        if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            key->native[at++] = (char)(hex(p[1]) * 16 + hex(p[2]));
            p += 2;
        } else {
            key->native[at++] = *p;
        }
    }
    key->native[at] = '\0';
    return 1;
}

static int is_posix(int type) { return type == 256; }

static struct segment *find_segment(const char *name, int free_one) {
    for (int i = 0; i < MOST_OBJECTS; i++) {
        if (free_one ? segments[i].name[0] == '\0' : strcmp(segments[i].name, name) == 0) return &segments[i];
    }
    return NULL;
}

static struct semaphore *find_semaphore(const char *name, int free_one) {
    for (int i = 0; i < MOST_OBJECTS; i++) {
        if (free_one ? semaphores[i].name[0] == '\0' : strcmp(semaphores[i].name, name) == 0) return &semaphores[i];
    }
    return NULL;
}

/* The key file is made if it is missing: ftok wants a file. */
static key_t system_v_key(const struct key *key, int create) {
    if (create) {
        int file = open(key->native, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (file != -1) close(file);
    }
    return ftok(key->native, key->type);
}

/* ---- segments ---- */

static const char *option(int from, const char *name) {
    size_t length = strlen(name);
    for (int i = from; i < count; i++) {
        if (strncmp(words[i], name, length) == 0 && (words[i][length] == '\0' || words[i][length] == '='))
            return words[i][length] == '=' ? words[i] + length + 1 : words[i] + length;
    }
    return NULL;
}

static void segment_attach(int create) {
    static struct key key;
    if (count < 5 || !parse_key(words[3], &key)) {
        fail("Usage", "shm create NAME KEY SIZE | shm open NAME KEY rw|ro");
        return;
    }
    struct segment *segment = find_segment("", 1);
    if (segment == NULL || find_segment(words[2], 0) != NULL) {
        fail("Usage", "the name is taken, or there are too many");
        return;
    }
    memset(segment, 0, sizeof *segment);
    segment->writable = create || strcmp(words[4], "rw") == 0;
    segment->lock_id = -1;
    uint64_t size = create ? strtoull(words[4], NULL, 10) : 0;
    int stop = option(5, "stop-before-size") != NULL;

    if (is_posix(key.type)) {
        int file = create ? shm_open(key.native, O_RDWR | O_CREAT | O_EXCL, 0600)
            : shm_open(key.native, segment->writable ? O_RDWR : O_RDONLY, 0);
        if (file == -1) {
            failed("shm_open");
            return;
        }
        if (stop) {
            line("ok 0 created");
            return;
        }
        struct stat status;
        if (create && ftruncate(file, (off_t)size) != 0) {
            failed("ftruncate");
            shm_unlink(key.native);
            close(file);
            return;
        }
        if (fstat(file, &status) != 0) {
            failed("fstat");
            close(file);
            return;
        }
        segment->size = segment->mapped = (uint64_t)status.st_size;
        const char *part = option(5, "part");
        if (part != NULL) {
            char *end;
            segment->from = strtoull(part, &end, 10);
            segment->mapped = strtoull(end + 1, NULL, 10);
        }
        void *address = mmap(NULL, segment->mapped, PROT_READ | (segment->writable ? PROT_WRITE : 0), MAP_SHARED, file,
            (off_t)segment->from);
        if (address == MAP_FAILED) {
            failed("mmap");
            close(file);
            return;
        }
        close(file);
        segment->address = address;
    } else {
        key_t number = system_v_key(&key, create);
        if (number == -1) {
            failed("ftok");
            return;
        }
        if (stop) {
            line("ok 0 created");
            return;
        }
        int id = create ? shmget(number, size, 0600 | IPC_CREAT | IPC_EXCL) : shmget(number, 0, 0);
        if (id == -1) {
            failed("shmget");
            return;
        }
        void *address = shmat(id, NULL, segment->writable ? 0 : SHM_RDONLY);
        if (address == (void *)-1) {
            failed("shmat");
            return;
        }
        struct shmid_ds status;
        if (shmctl(id, IPC_STAT, &status) != 0) {
            failed("shmctl");
            shmdt(address);
            return;
        }
        segment->address = address;
        segment->size = segment->mapped = status.shm_segsz;
    }

    segment->key = key;
    snprintf(segment->name, sizeof segment->name, "%s", words[2]);
    printf("ok %llu %s\n", (unsigned long long)segment->size, create ? "created" : "opened");
    fflush(stdout);
}

/* The lock: a semaphore of value 1 under the key of the segment. */
static int open_lock(struct segment *segment) {
    if (is_posix(segment->key.type)) {
        if (segment->lock != NULL) return 1;
#ifndef __GLIBC__
        fail("Unsupported", "in musl a semaphore and a segment of one name are one file");
        return 0;
#else
        sem_t *lock = sem_open(segment->key.native, O_CREAT, 0600, 1);
        if (lock == SEM_FAILED) {
            failed("sem_open");
            return 0;
        }
        segment->lock = lock;
        return 1;
#endif
    }
    if (segment->lock_id != -1) return 1;
    key_t number = system_v_key(&segment->key, 0);
    if (number == -1) {
        failed("ftok");
        return 0;
    }
    int id = semget(number, 1, 0600 | IPC_CREAT | IPC_EXCL);
    if (id != -1) {
        if (semctl(id, 0, SETVAL, 1) == -1) {
            failed("semctl");
            return 0;
        }
    } else {
        id = semget(number, 1, 0600);
        if (id == -1) {
            failed("semget");
            return 0;
        }
    }
    segment->lock_id = id;
    return 1;
}

static int change(int id, int by, int flags) {
    struct sembuf step = { 0, (short)by, (short)flags };
    int result;
    do result = semop(id, &step, 1);
    while (result == -1 && errno == EINTR);
    return result;
}

static int lock(struct segment *segment, int wait) {
    if (segment->lock != NULL) {
        int result;
        do result = wait ? sem_wait(segment->lock) : sem_trywait(segment->lock);
        while (result == -1 && errno == EINTR);
        return result;
    }
    return change(segment->lock_id, -1, SEM_UNDO | (wait ? 0 : IPC_NOWAIT));
}

static int unlock(struct segment *segment) {
    return segment->lock != NULL ? sem_post(segment->lock) : change(segment->lock_id, 1, SEM_UNDO);
}

static void segment_detach(struct segment *segment) {
    if (is_posix(segment->key.type)) munmap(segment->address, segment->mapped);
    else shmdt(segment->address);
    if (segment->lock != NULL) sem_close(segment->lock);
    memset(segment, 0, sizeof *segment);
}

static void segment_remove(const struct key *key) {
    int found;
    if (is_posix(key->type)) {
        found = shm_unlink(key->native) == 0;
        if (found) sem_unlink(key->native); /* the lock */
    } else {
        key_t number = system_v_key(key, 0);
        int id = number == -1 ? -1 : shmget(number, 0, 0);
        found = id != -1 && shmctl(id, IPC_RMID, NULL) == 0;
        int lock_id = number == -1 ? -1 : semget(number, 0, 0);
        if (lock_id != -1) semctl(lock_id, 0, IPC_RMID);
        if (number != -1) unlink(key->native);
    }
    line(found ? "ok true" : "ok false");
}

static void segment_command(void) {
    static struct key key;
    const char *verb = count > 1 ? words[1] : "";
    if (strcmp(verb, "create") == 0 || strcmp(verb, "open") == 0) {
        segment_attach(strcmp(verb, "create") == 0);
        return;
    }
    if (strcmp(verb, "remove") == 0 && count > 2 && parse_key(words[2], &key)) {
        segment_remove(&key);
        return;
    }
    struct segment *segment = count > 2 ? find_segment(words[2], 0) : NULL;
    if (segment == NULL) {
        fail("Usage", "no such command, or no such segment");
        return;
    }

    uint64_t offset = count > 3 ? strtoull(words[3], NULL, 10) : 0;
    uint8_t *at = segment->address + (offset - segment->from);
    if (strcmp(verb, "size") == 0) {
        printf("ok %llu\n", (unsigned long long)segment->size);
        fflush(stdout);
    } else if (strcmp(verb, "write") == 0 && count > 4) {
        uint64_t length = strlen(words[4]) / 2;
        if (!segment->writable) {
            fail("PermissionDenied", "it was opened for reading");
            return;
        }
        if (offset < segment->from || offset + length > segment->from + segment->mapped) {
            fail("Usage", "that is not mapped");
            return;
        }
        for (uint64_t i = 0; i < length; i++) at[i] = (uint8_t)(hex(words[4][2 * i]) * 16 + hex(words[4][2 * i + 1]));
        line("ok");
    } else if (strcmp(verb, "read") == 0 && count > 4) {
        uint64_t length = strtoull(words[4], NULL, 10);
        if (offset < segment->from || offset + length > segment->from + segment->mapped) {
            fail("Usage", "that is not mapped");
            return;
        }
        fputs("ok ", stdout);
        for (uint64_t i = 0; i < length; i++) printf("%02x", at[i]);
        line("");
    } else if (strcmp(verb, "add") == 0 && count > 4) {
        long times = strtol(words[4], NULL, 10);
        if (!open_lock(segment)) return;
        line("locking");
        for (long i = 0; i < times; i++) {
            if (lock(segment, 1) != 0) {
                failed("lock");
                return;
            }
            volatile uint32_t *number = (volatile uint32_t *)(void *)at;
            *number = *number + 1;
            if (unlock(segment) != 0) {
                failed("unlock");
                return;
            }
        }
        line("ok");
    } else if (strcmp(verb, "lock") == 0) {
        if (!open_lock(segment)) return;
        line("locking");
        if (lock(segment, 1) != 0) failed("lock");
        else line("ok");
    } else if (strcmp(verb, "trylock") == 0) {
        if (!open_lock(segment)) return;
        if (lock(segment, 0) == 0) line("ok true");
        else if (errno == EAGAIN) line("ok false");
        else failed("lock");
    } else if (strcmp(verb, "unlock") == 0) {
        if (unlock(segment) != 0) failed("unlock");
        else line("ok");
    } else if (strcmp(verb, "close") == 0) {
        segment_detach(segment);
        line("ok");
    } else {
        fail("Unsupported", "no such command");
    }
}

/* ---- semaphores ---- */

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static void semaphore_open(const char *verb) {
    static struct key key;
    int may_create = strncmp(verb, "create", 6) == 0;
    int exclusive = strcmp(verb, "create") == 0;
    int reset = strcmp(verb, "createorreset") == 0;
    if (count < 4 || (may_create && count < 5) || !parse_key(words[3], &key)) {
        fail("Usage", "sem create NAME KEY COUNT | sem open NAME KEY");
        return;
    }
    struct semaphore *semaphore = find_semaphore("", 1);
    if (semaphore == NULL || find_semaphore(words[2], 0) != NULL) {
        fail("Usage", "the name is taken, or there are too many");
        return;
    }
    memset(semaphore, 0, sizeof *semaphore);
    semaphore->type = key.type;
    int initial = may_create ? atoi(words[4]) : 0;
    int created = 0;
    if (is_posix(key.type)) {
        if (may_create) {
            semaphore->posix = sem_open(key.native, O_CREAT | O_EXCL, 0600, (unsigned)initial);
            created = semaphore->posix != SEM_FAILED;
        }
        if (!created && !(may_create && errno != EEXIST) && !exclusive) semaphore->posix = sem_open(key.native, 0);
        if (semaphore->posix == SEM_FAILED) {
            failed("sem_open");
            return;
        }
        if (reset && !created) {
            while (sem_trywait(semaphore->posix) == 0) { }
            for (int i = 0; i < initial; i++) sem_post(semaphore->posix);
        }
    } else {
        key_t number = system_v_key(&key, may_create);
        if (number == -1) {
            failed("ftok");
            return;
        }
        int id = may_create ? semget(number, 1, 0600 | IPC_CREAT | IPC_EXCL) : -1;
        created = id != -1;
        if (!created && exclusive) {
            failed("semget");
            return;
        }
        if (!created) id = semget(number, 1, 0600);
        if (id == -1) {
            failed("semget");
            return;
        }
        if ((created || reset) && semctl(id, 0, SETVAL, (union semun) { .val = initial }) == -1) {
            failed("semctl");
            return;
        }
        semaphore->id = id;
    }
    snprintf(semaphore->name, sizeof semaphore->name, "%s", words[2]);
    line(created ? "ok created" : "ok opened");
}

/* undo is Qt's and our default for acquiring; permits given are meant to stay, so releasing does without. */
static int acquire(struct semaphore *semaphore, int wait) {
    if (!is_posix(semaphore->type)) return change(semaphore->id, -1, SEM_UNDO | (wait ? 0 : IPC_NOWAIT));
    int result;
    do result = wait ? sem_wait(semaphore->posix) : sem_trywait(semaphore->posix);
    while (result == -1 && errno == EINTR);
    return result;
}

static int release(struct semaphore *semaphore, int permits) {
    if (!is_posix(semaphore->type)) return change(semaphore->id, permits, 0);
    for (int i = 0; i < permits; i++) {
        if (sem_post(semaphore->posix) != 0) return -1;
    }
    return 0;
}

static void semaphore_command(void) {
    static struct key key;
    const char *verb = count > 1 ? words[1] : "";
    if (strncmp(verb, "create", 6) == 0 || strcmp(verb, "open") == 0) {
        semaphore_open(verb);
        return;
    }
    if (strcmp(verb, "remove") == 0 && count > 2 && parse_key(words[2], &key)) {
        int found;
        if (is_posix(key.type)) {
            found = sem_unlink(key.native) == 0;
        } else {
            key_t number = system_v_key(&key, 0);
            int id = number == -1 ? -1 : semget(number, 0, 0);
            found = id != -1 && semctl(id, 0, IPC_RMID) == 0;
            if (number != -1) unlink(key.native);
        }
        line(found ? "ok true" : "ok false");
        return;
    }
    struct semaphore *semaphore = count > 2 ? find_semaphore(words[2], 0) : NULL;
    if (semaphore == NULL) {
        fail("Usage", "no such command, or no such semaphore");
        return;
    }
    int number = count > 3 ? atoi(words[3]) : 1;
    if (strcmp(verb, "acquire") == 0) {
        line("acquiring");
        for (int i = 0; i < number; i++) {
            if (acquire(semaphore, 1) != 0) {
                failed("acquire");
                return;
            }
        }
        line("ok");
    } else if (strcmp(verb, "tryacquire") == 0) {
        if (acquire(semaphore, 0) == 0) line("ok true");
        else if (errno == EAGAIN) line("ok false");
        else failed("acquire");
    } else if (strcmp(verb, "release") == 0) {
        if (release(semaphore, number) != 0) failed("release");
        else line("ok");
    } else if (strcmp(verb, "add") == 0 && count > 5) {
        struct segment *segment = find_segment(words[3], 0);
        if (segment == NULL) {
            fail("Usage", "no such segment");
            return;
        }
        volatile uint32_t *counter =
            (volatile uint32_t *)(void *)(segment->address + (strtoull(words[4], NULL, 10) - segment->from));
        line("acquiring");
        for (long i = strtol(words[5], NULL, 10); i > 0; i--) {
            if (acquire(semaphore, 1) != 0) {
                failed("acquire");
                return;
            }
            *counter = *counter + 1;
            /* Whoever undoes the one has to undo the other. */
            if ((is_posix(semaphore->type) ? release(semaphore, 1) : change(semaphore->id, 1, SEM_UNDO)) != 0) {
                failed("release");
                return;
            }
        }
        line("ok");
    } else if (strcmp(verb, "produce") == 0) {
        for (int i = 0; i < number; i++) {
            if (release(semaphore, 1) != 0) {
                failed("release");
                return;
            }
        }
        line("ok");
    } else if (strcmp(verb, "value") == 0) {
        int value = 0;
        if (is_posix(semaphore->type)) sem_getvalue(semaphore->posix, &value);
        else value = semctl(semaphore->id, 0, GETVAL);
        printf("ok %d\n", value);
        fflush(stdout);
    } else if (strcmp(verb, "close") == 0) {
        if (is_posix(semaphore->type)) sem_close(semaphore->posix);
        memset(semaphore, 0, sizeof *semaphore);
        line("ok");
    } else {
        fail("Unsupported", "no such command");
    }
}

static void close_all(void) {
    for (int i = 0; i < MOST_OBJECTS; i++) {
        if (segments[i].name[0] != '\0') segment_detach(&segments[i]);
        if (semaphores[i].name[0] != '\0' && is_posix(semaphores[i].type)) sem_close(semaphores[i].posix);
        memset(&semaphores[i], 0, sizeof semaphores[i]);
    }
}

int main(int argc, char **argv) {
    static char input[LINE];
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
#ifdef __GLIBC__
        printf("gcc " __VERSION__ ", glibc %d.%d\n", __GLIBC__, __GLIBC_MINOR__);
#else
        puts("gcc " __VERSION__ ", musl");
#endif
        return 0;
    }
    while (fgets(input, sizeof input, stdin) != NULL) {
        input[strcspn(input, "\n")] = '\0';
        count = 0;
        for (char *word = strtok(input, " "); word != NULL && count < 16; word = strtok(NULL, " "))
            words[count++] = word;
        const char *first = count > 0 ? words[0] : "";
        static struct key key;
        if (strcmp(first, "shm") == 0) segment_command();
        else if (strcmp(first, "sem") == 0) semaphore_command();
        else if (strcmp(first, "key") == 0 && count > 2 && strcmp(words[1], "parse") == 0
            && parse_key(words[2], &key)) {
            printf("ok %d ", key.type);
            for (const char *p = key.native; *p != '\0'; p++)
                printf(*p == ' ' || *p == '%' ? "%%%02X" : "%c", (unsigned char)*p);
            line("");
        } else if (strcmp(first, "reset") == 0) {
            close_all();
            line("ok");
        } else if (strcmp(first, "quit") == 0) {
            close_all();
            line("ok");
            return 0;
        } else if (strcmp(first, "exit") == 0) {
            line("ok");
            return 0;
        } else {
            fail("Unsupported", "no such command");
        }
    }
    return 0;
}
