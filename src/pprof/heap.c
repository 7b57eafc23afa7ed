// SPDX-License-Identifier: MIT
/*
 * The heap profile: tuza_malloc and its like (tuza/malloc.h), of which samples are remembered.
 *
 * Each thread counts down the bytes until its next sample; the distances are exponentially
 * distributed, so that bytes are sampled independently of each other, whatever the program's
 * rhythm. An allocation of n bytes is in the sample with probability 1 - exp(-n / rate), and when
 * the profile is made, stands for as many as the inverse of that.
 *
 * A live sample is found by its address: what is freed asks a filter first, 64 KiB of counters by a
 * hash of the address, without a lock. A counter was raised before its allocation was known to
 * anybody, so whoever may free it sees that.
 *
 * Rejected: a header in front of each allocation (16 bytes each, and free() could not take it).
 *
 * Lock: heap.lock, a mutex of the C library, for malloc is called under it; last, never held across
 * a park. Go: src/runtime/mprof.go, src/runtime/malloc.go, nextSample; scaleHeapSample in
 * src/runtime/pprof/protomem.go
 */
#include "base/atomic.h"
#include "base/hash.h"
#include "base/random.h"
#include "debug/own_stack.h"
#include "pprof/collect.h"
#include "pprof/frames.h"
#include "sched/visit.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <tuza/malloc.h>

enum {
	RATE_USUAL = 512 << 10, // Go: MemProfileRate
	FILTER_BITS = 16,       // collisions send a free to the lock: 3 % of them with 1 GiB in use
	LIVE_BUCKETS = 4096,    // a guess: chains of one at 2 GiB in use
};

static const struct profile_kind heap_kind, allocs_kind;

// The numbers of an entry, in the order of the profile's values.
enum { ALLOC_OBJECTS, ALLOC_BYTES, INUSE_OBJECTS, INUSE_BYTES };

// A sample whose memory has not been freed.
struct live {
	struct live *next; // of its bucket
	const void *address;
	struct profile_entry *entry;
};

static struct {
	// any thread, atomic
	int64_t rate; // bytes; 0: nothing is sampled

	// guarded by lock
	pthread_mutex_t lock;
	bool is_started;
	struct profile samples; // as they were taken, all that there were
} heap = {.rate = RATE_USUAL, .lock = PTHREAD_MUTEX_INITIALIZER};

// Live samples by their addresses, counted up to 255, where it stays. Any thread, atomic.
static uint8_t live_counts[1 << FILTER_BITS] APART;
static struct live *live_samples[LIVE_BUCKETS] APART; // guarded by heap.lock

// Of this thread. A goroutine that changes threads finds another one's, and that is as good.
static __thread struct {
	int64_t left;    // bytes until the next sample
	int64_t rate;    // by which that was found; not heap.rate: find another
	uint64_t random; // 0: none yet
} sampling;

// ---- chance ------------------------------------------------------------------------------------

// The natural logarithm of x in (0, 1], to six digits: the C library's is in another library.
static double logarithm(double x)
{
	double sum = 0, z, power;

	while (x < 0.5) {
		x *= 2;
		sum -= 0.69314718055994531;
	}
	z = (x - 1) / (x + 1); // in (-1/3, 0]
	power = 2 * z;
	for (int n = 1; n < 13; n += 2, power *= z * z)
		sum += power / n;
	return sum;
}

// 1 - exp(-x) for x >= 0, to nine digits.
static double complement_of_exp(double x)
{
	enum { DOUBLINGS = 10 };
	double y = x / (1 << DOUBLINGS), f;

	if (x > 40)
		return 1;
	f = y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4)));
	for (int i = 0; i < DOUBLINGS; i++)
		f = f * (2 - f); // 1 - exp(-2y) of 1 - exp(-y)
	return f;
}

// Bytes until the next sample, on average `rate`.
static int64_t next_distance(int64_t rate)
{
	enum { BITS = 26 }; // Go's

	if (sampling.random == 0)
		sampling.random = sys_random_seed() | 1;
	double u = 1 + random_below(&sampling.random, 1u << BITS);

	return (int64_t)(-logarithm(u / (1u << BITS)) * (double)rate);
}

