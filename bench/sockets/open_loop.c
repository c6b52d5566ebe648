/* Sends 64 bytes at given times and notes what comes, and when: see open_loop.py.
 *
 * In C, because a client in Python took more of the processors that it shares with the server than
 * the server did. The calls are those of the libzmq that pyzmq has loaded, on pyzmq's sockets. */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum { NOBLOCK = 1, MORE = 2, SOCKETS_MAX = 64, COMMAND_BYTES = 64 };

typedef struct { uint64_t words[8]; } Frame; /* zmq_msg_t */

typedef struct {
    int (*init)(Frame *);
    int (*receive)(Frame *, void *, int);
    void *(*data)(Frame *);
    size_t (*size)(Frame *);
    int (*more)(Frame *);
    int (*send)(void *, const void *, size_t, int);
    int (*error)(void);
} Calls;

typedef struct {
    int64_t at_ns;
    int64_t first; /* Where its payload is among the bytes. */
    int32_t size;
    int16_t socket;
    uint8_t tag;
    uint8_t reserved;
} Message;

typedef struct {
    Message *messages;
    int64_t count, count_max;
    uint8_t *bytes;
    int64_t size, size_max;
} Heard;

static int64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* Take what has come over a socket; 0, or -1 where there is no room or it is no such message. */
static int take(const Calls *calls, void *socket, int number, Heard *heard)
{
    Frame frame;
    calls->init(&frame);
    while (calls->receive(&frame, socket, NOBLOCK) >= 0) {
        Message *message = &heard->messages[heard->count];
        if (heard->count == heard->count_max || calls->size(&frame) != 1 || !calls->more(&frame))
            return -1;
        message->tag = *(uint8_t *)calls->data(&frame);
        if (calls->receive(&frame, socket, NOBLOCK) < 0 || calls->more(&frame))
            return -1;
        message->at_ns = now_ns();
        message->socket = (int16_t)number;
        message->first = heard->size;
        message->size = (int32_t)calls->size(&frame);
        if (heard->size + message->size > heard->size_max)
            return -1;
        memcpy(heard->bytes + heard->size, calls->data(&frame), message->size);
        heard->size += message->size;
        heard->count++;
    }
    return calls->error() == EAGAIN || calls->error() == EINTR ? 0 : -1;
}

/* Take what comes until then; at least one look is taken. */
static int hear(const Calls *calls, void *const *sockets, struct pollfd *news, int count,
                int64_t until_ns, Heard *heard)
{
    for (;;) {
        int64_t left_ns = until_ns - now_ns();
        struct timespec left = {0, 0};
        if (left_ns > 0)
            left = (struct timespec){left_ns / 1000000000, left_ns % 1000000000};
        int ready = ppoll(news, count, &left, NULL);
        for (int number = 0; ready > 0 && number < count; number++)
            if (news[number].revents && take(calls, sockets[number], number, heard) < 0)
                return -1;
        if (left_ns <= 0 && ready <= 0)
            return 0;
    }
}

/* Return how many messages were heard, or -1. */
int64_t open_loop(const Calls *calls, void *const *sockets, const int *descriptors,
                  int socket_count, const uint8_t *payloads, int64_t count,
                  const int64_t *due_ns, int64_t *late_ns, int64_t after_ns, Heard *heard)
{
    struct pollfd news[SOCKETS_MAX];
    if (socket_count > SOCKETS_MAX)
        return -1;
    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    for (int number = 0; number < socket_count; number++) {
        news[number] = (struct pollfd){descriptors[number], POLLIN, 0};
        /* A descriptor tells of news once, and using its socket may be that once. */
        if (take(calls, sockets[number], number, heard) < 0)
            return -1;
    }
    for (int64_t row = 0; row < count; row++) {
        int used = (int)(row % socket_count);
        if (hear(calls, sockets, news, socket_count, due_ns[row], heard) < 0)
            return -1;
        late_ns[row] = now_ns() - due_ns[row];
        if (calls->send(sockets[used], "C", 1, MORE) < 0)
            return -1;
        if (calls->send(sockets[used], payloads + row * COMMAND_BYTES, COMMAND_BYTES, 0) < 0)
            return -1;
        if (take(calls, sockets[used], used, heard) < 0)
            return -1;
    }
    int told = hear(calls, sockets, news, socket_count, now_ns() + after_ns, heard);
    prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
    return told < 0 ? -1 : heard->count;
}
