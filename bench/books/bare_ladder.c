/* The physical limit: a price ladder with nothing around it.
 *
 *   bitmap, two rows      a bit a level, and a bit a word of them: next best in two steps
 *   levels                oldest and newest order of each price, one array for both sides
 *   orders                32 bytes, FIFO links inside, slots recycled last in first out
 *   id -> slot            an array (ids below `id_limit`), or with -DHASHED_IDS an open-addressing
 *                         table that takes any 64-bit id
 *
 * It trusts its input: no owners, no order kinds, no capacity, no refusals, no events but trades.
 * What a real book does beyond this is what it costs beyond this. The records are those of
 * `cea_exchange._book`, so both read the same arrays.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ENTER = 1, CANCEL = 2, AMEND = 3, BUY = 1, SELL = 2, LEVELS_MAX = 4096 };

typedef struct {              /* COMMAND_DTYPE */
    uint8_t kind, side, tif, flags;
    uint16_t product, operator_index;
    uint32_t owner, trading_date;
    uint64_t client_order_id, order_id, pick_order_id;
    int64_t price, tonnes;
    uint64_t reserved;
} Command;

typedef struct {              /* TRADE_DTYPE of bench/books/ladder.py */
    uint64_t taker, maker;
    uint32_t price, tonnes;
} Trade;

typedef struct {
    uint64_t id;
    uint32_t older, newer;    /* slots; 0 is none */
    uint32_t tonnes, level;
    uint32_t side, unused;
} Order;

typedef struct { uint32_t oldest, newest; } Level;
typedef struct { uint32_t hash, slot; } Cell;

typedef struct {
    int64_t price_min;
    int64_t best[3];          /* by side; -1 or LEVELS_MAX when it is empty */
    uint64_t summary[3], words[3][LEVELS_MAX / 64];
    Level levels[LEVELS_MAX];
    Order *orders;
    uint32_t free_slot, last_slot, live;
    uint32_t levels_per_taker;
    uint32_t *slots;          /* by id */
    Cell *cells;
    uint64_t cell_mask;
    Trade *trades;
} Ladder;

#ifndef ORDER_GONE
#define ORDER_GONE(id)        /* flow.c keeps a list of live ids */
#endif

/* -- Ids --------------------------------------------------------------------------------------- */

#ifdef HASHED_IDS
static inline uint32_t hash_of(uint64_t id) {
    return (uint32_t)((id ^ id >> 32) * 0x9E3779B97F4A7C15u >> 32);
}
static inline uint32_t id_find(const Ladder *l, uint64_t id) {
    uint32_t hash = hash_of(id);
    for (uint64_t at = hash & l->cell_mask;; at = (at + 1) & l->cell_mask) {
        Cell cell = l->cells[at];
        if (!cell.slot || (cell.hash == hash && l->orders[cell.slot].id == id)) return cell.slot;
    }
}
static inline void id_put(Ladder *l, uint64_t id, uint32_t slot) {
    uint32_t hash = hash_of(id);
    uint64_t at = hash & l->cell_mask;
    while (l->cells[at].slot) at = (at + 1) & l->cell_mask;
    l->cells[at] = (Cell){hash, slot};
}
static inline void id_drop(Ladder *l, uint64_t id) {
    uint64_t hole = hash_of(id) & l->cell_mask;
    while (l->orders[l->cells[hole].slot].id != id) hole = (hole + 1) & l->cell_mask;
    for (uint64_t at = hole;;) {          /* those behind move up: no tombstones */
        at = (at + 1) & l->cell_mask;
        if (!l->cells[at].slot) break;
        uint64_t away = (at - l->cells[at].hash) & l->cell_mask;
        if (away >= ((at - hole) & l->cell_mask)) l->cells[hole] = l->cells[at], hole = at;
    }
    l->cells[hole] = (Cell){0, 0};
}
#else
static inline uint32_t id_find(const Ladder *l, uint64_t id) { return l->slots[id]; }
static inline void id_put(Ladder *l, uint64_t id, uint32_t slot) { l->slots[id] = slot; }
static inline void id_drop(Ladder *l, uint64_t id) { l->slots[id] = 0; }
#endif

/* -- Levels ------------------------------------------------------------------------------------ */

/* The best occupied level of a side at or behind `level`: asks upwards, bids downwards. */
static inline int64_t best_from(const Ladder *l, int side, int64_t level) {
    const uint64_t *words = l->words[side];
    if (side == SELL) {
        uint64_t word = level < LEVELS_MAX ? words[level >> 6] >> (level & 63) : 0;
        if (word) return level + __builtin_ctzll(word);
        uint64_t rest = level < LEVELS_MAX - 64 ? l->summary[SELL] >> ((level >> 6) + 1) : 0;
        if (!rest) return LEVELS_MAX;
        int64_t index = (level >> 6) + 1 + __builtin_ctzll(rest);
        return index * 64 + __builtin_ctzll(words[index]);
    }
    uint64_t word = level >= 0 ? words[level >> 6] << (63 - (level & 63)) : 0;
    if (word) return level - __builtin_clzll(word);
    uint64_t rest = level >= 64 ? l->summary[BUY] << (64 - (level >> 6)) : 0;
    if (!rest) return -1;
    int64_t index = (level >> 6) - 1 - __builtin_clzll(rest);
    return index * 64 + 63 - __builtin_clzll(words[index]);
}

