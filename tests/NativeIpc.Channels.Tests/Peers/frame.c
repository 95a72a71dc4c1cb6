/* Fills a Frame by name and compares it with the one of C#: frame SAME OUT. Then each word of the head is another
 * one. */
#include "sample.h"
#include <stdlib.h>

static unsigned char *read_all(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(3);
    *length = (size_t)ftell(file);
    rewind(file);
    if (posix_memalign((void **)&bytes, 64, *length) != 0 || fread(bytes, 1, *length, file) != *length) exit(3);
    fclose(file);
    return bytes;
}

static void fill(Frame *frame)
{
    frame->type = 1;
    frame->small = -2;
    frame->width = 3;
    frame->height = -4;
    frame->stride = 5;
    frame->signed_ = -6;
    frame->large = UINT64_C(0xF000000000000007);
    frame->negative = -8;
    frame->single = 1.5f;
    frame->double_ = -2.25;
    frame->format = PixelFormat_Bgra32;
    frame->marks = Marks_Key | Marks_Lost;
    frame->depth = Depth_Lowest;
    frame->camera.x = 1, frame->camera.y = 2, frame->camera.weight = 3;
    for (int i = 0; i < 2; i++)
        frame->corners[i].x = 4 + 3 * i, frame->corners[i].y = 5 + 3 * i, frame->corners[i].weight = 6 + 3 * (float)i;
    frame->samples[0] = 10, frame->samples[1] = -11, frame->samples[2] = 12;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) frame->matrix[i][j] = (int16_t)((i + 1) * 100 + j);
    if (nativeipc_text_set(frame->title, sizeof frame->title, "gr\xc3\xbcn") != 0) exit(4);
    if (nativeipc_text_set(frame->titles[0], sizeof frame->titles[0], "one") != 0) exit(4);
    if (nativeipc_text_set(frame->titles[1], sizeof frame->titles[1], "twelve bytes") != 0) exit(4);
    if (nativeipc_text_set(frame->titles[1], sizeof frame->titles[1], "thirteen byte") == 0) exit(4);
    frame->shape.kind = 13;
    frame->shape.centre.y = 14, frame->shape.centre.weight = 15;
    frame->shape.code = UINT64_C(0x1122334455667788);
    frame->shape.middle = 0xABCD;
    frame->shape.last = 16;
    Frame_store_sequence(frame, 16);
    if (Frame_add_sequence(frame, 1) != 17) exit(4);
    Frame_store_readers(frame, 18);
}

int main(int count, char **arguments)
{
    char why[300] = "";
    size_t length;
    if (count != 3) return 2;
    unsigned char *bytes = read_all(arguments[1], &length);
    Frame *theirs = Frame_open(bytes, length, why, sizeof why);
    if (theirs == NULL) return puts(why), 1;
    if (Frame_load_sequence(theirs) != 17 || Frame_open(bytes, 100, why, sizeof why) != NULL) return 5;

    void *own = NULL;
    if (posix_memalign(&own, 64, length) != 0) return 3;
    memset(own, 0, length);
    if (Frame_open(own, length, why, sizeof why) != NULL) return 5;
    puts(why);
    Frame *ours = Frame_create(own, length);
    if (ours == NULL || Frame_create(own, 100) != NULL) return 5;
    fill(ours);
    FILE *file = fopen(arguments[2], "wb");
    if (file == NULL || fwrite(own, 1, length, file) != length || fclose(file) != 0) return 3;

    static const int words[] = {4, 8, 16, 20, 0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bytes[words[i]] ^= 1;
        if (Frame_open(bytes, length, why, sizeof why) != NULL) return 5;
        puts(why);
        bytes[words[i]] ^= 1;
    }
    free(bytes);
    free(own);
    return 0;
}
