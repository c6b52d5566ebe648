/* The layouts that the public benchmark's interface has, as far as an adapter needs them. */

#pragma once
#include <stdint.h>

typedef struct {
    uint64_t order_id, sequence_number;
    int64_t price_ticks;
    uint32_t quantity;
    uint8_t side, ioc, reserved[2];
} new_order_t;

typedef struct {
    uint64_t order_id, sequence_number;
} cancel_t;

typedef struct {
    uint64_t order_id, sequence_number;
    int64_t new_price_ticks;
    uint32_t new_quantity;
    uint8_t side, reserved[3];
} modify_t;

typedef struct {
    uint8_t type, reserved[7];
    union {
        new_order_t no;
        cancel_t c;
        modify_t md;
    };
} me_msg_t;

enum {
    ME_ORDER_ACK, ME_TRADE, ME_CANCEL_ACK, ME_MODIFY_ACK, ME_CANCEL_REJECT, ME_MODIFY_REJECT
};

typedef struct {
    uint8_t type, side, reserved[6];
    uint64_t sequence_number, order_id;
    int64_t price_ticks;
    uint32_t quantity, reserved_2;
    uint64_t maker_order_id, taker_order_id, reserved_3;
} me_report_t;

typedef struct {
    void *(*create)(uint32_t capacity);
    int (*push)(void *handle, const me_report_t *report);
    uint32_t (*drain)(void *handle, me_report_t *out, uint32_t count_max);
    void (*flush)(void *handle);
    void (*destroy)(void *handle);
} me_transport_t;
