/* Answers of the recording: every function of one shape is one line of the tables below. */

#define _GNU_SOURCE
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Find the answer, or the code in its place: an error of the whole function, or of one part. */
static int answer(const struct call *call, const char *key, char kind, const struct entry **found)
{
    const struct entry *whole = state_find(call->state, call->slot, call->name);
    if (call->code != SUCCESS)
        return call->code;
    if (whole != NULL && whole->kind == 'e')
        return atoi(whole->text);
    *found = state_find(call->state, call->slot, key);
    if (*found == NULL)
        return NOT_SUPPORTED;
    if ((*found)->kind == 'e')
        return atoi((*found)->text);
    return (*found)->kind == kind ? SUCCESS : UNKNOWN;
}

int has(const struct call *call, const char *key)
{
    return state_find(call->state, call->slot, key) != NULL;
}

int read_numbers(const struct call *call, const char *key, int count, unsigned long long *into)
{
    const struct entry *found = NULL;
    int code = answer(call, key, 'v', &found);
    if (code != SUCCESS)
        return code;
    char *rest = (char *)found->text;
    for (int i = 0; i < count; i++)
        into[i] = strtoull(rest, &rest, 10);
    return SUCCESS;
}

int read_text(const struct call *call, const char *key, char *into, size_t size)
{
    const struct entry *found = NULL;
    int code = answer(call, key, 't', &found);
    if (code != SUCCESS)
        return code;
    if (into == NULL)
        return INVALID_ARGUMENT;
    if (strlen(found->text) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(into, found->text);
    return SUCCESS;
}

/* One member of an answer that is a structure; 0 where the recording does not name it. */
unsigned long long member(const struct call *call, const char *name, const char *field)
{
    char key[KEY];
    snprintf(key, sizeof key, "%s/%s", name, field);
    const struct entry *found = state_find(call->state, call->slot, key);
    return found == NULL ? 0 : strtoull(found->text, NULL, 10);
}

int parse_pci(const char *address, unsigned *domain, unsigned *bus, unsigned *device)
{
    return sscanf(address, "%x:%x:%x", domain, bus, device) == 3;
}

int fill_pci(struct pci_info *info, const char *address)
{
    memset(info, 0, sizeof *info);
    if (!parse_pci(address, &info->domain, &info->bus, &info->device))
        return 0;
    snprintf(info->busId, sizeof info->busId, "%08X:%02X:%02X.0", info->domain, info->bus & 0xff,
             info->device & 0xff);
    snprintf(info->busIdLegacy, sizeof info->busIdLegacy, "%04X:%02X:%02X.0",
             info->domain & 0xffff, info->bus & 0xff, info->device & 0xff);
    return 1;
}

static int number(struct call call, const char *key, unsigned long long *got)
{
    int code = read_numbers(&call, key, 1, got);
    return end(&call, code);
}

/* A driver that has the newer name of a function still answers to the older one. */
static const char *either(const struct call *call, const char *older, const char *newer)
{
    return has(call, older) ? older : newer;
}

/* name(device, *out) */
#define NUMBER(NAME, TYPE)                                                                         \
    EXPORT int NAME(device_t device, TYPE *out)                                                    \
    {                                                                                              \
        unsigned long long got = 0;                                                                \
        int code = number(begin(device, #NAME), #NAME, &got);                                      \
        if (code == SUCCESS)                                                                       \
            *out = (TYPE)got;                                                                      \
        return code;                                                                               \
    }

/* name(device, argument, *out): the answer of "name/argument" */
#define NUMBER_OF(NAME, TYPE)                                                                      \
    EXPORT int NAME(device_t device, unsigned argument, TYPE *out)                                 \
    {                                                                                              \
        char key[KEY];                                                                             \
        unsigned long long got = 0;                                                                \
        snprintf(key, sizeof key, "%s/%u", #NAME, argument);                                       \
        int code = number(begin(device, #NAME), key, &got);                                        \
        if (code == SUCCESS)                                                                       \
            *out = (TYPE)got;                                                                      \
        return code;                                                                               \
    }

/* name(device, first, second, *out): the answer of "name/first/second" */
#define NUMBER_OF_TWO(NAME, TYPE)                                                                  \
    EXPORT int NAME(device_t device, unsigned first, unsigned second, TYPE *out)                   \
    {                                                                                              \
        char key[KEY];                                                                             \
        unsigned long long got = 0;                                                                \
        snprintf(key, sizeof key, "%s/%u/%u", #NAME, first, second);                               \
        int code = number(begin(device, #NAME), key, &got);                                        \
        if (code == SUCCESS)                                                                       \
            *out = (TYPE)got;                                                                      \
        return code;                                                                               \
    }

/* name(device, *first, *second) */
#define PAIR(NAME)                                                                                 \
    EXPORT int NAME(device_t device, unsigned *first, unsigned *second)                            \
    {                                                                                              \
        struct call call = begin(device, #NAME);                                                   \
        unsigned long long got[2] = {0};                                                           \
        int code = read_numbers(&call, #NAME, 2, got);                                             \
        if (code == SUCCESS) {                                                                     \
            *first = (unsigned)got[0];                                                             \
            *second = (unsigned)got[1];                                                            \
        }                                                                                          \
        return end(&call, code);                                                                   \
    }

/* name(device, buffer, size) */
#define TEXT(NAME)                                                                                 \
    EXPORT int NAME(device_t device, char *text, unsigned size)                                    \
    {                                                                                              \
        struct call call = begin(device, #NAME);                                                   \
        int code = read_text(&call, #NAME, text, size);                                            \
        return end(&call, code);                                                                   \
    }

/* name(buffer, size) */
#define SYSTEM_TEXT(NAME)                                                                          \
    EXPORT int NAME(char *text, unsigned size)                                                     \
    {                                                                                              \
        struct call call = begin_system(#NAME);                                                    \
        int code = read_text(&call, #NAME, text, size);                                            \
        return end(&call, code);                                                                   \
    }

TEXT(nvmlDeviceGetUUID)
TEXT(nvmlDeviceGetSerial)
TEXT(nvmlDeviceGetName)
TEXT(nvmlDeviceGetVbiosVersion)
SYSTEM_TEXT(nvmlSystemGetDriverVersion)
SYSTEM_TEXT(nvmlSystemGetNVMLVersion)

NUMBER(nvmlDeviceGetMinorNumber, unsigned)
NUMBER(nvmlDeviceGetPowerUsage, unsigned)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned)
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long)
NUMBER(nvmlDeviceGetPerformanceState, unsigned)
NUMBER(nvmlDeviceGetPersistenceMode, unsigned)
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, unsigned)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, unsigned)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned)
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned)
NUMBER(nvmlDeviceGetPcieReplayCounter, unsigned)
NUMBER(nvmlDeviceGetSupportedEventTypes, unsigned long long)
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, unsigned)
NUMBER(nvmlDeviceGetMaxMigDeviceCount, unsigned)
NUMBER(nvmlDeviceGetArchitecture, unsigned)

NUMBER_OF(nvmlDeviceGetTemperatureThreshold, unsigned)
NUMBER_OF(nvmlDeviceGetNvLinkState, unsigned)
NUMBER_OF(nvmlDeviceGetNvLinkRemoteDeviceType, unsigned)
NUMBER_OF(nvmlDeviceGetNvLinkVersion, unsigned)
NUMBER_OF(nvmlDeviceGetClockInfo, unsigned)
NUMBER_OF(nvmlDeviceGetMaxClockInfo, unsigned)
NUMBER_OF_TWO(nvmlDeviceGetTotalEccErrors, unsigned long long)
NUMBER_OF_TWO(nvmlDeviceGetNvLinkErrorCounter, unsigned long long)

PAIR(nvmlDeviceGetEccMode)
PAIR(nvmlDeviceGetMigMode)
PAIR(nvmlDeviceGetGspFirmwareMode)

EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(device_t device, unsigned long long *out)
{
    struct call call = begin(device, "nvmlDeviceGetCurrentClocksThrottleReasons");
    unsigned long long got = 0;
    int code = number(call, either(&call, call.name, "nvmlDeviceGetCurrentClocksEventReasons"), &got);
    if (code == SUCCESS)
        *out = got;
    return code;
}

EXPORT int nvmlDeviceGetTemperature(device_t device, unsigned sensor, unsigned *out)
{
    struct call call = begin(device, "nvmlDeviceGetTemperature");
    unsigned long long got = 0;
    if (sensor != 0)
        return end(&call, INVALID_ARGUMENT);
    int code = number(call, either(&call, call.name, "nvmlDeviceGetTemperatureV"), &got);
    if (code == SUCCESS)
        *out = (unsigned)got;
    return code;
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    unsigned long long got = 0;
    const char *name = "nvmlSystemGetCudaDriverVersion_v2";
    int code = number(begin_system(name), name, &got);
    if (code == SUCCESS)
        *version = (int)got;
    return code;
}

EXPORT int nvmlGetExcludedDeviceCount(unsigned *count)
{
    struct call call = begin_system("nvmlGetExcludedDeviceCount");
    unsigned long long got = 0;
    int code = has(&call, call.name) ? read_numbers(&call, call.name, 1, &got) : SUCCESS;
    if (call.code == SUCCESS && code == SUCCESS)
        *count = (unsigned)got;
    return end(&call, code);
}

EXPORT int nvmlDeviceGetGspFirmwareVersion(device_t device, char *version)
{
    struct call call = begin(device, "nvmlDeviceGetGspFirmwareVersion");
    int code = read_text(&call, call.name, version, 64);
    return end(&call, code);
}

EXPORT int nvmlDeviceValidateInforom(device_t device)
{
    struct call call = begin(device, "nvmlDeviceValidateInforom");
    int code = read_numbers(&call, call.name, 0, NULL);
    return end(&call, code);
}

EXPORT int nvmlDeviceGetRemappedRows(device_t device, unsigned *corrected, unsigned *uncorrected,
                                     unsigned *pending, unsigned *failed)
{
    struct call call = begin(device, "nvmlDeviceGetRemappedRows");
    unsigned long long got[4] = {0};
    int code = read_numbers(&call, call.name, 4, got);
    if (code == SUCCESS) {
        *corrected = (unsigned)got[0];
        *uncorrected = (unsigned)got[1];
        *pending = (unsigned)got[2];
        *failed = (unsigned)got[3];
    }
    return end(&call, code);
}
