// SPDX-License-Identifier: MIT
// not-under: thread the wrong version is what it finds
/*
 * Pitfall: a mutex that is copied, by an assignment, an argument or tuza_go_copy, is another mutex.
 * Everybody locks one of his own.
 *
 * Fix: pass a pointer to it. clang -fsanitize=thread finds the race that comes of it.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct account {
	tuza_mutex lock;
	int *balance; // what it points to is guarded by lock
};

static tuza_waitgroup wg, inside;

static void deposit_wrong(void *copy)
{
	struct account *a = copy;

	TUZA_DEFER(tuza_waitgroup_done, &wg);
	TUZA_LOCK(&a->lock);
	int seen = *a->balance;
	tuza_waitgroup_done(&inside);
	tuza_waitgroup_wait(&inside); // until both hold "the" lock
	*a->balance = seen + 100;
}

static void deposit_right(struct account *a)
{
	TUZA_DEFER(tuza_waitgroup_done, &wg);
	TUZA_LOCK(&a->lock);
	int seen = *a->balance;
	tuza_yield();
	*a->balance = seen + 100;
}

static int program(void *arg)
{
	int balance = 0, safe_balance = 0;
	struct account one = {.balance = &balance}, other = {.balance = &safe_balance};

	(void)arg;
	tuza_waitgroup_add(&wg, 2);
	tuza_waitgroup_add(&inside, 2);
	for (int i = 0; i < 2; i++)
		if (tuza_go_copy(deposit_wrong, &one, sizeof(one)) != 0)
			tuza_panic("out of memory");
	tuza_waitgroup_wait(&wg);
	printf("wrong: two deposits of 100: %d\n", balance);

	tuza_waitgroup_add(&wg, 2);
	for (int i = 0; i < 2; i++)
		go(deposit_right, &other);
	tuza_waitgroup_wait(&wg);
	printf("right: two deposits of 100: %d\n", safe_balance);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: two deposits of 100: 100
right: two deposits of 100: 200
 */
