// SPDX-License-Identifier: MIT
// Who has which line, and the walk of a writer over all of them, see reader_lines.h.
#include "sync/reader_lines.h"

#include "sched/lock.h"
#include "sync/reader_slots.h"
#include "sys/sys.h"

#include <pthread.h>

// Threads beyond these are counted in the locks that they read.
enum { LINES_MOST = 1024 };

/*
 * A thread's line outlives it with what is in it: a goroutine that read-locked there may be parked,
 * or have gone on elsewhere. Whoever gets the line next stands for that thread.
 */
static struct {
	struct lock lock; // behind that of any bucket
	uint32_t used;    // of so many some have been taken; guarded by the lock, only grows
	uint32_t taken;   // so many; written under the lock, read without it as a hint
	pthread_key_t key;
	bool has_key;
	struct tuza_reader_line_ all[LINES_MOST]; // untouched ones cost no memory
} lines APART;

static struct tuza_reader_line_ nobodys = {.told = READER_TOLD};

EXPORT __attribute__((used)) __thread struct tuza_reader_line_ *tuza_reader_line_ = &nobodys;

static void thread_ends(void *line)
{
	struct tuza_reader_line_ *mine = line;

	tuza_reader_line_ = &nobodys;
	lock_acquire(&lines.lock);
	mine->taken = 0;
	store_relaxed(&lines.taken, lines.taken - 1); // a hint
	lock_release(&lines.lock);
}

static void make_key(void) { lines.has_key = pthread_key_create(&lines.key, thread_ends) == 0; }

// Needs: the lock
static struct tuza_reader_line_ *take(void)
{
	for (uint32_t i = 0; i < LINES_MOST; i++) {
		if (lines.all[i].taken)
			continue;
		lines.all[i].taken = 1;
		store_relaxed(&lines.taken, lines.taken + 1); // a hint
		if (i >= lines.used)
			lines.used = i + 1;
		return &lines.all[i];
	}
	return NULL;
}

static NOINLINE void get_line(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	if (!lines.has_key)
		return;
	lock_acquire(&lines.lock);
	struct tuza_reader_line_ *line = take();
	lock_release(&lines.lock);
	if (!line)
		return;
	// It may allocate. Without it nobody would give the line back.
	if (pthread_setspecific(lines.key, line) != 0)
		thread_ends(line);
	else
		tuza_reader_line_ = line;
}

bool reader_lines_work(void) { return sys_membarrier_works() && !sys_membarrier_is_lost(); }

NOINLINE void reader_lines_listen(void)
{
	if (tuza_reader_line_ == &nobodys && load_relaxed(&lines.taken) < LINES_MOST) // a hint
		get_line();
	struct tuza_reader_line_ *line = tuza_reader_line_;
	if (line == &nobodys || load_relaxed(&line->told) == 0) // looked at again by the next lock
		return;
	lock_acquire(&lines.lock);
	reader_slots_heard(line);
	lock_release(&lines.lock);
}

void reader_lines_count(uint64_t *state)
{
	lock_acquire(&lines.lock);
	uint64_t seen = reader_slots_close(state, lines.all, lines.used);
	if (seen & RWMUTEX_SLOTS) {
		sys_membarrier_all();
		reader_slots_count(state, seen, lines.all, lines.used);
	}
	lock_release(&lines.lock);
}

bool reader_lines_have(const uint64_t *state, uint64_t era)
{
	lock_acquire(&lines.lock);
	bool have = reader_slots_have(state, era, lines.all, lines.used);
	lock_release(&lines.lock);
	return have;
}

EXPORT bool tuza_reader_undo_(struct tuza_reader_line_ *line, uint32_t slot)
{
	lock_acquire(&lines.lock);
	bool is_held = reader_slots_undo(line, slot);
	lock_release(&lines.lock);
	return is_held;
}

EXPORT bool tuza_reader_is_out_(struct tuza_reader_line_ *line, uint32_t slot)
{
	lock_acquire(&lines.lock);
	bool is_out = reader_slots_is_out(line, slot);
	lock_release(&lines.lock);
	return is_out;
}
