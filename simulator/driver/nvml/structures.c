/* Answers that are structures: their layouts are those of NVML, member by member. */

#define _GNU_SOURCE
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT int nvmlDeviceGetPciInfo_v3(device_t device, struct pci_info *info)
{
    struct call call = begin(device, "nvmlDeviceGetPciInfo_v3");
    char address[32];
    int code = read_text(&call, "nvmlDeviceGetPciInfo_v3/busId", address, sizeof address);
    if (code == SUCCESS && fill_pci(info, address)) {
        info->pciDeviceId = (unsigned)member(&call, call.name, "pciDeviceId");
        info->pciSubSystemId = (unsigned)member(&call, call.name, "pciSubSystemId");
    }
    return end(&call, code);
}

EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(device_t device, unsigned link,
                                               struct pci_info *info)
{
    struct call call = begin(device, "nvmlDeviceGetNvLinkRemotePciInfo_v2");
    char key[KEY], address[32];
    snprintf(key, sizeof key, "%s/%u", call.name, link);
    int code = read_text(&call, key, address, sizeof address);
    if (code == SUCCESS)
        fill_pci(info, address);
    return end(&call, code);
}

struct histogram {
    unsigned max, high, partial, low, none;
};

EXPORT int nvmlDeviceGetRowRemapperHistogram(device_t device, struct histogram *banks)
{
    struct call call = begin(device, "nvmlDeviceGetRowRemapperHistogram");
    int code = first(&call, "none");
    if (code == SUCCESS) {
        banks->max = (unsigned)member(&call, call.name, "max");
        banks->high = (unsigned)member(&call, call.name, "high");
        banks->partial = (unsigned)member(&call, call.name, "partial");
        banks->low = (unsigned)member(&call, call.name, "low");
        banks->none = (unsigned)member(&call, call.name, "none");
    }
    return end(&call, code);
}

struct utilization {
    unsigned gpu, memory;
};

EXPORT int nvmlDeviceGetUtilizationRates(device_t device, struct utilization *rates)
{
    struct call call = begin(device, "nvmlDeviceGetUtilizationRates");
    int code = first(&call, "gpu");
    if (code == SUCCESS) {
        rates->gpu = (unsigned)member(&call, call.name, "gpu");
        rates->memory = (unsigned)member(&call, call.name, "memory");
    }
    return end(&call, code);
}

struct temperature {
    unsigned version, sensor;
    int degrees;
};

EXPORT int nvmlDeviceGetTemperatureV(device_t device, struct temperature *temperature)
{
    struct call call = begin(device, "nvmlDeviceGetTemperatureV");
    unsigned long long got = 0;
    int code = versioned(&call, temperature->version, TEMPERATURE_V1);
    if (code == SUCCESS && temperature->sensor != 0)
        code = INVALID_ARGUMENT;
    if (code == SUCCESS)
        code = read_numbers(&call, call.name, 1, &got);
    if (code == SUCCESS)
        temperature->degrees = (int)got;
    return end(&call, code);
}

struct versioned_numbers {
    unsigned version, numbers[2];
};

/* The structures that are a version and then one number, or two. */
static int numbers_after_version(struct call call, struct versioned_numbers *into,
                                 unsigned version, int count)
{
    unsigned long long got[2] = {0};
    int code = versioned(&call, into->version, version);
    if (code == SUCCESS)
        code = read_numbers(&call, call.name, count, got);
    for (int i = 0; code == SUCCESS && i < count; i++)
        into->numbers[i] = (unsigned)got[i];
    return end(&call, code);
}

EXPORT int nvmlDeviceGetMarginTemperature(device_t device, struct versioned_numbers *margin)
{
    struct call call = begin(device, "nvmlDeviceGetMarginTemperature");
    return numbers_after_version(call, margin, MARGIN_V1, 1);
}

EXPORT int nvmlDeviceGetUnrepairableMemoryFlag_v1(device_t device, struct versioned_numbers *flag)
{
    struct call call = begin(device, "nvmlDeviceGetUnrepairableMemoryFlag_v1");
    return numbers_after_version(call, flag, UNREPAIRABLE_V1, 1);
}

EXPORT int nvmlDeviceGetRepairStatus(device_t device, struct versioned_numbers *status)
{
    struct call call = begin(device, "nvmlDeviceGetRepairStatus");
    return numbers_after_version(call, status, REPAIR_V1, 2);
}

