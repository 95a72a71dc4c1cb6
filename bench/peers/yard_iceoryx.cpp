// iceoryx 2.0: one publisher, one subscriber that polls, samples lent by the middle daemon (RouDi), which this starts
// and ends. A publisher waits for a subscriber that is too slow. Samples are filled and used in place.
#include "yard.h"
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <string>
#define Y_PEER "iceoryx"

using namespace iox;
enum y_way { SAMPLES };
struct y_link {
    std::string what;
    popo::UntypedPublisher *publisher;
    popo::UntypedSubscriber *subscriber;
    const void *taken;
    void *place;
};
static pid_t middle;
static enum y_way p_way(const char *) { return SAMPLES; }
// Another name for each workload: the daemon finds out only later that a subscriber was killed.
static void p_link_make(enum y_way, struct y_link *l, const char *what, long)
{
    l->what = what + std::to_string(getpid());
}
static void p_link_open(enum y_way, struct y_link *l, int is_receiver)
{
    runtime::PoshRuntime::initRuntime(RuntimeName_t(cxx::TruncateToCapacity, "yard" + std::to_string(getpid())));
    capro::ServiceDescription service{"yard", "ring", capro::IdString_t(cxx::TruncateToCapacity, l->what)};
    if (is_receiver) {
        popo::SubscriberOptions options;
        options.queueCapacity = 256;
        options.queueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
        l->subscriber = new popo::UntypedSubscriber(service, options);
        return;
    }
    popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    l->publisher = new popo::UntypedPublisher(service, options);
    while (!l->publisher->hasSubscribers())
        sched_yield();
}
static void p_link_end(enum y_way, struct y_link *l, const char *)
{
    delete l->publisher;
    delete l->subscriber;
}
Y_INLINE void *p_place(enum y_way, struct y_link *l, long size)
{
    for (;;) {
        auto loan = l->publisher->loan((uint32_t)size);
        if (!loan.has_error())
            return l->place = loan.value();
        y_pause();
    }
}
Y_INLINE void p_show(enum y_way, struct y_link *l, long) { l->publisher->publish(l->place); }
Y_INLINE void p_send(enum y_way way, struct y_link *l, const void *bytes, long size)
{
    memcpy(p_place(way, l, size), bytes, size);
    p_show(way, l, size);
}
Y_INLINE const void *p_receive(enum y_way, struct y_link *l, long)
{
    for (;;) {
        auto sample = l->subscriber->take();
        if (!sample.has_error())
            return l->taken = sample.value();
        y_pause();
    }
}
Y_INLINE const void *p_poll(enum y_way, struct y_link *, long) { return nullptr; }
Y_INLINE void p_received(enum y_way, struct y_link *l) { l->subscriber->release(l->taken); }
Y_INLINE void p_append(enum y_way way, struct y_link *l, const void *bytes, long size) { p_send(way, l, bytes, size); }
Y_INLINE void p_flush(enum y_way, struct y_link *) {}
#include "moving.h"
Y_WAY(SAMPLES)
Y_WAYS(Y_WAY_ROW(SAMPLES))

int main(int argc, char **argv)
{
    static const char *const names[] = {"ring.64", "ring.trip.x", "ring.4k", "ring.1m"};
    for (const char *name : names)
        for (int i = 1; i < argc; i++) {
            if (strncmp(name, argv[i], strlen(argv[i])) != 0)
                continue;
            if (middle == 0 && (middle = fork()) == 0) {
                close(1);
                execlp("iox-roudi", "iox-roudi", "--log-level", "off", (char *)nullptr);
                _exit(127);
            }
            // Of its own: a process has one runtime, which a fork would share.
            pid_t child = fork();
            if (child == 0) {
                run_move(name);
                _exit(0);
            }
            int status;
            waitpid(child, &status, 0);
            if (status != 0)
                argc = 0; // the end, below
            break;
        }
    if (middle != 0) {
        kill(middle, SIGTERM);
        waitpid(middle, nullptr, 0);
    }
    return argc == 0;
}
