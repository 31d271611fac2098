/* Reads the state file, a line for each answer, whenever somebody put another one in its place.
 *
 * A line is "<gpu or -> <key> <kind> <text>". Who writes the file renames a finished one over it
 * and gives each its own modification time, so that one stat tells whether it is another. */

#define _GNU_SOURCE
#include "fake.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct state {
    int users;
    char *content;
    struct entry *entries;
    size_t count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct state *newest;
static struct timespec newest_mark;

const char *state_path(void)
{
    const char *path = getenv("NODEMEND_FAKE_NVML");
    return path == NULL ? "" : path;
}

static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return a->gpu != b->gpu ? (a->gpu > b->gpu) - (a->gpu < b->gpu) : strcmp(a->key, b->key);
}

static char *slurp(const char *path, struct timespec *mark)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    struct stat about;
    char *content = NULL;
    if (fstat(fileno(file), &about) == 0 && (content = malloc((size_t)about.st_size + 1)) != NULL) {
        content[fread(content, 1, (size_t)about.st_size, file)] = '\0';
        *mark = about.st_mtim;
    }
    fclose(file);
    return content;
}

static int parse_line(char *line, struct entry *entry)
{
    char *rest = line;
    const char *gpu = strsep(&rest, " ");
    entry->key = strsep(&rest, " ");
    const char *kind = strsep(&rest, " ");
    if (entry->key == NULL || kind == NULL)
        return 0;
    entry->gpu = *gpu == '-' ? SYSTEM : atoi(gpu);
    entry->kind = *kind;
    entry->text = rest == NULL ? "" : rest;
    return 1;
}

static struct state *parse(char *content)
{
    struct state *state = calloc(1, sizeof *state);
    size_t lines = 1;
    for (const char *at = content; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    if (state == NULL || (state->entries = calloc(lines, sizeof *state->entries)) == NULL)
        abort();
    state->content = content;
    for (char *line; (line = strsep(&content, "\n")) != NULL;)
        state->count += (size_t)parse_line(line, &state->entries[state->count]);
    qsort(state->entries, state->count, sizeof *state->entries, compare);
    return state;
}

static void drop(struct state *state)
{
    if (state == NULL || --state->users > 0)
        return;
    free(state->content);
    free(state->entries);
    free(state);
}

static void renew(void)
{
    struct stat about;
    if (stat(state_path(), &about) != 0)
        return;
    if (newest != NULL && about.st_mtim.tv_sec == newest_mark.tv_sec &&
        about.st_mtim.tv_nsec == newest_mark.tv_nsec)
        return;
    char *content = slurp(state_path(), &newest_mark);
    if (content == NULL)
        return;
    struct state *state = parse(content);
    state->users = 1;
    drop(newest);
    newest = state;
}

struct state *state_take(void)
{
    pthread_mutex_lock(&lock);
    renew();
    if (newest != NULL)
        newest->users++;
    struct state *state = newest;
    pthread_mutex_unlock(&lock);
    return state;
}

void state_drop(struct state *state)
{
    pthread_mutex_lock(&lock);
    drop(state);
    pthread_mutex_unlock(&lock);
}

const struct entry *state_find(const struct state *state, int gpu, const char *key)
{
    if (state == NULL)
        return NULL;
    struct entry wanted = {.gpu = gpu, .key = key};
    return bsearch(&wanted, state->entries, state->count, sizeof wanted, compare);
}

long long state_number(const struct state *state, int gpu, const char *key, long long otherwise)
{
    const struct entry *entry = state_find(state, gpu, key);
    return entry == NULL ? otherwise : atoll(entry->text);
}

int state_watch(void)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", state_path());
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch >= 0)
        inotify_add_watch(watch, slash == NULL ? "." : folder, IN_MODIFY | IN_MOVED_TO);
    return watch;
}

/* Sleep until something in the folder changed; a negative time is for ever. */
void watch_wait(int watch, int milliseconds)
{
    char told[4096];
    struct pollfd one = {.fd = watch, .events = POLLIN};
    if (watch < 0) /* no inotify instances left: look now and then */
        milliseconds = milliseconds < 0 || milliseconds > 20 ? 20 : milliseconds;
    if (poll(&one, 1, milliseconds) > 0)
        while (read(watch, told, sizeof told) > 0)
            ;
}
