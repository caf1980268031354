// A decoder that decodes nothing: the luma of each picture is how many there were before it, the chroma 128.
#include "device.h"

struct decoder {
    unsigned long width, height;
    unsigned char pictures, luma[64];
};

int cuvidGetDecoderCaps(unsigned char *caps) {
    caps[24] = caps[25] = 1;                 // it's supported, by one decoder
    *(uint16_t *)(caps + 26) = 0xffff;       // into all formats
    *(unsigned *)(caps + 28) = *(unsigned *)(caps + 32) = 8192;
    *(unsigned *)(caps + 36) = 1 << 20;      // macroblocks
    *(uint16_t *)(caps + 40) = *(uint16_t *)(caps + 42) = 16;
    return 0;
}
int cuvidCreateDecoder(struct decoder **to, unsigned long *what) {
    *to = calloc(1, sizeof **to);
    (*to)->width = what[0];
    (*to)->height = what[1];
    return 0;
}
int cuvidDestroyDecoder(struct decoder *decoder) { free(decoder); return 0; }
// Width and height in macroblocks, then where the picture goes.
int cuvidDecodePicture(struct decoder *decoder, int *picture) {
    if (is_broken()) return LAUNCH_FAILED;
    decoder->luma[picture[2]] = decoder->pictures++;
    return 0;
}
int cuvidMapVideoFrame64(struct decoder *decoder, int index, pointer *to, unsigned *pitch, void *how) {
    if (is_broken()) return LAUNCH_FAILED;
    *pitch = (decoder->width + 255) & ~255ul;
    size_t luma = *pitch * decoder->height;
    char *picture = malloc(luma * 3 / 2);
    memset(picture, decoder->luma[index], luma);
    memset(picture + luma, 128, luma / 2);
    *to = (pointer)picture | ON_GPU;
    return 0;
}
int cuvidUnmapVideoFrame64(struct decoder *decoder, pointer picture) { free(on_host(picture)); return 0; }