// ---- samples -----------------------------------------------------------------------------------

static uint32_t hash_of(const void *address)
{
	return (uint32_t)((uint64_t)(uintptr_t)address * HASH_FACTOR >> 32);
}

static uint8_t *filter_of(const void *address)
{
	return &live_counts[hash_of(address) >> (32 - FILTER_BITS)];
}

static struct live **bucket_of(const void *address)
{
	return &live_samples[hash_of(address) % LIVE_BUCKETS];
}

// Takes the live sample of the address out. NULL: there is none. Needs: heap.lock.
static struct live *take_live(const void *address)
{
	for (struct live **at = bucket_of(address); *at; at = &(*at)->next) {
		struct live *l = *at;
		uint8_t *filter = filter_of(address);
		uint8_t count = load_relaxed(filter); // under the lock

		if (l->address != address)
			continue;
		*at = l->next;
		if (count < UINT8_MAX)
			store_relaxed(filter, (uint8_t)(count - 1)); // the same
		return l;
	}
	return NULL;
}

// Needs: heap.lock.
static void put_live(struct live *l, const void *address)
{
	struct live **bucket = bucket_of(address);
	uint8_t *filter = filter_of(address);
	uint8_t count = load_relaxed(filter); // under the lock

	l->address = address;
	l->next = *bucket;
	*bucket = l;
	if (count < UINT8_MAX)
		store_relaxed(filter, (uint8_t)(count + 1)); // the same
}

// What it counted is there no more. Needs: heap.lock.
static void count_freed(struct live *l)
{
	l->entry->values[INUSE_OBJECTS]--;
	l->entry->values[INUSE_BYTES] -= l->entry->bytes;
	free(l);
}

struct sample {
	void *address;
	size_t bytes;
	int64_t rate;
};

static void remember(const struct arch_saved *caller, void *arg)
{
	const struct sample *s = arg;
	struct backtrace b;
	struct live *l = malloc(sizeof(*l)), *old;
	uint64_t values[PROFILE_VALUES_MAX] = {1, s->bytes, 1, s->bytes};

	frames_of_caller(&b, caller);
	struct profile_stack stack = {.frames = b.frames,
		.count = b.count,
		.name = "",
		.labels = "",
		.bytes = s->bytes,
		.rate = (uint64_t)s->rate};

	pthread_mutex_lock(&heap.lock);
	if (!heap.is_started)
		profile_init(&heap.samples, &heap_kind);
	heap.is_started = true;
	old = take_live(s->address); // it was freed by free()
	if (old)
		count_freed(old);
	if (l && (l->entry = profile_add(&heap.samples, &stack, values)))
		put_live(l, s->address);
	else
		free(l); // no memory: it is not in the sample
	pthread_mutex_unlock(&heap.lock);
}

static NOINLINE void count_slowly(void *address, size_t bytes)
{
	int64_t rate = load_relaxed(&heap.rate); // set now and then
	struct sample s = {address, bytes, rate};
	int saved_errno = errno;

	if (rate != sampling.rate) {
		sampling.rate = rate;
		sampling.left = rate > 1 ? next_distance(rate) - (int64_t)bytes : -1;
		if (sampling.left >= 0)
			return;
	}
	if (rate == 0 || is_child_of_fork()) { // where the lock may be held for ever
		sampling.left = INT64_MAX;
		return;
	}
	sampling.left = rate > 1 ? next_distance(rate) : 0;
	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	own_stack_call(remember, &s);
	errno = saved_errno;
}

static ALWAYS_INLINE void *counted(void *address, size_t bytes)
{
	if (unlikely(!address))
		return NULL;
	// Relaxed: whether it is sampled at the old rate or the new one is the same.
	if (unlikely((sampling.left -= (int64_t)bytes) < 0 ||
		     load_relaxed(&heap.rate) != sampling.rate))
		count_slowly(address, bytes);
	return address;
}

static NOINLINE struct live *take_slowly(const void *address)
{
	if (is_child_of_fork())
		return NULL; // it has no profile
	pthread_mutex_lock(&heap.lock);
	struct live *l = take_live(address);
	pthread_mutex_unlock(&heap.lock);
	return l;
}

