/* Event sets: each sees each event of its GPUs once, in order, and none from before it asked.
 *
 * Events are lines "<gpu> <type> <data> <gpu instance> <compute instance>" at the end of a file
 * beside the state that only grows. */

#define _GNU_SOURCE
#include "fake.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 128 };

struct event {
    device_t device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

struct event_set {
    struct event_set *next;
    int file, watch;
    off_t read;                          /* how far */
    unsigned long long types[MAX_GPUS];  /* that are asked for */
    off_t since[MAX_GPUS];               /* where the events begin that are asked for */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event_set *sets;

static off_t written(const struct event_set *set)
{
    struct stat about;
    return fstat(set->file, &about) == 0 ? about.st_size : 0;
}

static void release(struct event_set *set)
{
    close(set->file);
    close(set->watch);
    free(set);
}

static int detach(const struct event_set *set)
{
    int found = 0;
    pthread_mutex_lock(&lock);
    for (struct event_set **at = &sets; *at != NULL && !found; at = found ? at : &(*at)->next)
        if (*at == set) {
            *at = set->next;
            found = 1;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

static int is_known(const struct event_set *set)
{
    pthread_mutex_lock(&lock);
    const struct event_set *at = sets;
    while (at != NULL && at != set)
        at = at->next;
    pthread_mutex_unlock(&lock);
    return at != NULL;
}

void forget_event_sets(void)
{
    while (sets != NULL) {
        struct event_set *set = sets;
        detach(set);
        release(set);
    }
}

EXPORT int nvmlEventSetCreate(struct event_set **into)
{
    struct call call = begin_system("nvmlEventSetCreate");
    char path[4096];
    if (call.code != SUCCESS)
        return end(&call, call.code);
    struct event_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return end(&call, MEMORY);
    snprintf(path, sizeof path, "%s.events", state_path());
    set->file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
    set->watch = state_watch();
    set->read = written(set);
    pthread_mutex_lock(&lock);
    set->next = sets;
    sets = set;
    pthread_mutex_unlock(&lock);
    *into = set;
    return end(&call, SUCCESS);
}

EXPORT int nvmlEventSetFree(struct event_set *set)
{
    struct call call = begin_system("nvmlEventSetFree");
    if (call.code == UNINITIALIZED)
        return end(&call, UNINITIALIZED);
    call.code = SUCCESS; /* a set can be freed whatever became of the driver */
    if (!detach(set))
        return end(&call, INVALID_ARGUMENT);
    release(set);
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceRegisterEvents(device_t device, unsigned long long types,
                                    struct event_set *set)
{
    struct call call = begin(device, "nvmlDeviceRegisterEvents");
    unsigned long long supported = 0;
    if (call.code == SUCCESS && !is_known(set))
        return end(&call, INVALID_ARGUMENT);
    int code = read_numbers(&call, "nvmlDeviceGetSupportedEventTypes", 1, &supported);
    if (code == SUCCESS && (types & ~supported) != 0)
        code = NOT_SUPPORTED;
    if (code == SUCCESS) {
        if (set->types[call.slot] == 0)
            set->since[call.slot] = written(set);
        set->types[call.slot] |= types;
    }
    return end(&call, code);
}

/* Take the next event that the set asked for. */
static int next(struct event_set *set, struct event *event)
{
    char line[LINE + 1];
    for (;;) {
        ssize_t length = pread(set->file, line, LINE, set->read);
        line[length > 0 ? length : 0] = '\0';
        char *stop = strchr(line, '\n');
        if (stop == NULL)
            return 0; /* nothing, or a line that is still being written */
        off_t at = set->read;
        set->read += stop - line + 1;
        int slot;
        if (sscanf(line, "%d %llu %llu %u %u", &slot, &event->type, &event->data,
                   &event->gpu_instance, &event->compute_instance) != 5 ||
            !is_present(slot))
            continue;
        event->device = device_of(slot);
        if ((set->types[slot] & event->type) != 0 && at >= set->since[slot])
            return 1;
    }
}

static int asks_for_lost(const struct event_set *set, const struct call *call)
{
    for (int slot = 0; slot < MAX_GPUS; slot++)
        if (set->types[slot] != 0 && is_lost(call, slot))
            return 1;
    return 0;
}

static long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Wait for one event; the events that there are come before the news that a GPU is lost. */
EXPORT int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned timeout)
{
    struct call call = begin_system("nvmlEventSetWait_v2");
    long long until = milliseconds() + timeout;
    if (call.code == SUCCESS && (event == NULL || !is_known(set)))
        return end(&call, INVALID_ARGUMENT);
    if (call.code == SUCCESS && has(&call, call.name))
        return end(&call, read_numbers(&call, call.name, 1, &event->data));
    while (call.code == SUCCESS) {
        if (next(set, event))
            return end(&call, SUCCESS);
        if (asks_for_lost(set, &call))
            return end(&call, GPU_IS_LOST);
        long long left = until - milliseconds();
        if (left <= 0)
            return end(&call, TIMEOUT);
        watch_wait(set->watch, (int)(left > 3600000 ? 3600000 : left));
        is_driver_gone(&call);
    }
    return end(&call, call.code);
}
