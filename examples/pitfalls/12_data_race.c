// SPDX-License-Identifier: MIT
// not-under: thread the wrong version is what it finds
/*
 * Pitfall: two goroutines change a variable, and nothing orders them. One change may be lost; here
 * the unlucky order is made certain.
 *
 * Fix: a lock, an atomic, or one owner. clang -fsanitize=thread finds the race, also in the runs in
 * which nothing is lost.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { VISITORS = 2 };

static int hits;
static tuza_waitgroup have_looked; // until both have read the counter

static void visit_wrong(void *arg)
{
	int seen = hits;

	(void)arg;
	tuza_waitgroup_done(&have_looked);
	tuza_waitgroup_wait(&have_looked);
	hits = seen + 1; // hits++ in slow motion
}

static tuza_mutex lock;
static int locked_hits; // guarded by lock

static void visit_right(void *arg)
{
	(void)arg;
	TUZA_LOCK(&lock);
	int seen = locked_hits;
	tuza_yield();
	locked_hits = seen + 1;
}

static void visit(const char *which, void (*visitor)(void *), const int *counter)
{
	tuza_waitgroup wg = {0};

	for (int i = 0; i < VISITORS; i++)
		tuza_waitgroup_go(&wg, visitor, NULL);
	tuza_waitgroup_wait(&wg);
	printf("%s: %d visitors, counted %d\n", which, VISITORS, *counter);
}

static int program(void *arg)
{
	(void)arg;
	tuza_waitgroup_add(&have_looked, VISITORS);
	visit("wrong", visit_wrong, &hits);
	visit("right", visit_right, &locked_hits);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 2 visitors, counted 1
right: 2 visitors, counted 2
 */
