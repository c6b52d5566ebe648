/* Ticks for timing single commands: the time stamp counter where there is one. */

#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

#if defined(__x86_64__)
#include <x86intrin.h>
/* Waits for what came before; what comes after may start early, by the same little every time. */
static inline int64_t clock_ticks(void) {
    unsigned core;
    return (int64_t)__rdtscp(&core);
}
#else
static inline int64_t clock_ticks(void) { return clock_ns(); }
#endif

/* How many ticks a microsecond has, measured over some milliseconds. */
static inline double clock_ticks_per_us(void) {
    int64_t ticks = clock_ticks(), start = clock_ns(), now;
    do now = clock_ns(); while (now - start < 20000000);
    return (double)(clock_ticks() - ticks) * 1000.0 / (double)(now - start);
}

#endif
