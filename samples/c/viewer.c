/*
 * Shows the pictures of a topic in a terminal, two pixels to a character: the second process of ./demo.sh.
 *
 *     viewer NAME COLUMNS ROWS     for example: viewer /demo-pictures 80 20. With 0 0 it shows nothing and counts
 *
 * A message is a Picture (pictures.h, which the build of samples/dotnet/Transfer writes from its C# struct), and behind
 * it four bytes for each pixel: red, green, blue, unused. A line that comes on standard input is shown below the
 * picture; its end ends this program. For the process that started it, it writes to standard error:
 *
 *     frame COUNT NUMBER PROCESS TOOK_OVER            for each picture: how many there were, and what its head says
 *     end COUNT BYTES MISSED MILLISECONDS             at the end
 *
 *     cc -O2 -std=c11 -I ../../include -I FOLDER_OF_PICTURES_H -o viewer viewer.c
 */
#define _GNU_SOURCE
#include "nativeipc_channels.h"
#include "pictures.h"

#include <poll.h>
#include <signal.h>

enum { MOST_COLUMNS = 400, MOST_ROWS = 200, LINES = 4, LOOK_MILLISECONDS = 50 };

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

/* ---- The terminal ---- */

static int most_columns, most_rows;
static int lines_shown;    /* how far the cursor is below the picture's top */
static char told[512];     /* what came on standard input */
static char takeover[256]; /* what the pictures said */

/* The average of all pixels that one pixel of the terminal stands for. */
static uint32_t small[2 * MOST_ROWS][MOST_COLUMNS];

static void shrink(const uint8_t *pixels, unsigned width, unsigned height, int columns, int rows)
{
    static uint32_t sums[MOST_COLUMNS][4];
    unsigned y = 0;
    for (int row = 0; row < 2 * rows; row++) {
        unsigned end = (unsigned)((uint64_t)(row + 1) * height / (2 * (unsigned)rows));
        if (end <= y) { /* a small picture on a large terminal */
            end = y + 1 < height ? y + 1 : height;
            if (y >= end) y = end - 1;
        }
        memset(sums, 0, sizeof sums);
        for (; y < end; y++) {
            const uint8_t *pixel = pixels + (size_t)y * width * 4;
            for (int column = 0; column < columns; column++) {
                unsigned x = (unsigned)((uint64_t)column * width / (unsigned)columns);
                unsigned right = (unsigned)((uint64_t)(column + 1) * width / (unsigned)columns);
                uint32_t *sum = sums[column];
                for (right = right > x ? right : x + 1; x < right; x++) {
                    sum[0] += pixel[4 * x];
                    sum[1] += pixel[4 * x + 1];
                    sum[2] += pixel[4 * x + 2];
                    sum[3]++;
                }
            }
        }
        for (int column = 0; column < columns; column++) {
            const uint32_t *sum = sums[column];
            uint32_t count = sum[3] != 0 ? sum[3] : 1;
            small[row][column] = sum[0] / count | sum[1] / count << 8 | sum[2] / count << 16;
        }
    }
}

static void put_line(const char *colour, const char *text)
{
    /* Cut to the width: what runs over would move everything. The text is ASCII. */
    printf("%s%.*s\033[0m\033[K\n", colour, most_columns - 1, text);
}

static void put_colour(int what, uint32_t colour)
{
    printf("\033[%d;2;%u;%u;%um", what, colour & 255, colour >> 8 & 255, colour >> 16 & 255);
}

static void show(int columns, int rows, const char *line, const char *rate)
{
    if (lines_shown > 0) printf("\033[%dA", lines_shown);
    printf("\r\033[?25l");
    for (int row = 0; row < rows; row++) {
        uint32_t upper = UINT32_MAX, lower = UINT32_MAX;
        for (int column = 0; column < columns; column++) {
            if (small[2 * row][column] != upper) put_colour(38, upper = small[2 * row][column]);
            if (small[2 * row + 1][column] != lower) put_colour(48, lower = small[2 * row + 1][column]);
            fputs("\xE2\x96\x80", stdout); /* the upper half of a cell */
        }
        printf("\033[0m\033[K\n");
    }
    put_line("", line);
    put_line("\033[2m", rate);
    put_line("\033[31m", told);
    put_line("\033[32m", takeover);
    fflush(stdout);
    lines_shown = rows + LINES;
}

/* The largest size that has the picture's proportions; a cell is twice as high as it is wide. */
static void fit(unsigned width, unsigned height, int *columns, int *rows)
{
    *columns = most_columns;
    *rows = (int)((uint64_t)*columns * height / width / 2);
    if (*rows > most_rows) {
        *rows = most_rows;
        *columns = (int)((uint64_t)*rows * 2 * width / height);
    }
    if (*columns > most_columns) *columns = most_columns;
    if (*columns < 1) *columns = 1;
    if (*rows < 1) *rows = 1;
}

