// SPDX-License-Identifier: MIT
/*
 * The CPU profile: a signal per 10 ms of CPU time of each thread (sampler.c), a handler that walks
 * the stack that it finds (unwind.c) and leaves it in a ring (samples.h), and a thread that counts
 * what is there ten times a second.
 *
 * It is a thread and not a goroutine so that a profile may begin before tuza_run and end after it,
 * and so that goroutines that hog all processors do not keep it from the ring.
 *
 * State: IDLE ─▶ CHANGING ─▶ RUNNING ─▶ CHANGING ─▶ IDLE; who swaps it to CHANGING owns all else.
 *
 * Go: src/runtime/cpuprof.go, src/runtime/pprof/pprof.go, profileWriter
 */
#define _GNU_SOURCE
#include "debug/profile_signal.h"
#include "debug/unwind.h"
#include "pprof/collect.h"
#include "pprof/sampler.h"
#include "pprof/samples.h"

#include "sched/blocking.h"
#include "sched/current.h"
#include "sched/goroutine_extra.h"
#include "sched/timer.h"
#include "sys/clock.h"
#include "sys/memory.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <tuza/goroutine.h>
#include <tuza/pprof.h>

static const int64_t PERIOD = 10 * TUZA_MILLISECOND;       // Go: 100 Hz
static const int64_t DRAIN_EVERY = 100 * TUZA_MILLISECOND; // Go: profileWriter's

static const struct profile_kind cpu_kind = {
	.name = "cpu",
	.values = {{"samples", "count"}, {"cpu", "nanoseconds"}},
	.value_count = 2,
	.period_type = {"cpu", "nanoseconds"},
	.period = 10 * TUZA_MILLISECOND,
};

enum { IDLE, CHANGING, RUNNING };

static struct {
	// any thread, atomic
	uint32_t state;
	struct samples *samples; // NULL: handlers do nothing
	uint32_t handlers;       // at work
	uint32_t stop_word;      // futex of the counting thread: 1 when it shall end
	uint32_t ended_word;     // futex of whoever stops: 1 when it does

	// the counting thread, from start to end; else who changes the state
	struct sampler sampler;
	struct profile profile;
	sys_thread thread;

	// who changes the state
	int fd;
	int64_t began;
} cpu;

// ---- the handler -------------------------------------------------------------------------------

static void fill(struct sample *s, const siginfo_t *info, const ucontext_t *context)
{
	struct backtrace_frame frames[SAMPLE_FRAMES_MAX];
	const struct goroutine *g = goroutine_current_or_null();
	const char *labels = g ? goroutine_extra_labels(g) : "";
	size_t n = 0;

	s->weight = 1 + (uint32_t)info->si_overrun;
	s->count = unwind_interrupted(context, frames, SAMPLE_FRAMES_MAX);
	memset(s->returns, 0, sizeof(s->returns));
	for (uint32_t i = 0; i < s->count; i++) {
		s->pcs[i] = frames[i].pc;
		s->returns[i / 64] |= (uint64_t)frames[i].is_return << i % 64;
	}
	// Relaxed: this thread's own goroutine, or a text that may be torn and always ends with 0.
	for (; n < SAMPLE_LABELS_BYTES - 1 && load_relaxed(&labels[n]); n++)
		s->labels[n] = load_relaxed(&labels[n]); // as above
	s->labels[n] = 0;
}

/*
 * (cpu-handlers) handler                    stop
 *   1. handlers++            (seq_cst)        1. samples = NULL     (seq_cst)
 *   2. load samples          (seq_cst)        2. load handlers      (seq_cst)
 * Not both may miss: a handler that sees the ring is seen, and waited for.
 */
static void on_signal(const siginfo_t *info, const ucontext_t *context)
{
	struct samples *samples;

	add_seq_cst(&cpu.handlers, 1);        // (cpu-handlers)
	samples = load_seq_cst(&cpu.samples); // (cpu-handlers)
	if (samples) {
		uint64_t position;
		struct sample *s = samples_take(samples, &position);

		if (s) {
			fill(s, info, context);
			samples_publish(s, position);
		}
	}
	sub_seq_cst(&cpu.handlers, 1); // (cpu-handlers)
}

static struct profile_signal cpu_signal = {.handle = on_signal};

// ---- counting ----------------------------------------------------------------------------------

static void count_sample(const struct sample *s)
{
	struct backtrace_frame frames[SAMPLE_FRAMES_MAX];
	uint64_t values[PROFILE_VALUES_MAX] = {s->weight, s->weight * (uint64_t)PERIOD};

	for (uint32_t i = 0; i < s->count; i++)
		frames[i] = (struct backtrace_frame){s->pcs[i], s->returns[i / 64] >> i % 64 & 1};
	profile_add(&cpu.profile,
		&(struct profile_stack){
			.frames = frames, .count = s->count, .name = "", .labels = s->labels},
		values);
}

