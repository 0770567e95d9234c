/* Runs the kernels on cases from stdin and writes their results to stdout: for builds that Python
   cannot load, because they are of another machine or full of checks. nf4_driver.py writes the
   cases. Every tensor ends where its memory ends, so that one byte further is a fault; each case
   runs in a thread of its own, so that what is kept for a thread has to go with it. */

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nf4.c"

enum { DEQUANTISE, MULTIPLY, HEAD, ATTEND, ATTEND_PAGES };

#define MOST_PAGES 32

typedef struct {
    char path[16];
    int32_t kind, dtype, threads, double_quantised;
    int32_t offset;     /* of the result in its memory, in elements */
    float number;       /* added to constants, or what scores are multiplied with */
    int64_t extents[6]; /* out_features, in_features, rows, rank, rank of every second row; or as
                           `attend` has them */
} header;

typedef struct {
    header asked;
    nf4_weights weights;
    nf4_adapter adapters[2]; /* of the first row and every second after it, and of the others */
    const nf4_adapter *of_rows[MOST_ROWS];
    const void *x, *dense, *keys, *values;
    const int64_t *first;
    nf4_paged paged[MOST_ROWS];
    char *pages[MOST_PAGES];
    void *result;
    int done;
} run;

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(2);
}

static void *rooms[64]; /* of one case */
static int room_count;

/* `bytes` bytes right before memory that nobody may touch; under the address sanitizer its own. */
static void *room(int64_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    void *found = malloc((size_t)bytes);
    if (!found) fail("no memory");
#else
    int64_t page = sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
    char *pages = mmap(NULL, (size_t)(size + page), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + size, (size_t)page, PROT_NONE)) fail("no memory");
    void *found = pages + size - bytes;
#endif
    return rooms[room_count++] = found;
}

static void drop_rooms(void) {
    while (room_count--) {
#ifdef __SANITIZE_ADDRESS__
        free(rooms[room_count]); /* else the process is short */
#endif
    }
    room_count = 0;
}

static void *tensor(int64_t bytes) {
    void *found = room(bytes);
    if (fread(found, 1, (size_t)bytes, stdin) != (size_t)bytes) fail("the case is cut off");
    return found;
}

static void *work(void *argument) {
    run *one = argument;
    const header *h = &one->asked;
    const int64_t *n = h->extents;
    if (h->kind == DEQUANTISE) {
        nf4_dequantise(&one->weights, n[0] * n[1], one->result, h->dtype, h->threads);
        one->done = 1;
    } else if (h->kind == MULTIPLY) {
        one->done = nf4_matmul(&one->weights, n[0], n[1], one->x, (int)n[2], one->result, n[0],
                               n[3] ? one->of_rows : NULL, h->dtype, h->threads);
    } else if (h->kind == HEAD) {
        one->done = nf4_dense(one->dense, n[0], n[1], one->x, (int)n[2], one->result, h->dtype,
                              h->threads);
    } else if (h->kind == ATTEND_PAGES) {
        one->done = nf4_attend_pages(one->paged, (int)n[0], one->x, one->result, n[4] - 1, (int)n[1],
                                     (int)n[2], (int)n[3], n[5], h->number, h->dtype, h->threads);
    } else {
        one->done = nf4_attend(one->x, one->keys, one->values, one->result, (int)n[0], (int)n[1],
                               (int)n[2], (int)n[3], n[4], n[5], one->first, h->number, h->dtype,
                               h->threads);
    }
    return NULL;
}

static void read_matrix(run *one, int64_t count) {
    nf4_weights *w = &one->weights;
    int64_t blocks = (count + BLOCK - 1) / BLOCK, width = sizeof(float);
    w->values = tensor(16 * width);
    w->codes = tensor((count + 1) / 2);
    if (!one->asked.double_quantised) {
        w->absmax = tensor(blocks * width);
        return;
    }
    w->absmax8 = tensor(blocks);
    w->nested_values = tensor(256 * width);
    w->nested_absmax = tensor((blocks + NESTED_BLOCK - 1) / NESTED_BLOCK * width);
    w->nested_offset = one->asked.number;
}

