// CUDA on GPUs that aren't there: two of them. Their memory is this process's, but no pointer into it works without CUDA. Kernels
// fill what they are to make with the first byte of what they make it of, so that one sees which picture it was.
// While the file is there that FAKE_BROKEN names, all that would touch the memory fails.
#include "device.h"
#include <stdio.h>

#define GPUS 2

int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 12020; return 0; }
int cuDeviceGetCount(int *count) { *count = GPUS; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return number < GPUS ? 0 : 101; }
int cuDeviceGetPCIBusId(char *to, int length, int device) {
    snprintf(to, length, "0000:0%d:00.0", 2 - device); // not in the order of the numbers
    return 0;
}
// The alignment of rows, for one.
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = 256; return 0; }

int cuCtxCreate_v2(struct context **to, unsigned flags, int device) {
    *to = malloc(sizeof **to);
    (*to)->device = device;
    return 0;
}
int cuCtxPopCurrent_v2(struct context **to) { if (to) *to = 0; return 0; }
int cuCtxDestroy_v2(struct context *context) { free(context); return 0; }

int cuMemAlloc_v2(pointer *to, size_t bytes) { *to = (pointer)calloc(1, bytes) | ON_GPU; return 0; }
int cuMemAllocPitch_v2(pointer *to, size_t *pitch, size_t width, size_t height, unsigned element) {
    *pitch = (width + 255) & ~(size_t)255;
    return cuMemAlloc_v2(to, *pitch * height);
}
int cuMemFree_v2(pointer memory) { free(on_host(memory)); return 0; }

struct place {
    size_t x, y;
    int type;
    void *host;
    pointer device;
    void *array;
    size_t pitch;
};
struct copy {
    struct place from, to;
    size_t width, height;
};
static char *at(struct place *place) {
    char *begin = place->type == 2 ? on_host(place->device) : place->host;
    return begin + place->y * place->pitch + place->x;
}
int cuMemcpy2D_v2(struct copy *copy) {
    if (is_broken()) return LAUNCH_FAILED;
    for (size_t row = 0; row < copy->height; row++)
        memcpy(at(&copy->to) + row * copy->to.pitch, at(&copy->from) + row * copy->from.pitch, copy->width);
    return 0;
}
int cuMemcpy2DAsync_v2(struct copy *copy, void *stream) { return cuMemcpy2D_v2(copy); }

int cuModuleGetFunction(char **to, void *module, const char *name) { *to = strdup(name); return 0; }
// The description of a resource begins with its type, then comes where it is.
int cuTexObjectCreate(unsigned long long *texture, struct { int type; pointer at; } *resource, void *form, void *view) {
    *texture = resource->at;
    return 0;
}
// Of libav's kernels that scale: four textures, four planes, then width, height and bytes of a row.
int cuLaunchKernel(const char *name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **more) {
    if (is_broken()) return LAUNCH_FAILED;
    int is_chroma = strlen(name) > 3 && !strcmp(name + strlen(name) - 3, "_uv");
    int height = *(int *)arguments[9], pitch = *(int *)arguments[10];
    for (int plane = is_chroma; plane <= 2 * is_chroma; plane++) {
        pointer from = *(pointer *)arguments[is_chroma], to = *(pointer *)arguments[4 + plane];
        memset(on_host(to), *(unsigned char *)on_host(from), (size_t)pitch * height);
    }
    return 0;
}
int cuGetErrorName(int error, const char **to) { *to = "FAKE"; return 0; }
int cuGetErrorString(int error, const char **to) { *to = "it broke"; return 0; }
