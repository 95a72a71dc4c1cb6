/* Sleeps on words of a segment and wakes sleepers, by futex(2) and nothing else.
   word posix PATH | word systemv KEYFILE ID
   wait OFFSET VALUE: locking, ok woken | ok changed; wake OFFSET N: ok WOKEN; set OFFSET VALUE: ok;
   turns OFFSET MINE N: N times waits until the word is MINE, makes it one more (of two), and wakes: ok */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

static long futex(uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static char *attach(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "posix")) {
        int descriptor = open(argv[2], O_RDWR);
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        return at == MAP_FAILED ? NULL : at;
    }
    if (argc == 4 && !strcmp(argv[1], "systemv")) {
        void *at = shmat(shmget(ftok(argv[2], atoi(argv[3])), 0, 0), NULL, 0);
        return at == (void *)-1 ? NULL : at;
    }
    return NULL;
}

static void turns(uint32_t *word, uint32_t mine, long times)
{
    for (long i = 0; i < times; i++) {
        uint32_t seen;
        while ((seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != mine) futex(word, FUTEX_WAIT, seen);
        __atomic_store_n(word, 1 - mine, __ATOMIC_SEQ_CST);
        futex(word, FUTEX_WAKE, 1);
    }
}

int main(int argc, char **argv)
{
    char *base = attach(argc, argv), verb[16];
    long offset, number, times;
    if (!base) return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (scanf("%15s %ld %ld", verb, &offset, &number) == 3) {
        uint32_t *word = (uint32_t *)(base + offset);
        if (!strcmp(verb, "wait")) {
            puts("locking");
            long result;
            do result = futex(word, FUTEX_WAIT, (uint32_t)number);
            while (result && errno == EINTR);
            puts(!result ? "ok woken" : errno == EAGAIN ? "ok changed" : "error Unknown futex");
        } else if (!strcmp(verb, "wake")) {
            printf("ok %ld\n", futex(word, FUTEX_WAKE, (uint32_t)number));
        } else if (!strcmp(verb, "set")) {
            __atomic_store_n(word, (uint32_t)number, __ATOMIC_SEQ_CST);
            puts("ok");
        } else if (!strcmp(verb, "turns") && scanf("%ld", &times) == 1) {
            turns(word, (uint32_t)number, times);
            puts("ok");
        } else {
            puts("error Usage no such command");
        }
    }
    return 0;
}