static void read_adapter(run *one, nf4_adapter *adapter, int64_t rank, int64_t width) {
    const int64_t *n = one->asked.extents;
    int padded = (int)((rank + LANES - 1) / LANES * LANES);
    adapter->rank = (int)rank;
    adapter->padded = padded;
    adapter->a = tensor(rank * n[1] * width);
    adapter->b = tensor(n[0] * padded * (int64_t)sizeof(float));
}

/* Without a second rank all rows have the first adapter, with a negative one every second has none. */
static void read_adapters(run *one, int64_t width) {
    const int64_t *n = one->asked.extents;
    read_adapter(one, &one->adapters[0], n[3], width);
    if (n[4] > 0) read_adapter(one, &one->adapters[1], n[4], width);
    for (int64_t row = 0; row < n[2] && row < MOST_ROWS; row++)
        one->of_rows[row] = n[4] && row % 2 ? (n[4] > 0 ? &one->adapters[1] : NULL)
                                            : &one->adapters[0];
}

/* Lengths of rows, then the pages of each, in memory of their own. */
static void read_pages(run *one, int64_t width) {
    const int64_t *n = one->asked.extents;
    const int64_t *lengths = tensor(n[0] * (int64_t)sizeof(int64_t));
    int count = 0;
    for (int64_t row = 0; row < n[0] && row < MOST_ROWS; row++) {
        one->paged[row] = (nf4_paged){one->pages + count, lengths[row]};
        for (int64_t page = 0; page < (lengths[row] + KEYS - 1) / KEYS; page++) {
            if (count == MOST_PAGES) fail("too many pages");
            one->pages[count++] = tensor(n[4] * 2 * n[1] * KEYS * n[3] * width);
        }
    }
}

static void run_case(const header *h) {
    const int64_t *n = h->extents;
    int64_t width = h->dtype == BF16 ? 2 : 4, numbers;
    run one = {.asked = *h};
    if (h->kind == ATTEND) {
        numbers = n[0] * n[1] * n[2] * n[3];
        one.x = tensor(numbers * width);
        one.keys = tensor(n[0] * n[1] * n[5] * n[3] * width);
        one.values = tensor(n[0] * n[1] * n[5] * n[3] * width);
        one.first = tensor(n[0] * (int64_t)sizeof(int64_t));
    } else if (h->kind == ATTEND_PAGES) {
        numbers = n[0] * n[1] * n[2] * n[3];
        one.x = tensor((numbers + 2 * n[0] * n[1] * n[3]) * width);
        read_pages(&one, width);
    } else {
        numbers = h->kind == DEQUANTISE ? n[0] * n[1] : n[2] * n[0];
        if (h->kind == HEAD) one.dense = tensor(n[0] * n[1] * width);
        else read_matrix(&one, n[0] * n[1]);
        if (h->kind != DEQUANTISE) one.x = tensor(n[2] * n[1] * width);
        if (n[3]) read_adapters(&one, width);
    }
    if (h->kind == HEAD) width = sizeof(float);
    one.result = (char *)room((numbers + h->offset) * width) + h->offset * width;
    if (!nf4_use_path(h->path)) fail("the path does not run here");
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &one) || pthread_join(thread, NULL)) fail("no thread");
    if (!one.done) fail("the case was refused");
    fwrite(one.result, (size_t)width, (size_t)numbers, stdout);
    drop_rooms();
}

/* With an argument the names of the paths that run here, else the cases. */
int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        for (int i = 0; nf4_path(i); i++)
            if (*nf4_path(i)) printf("%s\n", nf4_path(i));
        return 0;
    }
    header asked;
    while (fread(&asked, sizeof asked, 1, stdin) == 1) run_case(&asked);
    return 0;
}