struct memory_v1 {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

EXPORT int nvmlDeviceGetMemoryInfo(device_t device, struct memory_v1 *memory)
{
    struct call call = begin(device, "nvmlDeviceGetMemoryInfo");
    int code = first(&call, "total");
    if (code == SUCCESS) {
        memory->total = member(&call, call.name, "total");
        memory->free = member(&call, call.name, "free");
        memory->used = memory->total - memory->free; /* what is reserved counts as used here */
    }
    return end(&call, code);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(device_t device, struct memory_v2 *memory)
{
    struct call call = begin(device, "nvmlDeviceGetMemoryInfo_v2");
    const char *recorded = "nvmlDeviceGetMemoryInfo";
    unsigned long long unused;
    int code = versioned(&call, memory->version, MEMORY_V2);
    if (code == SUCCESS && state_find(call.state, call.slot, recorded) != NULL)
        code = read_numbers(&call, recorded, 1, &unused);
    if (code == SUCCESS)
        code = read_numbers(&call, "nvmlDeviceGetMemoryInfo/total", 1, &memory->total);
    if (code == SUCCESS) {
        memory->free = member(&call, recorded, "free");
        memory->used = member(&call, recorded, "used");
        memory->reserved = memory->total - memory->free - memory->used;
    }
    return end(&call, code);
}

struct sram {
    unsigned version;
    unsigned long long counts[11];
    unsigned is_exceeded;
};

EXPORT int nvmlDeviceGetSramEccErrorStatus(device_t device, struct sram *sram)
{
    static const char *const COUNTS[] = {
        "aggregateUncParity",   "aggregateUncSecDed",   "aggregateCor",
        "volatileUncParity",    "volatileUncSecDed",    "volatileCor",
        "aggregateUncBucketL2", "aggregateUncBucketSm", "aggregateUncBucketPcie",
        "aggregateUncBucketMcu", "aggregateUncBucketOther",
    };
    struct call call = begin(device, "nvmlDeviceGetSramEccErrorStatus");
    int code = versioned(&call, sram->version, SRAM_V1);
    if (code == SUCCESS)
        code = first(&call, "thresholdExceeded");
    for (int i = 0; code == SUCCESS && i < 11; i++)
        sram->counts[i] = member(&call, call.name, COUNTS[i]);
    if (code == SUCCESS)
        sram->is_exceeded = (unsigned)member(&call, call.name, "thresholdExceeded");
    return end(&call, code);
}

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
};

/* Ask once for how many there are, and again with room for them. */
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(device_t device, unsigned *count,
                                                   struct process *into)
{
    struct call call = begin(device, "nvmlDeviceGetComputeRunningProcesses_v3");
    const struct entry *all = state_find(call.state, call.slot, call.name);
    if (call.code != SUCCESS || all == NULL || all->kind == 'e')
        return end(&call, all == NULL ? NOT_SUPPORTED : atoi(all->text));
    unsigned there = (unsigned)atoi(all->text), room = *count;
    *count = there;
    if (there > 0 && (into == NULL || room < there))
        return end(&call, INSUFFICIENT_SIZE);
    for (unsigned i = 0; i < there; i++) {
        char one[KEY];
        snprintf(one, sizeof one, "%s/%u", call.name, i);
        into[i].pid = (unsigned)member(&call, one, "pid");
        into[i].memory = member(&call, one, "usedGpuMemory");
        into[i].gpu_instance = into[i].compute_instance = 0xffffffff;
    }
    return end(&call, SUCCESS);
}

/* Addresses of retired pages by cause: "name/cause" is a list of them. */
EXPORT int nvmlDeviceGetRetiredPages_v2(device_t device, unsigned cause, unsigned *count,
                                        unsigned long long *pages, unsigned long long *times)
{
    struct call call = begin(device, "nvmlDeviceGetRetiredPages_v2");
    char key[KEY];
    snprintf(key, sizeof key, "%s/%u", call.name, cause);
    int code = read_numbers(&call, key, 0, NULL);
    if (code != SUCCESS)
        return end(&call, code);
    unsigned there = 0, room = *count;
    char *rest = (char *)state_find(call.state, call.slot, key)->text;
    for (char *at = rest; strtoull(at, &rest, 10), rest != at; at = rest)
        there++;
    *count = there;
    if (pages == NULL || times == NULL || room < there)
        return end(&call, there == 0 ? SUCCESS : INSUFFICIENT_SIZE);
    memset(times, 0, there * sizeof *times);
    return end(&call, read_numbers(&call, key, (int)there, pages));
}
