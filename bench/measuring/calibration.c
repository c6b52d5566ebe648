/* Two numbers that say what kind of machine, and how quiet a moment, a figure comes from. */

#include <stdlib.h>
#include "clock.h"

/* ns a step of a dependent integer loop (xorshift64): the core's clock, and who else is on it. */
double integer_loop_ns(int64_t steps) {
    volatile uint64_t seed = 88172645463325252u;
    uint64_t x = seed;
    int64_t start = clock_ns();
    for (int64_t step = 0; step < steps; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        __asm__ volatile("" : "+r"(x));
    }
    int64_t end = clock_ns();
    seed = x;
    return (double)(end - start) / (double)steps;
}

/* A ring through all cache lines of `bytes` of memory, in random order. NULL: no memory. */
uint64_t *chase_open(int64_t bytes) {
    int64_t lines = bytes / 64;
    uint64_t *ring = aligned_alloc(64, (size_t)lines * 64);
    if (!ring) return NULL;
    for (int64_t line = 0; line < lines; line++) ring[line * 8] = (uint64_t)line;
    uint64_t random = 1;
    for (int64_t line = lines - 1; line > 0; line--) {     /* Sattolo: one ring, not several */
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t other = (int64_t)((random >> 33) % (uint64_t)line);
        uint64_t swap = ring[line * 8];
        ring[line * 8] = ring[other * 8];
        ring[other * 8] = swap;
    }
    return ring;
}

/* ns a step through that ring: a load that misses the caches and the TLB. */
double pointer_chase_ns(const uint64_t *ring, int64_t steps) {
    uint64_t at = 0;
    int64_t start = clock_ns();
    for (int64_t step = 0; step < steps; step++) {
        at = ring[at * 8];
        __asm__ volatile("" : "+r"(at));
    }
    return (double)(clock_ns() - start) / (double)steps;
}
