// NVML's view of the two: they are found by their addresses on the bus.
#include <string.h>

int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, const char **to) {
    *to = strcmp(address, "0000:01:00.0") ? strcmp(address, "0000:02:00.0") ? 0 : "\x0a\x02" : "\x3c\x07";
    return *to ? 0 : 6;
}
int nvmlDeviceGetEncoderUtilization(const char *gpu, unsigned *percent, unsigned *period) {
    *percent = gpu[0];
    return 0;
}
int nvmlDeviceGetEncoderStats(const char *gpu, unsigned *sessions, unsigned *rate, unsigned *latency) {
    *sessions = gpu[1];
    return 0;
}
