// SPDX-License-Identifier: MIT
/*
 * The block and the mutex profile: who waited, and for whom. What is measured comes from
 * sched/contention.h, on the goroutine in question, outside all of the runtime's locks.
 *
 * Samples are scaled up when they are counted, as in Go: of waits shorter than the rate one in
 * rate / wait is counted, and stands for so many; of what unlocks have caused one in `fraction`.
 * Numbers of samples are integers here, so what is left over is decided by dice, too.
 *
 * Lock: that of each profile, a mutex of the C library, for malloc is called under it; last, never
 * held across a park. Go: src/runtime/mprof.go, blockevent, mutexevent, saveBlockEventStack
 */
#include "base/atomic.h"
#include "base/random.h"
#include "debug/own_stack.h"
#include "pprof/collect.h"
#include "pprof/frames.h"
#include "sched/contention.h"
#include "sched/visit.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <tuza/pprof.h>

struct contention {
	int64_t rate; // any thread, atomic: ns, or one in so many; 0: off

	// guarded by lock
	pthread_mutex_t lock;
	bool is_started;
	struct profile counted; // with all frames
};

#define CONTENTION_KIND(its_name, its_text)                                                        \
	{                                                                                          \
		.name = its_name, .values = {{"contentions", "count"}, {"delay", "nanoseconds"}},  \
		.value_count = 2, .sort_by = 1, .period_type = {"contentions", "count"},           \
		.period = 1, .text = its_text,                                                     \
	}

static const struct profile_kind block_kind = CONTENTION_KIND("block", PROFILE_TEXT_BLOCK);
static const struct profile_kind mutex_kind = CONTENTION_KIND("mutex", PROFILE_TEXT_MUTEX);

static struct contention block = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct contention mutex = {.lock = PTHREAD_MUTEX_INITIALIZER};

// ---- counting ----------------------------------------------------------------------------------

struct event {
	struct contention *contention;
	const struct profile_kind *kind;
	uint64_t values[PROFILE_VALUES_MAX]; // count, ns
};

static void count(const struct arch_saved *caller, void *arg)
{
	const struct event *e = arg;
	struct contention *c = e->contention;
	struct backtrace b;

	frames_of_caller(&b, caller);
	pthread_mutex_lock(&c->lock);
	if (!c->is_started)
		profile_init(&c->counted, e->kind);
	c->is_started = true;
	profile_add(&c->counted,
		&(struct profile_stack){
			.frames = b.frames, .count = b.count, .name = "", .labels = ""},
		e->values);
	pthread_mutex_unlock(&c->lock);
}

static void count_event(const struct event *e)
{
	int saved_errno = errno;

	if (is_child_of_fork()) // where the lock may be held for ever
		return;
	own_stack_call(count, (void *)e);
	errno = saved_errno;
}

static uint64_t dice(void)
{
	static __thread uint64_t state;

	if (state == 0)
		state = sys_random_seed() | 1;
	return random_next(&state);
}

static void on_blocked(int64_t ns)
{
	uint64_t rate = (uint64_t)load_relaxed(&block.rate); // set now and then
	uint64_t waited = ns > 0 ? (uint64_t)ns : 1, count = 1;

	if (rate == 0 || (rate > waited && dice() % rate > waited))
		return;
	if (rate > waited) {
		count = rate / waited + (dice() % waited < rate % waited);
		waited = rate;
	}
	count_event(&(struct event){&block, &block_kind, {count, waited}});
}

static void on_contended(int64_t ns)
{
	uint64_t fraction = (uint64_t)load_relaxed(&mutex.rate); // as above

	if (fraction == 0 || (fraction > 1 && dice() % fraction != 0))
		return;
	count_event(&(struct event){&mutex, &mutex_kind, {fraction, fraction * (uint64_t)ns}});
}

// ---- public ------------------------------------------------------------------------------------

static int64_t set_rate(struct contention *c, int64_t rate, void (*tell)(contention_told *told),
	contention_told *told)
{
	int64_t old;

	pthread_mutex_lock(&c->lock);
	old = exchange_relaxed(&c->rate, rate); // set now and then
	tell(rate > 0 ? told : NULL);
	pthread_mutex_unlock(&c->lock);
	return old;
}

EXPORT void tuza_set_block_profile_rate(int64_t ns)
{
	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	set_rate(&block, ns > 0 ? ns : 0, contention_tell_blocked, on_blocked);
}

EXPORT int tuza_set_mutex_profile_fraction(int fraction)
{
	if (fraction < 0)
		return (int)load_relaxed(&mutex.rate); // as above
	if (sys_page_bytes == 0)
		sys_init(); // as above
	return (int)set_rate(&mutex, fraction, contention_tell_mutexes, on_contended);
}

// ---- the profiles ------------------------------------------------------------------------------

static void collect(struct profile *p, struct contention *c)
{
	struct backtrace_frame kept[BACKTRACE_MAX];

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->counted.bucket_count; i++)
		for (const struct profile_entry *e = c->counted.buckets[i]; e; e = e->next) {
			struct profile_stack s = {.frames = kept, .name = "", .labels = ""};

			s.count = pprof_programs_frames(e->frames, e->count, kept);
			if (s.count == 0) { // the library's own
				s.frames = e->frames;
				s.count = e->count;
			}
			profile_add(p, &s, e->values);
		}
	p->failed |= c->counted.failed;
	pthread_mutex_unlock(&c->lock);
}

static void collect_block(struct profile *p, const struct arch_saved *caller)
{
	(void)caller;
	collect(p, &block);
}

static void collect_mutex(struct profile *p, const struct arch_saved *caller)
{
	(void)caller;
	collect(p, &mutex);
	if (p->is_raw)
		p->period = (uint64_t)load_relaxed(&mutex.rate); // set now and then
}

const struct profile_source pprof_block = {&block_kind, collect_block};
const struct profile_source pprof_mutex = {&mutex_kind, collect_mutex};