static inline void level_emptied(Ladder *l, int side, int64_t level) {
    uint64_t *word = &l->words[side][level >> 6];
    *word &= ~(1ull << (level & 63));
    if (!*word) l->summary[side] &= ~(1ull << (level >> 6));
    if (l->best[side] == level) l->best[side] = best_from(l, side, level);
}

static inline void rest(Ladder *l, uint64_t id, int side, int64_t index, uint32_t tonnes) {
    uint32_t slot = l->free_slot;
    if (slot) l->free_slot = l->orders[slot].newer;
    else slot = ++l->last_slot;
    Level *level = &l->levels[index];
    l->orders[slot] = (Order){id, level->newest, 0, tonnes, (uint32_t)index, (uint32_t)side, 0};
    if (level->newest) l->orders[level->newest].newer = slot;
    else {
        level->oldest = slot;
        l->words[side][index >> 6] |= 1ull << (index & 63);
        l->summary[side] |= 1ull << (index >> 6);
        if (side == BUY ? index > l->best[BUY] : index < l->best[SELL]) l->best[side] = index;
    }
    level->newest = slot;
    id_put(l, id, slot);
    l->live++;
}

static inline void take_off(Ladder *l, uint32_t slot) {
    Order *order = &l->orders[slot];
    Level *level = &l->levels[order->level];
    if (order->older) l->orders[order->older].newer = order->newer;
    else level->oldest = order->newer;
    if (order->newer) l->orders[order->newer].older = order->older;
    else level->newest = order->older;
    if (!level->oldest) level_emptied(l, order->side, order->level);
    id_drop(l, order->id);
    ORDER_GONE(order->id);
    order->newer = l->free_slot;
    l->free_slot = slot;
    l->live--;
}

/* -- Commands ---------------------------------------------------------------------------------- */

static inline void arrive(Ladder *l, uint64_t id, int side, int64_t limit, uint32_t tonnes) {
    int other = BUY + SELL - side;
    int64_t before = -2;
    uint32_t seen = 0;
    while (tonnes) {
        int64_t level = l->best[other];
        if (side == BUY ? level > limit : level < limit) break;
        if (other == SELL ? level == LEVELS_MAX : level < 0) break;
        if (level != before && seen++ == l->levels_per_taker) return;  /* the rest is cancelled */
        before = level;
        uint32_t slot = l->levels[level].oldest;
        Order *maker = &l->orders[slot];
        uint32_t taken = maker->tonnes < tonnes ? maker->tonnes : tonnes;
        *l->trades++ = (Trade){id, maker->id, (uint32_t)(level + l->price_min), taken};
        tonnes -= taken;
        maker->tonnes -= taken;
        if (!maker->tonnes) take_off(l, slot);
    }
    if (tonnes) rest(l, id, side, limit, tonnes);
}

static inline void apply(Ladder *l, const Command *c) {
    if (c->kind == ENTER) {
        arrive(l, c->order_id, c->side, c->price - l->price_min, (uint32_t)c->tonnes);
        return;
    }
    uint32_t slot = id_find(l, c->order_id);
    if (!slot) return;
    Order *order = &l->orders[slot];
    int64_t index = c->price - l->price_min;
    if (c->kind == CANCEL) take_off(l, slot);
    else if (index == order->level && c->tonnes < order->tonnes) {
        order->tonnes = (uint32_t)c->tonnes;
    } else {
        int side = order->side;
        take_off(l, slot);
        arrive(l, c->order_id, side, index, (uint32_t)c->tonnes);
    }
}

/* Apply commands; the trades go to `trades`, which must have room. Returns how many there were. */
int64_t ladder_process(Ladder *l, const Command *commands, int64_t count, Trade *trades) {
    l->trades = trades;
    for (int64_t row = 0; row < count; row++) apply(l, &commands[row]);
    return l->trades - trades;
}

/* -- Storage ----------------------------------------------------------------------------------- */

void ladder_close(Ladder *l) {
    if (!l) return;
    free(l->orders), free(l->slots), free(l->cells), free(l);
}

/* `levels_per_taker` 0 is no limit. NULL when there is no memory. */
Ladder *ladder_open(int64_t price_min, uint32_t order_limit, uint64_t id_limit,
                    uint32_t levels_per_taker) {
    Ladder *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->price_min = price_min;
    l->best[BUY] = -1, l->best[SELL] = LEVELS_MAX;
    l->levels_per_taker = levels_per_taker ? levels_per_taker : UINT32_MAX;
    l->orders = calloc((size_t)order_limit + 1, sizeof(Order));
#ifdef HASHED_IDS
    uint64_t cells = 64;
    while (cells < 2 * (uint64_t)order_limit) cells *= 2;
    l->cell_mask = cells - 1;
    l->cells = calloc(cells, sizeof(Cell));
    if (!l->cells) return ladder_close(l), NULL;
#else
    l->slots = calloc(id_limit, sizeof(uint32_t));
    if (!l->slots) return ladder_close(l), NULL;
#endif
    if (!l->orders) return ladder_close(l), NULL;
    return l;
}

int64_t ladder_live(const Ladder *l) { return l->live; }
