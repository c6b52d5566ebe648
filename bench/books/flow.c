/* Makes command flows: who cancels must know what is live, so it plays them on the bare ladder.
 *
 * Integers only (splitmix64 and two quantile tables), so a seed gives the same bytes everywhere.
 * Results are checked elsewhere, against the reference market.
 */

#include <stdint.h>

typedef struct Flow Flow;
static void flow_gone(uint64_t id);
#define ORDER_GONE(id) flow_gone(id)
#include "bare_ladder.c"

enum { TABLE_BITS = 12, PULL_TICKS = 100 };

typedef struct {              /* FlowMix of bench/books/flow.py; thousandths of the draws */
    int64_t enters, cancels;  /* the rest amends */
    int64_t crossing;         /* of the enters */
    int64_t live_target;      /* crossing orders are larger above it, smaller below it */
    int64_t crossing_size;    /* thousandths of an ordinary order when the target is met */
    int64_t distance_max;     /* ticks from the opposite touch; 0: all orders at one price a side */
    int64_t through;          /* limits of crossing orders lie up to so many ticks behind it */
} FlowMix;

struct Flow {
    Ladder *ladder;
    uint64_t random, id_last, id_limit;
    int64_t order_limit;
    int64_t price_min, price_max;
    const uint32_t *distances, *sizes;   /* quantile tables */
    uint64_t *live;           /* ids, in no order */
    uint32_t *place;          /* id -> index in `live`, plus one */
    int64_t live_count;
    Trade *trades;
};

static Flow *flow_now;        /* one flow at a time: the hook has no argument for it */

static void flow_gone(uint64_t id) {
    Flow *f = flow_now;
    uint32_t at = f->place[id] - 1;
    uint64_t moved = f->live[--f->live_count];
    f->live[at] = moved;
    f->place[moved] = at + 1;
    f->place[id] = 0;
}

static uint64_t draw(Flow *f) {     /* splitmix64 */
    uint64_t z = f->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static int64_t below(Flow *f, int64_t limit) {
    return (int64_t)((unsigned __int128)draw(f) * (uint64_t)limit >> 64);
}

static int64_t quantile(Flow *f, const uint32_t *table) {
    return table[draw(f) >> (64 - TABLE_BITS)];
}

/* The price of the opposite best order; the middle of the ladder where there is none. */
static int64_t touch(const Flow *f, int side) {
    const Ladder *l = f->ladder;
    int64_t middle = (f->price_min + f->price_max) / 2;
    if (side == BUY) {
        if (l->best[SELL] < LEVELS_MAX) return l->price_min + l->best[SELL];
        return l->best[BUY] >= 0 ? l->price_min + l->best[BUY] + 1 : middle + 1;
    }
    if (l->best[BUY] >= 0) return l->price_min + l->best[BUY];
    return l->best[SELL] < LEVELS_MAX ? l->price_min + l->best[SELL] - 1 : middle;
}

static int64_t price_at(Flow *f, int side, int64_t distance) {
    int64_t price = side == BUY ? touch(f, BUY) - distance : touch(f, SELL) + distance;
    if (price < f->price_min) price = f->price_min;
    return price > f->price_max ? f->price_max : price;
}

static int64_t distance_draw(Flow *f, const FlowMix *mix) {
    if (!mix->distance_max) return 1;
    int64_t distance = quantile(f, f->distances);
    return distance > mix->distance_max ? mix->distance_max : distance;
}

/* A side at random; for an order that crosses, the one that pulls a strayed market back. */
static int side_draw(Flow *f, int crosses) {
    int side = (draw(f) & 1) ? BUY : SELL;
    int64_t away = touch(f, BUY) - (f->price_min + f->price_max) / 2;
    if (crosses && away > PULL_TICKS) return SELL;
    return crosses && away < -PULL_TICKS ? BUY : side;
}

static void enter_draw(Flow *f, const FlowMix *mix, Command *c) {
    int crosses = below(f, 1000) < mix->crossing;
    int64_t distance = distance_draw(f, mix), tonnes = quantile(f, f->sizes);
    int64_t percent = f->live_count > mix->live_target ? 130 : 70;
    c->kind = ENTER;
    c->side = (uint8_t)side_draw(f, crosses);
    c->order_id = ++f->id_last;
    if (crosses) {
        tonnes = tonnes * mix->crossing_size * percent / 100000;
        distance = -below(f, mix->through + 1);
    }
    c->price = price_at(f, c->side, distance);
    c->tonnes = tonnes > 0 ? tonnes : 1;
}

static void amend_draw(Flow *f, const FlowMix *mix, const Order *order, Command *c) {
    c->kind = AMEND;
    if ((draw(f) & 1) && order->tonnes > 1) {
        c->price = f->ladder->price_min + order->level;
        c->tonnes = 1 + below(f, order->tonnes - 1);
        return;
    }
    c->price = price_at(f, order->side, distance_draw(f, mix));
    c->tonnes = quantile(f, f->sizes);
}

/* Write the next `count` commands of a mix, each played before the next is drawn. Returns how many:
 * it stops when there is no room for another order. */
int64_t flow_draw(Flow *f, const FlowMix *mix, Command *commands, int64_t count,
                  uint32_t accounts) {
    flow_now = f;
    for (int64_t row = 0; row < count; row++) {
        if (f->live_count == f->order_limit || f->id_last + 1 == f->id_limit) return row;
        Command *c = &commands[row];
        int64_t what = below(f, 1000);
        memset(c, 0, sizeof *c);
        if (what < mix->enters || f->live_count == 0) enter_draw(f, mix, c);
        else {
            c->order_id = f->live[below(f, f->live_count)];
            c->kind = CANCEL;
            if (what >= mix->enters + mix->cancels)
                amend_draw(f, mix, &f->ladder->orders[id_find(f->ladder, c->order_id)], c);
        }
        c->owner = (uint32_t)((c->order_id * 0x9E3779B97F4A7C15u >> 32) % accounts);
        c->client_order_id = (uint64_t)row + 1;
        ladder_process(f->ladder, c, 1, f->trades);
        if (c->kind != CANCEL && id_find(f->ladder, c->order_id) && !f->place[c->order_id]) {
            f->live[f->live_count] = c->order_id;
            f->place[c->order_id] = (uint32_t)++f->live_count;
        }
    }
    return count;
}

void flow_close(Flow *f) {
    if (!f) return;
    ladder_close(f->ladder);
    free(f->live), free(f->place), free(f->trades), free(f);
}

/* NULL when there is no memory. */
Flow *flow_open(uint64_t seed, int64_t price_min, int64_t price_max, uint32_t order_limit,
                uint64_t id_limit, uint32_t levels_per_taker, const uint32_t *distances,
                const uint32_t *sizes) {
    Flow *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->random = seed, f->price_min = price_min, f->price_max = price_max;
    f->distances = distances, f->sizes = sizes;
    f->order_limit = order_limit, f->id_limit = id_limit;
    f->ladder = ladder_open(price_min, order_limit, id_limit, levels_per_taker);
    f->live = calloc((size_t)order_limit + 1, sizeof *f->live);
    f->place = calloc(id_limit, sizeof *f->place);
    f->trades = calloc((size_t)order_limit + 1, sizeof *f->trades);
    if (!f->ladder || !f->live || !f->place || !f->trades) return flow_close(f), NULL;
    return f;
}

int64_t flow_live(const Flow *f) { return f->live_count; }
