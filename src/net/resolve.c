// SPDX-License-Identifier: MIT
/*
 * Names of hosts, by the C library's getaddrinfo: it knows /etc/nsswitch.conf and all that hangs
 * on it.
 *
 * It blocks its thread, for seconds if a server is silent, and cannot be interrupted. So it runs in
 * a goroutine of its own, in a blocking section, and who asked waits for the answer or for the end
 * of its context. Those who ask for the same name meanwhile share the answer (single flight), and
 * at most LOOKUPS_MOST run at a time, each of them a thread.
 *
 * The end of a run drops goroutines with their references. Its questions are *lost* then: nobody
 * joins them any more, and those of plain threads are told so and ask anew. What only dropped ones
 * knew of is freed when none of them can be running any more, who may be late: asking the C library
 * is what a run's end waits for in vain more often than for anything else.
 *
 * lookups.lock guards the lists and the counts of references; it is a runtime lock, so no goroutine
 * is dropped with it. Go: src/net/lookup.go, cgo_unix.go
 */
#define _GNU_SOURCE
#include "net/address.h"
#include "net/conn.h"

#include "base/race_hooks.h"
#include "sched/lock.h"
#include "sched/upcalls.h"
#include <tuza/chan.h>
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/sync.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOKUPS_MOST = 64, // Go allows 500 threads; a guess at what a resolver answers
	LOOKUP_STACK =
		512 << 10, // modules of the C library's name service are somebody else's code
	ASK_ANEW = 1,      // as an answer: it will not be given
};

// One question under way.
struct lookup {
	// constant
	char host[HOST_MOST];
	int family;
	tuza_chan *done; // closed when there is an answer
	// the goroutine that answers
	struct addrinfo *list; // here, so that it can be freed when that is dropped
	// guarded by lookups.lock, and constant once it is answered
	int error;
	struct addresses addresses;
	bool answered; // nobody joins it any more
	// guarded by lookups.lock
	int references, references_of_goroutines;
	struct lookup *next, **at; // in one of the lists
};

// guarded by lock, but `running`
static struct {
	struct lock lock;
	struct lookup *first; // all those that somebody knows of, but the lost ones
	struct lookup *lost;  // those of runs that have ended
	tuza_once once;
	tuza_semaphore running;
} lookups;

static void lookups_lock(void)
{
	lock_acquire(&lookups.lock);
	race_acquire(&lookups);
}

static void lookups_unlock(void)
{
	race_release(&lookups);
	lock_release(&lookups.lock);
}

static void make_semaphore(void *arg)
{
	(void)arg;
	tuza_semaphore_init(&lookups.running, LOOKUPS_MOST);
}

// ---- the answer -------------------------------------------------------------------------------

static int code_of(int eai, int saved_errno)
{
	switch (eai) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return TUZA_ENOHOST;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return saved_errno ? -saved_errno : TUZA_ERESOLVER;
	default:
		return TUZA_ERESOLVER;
	}
}

static void collect(const struct addrinfo *list, struct addresses *addresses)
{
	for (const struct addrinfo *i = list; i && addresses->count < ADDRESSES_MOST;
		i = i->ai_next) {
		if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
			continue;
		tuza_address *a = &addresses->at[addresses->count++];
		memset(a, 0, sizeof *a);
		memcpy(a->data_, i->ai_addr, i->ai_addrlen);
		a->bytes_ = i->ai_addrlen;
	}
}

// Returns 0 or a code.
static int ask(struct lookup *l, struct addresses *addresses)
{
	struct addrinfo hints = {.ai_family = l->family, .ai_socktype = SOCK_STREAM};
	tuza_blocking_begin();
	int saved = errno;
	errno = 0;
	int error = getaddrinfo(l->host, NULL, &hints, &l->list);
	int own_errno = errno;
	errno = saved;
	tuza_blocking_end();
	if (error)
		error = code_of(error, own_errno);
	collect(l->list, addresses);
	if (l->list)
		freeaddrinfo(l->list);
	l->list = NULL;
	return !error && addresses->count == 0 ? TUZA_ENOHOST : error;
}

// ---- the lists --------------------------------------------------------------------------------

// Needs: lookups.lock, for all of them.

static void list_in(struct lookup **list, struct lookup *l)
{
	l->next = *list;
	l->at = list;
	if (l->next)
		l->next->at = &l->next;
	*list = l;
}

static void unlist(struct lookup *l)
{
	*l->at = l->next;
	if (l->next)
		l->next->at = l->at;
}

static void retain(struct lookup *l, bool by_goroutine)
{
	l->references++;
	l->references_of_goroutines += by_goroutine;
}

// Takes back that many. True if they were the last: it is the caller's.
static bool release(struct lookup *l, int references, int of_goroutines)
{
	l->references -= references;
	l->references_of_goroutines -= of_goroutines;
	if (l->references > 0)
		return false;
	unlist(l);
	return true;
}

// ---- who asks ---------------------------------------------------------------------------------

static void free_lookup(struct lookup *l)
{
	if (l->list)
		freeaddrinfo(l->list);
	if (l->done)
		tuza_chan_release(l->done);
	free(l);
}

static void drop(struct lookup *l)
{
	bool is_goroutine = conn_is_goroutine();
	lookups_lock();
	bool last = release(l, 1, is_goroutine);
	lookups_unlock();
	if (last)
		free_lookup(l);
}