// The live sample of what is about to be freed, taken out; NULL, and that nearly always: none.
static ALWAYS_INLINE struct live *take(const void *address)
{
	// Relaxed: who may free it has heard of it, and so of its counter.
	return unlikely(load_relaxed(filter_of(address)) != 0) ? take_slowly(address) : NULL;
}

static void forget(struct live *l)
{
	pthread_mutex_lock(&heap.lock);
	count_freed(l);
	pthread_mutex_unlock(&heap.lock);
}

// ---- public ------------------------------------------------------------------------------------

EXPORT void *tuza_malloc(size_t bytes) { return counted(malloc(bytes), bytes); }

EXPORT void *tuza_calloc(size_t count, size_t bytes)
{
	return counted(calloc(count, bytes), count * bytes); // no overflow if there is memory
}

EXPORT void *tuza_realloc(void *p, size_t bytes)
{
	struct live *l = take(p);
	void *moved = realloc(p, bytes);

	if (l && !moved && bytes > 0) {
		pthread_mutex_lock(&heap.lock);
		put_live(l, p); // it is still there
		pthread_mutex_unlock(&heap.lock);
	} else if (l) {
		forget(l);
	}
	return counted(moved, bytes);
}

EXPORT void tuza_free(void *p)
{
	struct live *l = take(p); // before its address may be given to somebody else

	if (unlikely(l != NULL))
		forget(l);
	free(p);
}

EXPORT int64_t tuza_set_heap_profile_rate(int64_t bytes)
{
	int64_t old;

	pthread_mutex_lock(&heap.lock);
	old = load_relaxed(&heap.rate); // under the lock
	if (bytes >= 0)
		store_relaxed(&heap.rate, bytes); // each thread finds out in time
	pthread_mutex_unlock(&heap.lock);
	return old;
}

// ---- the profiles ------------------------------------------------------------------------------

static void add_scaled(struct profile *p, const struct profile_entry *e, double scale)
{
	struct backtrace_frame kept[BACKTRACE_MAX];
	struct profile_stack s = {.frames = kept, .name = "", .labels = "", .bytes = e->bytes};
	uint64_t values[PROFILE_VALUES_MAX];

	for (int i = 0; i < PROFILE_VALUES_MAX; i++)
		values[i] = (uint64_t)((double)e->values[i] * scale + 0.5);
	s.count = pprof_callers_frames(e->frames, e->count, kept);
	profile_add(p, &s, values);
}

static void collect(struct profile *p, const struct arch_saved *caller)
{
	(void)caller;
	pthread_mutex_lock(&heap.lock);
	p->period = (uint64_t)load_relaxed(&heap.rate); // under the lock
	for (size_t i = 0; i < heap.samples.bucket_count; i++)
		for (const struct profile_entry *e = heap.samples.buckets[i]; e; e = e->next) {
			double share = (double)e->bytes / (double)e->rate;
			bool is_whole = p->is_raw || e->rate <= 1 || e->bytes == 0;

			add_scaled(p, e, is_whole ? 1 : 1 / complement_of_exp(share));
		}
	p->failed |= heap.samples.failed;
	pthread_mutex_unlock(&heap.lock);
}

#define HEAP_KIND(its_name, shown)                                                                 \
	{                                                                                          \
		.name = its_name,                                                                  \
		.values = {{"alloc_objects", "count"}, {"alloc_space", "bytes"},                   \
			{"inuse_objects", "count"}, {"inuse_space", "bytes"}},                     \
		.value_count = 4, .sort_by = INUSE_BYTES, .period_type = {"space", "bytes"},       \
		.period = RATE_USUAL, .default_sample = shown, .text = PROFILE_TEXT_HEAP,          \
	}

static const struct profile_kind heap_kind = HEAP_KIND("heap", "inuse_space");
static const struct profile_kind allocs_kind = HEAP_KIND("allocs", "alloc_space");

const struct profile_source pprof_heap = {&heap_kind, collect};
const struct profile_source pprof_allocs = {&allocs_kind, collect};
