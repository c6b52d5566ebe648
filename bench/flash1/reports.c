/* A queue from the thread that matches to the one that publishes: written in order, made visible
 * some reports at a time, so that the two seldom meet at a cache line. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "matching_engine_api.h"

enum { AT_ONCE = 32 };

typedef struct {
    me_report_t *rows;
    uint64_t mask;
    uint64_t written, seen_taken;             /* the writer's */
    _Alignas(128) _Atomic uint64_t published;
    _Alignas(128) _Atomic uint64_t taken;
} Queue;

static void queue_destroy(void *handle)
{
    free(((Queue *)handle)->rows);
    free(handle);
}

static void *queue_create(uint32_t capacity)
{
    Queue *queue = aligned_alloc(128, sizeof(Queue));
    uint64_t rows = AT_ONCE;
    while (rows < capacity)
        rows *= 2;
    if (queue == NULL)
        return NULL;
    memset(queue, 0, sizeof *queue);
    queue->mask = rows - 1;
    queue->rows = aligned_alloc(64, rows * sizeof(me_report_t));
    if (queue->rows == NULL)
        return queue_destroy(queue), NULL;
    memset(queue->rows, 0, rows * sizeof(me_report_t));
    return queue;
}

static void queue_flush(void *handle)
{
    Queue *queue = handle;
    atomic_store_explicit(&queue->published, queue->written, memory_order_release);
}

static int queue_push(void *handle, const me_report_t *report)
{
    Queue *queue = handle;
    if (queue->written - queue->seen_taken > queue->mask) {
        queue->seen_taken = atomic_load_explicit(&queue->taken, memory_order_acquire);
        if (queue->written - queue->seen_taken > queue->mask)
            return queue_flush(queue), 0;
    }
    queue->rows[queue->written & queue->mask] = *report;
    if (++queue->written % AT_ONCE == 0)
        queue_flush(queue);
    return 1;
}

static uint32_t queue_drain(void *handle, me_report_t *out, uint32_t count_max)
{
    Queue *queue = handle;
    uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    uint64_t there = atomic_load_explicit(&queue->published, memory_order_acquire) - taken;
    uint32_t count = there < count_max ? (uint32_t)there : count_max;
    for (uint32_t row = 0; row < count; row++)
        out[row] = queue->rows[(taken + row) & queue->mask];
    atomic_store_explicit(&queue->taken, taken + count, memory_order_release);
    return count;
}

static const me_transport_t QUEUE = {
    queue_create, queue_push, queue_drain, queue_flush, queue_destroy,
};

const me_transport_t *engine_get_transport(void)
{
    return &QUEUE;
}
