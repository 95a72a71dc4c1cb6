/* SPDX-License-Identifier: MIT
 *
 * A program that meets events through include/nativeipc_event.h. It speaks the commands `event` of
 * tests/peers/PROTOCOL.md, and is built with glibc, with musl, and as C++.
 *
 *     gcc -std=c11 -I../../../include -O1 -Wall -Wextra -Werror -o event event.c
 *     musl-gcc -static -std=c11 -I../../../include -O1 -Wall -Wextra -Werror -o event-musl event.c
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
static void step(const char *name);
#define NATIVEIPC_EVENT_STEP(name) step(name)
#include "nativeipc_event.h"

enum { MOST_OBJECTS = 16, NAME = 32 };

static struct {
    char name[NAME];
    nativeipc_event event;
} events[MOST_OBJECTS];

static char stop_at[NAME];
static int stop_after;
static char *words[8];
static int count;

static void line(const char *text) {
    puts(text);
    fflush(stdout);
}

/* Stops for ever, in order to be killed. The names of points have a dash for each space. */
static void step(const char *name) {
    if (stop_at[0] == '\0') return;
    char point[NAME];
    snprintf(point, sizeof point, "%s", name);
    for (char *c = point; *c != '\0'; c++) {
        if (*c == ' ') *c = '-';
    }
    if (strcmp(point, stop_at) != 0 || --stop_after > 0) return;
    printf("stopped %s\n", point);
    fflush(stdout);
    for (;;) pause();
}

static void failed(void) {
    int number = errno;
    const char *kind = number == EACCES || number == EPERM ? "PermissionDenied"
        : number == EEXIST ? "AlreadyExists"
        : number == ENOENT ? "NotFound"
        : number == EINVAL || number == ENAMETOOLONG || number == EBADMSG || number == EPROTOTYPE ? "KeyError"
        : number == ENOSPC || number == ENOMEM || number == EMFILE ? "OutOfResources"
        : "Unknown";
    printf("error %s %s (%d)\n", kind, strerror(number), number);
    fflush(stdout);
}

static nativeipc_event *find(const char *name) {
    for (int i = 0; i < MOST_OBJECTS; i++) {
        if (strcmp(events[i].name, name) == 0) return &events[i].event;
    }
    return NULL;
}

static const char *native_key(const char *text) {
    return strncmp(text, "posix:", 6) == 0 ? text + 6 : NULL;
}

static void answer_truth(int truth) { line(truth ? "ok true" : "ok false"); }

/* The result of a wait that may end without the event. */
static void answer_wait(int result) {
    if (result == 0) line("ok true");
    else if (errno == ETIMEDOUT || errno == EAGAIN) line("ok false");
    else failed();
}

static void make(const char *verb) {
    int i = 0;
    const char *key = native_key(words[3]);
    while (i < MOST_OBJECTS && events[i].name[0] != '\0') i++;
    if (i == MOST_OBJECTS || key == NULL || strlen(words[2]) >= NAME) {
        line("error Usage the key is not posix:, or there are too many");
        return;
    }
    int mode = count > 4 && strcmp(words[4], "manual") == 0 ? NATIVEIPC_EVENT_MANUAL : NATIVEIPC_EVENT_AUTO;
    int is_set = 0, flags = 0;
    for (int at = 4; at < count; at++) {
        if (strcmp(words[at], "1") == 0) is_set = 1;
        if (strcmp(words[at], "others") == 0) flags = NATIVEIPC_EVENT_ANY_OWNER;
    }
    nativeipc_event *event = &events[i].event;
    int result = strcmp(verb, "open") == 0 ? nativeipc_event_open(event, key, flags)
        : strcmp(verb, "create") == 0 ? nativeipc_event_create(event, key, mode, is_set, 0600)
                                      : nativeipc_event_create_or_open(event, key, mode, is_set, 0600, flags);
    if (result != 0) {
        failed();
        return;
    }
    strcpy(events[i].name, words[2]);
    line(event->created ? "ok created" : "ok opened");
}

/* Everything that an event can do, in an order by chance; what changed something is counted. */
static void storm(nativeipc_event *event, long rounds, unsigned seed) {
    long set = 0, taken = 0, reset = 0;
    for (long i = 0; i < rounds; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned chance = (seed >> 16) % 100;
        struct timespec time = {0, (long)(seed >> 8) % 30000};
        if (chance < 40) set += nativeipc_event_set(event);
        else if (chance < 45) reset += nativeipc_event_reset(event);
        else if (chance < 65) taken += nativeipc_event_try(event) == 0;
        else taken += nativeipc_event_wait_for(event, &time) == 0;
    }
    printf("ok %ld %ld %ld\n", set, taken, reset);
    fflush(stdout);
}