/* ---- The process that started this one ---- */

/* Takes what has come of a line; 0 when nothing comes any more. */
static int listen(void)
{
    static char line[sizeof told];
    static size_t length;
    struct pollfd input = { 0, POLLIN, 0 };
    while (poll(&input, 1, 0) > 0) {
        char next;
        ssize_t got = read(0, &next, 1);
        if (got == 0 || (got < 0 && errno != EINTR)) return 0;
        if (got < 0) continue;
        if (next == '\n') {
            memcpy(told, line, length);
            told[length] = 0;
            length = 0;
        } else if (length < sizeof line - 1) {
            line[length++] = next >= ' ' && next <= '~' ? next : '?';
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    nativeipc_channel topic;
    nativeipc_topic_reader reader;
    struct sigaction action;
    unsigned long long frames = 0, bytes = 0, recent_frames = 0, recent_bytes = 0;
    long long begun = 0, recent = 0, last = 0;
    char rate[128] = "";
    if (argc != 4) {
        fprintf(stderr, "usage: viewer NAME COLUMNS ROWS\n");
        return 2;
    }
    most_columns = atoi(argv[2]);
    most_rows = atoi(argv[3]) - LINES;
    if (most_columns > MOST_COLUMNS) most_columns = MOST_COLUMNS;
    if (most_rows > MOST_ROWS) most_rows = MOST_ROWS;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN; /* Ctrl-C: the process that started this one ends it in good order */
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = interrupt;
    sigaction(SIGTERM, &action, NULL);

    if (nativeipc_topic_open(&topic, argv[1], 0) != 0) {
        fprintf(stderr, "viewer: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    nativeipc_topic_open_reader(&topic, &reader);
    nativeipc_topic_rewind(&reader);

    while (!is_interrupted && listen()) {
        const void *message;
        size_t length;
        Picture head;
        int is_picture, columns = 0, rows = 0;
        if (nativeipc_topic_begin_read(&reader, &message, &length) != 0) {
            if (errno == ENODATA) break; /* the drawer says that this was all */
            if (errno != EAGAIN) {
                fprintf(stderr, "viewer: %s: %s\n", argv[1], strerror(errno));
                return 1;
            }
            (void)nativeipc_topic_wait(&reader, LOOK_MILLISECONDS);
            continue;
        }

        /* A copy of the head, then checked: the place may be overwritten meanwhile. */
        is_picture = length >= sizeof head;
        if (is_picture) memcpy(&head, message, sizeof head);
        is_picture = is_picture && head.width > 0 && head.width <= 65536 && head.height > 0 && head.height <= 65536 &&
            length == sizeof head + (uint64_t)head.width * head.height * 4;
        if (is_picture && most_rows > 0) {
            fit(head.width, head.height, &columns, &rows);
            shrink((const uint8_t *)message + sizeof head, head.width, head.height, columns, rows);
        }
        if (nativeipc_topic_end_read(&reader) != 1 || !is_picture) continue;

        last = nativeipc_channel_now();
        if (frames == 0) begun = recent = last;
        frames++;
        bytes += length;
        recent_frames++;
        recent_bytes += length;
        if (last - recent >= 500000000LL) {
            double seconds = (double)(last - recent) / 1e9;
            snprintf(rate, sizeof rate, "%.0f frames/s, %.0f MB/s, %llu missed", (double)recent_frames / seconds,
                (double)recent_bytes / 1e6 / seconds, (unsigned long long)reader.missed);
            recent = last;
            recent_frames = recent_bytes = 0;
        }
        if (head.took_over != 0)
            snprintf(takeover, sizeof takeover, "Process %d took over and goes on.", (int)head.process_id);
        if (rows > 0) {
            char line[256];
            snprintf(line, sizeof line, "Frame %llu: drawn by process %d in .NET, shown by process %d in C",
                (unsigned long long)head.number, (int)head.process_id, (int)getpid());
            show(columns, rows, line, rate);
        }
        fprintf(stderr, "frame %llu %llu %d %u\n", frames, (unsigned long long)head.number, (int)head.process_id,
            head.took_over);
    }

    if (most_rows > 0) printf("\033[0m\033[?25h");
    fflush(stdout);
    fprintf(stderr, "end %llu %llu %llu %lld\n", frames, bytes, (unsigned long long)reader.missed,
        (last - begun) / 1000000);
    nativeipc_channel_close(&topic);
    return 0;
}
