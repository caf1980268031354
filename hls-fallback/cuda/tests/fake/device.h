// What the libraries of the driver that isn't one have in common.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long pointer;
// No address of a program has this bit.
#define ON_GPU 0x8000000000000000ull
#define LAUNCH_FAILED 719

struct context { int device; };

static void *on_host(pointer memory) {
    if (memory && !(memory & ON_GPU)) abort(); // that isn't on a GPU
    return (void *)(memory & ~ON_GPU);
}

static int is_broken(void) {
    const char *file = getenv("FAKE_BROKEN");
    return file && !access(file, F_OK);
}
