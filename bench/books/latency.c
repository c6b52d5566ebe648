/* Times single commands: a spinning probe that does nothing, and the bare ladder. */

#include "bare_ladder.c"
#include "clock.h"

/* The clock calls with no work between them: what the machine itself takes away. */
void spin_probe(int64_t count, uint32_t *ticks) {
    for (int64_t row = 0; row < count; row++) {
        int64_t start = clock_ticks();
        ticks[row] = (uint32_t)(clock_ticks() - start);
    }
}

void ladder_probe(Ladder *l, const Command *commands, int64_t count, Trade *trades,
                  uint32_t *ticks, uint32_t *trade_counts) {
    for (int64_t row = 0; row < count; row++) {
        l->trades = trades;
        int64_t start = clock_ticks();
        apply(l, &commands[row]);
        int64_t end = clock_ticks();
        ticks[row] = (uint32_t)(end - start);
        trade_counts[row] = (uint32_t)(l->trades - trades);
    }
}

double ticks_per_us(void) { return clock_ticks_per_us(); }
