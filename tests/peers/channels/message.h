/* The messages of tests/NativeIpc.Channels.Peer/Message.cs, for peer.c and storm.c: C11 and C++11. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t sum_of(const uint8_t *bytes, size_t length) {
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++) sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

static void fill(uint8_t *message, size_t length, uint64_t writer, uint64_t number) {
    uint64_t sum;
    memcpy(message, &writer, 8);
    memcpy(message + 8, &number, 8);
    for (size_t i = 16; i < length - 8; i++) message[i] = (uint8_t)(number + i);
    sum = sum_of(message, length - 8);
    memcpy(message + length - 8, &sum, 8);
}

static uint64_t number_of(const uint8_t *message, size_t length) {
    uint64_t number, sum;
    if (length < 24) return 0;
    memcpy(&number, message + 8, 8);
    memcpy(&sum, message + length - 8, 8);
    return sum == sum_of(message, length - 8) ? number : 0;
}

static int fail(const char *what) {
    int number = errno;
    printf("error %d %s: %s\n", number, what, strerror(number));
    return 1;
}

static size_t length_of(uint64_t number) { return 24 + (size_t)(number * 7919 % 1977); }

static uint8_t buffer[4096];
