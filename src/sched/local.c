// SPDX-License-Identifier: MIT
/*
 * Goroutine-local values.
 *
 * A goroutine's values are an array that is searched from the front: programs have a few. An entry
 * holds a reference to its key, so a key that was freed is not mistaken for a new one at the same
 * address.
 */
#include "sched/goroutine_extra.h"

#include "base/race_hooks.h"
#include "sched/current.h"

#include <errno.h>
#include <stdlib.h>

enum { DESTRUCTOR_ROUNDS = 4 }; // POSIX's PTHREAD_DESTRUCTOR_ITERATIONS: destructors may set values

struct tuza_local {
	// any thread, atomic
	uint32_t refs;  // tuza_local_new's and one per goroutine with a value
	uint32_t freed; // by tuza_local_free: no destructor any more
	// constant after init
	void (*destructor)(void *);
};

struct local_value {
	struct tuza_local *key; // one reference
	void *value;            // never NULL
};

EXPORT tuza_local *tuza_local_new(void (*destructor)(void *))
{
	int saved_errno = errno;
	struct tuza_local *key = malloc(sizeof(*key));

	errno = saved_errno;
	if (key)
		*key = (struct tuza_local){.refs = 1, .destructor = destructor};
	return key;
}

static void local_release(struct tuza_local *key)
{
	race_release(key);
	// (local-key) each release pairs with the last one, which frees.
	if (sub_acq_rel(&key->refs, 1) != 1)
		return;
	race_acquire(key);
	free(key);
}

EXPORT void tuza_local_free(tuza_local *key)
{
	if (!key)
		return;
	// Goroutines that end at the same time may or may not see it: the program's race.
	store_relaxed(&key->freed, 1);
	local_release(key);
}

static struct local_value *local_find(const struct goroutine_extra *e, const struct tuza_local *key)
{
	for (uint32_t i = 0; i < e->local_count; i++)
		if (e->locals[i].key == key)
			return &e->locals[i];
	return NULL;
}

EXPORT void *tuza_local_get(tuza_local *key)
{
	const struct goroutine *g = goroutine_current_or_null();
	const struct local_value *found = g && g->extra ? local_find(g->extra, key) : NULL;

	return found ? found->value : NULL;
}

// Takes one entry out; the caller gets its reference to the key.
static struct local_value local_take(struct goroutine_extra *e, struct local_value *at)
{
	struct local_value taken = *at;

	*at = e->locals[--e->local_count];
	return taken;
}

static int local_add(struct goroutine_extra *e, struct tuza_local *key, void *value)
{
	if (e->local_count == e->local_capacity) {
		uint32_t wanted = e->local_capacity ? e->local_capacity * 2 : 4;
		struct local_value *grown = realloc(e->locals, wanted * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		e->locals = grown;
		e->local_capacity = wanted;
	}
	add_relaxed(&key->refs, 1); // (local-key) the caller's reference keeps it
	e->locals[e->local_count++] = (struct local_value){key, value};
	race_release(e); // for goroutine_extra_free, when the goroutine is dropped
	return 0;
}

EXPORT int tuza_local_set(tuza_local *key, void *value)
{
	int saved_errno = errno, r = 0;
	struct goroutine *g = goroutine_current();
	struct goroutine_extra *e = value ? goroutine_extra_of(g) : g->extra;
	struct local_value *found = e ? local_find(e, key) : NULL;

	if (found && value)
		found->value = value;
	else if (found)
		local_release(local_take(e, found).key);
	else if (value)
		r = e ? local_add(e, key, value) : -ENOMEM;
	errno = saved_errno;
	return r;
}

void goroutine_extra_end(struct goroutine *g)
{
	struct goroutine_extra *e = g->extra;

	if (likely(!e))
		return;
	for (int round = 0; e->local_count && round < DESTRUCTOR_ROUNDS; round++) {
		// Destructors may set values and clear others: a round makes at most as many calls
		// as there were values.
		for (uint32_t n = e->local_count; n && e->local_count; n--) {
			struct local_value last = local_take(e, &e->locals[0]);
			void (*destructor)(void *) = last.key->destructor;

			if (load_relaxed(&last.key->freed)) // see tuza_local_free
				destructor = NULL;
			local_release(last.key); // before: the call may end in tuza_goexit
			if (destructor)
				destructor(last.value);
		}
	}
	goroutine_extra_free(g);
}

void goroutine_extra_drop_locals(struct goroutine_extra *e)
{
	while (e->local_count)
		local_release(local_take(e, &e->locals[0]).key);
	free(e->locals);
	e->locals = NULL;
	e->local_capacity = 0;
}
