/* Finds what the recording says, and turns it into numbers, texts and addresses. */

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

/* An answer that is a mapping has no entry of its own; its code is that of one of its members. */
int first(const struct call *call, const char *field)
{
    char key[KEY];
    unsigned long long unused;
    snprintf(key, sizeof key, "%s/%s", call->name, field);
    return read_numbers(call, key, 1, &unused);
}

int versioned(const struct call *call, unsigned version, unsigned expected)
{
    if (call->code != SUCCESS)
        return call->code;
    return version == expected ? SUCCESS : ARGUMENT_VERSION_MISMATCH;
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
