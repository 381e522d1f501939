/* A stand-in for NVIDIA's management library: two cards, one of a data centre and one of a desk.
 *
 * Beside the library lies a file `scenario` with words that say what happens from now on; it is read at each call:
 *   driver_not_loaded, mismatch   nvmlInit fails so
 *   lost0, lost1, reset1          the card is lost; once lost it answers only after everybody has shut down
 *   gone1                         the card is no longer listed
 *   nameless1                     the card is lost and has no handle any more
 *   nonsense                      numbers that cannot be
 *   unknown                       every call to a card fails for no known reason
 *   mig                           card 0 is partitioned
 *   block                         calls to cards do not return while this stands there
 *   hidden_memory, odd_memory     processes' memory is not told, or is more than there is
 *   no_events                     card 1 reports no errors
 * Built with -DBEFORE_510 it is a driver that has the older call for memory alone.
 * Beside it lies also a file `events` with lines `<card> <code>`, each of which is reported once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, ALREADY, NOT_FOUND, INSUFFICIENT_SIZE,
    INSUFFICIENT_POWER, DRIVER_NOT_LOADED, TIMEOUT, IRQ_ISSUE, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND,
    CORRUPTED_INFOROM, GPU_IS_LOST, RESET_REQUIRED, OPERATING_SYSTEM, VERSION_MISMATCH, UNKNOWN = 999
};

struct device { int card; int instance; };
struct shared { int users, generation, dead[2]; long events_read; };
static struct shared state;
static struct device cards[2] = {{0, -1}, {1, -1}};
static struct device partitions[2] = {{0, 0}, {0, 2}};

static void beside(const char *name, char *path) {
    Dl_info info;
    dladdr((void *)&cards, &info);
    snprintf(path, PATH_MAX, "%s", info.dli_fname);
    char *end = strrchr(path, '/');
    snprintf(end + 1, 64, "%s", name);
}

static int says(const char *word) {
    char path[PATH_MAX + 64], text[1024];
    beside("scenario", path);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t length = fread(text + 1, 1, sizeof text - 3, file);
    fclose(file);
    text[0] = ' ';
    for (size_t at = 1; at <= length; at++) if (text[at] == '\n') text[at] = ' ';
    text[length + 1] = ' ';
    text[length + 2] = 0;
    char needle[64];
    snprintf(needle, sizeof needle, " %s ", word);
    return strstr(text, needle) != NULL;
}

static int reach(struct device *device) {
    while (says("block")) usleep(5000);
    if (!state.users) return UNINITIALIZED;
    int card = device->card;
    char lost[16], reset[16];
    snprintf(lost, sizeof lost, "lost%d", card);
    snprintf(reset, sizeof reset, "reset%d", card);
    if (says("unknown")) return UNKNOWN;
    if (says(reset)) { state.dead[card] = state.generation; return RESET_REQUIRED; }
    if (says(lost)) state.dead[card] = state.generation;
    return state.dead[card] == state.generation ? GPU_IS_LOST : SUCCESS;
}

#define CARD(d) int result = reach(d); if (result) return result
#define DATACENTRE(d) CARD(d); if ((d)->card != 0) return NOT_SUPPORTED
#define DESK(d) CARD(d); if ((d)->card != 1) return NOT_SUPPORTED
#define WHOLE(d) CARD(d); if ((d)->instance >= 0 || ((d)->card == 0 && says("mig"))) return NOT_SUPPORTED

int nvmlInit_v2(void) {
    if (says("driver_not_loaded")) return DRIVER_NOT_LOADED;
    if (says("mismatch")) return VERSION_MISMATCH;
    if (state.users++ == 0) state.generation++;
    return SUCCESS;
}
int nvmlShutdown(void) { state.users--; return SUCCESS; }

static int text(char *out, unsigned size, const char *what) { snprintf(out, size, "%s", what); return SUCCESS; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { return text(out, size, "580.95.05"); }
int nvmlSystemGetNVMLVersion(char *out, unsigned size) { return text(out, size, "13.580.95.05"); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (says("driver_not_loaded")) return DRIVER_NOT_LOADED;
    *count = says("gone1") ? 1 : 2;
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **out) {
    if (index > 1) return INVALID_ARGUMENT;
    if (index == 1 && says("nameless1")) return GPU_IS_LOST;
    *out = &cards[index];
    return SUCCESS;
}
static const char *uuids[2] = {"GPU-11111111-aaaa-bbbb-cccc-000000000000", "GPU-22222222-aaaa-bbbb-cccc-000000000001"};
int nvmlDeviceGetUUID(struct device *d, char *out, unsigned size) {
    if (d->instance >= 0) { snprintf(out, size, "MIG-0000000%d", d->instance); return SUCCESS; }
    return text(out, size, uuids[d->card]);
}
int nvmlDeviceGetHandleByUUID(const char *uuid, struct device **out) {
    for (int card = 0; card < 2; card++) if (!strcmp(uuid, uuids[card])) { *out = &cards[card]; return SUCCESS; }
    return NOT_FOUND;
}
int nvmlDeviceGetName(struct device *d, char *out, unsigned size) {
    if (d->instance >= 0) return text(out, size, "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
    return text(out, size, d->card == 0 ? "NVIDIA H100 80GB HBM3" : "NVIDIA GeForce RTX 4090");
}
int nvmlDeviceGetMinorNumber(struct device *d, unsigned *minor) { *minor = d->card; return SUCCESS; }

struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(struct device *d, struct pci *pci) {
    memset(pci, 0, sizeof *pci);
    pci->bus = d->card == 0 ? 0x3b : 0xaf;
    snprintf(pci->legacy, sizeof pci->legacy, "0000:%02X:00.0", pci->bus);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", pci->bus);
    return SUCCESS;
}

struct utilization { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(struct device *d, struct utilization *out) {
    WHOLE(d);
    out->gpu = says("nonsense") ? 4000000000u : d->card == 0 ? 87 : 5;
    out->memory = d->card == 0 ? 41 : 2;
    return SUCCESS;
}
int nvmlDeviceGetEncoderUtilization(struct device *d, unsigned *busy, unsigned *period) { WHOLE(d); *busy = 3; *period = 1000; return SUCCESS; }
int nvmlDeviceGetDecoderUtilization(struct device *d, unsigned *busy, unsigned *period) { WHOLE(d); *busy = 0; *period = 1000; return SUCCESS; }

#ifndef BEFORE_510
struct memory { unsigned version; unsigned long long total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(struct device *d, struct memory *out) {
    CARD(d);
    if (out->version != (sizeof *out | 2u << 24)) return INVALID_ARGUMENT;
    unsigned long long gib = 1ull << 30;
    out->total = d->instance >= 0 ? 40 * gib : d->card == 0 ? 80 * gib : 24 * gib;
    out->reserved = d->instance >= 0 ? 0 : gib / 2;
    out->used = d->instance >= 0 ? 7 * gib : d->card == 0 ? 61 * gib : gib;
    if (says("nonsense")) out->used = ULLONG_MAX;
    out->free = out->total - out->reserved - out->used;
    return SUCCESS;
}
#endif
struct old_memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(struct device *d, struct old_memory *out) {
    CARD(d);
    unsigned long long gib = 1ull << 30;
    out->total = d->card == 0 ? 80 * gib : 24 * gib;
    out->used = d->card == 0 ? 61 * gib + gib / 2 : gib + gib / 2;
    out->free = out->total - out->used;
    if (says("nonsense")) out->used = ULLONG_MAX;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(struct device *d, int sensor, unsigned *out) { CARD(d); *out = d->card == 0 ? 64 : 38; return sensor ? INVALID_ARGUMENT : SUCCESS; }
int nvmlDeviceGetTemperatureThreshold(struct device *d, int kind, unsigned *out) {
    CARD(d);
    switch (kind) {
        case 0: *out = 95; return SUCCESS;
        case 1: *out = 92; return SUCCESS;
        case 3: *out = 87; return SUCCESS;
        default: return NOT_SUPPORTED;
    }
}
int nvmlDeviceGetPowerUsage(struct device *d, unsigned *out) { CARD(d); *out = d->card == 0 ? 512345 : 31500; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(struct device *d, unsigned *out) { CARD(d); *out = d->card == 0 ? 700000 : 450000; return SUCCESS; }
int nvmlDeviceGetTotalEnergyConsumption(struct device *d, unsigned long long *out) { CARD(d); *out = 123456789; return SUCCESS; }
int nvmlDeviceGetClockInfo(struct device *d, int clock, unsigned *out) {
    CARD(d);
    unsigned clocks[4] = {1980, 1980, 2619, 1545};
    if (clock > 3) return NOT_SUPPORTED;
    *out = clocks[clock];
    return SUCCESS;
}
int nvmlDeviceGetMaxClockInfo(struct device *d, int clock, unsigned *out) { CARD(d); *out = clock == 2 ? 2619 : 2100; return SUCCESS; }
int nvmlDeviceGetNumFans(struct device *d, unsigned *out) { DESK(d); *out = 2; return SUCCESS; }
int nvmlDeviceGetFanSpeed_v2(struct device *d, unsigned fan, unsigned *out) { DESK(d); *out = 30 + fan; return SUCCESS; }
int nvmlDeviceGetPerformanceState(struct device *d, int *out) { CARD(d); *out = says("nonsense") ? 32 : d->card == 0 ? 0 : 8; return SUCCESS; }
int nvmlDeviceGetCurrentClocksThrottleReasons(struct device *d, unsigned long long *out) {
    CARD(d);
    *out = d->card == 0 ? 0x4 | 0x20 | 1ull << 40 : 0x1;
    return SUCCESS;
}
struct violation { unsigned long long reference, time; };
int nvmlDeviceGetViolationStatus(struct device *d, int policy, struct violation *out) {
    DATACENTRE(d);
    out->time = policy == 0 ? 2500000000ull : 0;
    return SUCCESS;
}
int nvmlDeviceGetCurrPcieLinkGeneration(struct device *d, unsigned *out) { CARD(d); *out = d->card == 0 ? 5 : 4; return SUCCESS; }
int nvmlDeviceGetCurrPcieLinkWidth(struct device *d, unsigned *out) { CARD(d); *out = 16; return SUCCESS; }
int nvmlDeviceGetPcieThroughput(struct device *d, int counter, unsigned *out) { CARD(d); *out = counter == 0 ? 1200 : 3400; return SUCCESS; }
int nvmlDeviceGetEccMode(struct device *d, int *now, int *pending) { DATACENTRE(d); *now = *pending = 1; return SUCCESS; }
int nvmlDeviceGetTotalEccErrors(struct device *d, int kind, int counter, unsigned long long *out) {
    DATACENTRE(d);
    *out = kind == 0 ? (counter == 0 ? 4 : 9) : (counter == 0 ? 0 : 1);
    return SUCCESS;
}

int nvmlDeviceGetMigMode(struct device *d, unsigned *now, unsigned *pending) { DATACENTRE(d); *now = *pending = says("mig"); return SUCCESS; }
int nvmlDeviceGetMaxMigDeviceCount(struct device *d, unsigned *out) { DATACENTRE(d); *out = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(struct device *d, unsigned index, struct device **out) {
    DATACENTRE(d);
    if (index != 0 && index != 2) return NOT_FOUND;
    *out = &partitions[index / 2];
    return SUCCESS;
}
int nvmlDeviceGetGpuInstanceId(struct device *d, unsigned *out) { CARD(d); *out = d->instance + 1; return SUCCESS; }

struct field { unsigned id, scope; long long time, latency; int type, result; union { double real; unsigned small; unsigned long long large; } value; };
int nvmlDeviceGetFieldValues(struct device *d, int count, struct field *fields) {
    CARD(d);
    for (int at = 0; at < count; at++) {
        struct field *field = &fields[at];
        field->type = 3;
        field->result = SUCCESS;
        field->value.large = 0;
        if (d->card == 1) { field->result = NOT_SUPPORTED; continue; }
        switch (field->id) {
            case 82: field->type = 1; field->value.small = 71; break;
            case 91: field->type = 1; field->value.small = says("nonsense") ? UINT_MAX : 2; break;
            case 94: field->value.large = 6; break;
            case 197: field->value.large = 1ull << 40; break;
            case 198: field->value.large = 1ull << 41; break;
            case 138: field->value.large = 1000 + field->scope; break;
            case 139: field->value.large = 2000 + field->scope; break;
            case 143: field->value.large = 2; break;
            case 142: case 144: case 145: break;
            case 46 + 6: field->value.large = 5; break;
            case 38: case 45: case 59: break;
            default: field->result = NOT_SUPPORTED;
        }
    }
    return SUCCESS;
}

struct process { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; };
static int list(struct process *from, unsigned has, unsigned *count, struct process *out) {
    unsigned room = *count;
    *count = has;
    if (room < has) return INSUFFICIENT_SIZE;
    memcpy(out, from, has * sizeof *from);
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(struct device *d, unsigned *count, struct process *out) {
    CARD(d);
    unsigned instance = d->card == 0 && says("mig") ? 1 : UINT_MAX;
    unsigned long long gib = 1ull << 30;
    unsigned long long first = says("hidden_memory") ? ULLONG_MAX : says("odd_memory") ? 900 * gib : 48 * gib;
    struct process all[2] = {{4242, first, instance, UINT_MAX}, {77, gib, instance, UINT_MAX}};
    return list(all, d->card == 0 ? 2 : 0, count, out);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(struct device *d, unsigned *count, struct process *out) {
    CARD(d);
    struct process all[1] = {{77, 1ull << 30, UINT_MAX, UINT_MAX}};
    return list(all, d->card == 0 ? 1 : 0, count, out);
}
struct sample { unsigned pid; unsigned long long time; unsigned sm, memory, encoder, decoder; };
int nvmlDeviceGetProcessUtilization(struct device *d, struct sample *out, unsigned *count, unsigned long long since) {
    DATACENTRE(d);
    struct sample all[3] = {{4242, 1000, 80, 1, 0, 0}, {4242, 2000, 90, 1, 0, 0}, {77, 2000, 4000000000u, 1, 0, 0}};
    if (since >= 2000) return NOT_FOUND;
    if (*count < 3) { *count = 3; return INSUFFICIENT_SIZE; }
    *count = 3;
    memcpy(out, all, sizeof all);
    return SUCCESS;
}

struct event { struct device *device; unsigned long long type, data; unsigned gpu_instance, compute_instance; };
int nvmlEventSetCreate(void **set) { *set = malloc(1); return SUCCESS; }
int nvmlEventSetFree(void *set) { free(set); return SUCCESS; }
int nvmlDeviceRegisterEvents(struct device *d, unsigned long long types, void *set) {
    (void)set;
    CARD(d);
    return types != 8 || (d->card == 1 && says("no_events")) ? NOT_SUPPORTED : SUCCESS;
}
int nvmlEventSetWait_v2(void *set, struct event *out, unsigned milliseconds) {
    (void)set;
    for (unsigned waited = 0; waited < milliseconds; waited += 10) {
        char path[PATH_MAX + 64];
        beside("events", path);
        FILE *file = fopen(path, "r");
        if (file) {
            int card;
            unsigned long long code;
            fseek(file, state.events_read, SEEK_SET);
            if (fscanf(file, "%d %llu\n", &card, &code) == 2) {
                state.events_read = ftell(file);
                fclose(file);
                memset(out, 0, sizeof *out);
                out->device = &cards[card];
                out->type = 8;
                out->data = code;
                return SUCCESS;
            }
            fclose(file);
        }
        usleep(10000);
    }
    return TIMEOUT;
}

struct support { unsigned version, supported; };
int nvmlGpmQueryDeviceSupport(struct device *d, struct support *out) { out->supported = d->card == 0 && !says("mig"); return SUCCESS; }
int nvmlGpmSampleAlloc(void **sample) { *sample = malloc(1); return SUCCESS; }
int nvmlGpmSampleFree(void *sample) { free(sample); return SUCCESS; }
int nvmlGpmSampleGet(struct device *d, void *sample) { (void)sample; DATACENTRE(d); return SUCCESS; }
struct metric { unsigned id; int result; double value; char *names[3]; };
struct metrics { unsigned version, count; void *before, *after; struct metric list[210]; };
int nvmlGpmMetricsGet(struct metrics *metrics) {
    for (unsigned at = 0; at < metrics->count; at++) {
        metrics->list[at].value = metrics->list[at].id * 5.0;
        metrics->list[at].result = metrics->list[at].id == 11 ? NOT_SUPPORTED : SUCCESS;
    }
    return SUCCESS;
}
