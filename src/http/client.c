// SPDX-License-Identifier: MIT
/*
 * Clients: made, used as the default, freed; and the queue by which callers tell the driver what
 * they want. A driver is started by the first who has something to say and none to say it to; it
 * ends, under the same mutex, when there is nothing left to do, so no message is lost in between.
 *
 * Go: src/net/http/client.go, transport.go
 */
#include "http/client.h"

#include "base/atomic.h"

#include <tuza/goroutine.h>
#include <tuza/panic.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// ---- options ----------------------------------------------------------------------------------

// A copy of a string, NULL of NULL. *ok becomes false when out of memory.
static const char *copy_text(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;
	if (text && !copy)
		*ok = false;
	return copy;
}

static void free_text(const char *text) { free((void *)(uintptr_t)text); }

static void free_options(tuza_http_client_options *o)
{
	free_text(o->user_agent);
	free_text(o->proxy);
	free_text(o->ca_file);
}

// Whether the environment names a proxy. Else libcurl need not look there for each request.
static bool has_proxy(void)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *proxy = getenv(names[i]);
		if (proxy && *proxy)
			return true;
	}
	return false;
}

static bool copy_options(tuza_http_client_options *to, const tuza_http_client_options *from)
{
	bool ok = true;
	*to = *from;
	to->user_agent = copy_text(from->user_agent, &ok);
	to->proxy = copy_text(from->proxy || has_proxy() ? from->proxy : "", &ok);
	to->ca_file = copy_text(from->ca_file, &ok);
	if (to->connect_timeout == 0)
		to->connect_timeout = 30 * TUZA_SECOND; // Go's dialer
	if (to->idle_timeout == 0)
		to->idle_timeout = 90 * TUZA_SECOND; // Go's transport, and the two below
	if (to->max_idle_connections == 0)
		to->max_idle_connections = 100;
	if (to->max_redirects == 0)
		to->max_redirects = 10;
	return ok;
}

// ---- making and freeing -----------------------------------------------------------------------

static tuza_once global_once;
locale_t client_locale;

