// SPDX-License-Identifier: MIT
/*
 * A timer of its own CPU time for each thread, so that each gets signals in proportion to what it
 * burns. (One timer for the process would be simpler; but before Linux 6.4 its signals favour the
 * main thread, and one per clock tick is all that there are for any number of CPUs.)
 *
 * Threads are found by looking at the list of the process again and again: programs' own threads
 * count as well, and no thread has to tell that it has started.
 */
#include "pprof/sampler.h"

#include "sys/profile.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

static struct sampler_thread *find(struct sampler *s, int id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->threads[i].id == id)
			return &s->threads[i];
	return NULL;
}

static bool make_room(struct sampler *s)
{
	size_t capacity = s->capacity ? s->capacity * 2 : 32;
	struct sampler_thread *grown;

	if (s->count < s->capacity)
		return true;
	grown = realloc(s->threads, capacity * sizeof(*grown));
	if (!grown)
		return false;
	s->threads = grown;
	s->capacity = capacity;
	return true;
}

static void see(int id, void *arg)
{
	struct sampler *s = arg;
	struct sampler_thread *t = find(s, id);

	if (t) {
		t->is_there = true;
		return;
	}
	if (id == s->skip)
		return;
	if (!make_room(s)) {
		s->error = -ENOMEM;
		return;
	}
	t = &s->threads[s->count];
	*t = (struct sampler_thread){.id = id, .is_there = true};
	// Not all at the same time.
	int64_t first = 1 + (int64_t)(sys_random_seed() % (uint64_t)s->period);
	int error = sys_cpu_timer_start(&t->timer, id, first, s->period, s->value);

	if (error == 0)
		s->count++;
	else if (error != -EINVAL) // it has ended meanwhile
		s->error = error;
}

void sampler_scan(struct sampler *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		s->threads[i].is_there = false;
	int error = sys_threads_each(see, s);

	if (error) {
		s->error = error;
		return; // then nobody is known to have gone
	}
	for (size_t i = 0; i < s->count; i++) {
		if (s->threads[i].is_there)
			s->threads[kept++] = s->threads[i];
		else
			sys_cpu_timer_stop(s->threads[i].timer);
	}
	s->count = kept;
}

void sampler_stop(struct sampler *s)
{
	for (size_t i = 0; i < s->count; i++)
		sys_cpu_timer_stop(s->threads[i].timer);
	free(s->threads);
	s->threads = NULL;
	s->count = s->capacity = 0;
}
