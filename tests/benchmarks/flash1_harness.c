/* Stands in for the public benchmark: messages from a file through an adapter, reports as lines. */

#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "matching_engine_api.h"

static void symbol(void *engine, const char *name, void *function)
{
    *(void **)function = dlsym(engine, name);
    if (*(void **)function == NULL)
        exit(fprintf(stderr, "%s is missing\n", name));
}

static void print(const me_report_t *report)
{
    printf("%" PRIu64 " %u %u %" PRIu64 " %" PRId64 " %u %" PRIu64 " %" PRIu64 "\n",
           report->sequence_number, report->type, report->side, report->order_id,
           report->price_ticks, report->quantity, report->maker_order_id, report->taker_order_id);
}

/* A queue that is full every third time. */
static int printed(void *handle, const me_report_t *report)
{
    static int times = 0;
    if (times++ % 3 == 0)
        return 0;
    (void)handle;
    print(report);
    return 1;
}

/* The other end of the adapter's own queue, in a thread of its own. */
static const me_transport_t *transport;
static void *queue;
static atomic_int over;

static void *drained(void *nothing)
{
    me_report_t reports[7];
    for (;;) {
        int last = atomic_load(&over);
        uint32_t count = transport->drain(queue, reports, 7);
        for (uint32_t row = 0; row < count; row++)
            print(&reports[row]);
        if (last && count == 0)
            return nothing;
    }
}

int main(int argc, char **argv)
{
    const me_transport_t *(*own)(void);
    const me_transport_t plain = {.push = printed};
    pthread_t drainer;
    void *engine = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    FILE *messages = engine != NULL ? fopen(argv[2], "rb") : NULL;
    void (*init)(uint64_t, const me_transport_t *, void *);
    void (*shutdown)(void), (*flush)(void);
    void (*on_new)(const new_order_t *), (*on_cancel)(const cancel_t *), (*on_modify)(const modify_t *);
    int64_t (*best_bid)(void), (*best_ask)(void);
    uint64_t (*depth_at)(int64_t, uint8_t);
    me_msg_t message;
    if (messages == NULL)
        return fprintf(stderr, "%s\n", engine == NULL ? dlerror() : "no messages");
    symbol(engine, "engine_init", &init);
    symbol(engine, "engine_shutdown", &shutdown);
    symbol(engine, "engine_flush", &flush);
    symbol(engine, "engine_on_new_order", &on_new);
    symbol(engine, "engine_on_cancel", &on_cancel);
    symbol(engine, "engine_on_modify", &on_modify);
    symbol(engine, "engine_query_best_bid", &best_bid);
    symbol(engine, "engine_query_best_ask", &best_ask);
    symbol(engine, "engine_query_depth_at", &depth_at);
    own = (const me_transport_t *(*)(void))dlsym(engine, "engine_get_transport");
    transport = own != NULL ? own() : &plain;
    if (own != NULL) {
        queue = transport->create(40);
        pthread_create(&drainer, NULL, drained, NULL);
    }
    init(23, transport, queue);
    while (fread(&message, sizeof message, 1, messages) == 1) {
        if (message.type == 0)
            on_new(&message.no);
        else if (message.type == 1)
            on_cancel(&message.c);
        else
            on_modify(&message.md);
        printf("best %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n", best_bid(), best_ask(),
               depth_at(100, 0), depth_at(100, 1));
    }
    flush();
    if (own != NULL) {
        transport->flush(queue);
        atomic_store(&over, 1);
        pthread_join(drainer, NULL);
        transport->destroy(queue);
    }
    shutdown();
    return fclose(messages);
}
