/* Field values: many questions in one call, each with its own code, type and time. */

#define _GNU_SOURCE
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DOUBLE = 0, UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3, SIGNED_INT = 5 };

struct field {
    unsigned id, scope;
    long long timestamp, latency;
    unsigned type, code;
    union {
        double real;
        unsigned small;
        int negative;
        unsigned long long large;
    } value;
};

/* Counters that NVML keeps in 64 bits, first and last of each range of ids. */
static const unsigned LARGE[][2] = {
    {3, 30}, {32, 61}, {74, 81}, {83, 83}, {161, 163}, {169, 169}, {173, 183}, {201, 222},
    {235, 250}, {269, 271},
};

static int is_large(unsigned id)
{
    for (size_t i = 0; i < sizeof LARGE / sizeof *LARGE; i++)
        if (LARGE[i][0] <= id && id <= LARGE[i][1])
            return 1;
    return 0;
}

static long long microseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void fill_value(struct field *field, const char *text)
{
    if (strpbrk(text, ".eE") != NULL) {
        field->type = DOUBLE;
        field->value.real = strtod(text, NULL);
    } else if (*text == '-') {
        field->type = SIGNED_INT;
        field->value.negative = atoi(text);
    } else {
        unsigned long long number = strtoull(text, NULL, 10);
        field->type = is_large(field->id) || number >> 32 ? UNSIGNED_LONG_LONG : UNSIGNED_INT;
        field->value.large = number;
    }
}

/* Find "id/scope", else "id": what is recorded without a scope is so for every link there is. */
static const struct entry *look_up(const struct call *call, const struct field *field)
{
    char key[KEY];
    snprintf(key, sizeof key, "%s/%u/%u", call->name, field->id, field->scope);
    const struct entry *found = state_find(call->state, call->slot, key);
    long long links = state_number(call->state, call->slot, "nvmlDeviceGetFieldValues/91", 0);
    if (found != NULL || (field->scope > 0 && field->scope >= links))
        return found;
    snprintf(key, sizeof key, "%s/%u", call->name, field->id);
    return state_find(call->state, call->slot, key);
}

static void fill(const struct call *call, struct field *field)
{
    const struct entry *found = look_up(call, field);
    field->value.large = 0;
    field->code = found == NULL ? NOT_SUPPORTED : found->kind == 'e' ? (unsigned)atoi(found->text)
                                                                     : SUCCESS;
    if (field->code == SUCCESS)
        fill_value(field, found->text);
}

EXPORT int nvmlDeviceGetFieldValues(device_t device, int count, struct field *fields)
{
    long long started = microseconds(CLOCK_MONOTONIC);
    struct call call = begin(device, "nvmlDeviceGetFieldValues");
    const struct entry *whole = state_find(call.state, call.slot, call.name);
    if (call.code != SUCCESS)
        return end(&call, call.code);
    if (whole != NULL && whole->kind == 'e')
        return end(&call, atoi(whole->text));
    if (count < 1 || fields == NULL)
        return end(&call, INVALID_ARGUMENT);
    for (int i = 0; i < count; i++) {
        fill(&call, &fields[i]);
        fields[i].timestamp = microseconds(CLOCK_REALTIME);
        fields[i].latency = microseconds(CLOCK_MONOTONIC) - started;
    }
    return end(&call, SUCCESS);
}
