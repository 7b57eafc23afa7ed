// SPDX-License-Identifier: MIT
/*
 * The processors' timeline. It is sampled by whoever waits for the page, in a blocking section: so
 * it costs nothing while nobody does, and goroutines that hog all processors do not keep it from
 * looking.
 *
 * A blocking section may go on for a moment when the runtime ends; what it looks at stays mapped
 * until it has left, or for ever (abandon in sched/start.c), but the table of processors is
 * emptied: so each entry is looked at anew.
 */
#include "pprof/watch.h"

#include "pprof/groups.h"
#include "pprof/json.h"
#include "sched/processor.h"
#include "sched/timer.h"
#include "sys/clock.h"
#include "sys/sys.h"

#include <string.h>

enum { WATCHERS_MAX = 8 };

static uint32_t watchers; // any thread, atomic: at it now

static void sample(struct watch *w)
{
	uint32_t count = processor_count();

	for (uint32_t i = 0; i < WATCH_PROCESSORS; i++) {
		const struct processor *p = i < count ? processor_at(i) : NULL;
		uint32_t status = p ? load_relaxed(&p->status) : PROCESSOR_OFF; // a glimpse

		w->status[i][w->samples] = (char)('0' + status);
		if (status != PROCESSOR_OFF && i >= w->processors)
			w->processors = i + 1;
	}
	w->samples++;
}

static bool runtime_ends(void)
{
	// Hints: it is looked at again in a moment.
	return load_relaxed(&rt.ending) || !load_relaxed(&rt.started);
}

void watch_run(struct watch *w, int64_t ns)
{
	const int64_t every = WATCH_EVERY_MS * TUZA_MILLISECOND;

	w->samples = w->processors = 0;
	w->began = sys_clock_now();
	if (add_relaxed(&watchers, 1) < WATCHERS_MAX) // only a limit
		for (int64_t next = w->began; !runtime_ends(); next += every) {
			int64_t now = sys_clock_now();

			sample(w);
			if (w->samples == WATCH_SAMPLES || now + every > w->began + ns)
				break;
			if (next + every > now)
				sys_sleep(next + every - now);
			else
				next = now; // it was late: no haste
		}
	sub_relaxed(&watchers, 1); // only a limit
	w->ended = sys_clock_now();
}

// ---- as JSON -----------------------------------------------------------------------------------

static const char *status_name(uint32_t status)
{
	switch (status) {
	case PROCESSOR_IDLE:
		return "idle";
	case PROCESSOR_RUNNING:
		return "running";
	case PROCESSOR_BLOCKED:
		return "blocking section";
	default:
		return "off";
	}
}

static void append_processor(const struct watch *w, uint32_t i, const struct processor *p,
	const struct group_runner *running, uint32_t running_count, struct bytes *b)
{
	const void *machine = load_relaxed(&p->machine); // a glimpse, only compared
	uint32_t status = load_relaxed(&p->status);      // a glimpse

	json_separate(b);
	bytes_text(b, "{");
	json_uint(b, "index", i);
	json_member(b, "status", status_name(status), 40);
	for (uint32_t k = 0; k < running_count && status == PROCESSOR_RUNNING; k++)
		if (running[k].machine == machine)
			json_uint(b, "goroutine", running[k].id);
	json_uint(b, "queue", runq_length(&p->runq));
	json_uint(b, "timers", load_relaxed(&p->timers.count)); // statistic
	json_uint(b, "runs", load_relaxed(&p->runs));           // statistic
	json_uint(b, "steals", load_relaxed(&p->steals));       // statistic
	json_key(b, "samples");
	json_string(b, w->status[i], w->samples);
	bytes_text(b, "}");
}

void watch_append(const struct watch *w, const struct group_runner *running, uint32_t running_count,
	struct bytes *b)
{
	uint32_t count = processor_count(), left_out = 0, in_samples = w->processors;

	json_key(b, "processors");
	bytes_text(b, "[");
	for (uint32_t i = 0; i < count; i++) {
		const struct processor *p = processor_at(i);
		// A glimpse.
		bool is_off = !p || load_relaxed(&p->status) == PROCESSOR_OFF;

		if (!p || (is_off && i >= in_samples))
			continue;
		if (i < WATCH_PROCESSORS)
			append_processor(w, i, p, running, running_count, b);
		else
			left_out++;
	}
	bytes_text(b, "]");
	json_uint(b, "processors_left_out", left_out);
	json_uint(b, "window_ns", (uint64_t)(w->ended - w->began));
}
