/* How many GPUs there are, and the handles by which all else is asked of them. */

#include "fake.h"

#include <string.h>

EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    struct call call = begin_system("nvmlDeviceGetCount_v2");
    unsigned long long said = 0;
    for (int slot = 0; slot < MAX_GPUS; slot++)
        said += (unsigned)is_present(slot);
    int code = has(&call, call.name) ? read_numbers(&call, call.name, 1, &said) : SUCCESS;
    if (call.code == SUCCESS && code == SUCCESS)
        *count = (unsigned)said;
    return end(&call, code);
}

/* Hand out the handle of a GPU, which is one that exists, if it can be reached. */
static int hand_out(struct call *call, int slot, device_t *device)
{
    if (call->code != SUCCESS || slot < 0)
        return end(call, slot < 0 ? -slot : SUCCESS);
    if (is_lost(call, slot))
        return end(call, GPU_IS_LOST);
    *device = device_of(slot);
    return end(call, SUCCESS);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *device)
{
    struct call call = begin_system("nvmlDeviceGetHandleByIndex_v2");
    for (int slot = 0; slot < MAX_GPUS; slot++)
        if (is_present(slot) && index-- == 0)
            return hand_out(&call, slot, device);
    return hand_out(&call, -INVALID_ARGUMENT, device);
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, device_t *device)
{
    struct call call = begin_system("nvmlDeviceGetHandleByUUID");
    for (int slot = 0; uuid != NULL && slot < MAX_GPUS; slot++) {
        const struct entry *own = state_find(call.state, slot, "nvmlDeviceGetUUID");
        if (is_present(slot) && own != NULL && strcmp(own->text, uuid) == 0)
            return hand_out(&call, slot, device);
    }
    return hand_out(&call, uuid == NULL ? -INVALID_ARGUMENT : -NOT_FOUND, device);
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *address, device_t *device)
{
    struct call call = begin_system("nvmlDeviceGetHandleByPciBusId_v2");
    unsigned wanted[3], own[3];
    if (address == NULL || !parse_pci(address, &wanted[0], &wanted[1], &wanted[2]))
        return hand_out(&call, -INVALID_ARGUMENT, device);
    for (int slot = 0; slot < MAX_GPUS; slot++) {
        const struct entry *at = state_find(call.state, slot, "nvmlDeviceGetPciInfo_v3/busId");
        if (is_present(slot) && at != NULL && parse_pci(at->text, &own[0], &own[1], &own[2]) &&
            memcmp(wanted, own, sizeof own) == 0)
            return hand_out(&call, slot, device);
    }
    return hand_out(&call, -NOT_FOUND, device);
}

EXPORT int nvmlDeviceGetIndex(device_t device, unsigned *index)
{
    struct call call = begin(device, "nvmlDeviceGetIndex");
    unsigned before = 0;
    for (int slot = 0; slot < call.slot && slot < MAX_GPUS; slot++)
        before += (unsigned)is_present(slot);
    if (call.code == SUCCESS)
        *index = before;
    return end(&call, SUCCESS);
}
