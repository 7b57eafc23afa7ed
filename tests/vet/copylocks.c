// SPDX-License-Identifier: MIT
/*
 * Locks are not copied, nor what contains them. Lines that are to be reported say so.
 */
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct account {
	tuza_mutex lock;
	int balance;
};
typedef struct {
	struct {
		struct account accounts[2];
	} inner;
} bank;

static void look(struct account *a) { (void)a; }
static void deposit(void *arg) { look(arg); }
static tuza_once once;

// ---- wrong

void by_value(struct account a) { look(&a); } // want copylocks

void assigned(struct account *to, const struct account *from)
{
	struct account a = *from; // want copylocks
	*to = a;                  // want copylocks
}

bank returned(const bank *b)
{
	return *b; // want copylocks
}

void passed(bank *b)
{
	by_value(b->inner.accounts[1]); // want copylocks
}

void alone(tuza_waitgroup *wg)
{
	tuza_waitgroup copy = *wg; // want copylocks
	tuza_once again = once;    // want copylocks
	(void)copy;
	(void)again;
}

void to_a_goroutine(struct account *a)
{
	struct account own = {.balance = 1};
	if (tuza_go_copy(deposit, &own, sizeof(own)) != 0) // want copylocks
		return;
	go(by_value, *a); // want copylocks
}

void sent(tuza_chan *c, struct account *a)
{
	tuza_chan_send(c, a);         // want copylocks
	tuza_send(c, *a);             // want copylocks
	TUZA_SELECT(TUZA_SEND(c, a)); // want copylocks
}

void copied(bank *to, bank *from)
{
	memcpy(to, from, sizeof(*to)); // want copylocks
}

// ---- right

void by_pointer(struct account *a)
{
	struct account *same = a;
	look(same);
	go(look, a);
	if (tuza_go_copy(deposit, &same, sizeof(same)) != 0)
		return;
}

void made_new(struct account *a, bank *b)
{
	struct account fresh = {.balance = 2};
	*a = (struct account){.balance = 1};
	memset(b, 0, sizeof(*b));
	a->balance = fresh.balance;
	(void)fresh;
}

void measured(tuza_chan **c) { *c = tuza_chan_new(sizeof(struct account *), 1); }
