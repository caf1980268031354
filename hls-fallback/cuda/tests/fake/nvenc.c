// An encoder that encodes nothing: a picture becomes a NAL unit with its first byte in it, twice, and a keyframe has parameter sets
// before it, which say on which GPU. GPU 0 takes two sessions. Offsets are those of NVENC's public header, since version 10.
#include "device.h"

#define OUT_OF_MEMORY 10
#define GENERIC 20
#define AT(structure, offset, type) (*(type *)((char *)(structure) + (offset)))

static int sessions[2];
static const unsigned char H264[16] = {0x62, 0x27, 0xC8, 0x6B, 0x63, 0x4E, 0xA4, 0x4C, 0xAA, 0x85, 0x1E, 0x50, 0xF3, 0x21, 0xF6, 0xBF};

struct session { int gpu, is_begun; };
struct output { uint64_t timestamp; uint32_t kind, bytes; unsigned char data[64]; };

static int open_session(void *parameters, struct session **to) {
    int gpu = AT(parameters, 8, struct context *)->device;
    if (is_broken()) return GENERIC;
    if (gpu == 0 && sessions[0] == 2) return OUT_OF_MEMORY;
    sessions[gpu]++;
    *to = calloc(1, sizeof **to);
    (*to)->gpu = gpu;
    return 0;
}
static int destroy(struct session *session) { sessions[session->gpu]--; free(session); return 0; }
static int guid_count(void *session, uint32_t *to) { *to = 1; return 0; }
static int guids(void *session, void *to, uint32_t room, uint32_t *count) { memcpy(to, H264, 16); *count = 1; return 0; }
struct guid { uint64_t halves[2]; };
static int caps(void *session, struct guid codec, void *which, int *to) { *to = 8192; return 0; }
static int preset(void *session, struct guid codec, struct guid preset, int tuning, void *to) { return 0; }
static int initialize(struct session *session, void *parameters) { return is_broken() ? GENERIC : 0; }
static int create_output(void *session, void *parameters) { AT(parameters, 16, void *) = calloc(1, sizeof(struct output)); return 0; }
static int destroy_output(void *session, void *output) { free(output); return 0; }
// A registered picture is where it is; memory that isn't on a GPU would end the program.
static int register_picture(void *session, void *parameters) {
    on_host(AT(parameters, 24, pointer));
    AT(parameters, 32, pointer) = AT(parameters, 24, pointer);
    return 0;
}
static int map(void *session, void *parameters) {
    AT(parameters, 24, pointer) = AT(parameters, 16, pointer);
    AT(parameters, 32, uint32_t) = 1;
    return 0;
}
static int encode(struct session *session, void *picture) {
    uint32_t flags = AT(picture, 16, uint32_t);
    if (flags & 8) return 0; // the end
    if (is_broken()) return GENERIC;
    struct output *output = AT(picture, 48, struct output *);
    unsigned char seen = *(unsigned char *)on_host(AT(picture, 40, pointer)) | 0x80;
    int is_idr = flags & 2 || !session->is_begun;
    unsigned char *to = output->data;
    if (is_idr) {
        unsigned char sets[] = {0, 0, 0, 1, 0x67, 100, 0, 31 + session->gpu, 0xac, 0, 0, 0, 1, 0x68, 0xee, 0x3c, 0x80};
        memcpy(to, sets, sizeof sets);
        to += sizeof sets;
    }
    unsigned char unit[] = {0, 0, 0, 1, is_idr ? 0x65 : 0x41, seen, seen, 0x80};
    memcpy(to, unit, sizeof unit);
    output->bytes = to + sizeof unit - output->data;
    output->timestamp = AT(picture, 24, uint64_t);
    output->kind = is_idr ? 3 : 0;
    session->is_begun = 1;
    return 0;
}
static int lock(void *session, void *parameters) {
    struct output *output = AT(parameters, 8, struct output *);
    AT(parameters, 36, uint32_t) = output->bytes;
    AT(parameters, 40, uint64_t) = output->timestamp;
    AT(parameters, 56, void *) = output->data;
    AT(parameters, 64, uint32_t) = output->kind;
    AT(parameters, 68, uint32_t) = 1; // a whole picture
    return 0;
}
static int nothing(void) { return 0; }
static const char *last_error(void *session) { return "it broke"; }

int NvEncodeAPIGetMaxSupportedVersion(uint32_t *to) { *to = 13 << 4; return 0; }
int NvEncodeAPICreateInstance(void *table) {
    void **functions = (void **)((char *)table + 8);
    for (int i = 0; i < 41; i++) functions[i] = nothing;
    functions[1] = guid_count;
    functions[4] = guids;
    functions[7] = caps;
    functions[11] = initialize;
    functions[14] = create_output;
    functions[15] = destroy_output;
    functions[16] = encode;
    functions[17] = lock;
    functions[25] = map;
    functions[27] = destroy;
    functions[29] = open_session;
    functions[30] = register_picture;
    functions[37] = last_error;
    functions[39] = preset;
    return 0;
}
