// SPDX-License-Identifier: MIT
/*
 * Goroutines by stack and place of creation, looked at again and again: what the live page shows
 * (groups.c), and which of them are suspected of being leaks (suspect.c).
 */
#ifndef TUZA_PPROF_GROUPS_H
#define TUZA_PPROF_GROUPS_H

#include "debug/backtrace.h"
#include "sched/inspect.h"

enum {
	GROUP_EXAMPLES = 4,
	GROUP_TEXT_BYTES = 160, // of an example's name or labels
	GROUP_AGES = 6,
	GROUPS_RUNNING = 64, // goroutines whose processor is noted
};

enum suspicion {
	SUSPECT_NONE,
	SUSPECT_NEW,    // new ones keep coming, the older ones stay
	SUSPECT_NEVER,  // waits for what cannot happen: a nil channel, a select without cases
	SUSPECT_GROWS,  // ever more from look to look
	SUSPECT_LEAKED, // proved by a scan: no suspicion any more
};

struct group {
	struct group *next; // of its bucket
	uint64_t hash;      // its name for the page, too
	uintptr_t creation_pc;
	enum goroutine_state doing; // RUNNING or BLOCKED; else they wait or could run: RUNNABLE
	char *text;                 // creator and frames as JSON, malloc'ed when asked for
	bool is_own;                // with text: of the library's own goroutines
	uint32_t look;              // in which it was seen last

	// this look
	uint32_t count;
	uint32_t waiting, runnable;
	enum wait_reason reason;
	int64_t oldest;            // ns
	uint32_t ages[GROUP_AGES]; // that wait below 1 s, 10 s, 1, 10 minutes, an hour, longer
	uint32_t young;            // that wait for less than 5 s
	uint64_t young_first_id;   // the lowest number of those
	uint64_t old_last_id;      // the highest number of the others
	uint32_t example_count;
	uint64_t examples[GROUP_EXAMPLES];
	char name[GROUP_TEXT_BYTES], labels[GROUP_TEXT_BYTES]; // of the first that has one

	// from look to look
	enum suspicion suspicion;
	uint32_t peak;
	uint32_t grows_from; // how many there were …
	int64_t grows_since; // … when they began not to become fewer
	int64_t first_seen;
	uint32_t leaked;      // how many the latest scan that found any found leaked
	uint32_t leaked_look; // the look that marked them

	uint32_t frame_count, elided;
	struct backtrace_frame frames[]; // innermost first; none: they could not be asked
};

// A goroutine and the machine that runs it.
struct group_runner {
	const void *machine;
	uint64_t id;
};

struct groups {
	struct group **sorted; // suspects first, then by count; malloc'ed
	size_t count;
	uint64_t goroutines; // that were looked at
	uint64_t walked;     // whose stacks had to be walked
	uint64_t unknown;    // in no group: too many groups, too much to walk, no memory
	int64_t now;         // when it was
	struct group_runner running[GROUPS_RUNNING];
	uint32_t running_count;
};

// Called for each goroutine of a look, held: see inspect_each.
typedef void groups_visit(const struct inspected *i, struct group *group, void *arg);

/*
 * Looks at all goroutines. What it knows of stacks from earlier looks makes it cheap: 0.6 us for
 * each that waits, a third of walking a stack of 13 frames.
 *
 *   visit  may be NULL.
 *
 * Needs: within pprof_look_up, whose lock guards all of this. *g is valid until the next look.
 */
void groups_look(struct groups *g, groups_visit *visit, void *arg);
void groups_end(struct groups *g);

// Marks a goroutine of the group as leaked: it will never go on. For groups_visit.
void group_mark_leaked(struct group *g);

// Copies a held goroutine's name or labels, cut.
void group_copy_text(char to[GROUP_TEXT_BYTES], const char *text);

// Judges a group that was looked at. (suspect.c)
void group_judge(struct group *g, int64_t now);
// A goroutine that waits for `age` ns is one of the group. (suspect.c)
void group_add_age(struct group *g, uint64_t id, int64_t age);

#endif