static void drain(struct samples *samples)
{
	const struct sample *s;

	while ((s = samples_next(samples))) {
		count_sample(s);
		samples_drop(samples);
	}
	uint64_t lost = exchange_relaxed(&samples->lost, 0); // statistic

	if (lost > 0)
		profile_add(&cpu.profile,
			&(struct profile_stack){.name = "[lost: too many samples]", .labels = ""},
			(uint64_t[PROFILE_VALUES_MAX]){lost, lost * (uint64_t)PERIOD});
}

static void *count_samples(void *samples)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, sys_stop_signal()); // else a scan for leaks knows less
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sys_thread_name("tuza pprof");
	sys_thread_self(&cpu.thread);
	cpu.sampler.skip = cpu.thread.id;
	// (cpu-stop) pairs with the store in stop: the profile is not read before.
	while (load_acquire(&cpu.stop_word) == 0) {
		sampler_scan(&cpu.sampler);
		sys_unwind_refresh();
		sys_futex_wait(&cpu.stop_word, 0, sys_clock_now() + DRAIN_EVERY);
		drain(samples);
	}
	// (cpu-ended) pairs with the load in stop: what was counted is seen.
	store_release(&cpu.ended_word, 1);
	sys_futex_wake(&cpu.ended_word, 1);
	return NULL;
}

// ---- start and stop ----------------------------------------------------------------------------

// Returns with no handler at work, and none that will see the ring.
static void take_ring_from_handlers(void)
{
	store_seq_cst(&cpu.samples, NULL);       // (cpu-handlers)
	while (load_seq_cst(&cpu.handlers) != 0) // (cpu-handlers)
		sys_yield();
}

static int start(int fd)
{
	struct samples *samples;
	int error = profile_signal_use(&cpu_signal);

	if (error)
		return error;
	samples = sys_pages_alloc(sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	samples_init(samples);
	cpu.fd = fd;
	cpu.sampler = (struct sampler){.period = PERIOD, .value = &cpu_signal};
	profile_init(&cpu.profile, &cpu_kind);
	store_relaxed(&cpu.stop_word, 0);  // the thread is not there yet
	store_relaxed(&cpu.ended_word, 0); // as above
	sys_unwind_refresh();
	cpu.began = sys_clock_now();
	store_seq_cst(&cpu.samples, samples); // (cpu-handlers)
	sampler_scan(&cpu.sampler);
	error = cpu.sampler.count == 0 ? cpu.sampler.error : 0;
	if (error == 0)
		error = sys_thread_start(count_samples, samples, 0);
	if (error) {
		sampler_stop(&cpu.sampler);
		take_ring_from_handlers();
		profile_destroy(&cpu.profile);
		sys_pages_free(samples, sizeof(*samples));
	}
	return error;
}

EXPORT int tuza_pprof_cpu_start(int fd)
{
	uint32_t idle = IDLE;
	int saved_errno = errno, error;

	if (fd < 0)
		return -EBADF;
	// (cpu-state) pairs with the stores of the state: what the last one did is seen.
	if (!cas_acquire(&cpu.state, &idle, CHANGING))
		return -EBUSY;
	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	error = start(fd);
	store_release(&cpu.state, error ? IDLE : RUNNING); // (cpu-state)
	errno = saved_errno;
	return error;
}

static void make_cpu_profile(const struct arch_saved *caller, void *out)
{
	(void)caller;
	profile_to_proto(&cpu.profile, out);
}

static int stop(void)
{
	struct samples *samples = load_relaxed(&cpu.samples); // ours to change
	struct bytes out = {0};
	int result;

	store_release(&cpu.stop_word, 1); // (cpu-stop)
	sys_futex_wake(&cpu.stop_word, 1);
	// (cpu-ended) pairs with the store in count_samples.
	while (load_acquire(&cpu.ended_word) == 0)
		sys_futex_wait(&cpu.ended_word, 0, INT64_MAX);
	sys_thread_join(&cpu.thread);
	sampler_stop(&cpu.sampler);
	take_ring_from_handlers();
	drain(samples);
	sys_pages_free(samples, sizeof(*samples));
	cpu.profile.duration = sys_clock_now() - cpu.began;
	pprof_look_up(make_cpu_profile, &out);
	profile_destroy(&cpu.profile);
	result = bytes_write(&out, cpu.fd);
	bytes_free(&out);
	return result;
}

EXPORT int tuza_pprof_cpu_stop(void)
{
	uint32_t running = RUNNING;
	int saved_errno = errno, result;

	// (cpu-state) pairs with the stores of the state.
	if (!cas_acquire(&cpu.state, &running, CHANGING))
		return 0;
	bool is_section = blocking_section_begin();
	result = stop();
	store_release(&cpu.state, IDLE); // (cpu-state)
	errno = saved_errno;
	blocking_section_end(is_section);
	return result;
}
