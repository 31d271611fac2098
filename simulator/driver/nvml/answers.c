/* Answers that are numbers and texts: every function of one shape is one line of the tables. */

#define _GNU_SOURCE
#include "fake.h"

#include <stdio.h>

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
