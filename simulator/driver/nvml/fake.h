/* What the parts of the stand-in for NVML share: codes, one reading of the state, and calls. */

#ifndef NODEMEND_FAKE_H
#define NODEMEND_FAKE_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    TIMEOUT = 10,
    FUNCTION_NOT_FOUND = 13,
    GPU_IS_LOST = 15,
    LIB_RM_VERSION_MISMATCH = 18,
    MEMORY = 20,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

enum {
    MAX_GPUS = 64,
    SYSTEM = -1, /* in place of a GPU's number: what is said of the driver */
    KEY = 160,   /* the longest name of an answer, with its arguments */
};

/* The versions of structures that pynvml announces: number << 24 | size. */
enum {
    TEMPERATURE_V1 = 0x100000c,
    MARGIN_V1 = 0x1000008,
    MEMORY_V2 = 0x2000028,
    FABRIC_V2 = 0x2000024,
    FABRIC_V3 = 0x3000028,
    SRAM_V1 = 0x1000068,
    REPAIR_V1 = 0x100000c,
    UNREPAIRABLE_V1 = 0x1000008,
};

/* A handle is the address of one of these; which GPU it is follows from where it stands. */
struct device {
    char unused;
};
typedef struct device *device_t;

/* state.c: the state file, read again whenever somebody replaced it. */

struct entry {
    int gpu;
    const char *key;
    char kind; /* v numbers, t text, e an error code, n how many follow */
    const char *text;
};
struct state;

struct state *state_take(void);
void state_drop(struct state *state);
const struct entry *state_find(const struct state *state, int gpu, const char *key);
long long state_number(const struct state *state, int gpu, const char *key, long long otherwise);
const char *state_path(void);
int state_watch(void); /* an inotify descriptor of the folder in which state and events stand */
void watch_wait(int watch, int milliseconds);

/* session.c: whether NVML is open, and what stands in the way of a call. */

struct call {
    const char *name;
    struct state *state;
    int slot; /* which GPU of the recording, or SYSTEM */
    int code; /* what the call returns, unless it is SUCCESS */
};

struct call begin(device_t device, const char *name);
struct call begin_system(const char *name);
int end(struct call *call, int code);
int is_lost(const struct call *call, int slot);
int is_present(int slot);
int is_driver_gone(struct call *call);
device_t device_of(int slot);
int slot_of(device_t device);

/* reading.c: what the recording says. */

struct pci_info {
    char busIdLegacy[16];
    unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
};

int read_numbers(const struct call *call, const char *key, int count, unsigned long long *into);
int read_text(const struct call *call, const char *key, char *into, size_t size);
unsigned long long member(const struct call *call, const char *name, const char *field);
int has(const struct call *call, const char *key);
int first(const struct call *call, const char *field);
int versioned(const struct call *call, unsigned version, unsigned expected);
int fill_pci(struct pci_info *info, const char *address);
int parse_pci(const char *address, unsigned *domain, unsigned *bus, unsigned *device);

/* events.c */

void forget_event_sets(void);

#endif