// Reads files: not for a processor.
static void init_curl(void *unused)
{
	(void)unused;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	client_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void init_curl_once(void *unused) { tuza_blocking(init_curl, unused); }

// As many as can run at a time, and a few anyway: each looks for its connections among fewer.
static size_t drivers_wanted(void)
{
	int processors = tuza_gomaxprocs(0);
	if (processors < CLIENT_DRIVERS_LEAST)
		return CLIENT_DRIVERS_LEAST;
	return processors > CLIENT_DRIVERS_MOST ? CLIENT_DRIVERS_MOST : (size_t)processors;
}

EXPORT tuza_http_client *tuza_http_client_new(const tuza_http_client_options *options)
{
	static const tuza_http_client_options defaults;
	tuza_once_do(&global_once, init_curl_once, NULL);
	tuza_http_client *client = calloc(1, sizeof *client);
	if (!client)
		return NULL;
	if (!copy_options(&client->options, options ? options : &defaults)) {
		free_options(&client->options);
		free(client);
		return NULL;
	}
	bool limited =
		client->options.max_connections > 0 || client->options.max_connections_per_host > 0;
	client->count = limited ? 1 : drivers_wanted();
	for (size_t i = 0; i < client->count; i++) {
		struct driver *d = &client->drivers[i];
		d->client = client;
		d->queue_last = &d->queue;
		d->bell = d->poll = -1;
		d->timer = INT64_MAX;
	}
	return client;
}

EXPORT void tuza_http_client_free(tuza_http_client *client)
{
	if (!client)
		return;
	if (client->is_default)
		tuza_panic("tuza: free of the default HTTP client");
	tuza_http_client_close_idle(client); // no driver lingers then
	tuza_waitgroup_wait(&client->responses);
	for (size_t i = 0; i < client->count; i++) {
		struct driver *d = &client->drivers[i];
		tuza_mutex_lock(&d->mutex);
		while (d->running)
			tuza_cond_wait(&d->idle, &d->mutex);
		tuza_mutex_unlock(&d->mutex);
	}
	// Not before: as long as one is left it may close what another keeps.
	for (size_t i = 0; i < client->count; i++) {
		driver_close_connections(&client->drivers[i]);
		free(client->drivers[i].watched);
	}
	free_options(&client->options);
	free(client);
}

static tuza_once default_once;
static tuza_http_client *default_client;

static void make_default(void *unused)
{
	(void)unused;
	default_client = tuza_http_client_new(NULL);
	if (default_client)
		default_client->is_default = true;
}

EXPORT tuza_http_client *tuza_http_client_default(void)
{
	tuza_once_do(&default_once, make_default, NULL);
	if (!default_client)
		tuza_panic("tuza: out of memory");
	return default_client;
}

// ---- the queue --------------------------------------------------------------------------------

// Wakes the driver if it waits. Needs: d->mutex
static void ring(struct driver *d)
{
	static const uint64_t one = 1;
	if (!d->asleep)
		return;
	d->asleep = false;
	// Never blocks: the counter is far from full.
	(void)!write(d->bell, &one, sizeof one);
}

struct tuza_http_response *client_take_queue(struct driver *d)
{
	struct tuza_http_response *first = d->queue;
	d->queue = NULL;
	d->queue_last = &d->queue;
	return first;
}

// There is no goroutine and none can be had: what was to be started has failed. Anything else in
// the queue is about transfers that have ended.
static void fail_all(struct tuza_http_response *t, int error)
{
	while (t) {
		struct tuza_http_response *next = t->next;
		unsigned told = client_take_message(t);
		if (told & TELL_START) {
			response_end(t, error, NULL);
			response_release(t);
		}
		response_release(t);
		t = next;
	}
}

// Starts a goroutine if there is something to do and none to do it. The result is for fail_all,
// after the unlock. Needs: d->mutex
static struct tuza_http_response *see_to_driver(struct driver *d, int *error)
{
	*error = 0;
	if (!d->queue)
		return NULL;
	if (d->running)
		ring(d);
	else
		*error = driver_start(d);
	return *error ? client_take_queue(d) : NULL;
}

void client_tell(struct tuza_http_response *t, unsigned what)
{
	struct driver *d = t->driver;
	int error;
	tuza_mutex_lock(&d->mutex);
	t->told |= what;
	if (!t->queued) {
		t->queued = true;
		t->references++; // the queue's
		t->next = NULL;
		*d->queue_last = t;
		d->queue_last = &t->next;
	}
	struct tuza_http_response *failed = see_to_driver(d, &error);
	tuza_mutex_unlock(&d->mutex);
	fail_all(failed, error);
}

unsigned client_take_message(struct tuza_http_response *t)
{
	tuza_mutex_lock(&t->driver->mutex);
	unsigned told = t->told;
	t->told = 0;
	t->queued = false;
	tuza_mutex_unlock(&t->driver->mutex);
	return told;
}

// ---- connections that are kept ----------------------------------------------------------------

// Closes the connections of a driver that has nothing to do. False: it has. Needs: d->mutex, which
// it lets go.
static bool close_resting(struct driver *d)
{
	int error;
	if (d->running) {
		tuza_mutex_unlock(&d->mutex);
		return false;
	}
	d->running = true; // keeps others from starting it meanwhile
	tuza_mutex_unlock(&d->mutex);
	driver_close_connections(d);
	tuza_mutex_lock(&d->mutex);
	d->running = d->prune = false;
	struct tuza_http_response *failed = see_to_driver(d, &error);
	tuza_cond_broadcast(&d->idle);
	tuza_mutex_unlock(&d->mutex);
	fail_all(failed, error);
	return true;
}

EXPORT void tuza_http_client_close_idle(tuza_http_client *client)
{
	if (unlikely(!client))
		tuza_panic("nil HTTP client");
	for (size_t i = 0; i < client->count; i++) {
		struct driver *d = &client->drivers[i];
		tuza_mutex_lock(&d->mutex);
		d->prune = true;
		ring(d);
		(void)close_resting(d);
	}
}

// How many connections there are, and how many there may be: those in use and those to be kept.
// Both are of that moment, and only libcurl acts on them.
static size_t count_connections(const tuza_http_client *client, size_t *most)
{
	size_t open = 0, load = 0;
	for (size_t i = 0; i < client->count; i++) { // statistics
		open += load_relaxed(&client->drivers[i].open);
		load += load_relaxed(&client->drivers[i].load);
	}
	*most = load + (size_t)client->options.max_idle_connections;
	return open;
}

bool client_keeps_too_many(const tuza_http_client *client)
{
	size_t most;
	return count_connections(client, &most) > most;
}

void client_limit_idle(struct driver *d)
{
	tuza_http_client *client = d->client;
	size_t most, open = count_connections(client, &most);
	size_t own = load_relaxed(&d->open), others = open > own ? open - own : 0; // statistics
	size_t may = most > others ? most - others : 1;
	if (may != d->may_keep) {
		d->may_keep = may;
		curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, (long)may);
	}
	for (size_t i = 0; i < client->count && open > most; i++) {
		struct driver *other = &client->drivers[i];
		if (other == d || load_relaxed(&other->open) == 0) // a hint
			continue;
		tuza_mutex_lock(&other->mutex);
		if (close_resting(other))
			return;
	}
}

// ---- choosing a driver ------------------------------------------------------------------------

/*
 * The first driver that has little to do; else the one with the least. What it reads is a
 * statistic: who reads an old number is served all the same.
 */
struct driver *client_choose(tuza_http_client *client)
{
	struct driver *best = &client->drivers[0];
	size_t least = load_relaxed(&best->load);
	for (size_t i = 1; i < client->count && least >= CLIENT_FEW; i++) {
		size_t load = load_relaxed(&client->drivers[i].load);
		if (load < least) {
			best = &client->drivers[i];
			least = load;
		}
	}
	(void)add_relaxed(&best->load, 1);
	return best;
}
