/* Whether NVML is open in this process, and what stands in the way of a call: a library that is
 * not open, a driver that went away, a call that is slow or does not return, a GPU that is lost. */

#define _GNU_SOURCE
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct device devices[MAX_GPUS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int references;
static long long opened;         /* which load of the driver this process speaks to */
static char present[MAX_GPUS];   /* the GPUs that there were when NVML was opened */
static int held[MAX_GPUS];       /* descriptors of their device nodes */
static int control;              /* and of the driver's own */
static char library_version[80]; /* of this library, as it was when it was loaded */

/* What the real library answers from its own memory, so that no sick driver can hold it up. */
static const char *const REMEMBERED[] = {
    "nvmlDeviceGetCount_v2",   "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetIndex",      "nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetUUID",
    "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetMinorNumber",      "nvmlDeviceGetName",
    "nvmlEventSetCreate",      "nvmlEventSetWait_v2",           "nvmlEventSetFree",
};

device_t device_of(int slot)
{
    return &devices[slot];
}

int slot_of(device_t device)
{
    for (int slot = 0; slot < MAX_GPUS; slot++)
        if (device == &devices[slot])
            return slot;
    return MAX_GPUS;
}

int is_present(int slot)
{
    return slot >= 0 && slot < MAX_GPUS && present[slot];
}

int is_lost(const struct call *call, int slot)
{
    return state_number(call->state, slot, "@lost", 0) != 0;
}

/* A setting for the function on this GPU, else for the function, else for all of either. */
static const struct entry *setting(const struct call *call, const char *what)
{
    char key[KEY];
    int remembered = 0;
    for (size_t i = 0; i < sizeof REMEMBERED / sizeof *REMEMBERED; i++)
        remembered |= strcmp(REMEMBERED[i], call->name) == 0;
    for (int any = 0; any < (remembered ? 1 : 2); any++) {
        snprintf(key, sizeof key, "@%s/%s", what, any ? "*" : call->name);
        const struct entry *found = state_find(call->state, call->slot, key);
        if (found == NULL)
            found = state_find(call->state, SYSTEM, key);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static void renew(struct call *call)
{
    state_drop(call->state);
    call->state = state_take();
}

static void be_slow(struct call *call)
{
    const struct entry *slow = setting(call, "slow");
    if (slow == NULL)
        return;
    long milliseconds = atol(slow->text);
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
    renew(call);
}

/* Read a file whose reading never ends, while it is frozen: nothing wakes the thread. */
static int sleep_frozen(const char *path)
{
    char unused;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    int woken = read(file, &unused, 1) >= 0;
    close(file);
    return woken;
}

/* Do not return while the state says so; then return what it said, or go on.
 * The text is "<S or D> <code> <path of the frozen file>". */
static void be_blocked(struct call *call)
{
    const struct entry *block = setting(call, "block");
    if (block == NULL)
        return;
    int watch = state_watch();
    for (renew(call); (block = setting(call, "block")) != NULL; renew(call)) {
        char how = 'S', path[4096] = "";
        sscanf(block->text, "%c %d %4095s", &how, &call->code, path);
        if (how == 'D' && !sleep_frozen(path))
            break; /* who froze it is gone, and with it the fault */
        watch_wait(watch, how == 'D' ? 100 : -1);
    }
    close(watch);
}

/* Say why the call cannot reach the driver at all. */
static int unreachable(struct call *call)
{
    char key[KEY];
    snprintf(key, sizeof key, "@absent/%s", call->name);
    if (state_find(call->state, SYSTEM, key) != NULL)
        return FUNCTION_NOT_FOUND;
    if (references == 0)
        return UNINITIALIZED;
    if (state_number(call->state, SYSTEM, "@loaded", 0) != opened)
        return (int)state_number(call->state, SYSTEM, "@gone", UNKNOWN);
    if (call->slot != SYSTEM && !is_present(call->slot))
        return INVALID_ARGUMENT;
    return SUCCESS;
}

int is_driver_gone(struct call *call)
{
    renew(call);
    call->code = unreachable(call);
    return call->code != SUCCESS;
}

static struct call start(int slot, const char *name)
{
    struct call call = {.name = name, .slot = slot, .state = state_take()};
    call.code = unreachable(&call);
    if (call.code != SUCCESS)
        return call;
    be_slow(&call);
    be_blocked(&call);
    if (call.code == SUCCESS)
        call.code = unreachable(&call);
    if (call.code == SUCCESS && slot != SYSTEM && is_lost(&call, slot))
        call.code = GPU_IS_LOST;
    return call;
}

struct call begin(device_t device, const char *name)
{
    return start(slot_of(device), name);
}

struct call begin_system(const char *name)
{
    return start(SYSTEM, name);
}

int end(struct call *call, int code)
{
    state_drop(call->state);
    call->state = NULL;
    return call->code != SUCCESS ? call->code : code;
}

__attribute__((constructor)) static void remember_version(void)
{
    struct state *state = state_take();
    const struct entry *version = state_find(state, SYSTEM, "@library");
    snprintf(library_version, sizeof library_version, "%s", version == NULL ? "" : version->text);
    state_drop(state);
}

static int is_other_version(const struct state *state)
{
    const struct entry *module = state_find(state, SYSTEM, "@module");
    return module != NULL && strcmp(module->text, library_version) != 0;
}

/* Hold a device open, as the real library does, so that all can see who uses which GPU. */
static int hold(const struct call *call, const char *name, long long minor)
{
    char path[4096];
    const struct entry *folder = state_find(call->state, SYSTEM, "@dev");
    if (folder == NULL)
        return -1;
    snprintf(path, sizeof path, minor < 0 ? "%s/%s" : "%s/%s%lld", folder->text, name, minor);
    return open(path, O_RDWR | O_CLOEXEC);
}

static void attach(const struct call *call)
{
    control = hold(call, "nvidiactl", -1);
    for (int slot = 0; slot < MAX_GPUS; slot++) {
        present[slot] = state_find(call->state, slot, "nvmlDeviceGetUUID") != NULL &&
                        !is_lost(call, slot);
        held[slot] = !present[slot] ? -1
                                    : hold(call, "nvidia",
                                           state_number(call->state, slot,
                                                        "nvmlDeviceGetMinorNumber", slot));
    }
}

static void let_go(void)
{
    forget_event_sets();
    for (int slot = 0; slot < MAX_GPUS; slot++)
        if (held[slot] >= 0)
            close(held[slot]);
    if (control >= 0)
        close(control);
}

static int open_driver(struct call *call)
{
    const struct entry *said = state_find(call->state, SYSTEM, call->name);
    long long loaded = state_number(call->state, SYSTEM, "@loaded", 0);
    if (call->code != SUCCESS)
        return call->code;
    if (said != NULL && said->kind == 'e')
        return atoi(said->text);
    if (loaded == 0)
        return DRIVER_NOT_LOADED;
    if (is_other_version(call->state))
        return LIB_RM_VERSION_MISMATCH;
    pthread_mutex_lock(&lock);
    if (references == 0) {
        opened = loaded;
        attach(call);
    }
    references++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

EXPORT int nvmlInit_v2(void)
{
    struct call call = {.name = "nvmlInit_v2", .slot = SYSTEM, .state = state_take()};
    be_slow(&call);
    be_blocked(&call);
    return end(&call, open_driver(&call));
}

EXPORT int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    return nvmlInit_v2();
}

EXPORT int nvmlShutdown(void)
{
    struct call call = {.name = "nvmlShutdown", .slot = SYSTEM, .state = state_take()};
    if (references == 0)
        return end(&call, UNINITIALIZED);
    be_slow(&call);
    be_blocked(&call);
    pthread_mutex_lock(&lock);
    if (references > 0 && --references == 0)
        let_go();
    pthread_mutex_unlock(&lock);
    return end(&call, SUCCESS);
}