static void event_command(void) {
    const char *verb = words[1];
    if (count > 3 && (strcmp(verb, "create") == 0 || strcmp(verb, "createoropen") == 0 || strcmp(verb, "open") == 0)) {
        make(verb);
        return;
    }
    if (strcmp(verb, "remove") == 0) {
        const char *key = native_key(words[2]);
        if (key != NULL && nativeipc_event_unlink(key) == 0) line("ok true");
        else if (errno == ENOENT) line("ok false");
        else failed();
        return;
    }
    nativeipc_event *event = find(words[2]);
    long number = count > 3 ? atol(words[3]) : 1;
    if (event == NULL) {
        line("error Usage no such event");
    } else if (strcmp(verb, "mode") == 0) {
        line(event->mode == NATIVEIPC_EVENT_AUTO ? "ok auto" : "ok manual");
    } else if (strcmp(verb, "set") == 0) {
        long changed = 0;
        for (long i = 0; i < number; i++) changed += nativeipc_event_set(event);
        printf("ok %ld\n", changed);
        fflush(stdout);
    } else if (strcmp(verb, "reset") == 0) {
        answer_truth(nativeipc_event_reset(event));
    } else if (strcmp(verb, "pulse") == 0) {
        nativeipc_event_set(event);
        answer_truth(nativeipc_event_reset(event));
    } else if (strcmp(verb, "isset") == 0) {
        answer_truth(nativeipc_event_is_set(event));
    } else if (strcmp(verb, "trywait") == 0 && count > 3) {
        struct timespec time = {number / 1000, number % 1000 * 1000000};
        line("waiting");
        answer_wait(nativeipc_event_wait_for(event, &time));
    } else if (strcmp(verb, "trywait") == 0) {
        answer_wait(nativeipc_event_try(event));
    } else if (strcmp(verb, "wait") == 0) {
        line("waiting");
        for (; number > 0; number--) {
            if (nativeipc_event_wait(event) != 0) {
                failed();
                return;
            }
        }
        line("ok");
    } else if (strcmp(verb, "relay") == 0 && count > 4 && find(words[3]) != NULL) {
        nativeipc_event *other = find(words[3]);
        line("waiting");
        for (long i = 0; i < atol(words[4]); i++) {
            if (nativeipc_event_wait(event) != 0) {
                failed();
                return;
            }
            nativeipc_event_set(other);
        }
        line("ok");
    } else if (strcmp(verb, "storm") == 0 && count > 4) {
        storm(event, number, (unsigned)atol(words[4]));
    } else if (strcmp(verb, "close") == 0) {
        nativeipc_event_close(event);
        for (int i = 0; i < MOST_OBJECTS; i++) {
            if (&events[i].event == event) events[i].name[0] = '\0';
        }
        line("ok");
    } else {
        line("error Unsupported no such command");
    }
}

int main(int argc, char **argv) {
    static char input[1024];
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
#ifdef __cplusplus
        puts("g++ " __VERSION__);
#elif defined(__GLIBC__)
        printf("gcc " __VERSION__ ", glibc %d.%d\n", __GLIBC__, __GLIBC_MINOR__);
#else
        puts("gcc " __VERSION__ ", musl");
#endif
        return 0;
    }
    while (fgets(input, sizeof input, stdin) != NULL) {
        input[strcspn(input, "\n")] = '\0';
        count = 0;
        for (char *word = strtok(input, " "); word != NULL && count < 8; word = strtok(NULL, " "))
            words[count++] = word;
        if (count > 2 && strcmp(words[0], "event") == 0) {
            event_command();
        } else if (count > 1 && strcmp(words[0], "stopat") == 0) {
            snprintf(stop_at, sizeof stop_at, "%s", words[1]);
            stop_after = count > 2 ? atoi(words[2]) : 1;
            line("ok");
        } else if (count > 0 && (strcmp(words[0], "quit") == 0 || strcmp(words[0], "exit") == 0)) {
            line("ok");
            return 0;
        } else {
            line("error Unsupported no such command");
        }
    }
    return 0;
}
