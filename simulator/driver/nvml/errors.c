/* What NVML's codes are called. */

#include "fake.h"

static const struct {
    int code;
    const char *text;
} WORDS[] = {
    {0, "Success"},
    {1, "Uninitialized"},
    {2, "Invalid Argument"},
    {3, "Not Supported"},
    {4, "Insufficient Permissions"},
    {5, "Already Initialized"},
    {6, "Not Found"},
    {7, "Insufficient Size"},
    {8, "Insufficient External Power"},
    {9, "Driver Not Loaded"},
    {10, "Timeout"},
    {11, "Interrupt Request Issue"},
    {12, "NVML Shared Library Not Found"},
    {13, "Function Not Found"},
    {14, "Corrupted infoROM"},
    {15, "GPU is lost"},
    {16, "GPU requires reset"},
    {17, "GPU access blocked by the operating system"},
    {18, "Driver/library version mismatch"},
    {19, "In use by another client"},
    {20, "Insufficient Memory"},
    {21, "No data"},
    {22, "Not available to a vGPU: ECC is on"},
    {23, "Insufficient Resources"},
    {25, "Argument version mismatch"},
    {26, "Deprecated"},
    {27, "Not Ready"},
    {999, "Unknown Error"},
};

EXPORT const char *nvmlErrorString(int code)
{
    for (unsigned i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (WORDS[i].code == code)
            return WORDS[i].text;
    return "Unknown Error";
}
