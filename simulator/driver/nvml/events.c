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

enum {
    LINE = 128, /* bytes, at most */
    LOOK = 200, /* milliseconds between looks whether the set is still there */
};

struct event {
    device_t device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

struct event_set {
    struct event_set *next;
    int users;                           /* who waits, and one more while it is not freed */
    int is_freed;
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

/* Use a set, if there is such a one; nobody can take it away before it is let go. */
static int use(struct event_set *set)
{
    pthread_mutex_lock(&lock);
    const struct event_set *at = sets;
    while (at != NULL && at != set)
        at = at->next;
    if (at != NULL)
        set->users++;
    pthread_mutex_unlock(&lock);
    return at != NULL;
}

static void let_go(struct event_set *set)
{
    pthread_mutex_lock(&lock);
    int is_last = --set->users == 0;
    pthread_mutex_unlock(&lock);
    if (!is_last)
        return;
    close(set->file);
    close(set->watch);
    free(set);
}

static int forget(const struct event_set *set)
{
    pthread_mutex_lock(&lock);
    struct event_set **at = &sets;
    while (*at != NULL && *at != set)
        at = &(*at)->next;
    struct event_set *found = *at;
    if (found != NULL) {
        *at = found->next;
        found->is_freed = 1;
    }
    pthread_mutex_unlock(&lock);
    if (found != NULL)
        let_go(found);
    return found != NULL;
}

void forget_event_sets(void)
{
    while (sets != NULL)
        forget(sets);
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
    set->users = 1;
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
    return end(&call, forget(set) ? SUCCESS : INVALID_ARGUMENT);
}

EXPORT int nvmlDeviceRegisterEvents(device_t device, unsigned long long types,
                                    struct event_set *set)
{
    struct call call = begin(device, "nvmlDeviceRegisterEvents");
    unsigned long long supported = 0;
    if (call.code != SUCCESS || !use(set))
        return end(&call, INVALID_ARGUMENT);
    int code = read_numbers(&call, "nvmlDeviceGetSupportedEventTypes", 1, &supported);
    if (code == SUCCESS && (types & ~supported) != 0)
        code = NOT_SUPPORTED;
    if (code == SUCCESS) {
        if (set->types[call.slot] == 0)
            set->since[call.slot] = written(set);
        set->types[call.slot] |= types;
    }
    let_go(set);
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

/* Wait; the events that there are come before the news that a GPU is lost. */
static int await(struct event_set *set, struct call *call, struct event *event, unsigned timeout)
{
    long long until = milliseconds() + timeout;
    while (call->code == SUCCESS && !set->is_freed) {
        if (next(set, event))
            return SUCCESS;
        if (asks_for_lost(set, call))
            return GPU_IS_LOST;
        long long left = until - milliseconds();
        if (left <= 0)
            return TIMEOUT;
        watch_wait(set->watch, (int)(left > LOOK ? LOOK : left));
        is_driver_gone(call);
    }
    return INVALID_ARGUMENT;
}

EXPORT int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned timeout)
{
    struct call call = begin_system("nvmlEventSetWait_v2");
    if (call.code != SUCCESS || event == NULL || !use(set))
        return end(&call, INVALID_ARGUMENT);
    int code = has(&call, call.name) ? read_numbers(&call, call.name, 1, &event->data)
                                     : await(set, &call, event, timeout);
    let_go(set);
    return end(&call, code);
}
