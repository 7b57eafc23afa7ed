// SPDX-License-Identifier: MIT
/*
 * Pitfall: a return in the middle that forgets the lock. The next one who wants it waits for ever.
 *
 * Fix: TUZA_LOCK, which ends with the block. clang -Wthread-safety finds the lock that is kept when
 * the program is compiled; the deadlock report shows who waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

static tuza_mutex lock;
static int balance = 50; // guarded by lock

static int withdraw_wrong(int amount)
{
	tuza_mutex_lock(&lock);
	if (amount > balance)
		return -ERANGE; // still locked
	balance -= amount;
	tuza_mutex_unlock(&lock);
	return 0;
}

static int withdraw_right(int amount)
{
	TUZA_LOCK(&lock);
	if (amount > balance)
		return -ERANGE;
	balance -= amount;
	return 0;
}

static void withdraw(const char *which, int (*by)(int amount))
{
	printf("%s: %s, ", which, tuza_strerror(by(100)));
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_SECOND);
	TUZA_DEFER(tuza_context_free, ctx);
	printf("and the next one: %s\n", tuza_strerror(tuza_mutex_lock_ctx(&lock, ctx)));
	tuza_mutex_unlock(&lock); // for the sake of what follows
}

static int program(void *arg)
{
	(void)arg;
	withdraw("wrong", withdraw_wrong);
	withdraw("right", withdraw_right);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: Numerical result out of range, and the next one: context deadline exceeded
right: Numerical result out of range, and the next one: success
 */