// Needs: lookups.lock. False: it was answered already.
static bool set_answer(struct lookup *l, int error, const struct addresses *addresses)
{
	if (l->answered)
		return false;
	l->answered = true; // whoever asks from now on wants to know anew: names change
	l->error = error;
	if (addresses)
		l->addresses = *addresses;
	return true;
}

static void answer(struct lookup *l, int error, const struct addresses *addresses)
{
	lookups_lock();
	bool is_first = set_answer(l, error, addresses);
	lookups_unlock();
	if (is_first)
		tuza_chan_close(l->done);
	drop(l);
}

static void run_lookup(void *arg)
{
	struct lookup *l = arg;
	struct addresses addresses = {.count = 0};
	tuza_semaphore_wait(&lookups.running, 1);
	int error = ask(l, &addresses);
	tuza_semaphore_release(&lookups.running, 1);
	answer(l, error, &addresses);
}

static struct lookup *new_lookup(const char *host, int family)
{
	struct lookup *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->family = family;
	memcpy(l->host, host, strlen(host) + 1); // resolve_host has looked at its length
	if (tuza_chan_try_new(0, 0, &l->done) != 0) {
		free_lookup(l);
		return NULL;
	}
	return l;
}

// A reference to the question if it is asked already. Needs: lookups.lock
static struct lookup *find_lookup(const char *host, int family)
{
	struct lookup *l = lookups.first;
	while (l && (l->answered || l->family != family || strcmp(l->host, host) != 0))
		l = l->next;
	if (l)
		retain(l, conn_is_goroutine());
	return l;
}

// The question, with a reference for the caller; starts the goroutine that answers if there is
// none.
static struct lookup *join_lookup(const char *host, int family)
{
	static const tuza_go_options options = {.name = "resolve", .stack_bytes = LOOKUP_STACK};
	lookups_lock();
	struct lookup *l = find_lookup(host, family);
	lookups_unlock();
	if (l)
		return l;
	bool is_goroutine = conn_is_goroutine();
	struct lookup *made = new_lookup(host, family);
	if (!made)
		return NULL;
	lookups_lock();
	l = find_lookup(host, family);
	if (!l) {
		list_in(&lookups.first, made);
		retain(made, is_goroutine);
		retain(made, is_goroutine); // on behalf of the one that answers
	}
	lookups_unlock();
	if (l) { // somebody was faster
		free_lookup(made);
		return l;
	}
	int error = tuza_go_with(&options, run_lookup, made);
	bool is_first = false;
	lookups_lock();
	if (error != 0) { // that is the answer, also to those who have joined meanwhile
		is_first = set_answer(made, error, NULL);
		(void)release(made, 1, is_goroutine); // the caller's own is left
	} else if (!is_goroutine) {
		// Not before: a run that ended meanwhile did not have it.
		made->references_of_goroutines++;
	}
	lookups_unlock();
	if (is_first)
		tuza_chan_close(made->done);
	return made;
}

// ASK_ANEW besides its caller's results.
static int resolve_once(tuza_context *ctx, const char *host, int family, struct addresses *result)
{
	struct lookup *l = join_lookup(host, family);
	if (!l)
		return -ENOMEM;
	int error = tuza_chan_recv_ctx(l->done, ctx, NULL);
	if (error == TUZA_ECLOSED) { // the answer
		error = l->error;
		if (!error)
			*result = l->addresses;
	}
	drop(l);
	return error;
}

int resolve_host(tuza_context *ctx, const char *host, int family, struct addresses *result)
{
	int error = tuza_context_err(ctx);
	if (error)
		return error;
	if (strlen(host) >= HOST_MOST)
		return TUZA_EADDRESS;
	tuza_once_do(&lookups.once, make_semaphore, NULL);
	do
		error = resolve_once(ctx, host, family, result);
	while (error == ASK_ANEW);
	return error;
}

// ---- the end of a run -------------------------------------------------------------------------

// Moves one of the run's to the lost ones, with a reference for the caller.
static struct lookup *lose_one(void)
{
	lookups_lock();
	struct lookup *l = lookups.first;
	if (l) {
		unlist(l);
		list_in(&lookups.lost, l);
		l->references++;
	}
	lookups_unlock();
	return l;
}

// Takes off what dropped goroutines had, if that was all. NULL: there is no such.
static struct lookup *take_forgotten(void)
{
	struct lookup *l, *next;
	lookups_lock();
	for (l = lookups.lost; l; l = next) {
		next = l->next;
		// Fewer than none, for a moment: one has answered, and was not counted yet.
		if (l->references_of_goroutines > 0 &&
			release(l, l->references_of_goroutines, l->references_of_goroutines))
			break;
	}
	lookups_unlock();
	return l;
}

void net_forget_lookups(bool is_last)
{
	struct lookup *l;
	while ((l = lose_one()) != NULL) {
		lookups_lock();
		bool is_first = set_answer(l, ASK_ANEW, NULL);
		lookups_unlock();
		if (is_first)
			tuza_chan_close(l->done);
		drop(l);
	}
	while (is_last && (l = take_forgotten()) != NULL)
		free_lookup(l);
	make_semaphore(NULL); // what they had of it is lost
}
