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
 * lookups.lock guards the list and the counts of references; it is a runtime lock, so no goroutine
 * is dropped with it. Go: src/net/lookup.go, cgo_unix.go
 */
#define _GNU_SOURCE
#include "net/address.h"

#include "base/race_hooks.h"
#include "net/lookups.h"
#include "sched/lock.h"
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
};

// One question under way.
struct lookup {
	// constant
	char host[HOST_MOST];
	int family;
	tuza_chan *done; // closed when there is an answer
	// the goroutine that answers
	struct addrinfo *list; // here, so that it is reachable when that is dropped
	// written by it before done is closed
	int error;
	struct addresses addresses;
	// guarded by lookups.lock
	int references;
	struct lookup *next;
	bool listed;
	bool answered; // nobody joins it any more; listed, since those who have it may be dropped
};

static struct {
	struct lock lock;
	struct lookup *first;
	tuza_once once;
	tuza_semaphore running;
	struct lookup
		*lost; // of goroutines that were dropped: reachable, so no tool calls it a leak
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

static void ask(struct lookup *l)
{
	struct addrinfo hints = {.ai_family = l->family, .ai_socktype = SOCK_STREAM};
	tuza_blocking_begin();
	int saved = errno;
	errno = 0;
	int error = getaddrinfo(l->host, NULL, &hints, &l->list);
	int own_errno = errno;
	errno = saved;
	tuza_blocking_end();
	l->error = error ? code_of(error, own_errno) : 0;
	for (struct addrinfo *i = l->list; i && l->addresses.count < ADDRESSES_MOST;
		i = i->ai_next) {
		if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
			continue;
		tuza_address *a = &l->addresses.at[l->addresses.count++];
		memset(a, 0, sizeof *a);
		memcpy(a->data_, i->ai_addr, i->ai_addrlen);
		a->bytes_ = i->ai_addrlen;
	}
	if (l->list)
		freeaddrinfo(l->list);
	l->list = NULL;
	if (!l->error && l->addresses.count == 0)
		l->error = TUZA_ENOHOST;
}

// ---- who asks ---------------------------------------------------------------------------------

// Needs: lookups.lock
static void unlist(struct lookup *l)
{
	for (struct lookup **at = &lookups.first; l->listed && *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			l->listed = false;
			return;
		}
}

static void free_lookup(struct lookup *l)
{
	if (l->done)
		tuza_chan_release(l->done);
	free(l);
}

static void drop(struct lookup *l)
{
	lookups_lock();
	bool last = --l->references == 0;
	if (last)
		unlist(l);
	lookups_unlock();
	if (last)
		free_lookup(l);
}

// The answer is there. Who asks from now on wants to know anew: names change.
static void answer(struct lookup *l)
{
	lookups_lock();
	l->answered = true;
	lookups_unlock();
	tuza_chan_close(l->done);
	drop(l);
}

static void run_lookup(void *arg)
{
	struct lookup *l = arg;
	tuza_semaphore_wait(&lookups.running, 1);
	ask(l);
	tuza_semaphore_release(&lookups.running, 1);
	answer(l);
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
		l->references++;
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
	struct lookup *made = new_lookup(host, family);
	if (!made)
		return NULL;
	lookups_lock();
	l = find_lookup(host, family);
	if (!l) {
		made->references = 2; // the caller's, and that of the goroutine
		made->next = lookups.first;
		made->listed = true;
		lookups.first = made;
	}
	lookups_unlock();
	if (l) { // somebody was faster
		free_lookup(made);
		return l;
	}
	int error = tuza_go_with(&options, run_lookup, made);
	if (error != 0) { // that is the answer, also to those who have joined meanwhile
		made->error = error;
		lookups_lock();
		unlist(made);
		made->references--; // the goroutine's; the caller's is left
		lookups_unlock();
		tuza_chan_close(made->done);
	}
	return made;
}

int resolve_host(tuza_context *ctx, const char *host, int family, struct addresses *result)
{
	int error = tuza_context_err(ctx);
	if (error)
		return error;
	if (strlen(host) >= HOST_MOST)
		return TUZA_EADDRESS;
	tuza_once_do(&lookups.once, make_semaphore, NULL);
	struct lookup *l = join_lookup(host, family);
	if (!l)
		return -ENOMEM;
	error = tuza_chan_recv_ctx(l->done, ctx, NULL);
	if (error == TUZA_ECLOSED) { // the answer
		error = l->error;
		if (!error)
			*result = l->addresses;
	}
	drop(l);
	return error;
}

void lookups_forget(void)
{
	lookups_lock();
	struct lookup **at = &lookups.lost;
	while (*at)
		at = &(*at)->next;
	for (struct lookup **from = &lookups.first; *from;) {
		struct lookup *l = *from;
		if (l->answered) { // a plain thread may have it, and free it yet
			from = &l->next;
			continue;
		}
		*from = l->next;
		l->listed = false;
		l->next = NULL;
		*at = l;
		at = &l->next;
	}
	lookups_unlock();
	make_semaphore(NULL); // what they had of it is lost
}
