/* What NVML says of the fabric of NVLinks that a GPU belongs to, in three versions. */

#define _GNU_SOURCE
#include "fake.h"

#include <stdio.h>
#include <string.h>

struct fabric {
    unsigned version;
    unsigned char cluster[16];
    unsigned status, clique, state, mask; /* to here in version 2 */
    unsigned char summary;                /* and to here in version 3 */
};

static void fill_cluster(const struct call *call, unsigned char *cluster)
{
    const struct entry *uuid = state_find(call->state, call->slot,
                                          "nvmlDeviceGetGpuFabricInfoV/clusterUuid");
    const char *text = uuid == NULL ? "" : uuid->text;
    memset(cluster, 0, 16);
    for (int i = 0; i < 16 && *text != '\0'; text += 2) {
        text += *text == '-';
        unsigned byte;
        if (sscanf(text, "%2x", &byte) != 1)
            return;
        cluster[i++] = (unsigned char)byte;
    }
}

/* The older function has no versions and no health. */
struct old_fabric {
    unsigned char cluster[16];
    unsigned status, clique, state;
};

EXPORT int nvmlDeviceGetGpuFabricInfo(device_t device, struct old_fabric *fabric)
{
    struct call call = begin(device, "nvmlDeviceGetGpuFabricInfo");
    call.name = "nvmlDeviceGetGpuFabricInfoV";
    int code = first(&call, "state");
    if (code != SUCCESS)
        return end(&call, code);
    fill_cluster(&call, fabric->cluster);
    fabric->status = (unsigned)member(&call, call.name, "status");
    fabric->clique = (unsigned)member(&call, call.name, "cliqueId");
    fabric->state = (unsigned)member(&call, call.name, "state");
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetGpuFabricInfoV(device_t device, struct fabric *fabric)
{
    struct call call = begin(device, "nvmlDeviceGetGpuFabricInfoV");
    int is_third = fabric->version == FABRIC_V3;
    int code = versioned(&call, fabric->version, is_third ? FABRIC_V3 : FABRIC_V2);
    if (code == SUCCESS)
        code = first(&call, "state");
    if (code != SUCCESS)
        return end(&call, code);
    fill_cluster(&call, fabric->cluster);
    fabric->status = (unsigned)member(&call, call.name, "status");
    fabric->clique = (unsigned)member(&call, call.name, "cliqueId");
    fabric->state = (unsigned)member(&call, call.name, "state");
    fabric->mask = (unsigned)member(&call, call.name, "healthMask");
    if (is_third)
        fabric->summary = (unsigned char)member(&call, call.name, "healthSummary");
    return end(&call, SUCCESS);
}
