// SPDX-License-Identifier: MIT
/*
 * Clients: made, used as the default, freed; and the queue by which callers tell the driver what
 * they want. A driver is started by the first who has something to say and none to say it to; it
 * ends, under the same mutex, when there is nothing left to do, so no message is lost in between.
 *
 * Go: src/net/http/client.go, transport.go
 */
#include "http/client.h"

#include <tuza/goroutine.h>
#include <tuza/panic.h>

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

static bool copy_options(tuza_http_client_options *to, const tuza_http_client_options *from)
{
	bool ok = true;
	*to = *from;
	to->user_agent = copy_text(from->user_agent, &ok);
	to->proxy = copy_text(from->proxy, &ok);
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

// Reads files: not for a processor.
static void init_curl(void *unused)
{
	(void)unused;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void init_curl_once(void *unused) { tuza_blocking(init_curl, unused); }

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
	client->queue_last = &client->queue;
	client->bell = client->poll = -1;
	return client;
}

EXPORT void tuza_http_client_free(tuza_http_client *client)
{
	if (!client)
		return;
	if (client->is_default)
		tuza_panic("tuza: free of the default HTTP client");
	tuza_http_client_close_idle(client); // the driver does not linger then
	tuza_mutex_lock(&client->mutex);
	while (client->running || client->responses > 0)
		tuza_cond_wait(&client->idle, &client->mutex);
	tuza_mutex_unlock(&client->mutex);
	driver_close_connections(client);
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

// Wakes the driver if it waits. Needs: client->mutex
static void ring(tuza_http_client *client)
{
	static const uint64_t one = 1;
	if (!client->asleep)
		return;
	client->asleep = false;
	// Never blocks: the counter is far from full.
	(void)!write(client->bell, &one, sizeof one);
}

struct tuza_http_response *client_take_queue(tuza_http_client *client)
{
	struct tuza_http_response *first = client->queue;
	client->queue = NULL;
	client->queue_last = &client->queue;
	return first;
}

// There is no driver and none can be had: what was to be started has failed. Anything else in the
// queue is about transfers that have ended.
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

// Starts a driver if there is something to do and none to do it. The result is for fail_all, after
// the unlock. Needs: client->mutex
static struct tuza_http_response *see_to_driver(tuza_http_client *client, int *error)
{
	*error = 0;
	if (!client->queue)
		return NULL;
	if (client->running)
		ring(client);
	else
		*error = driver_start(client);
	return *error ? client_take_queue(client) : NULL;
}

void client_tell(struct tuza_http_response *t, unsigned what)
{
	tuza_http_client *client = t->client;
	int error;
	tuza_mutex_lock(&client->mutex);
	t->told |= what;
	if (!t->queued) {
		t->queued = true;
		t->references++; // the queue's
		t->next = NULL;
		*client->queue_last = t;
		client->queue_last = &t->next;
	}
	struct tuza_http_response *failed = see_to_driver(client, &error);
	tuza_mutex_unlock(&client->mutex);
	fail_all(failed, error);
}

unsigned client_take_message(struct tuza_http_response *t)
{
	tuza_mutex_lock(&t->client->mutex);
	unsigned told = t->told;
	t->told = 0;
	t->queued = false;
	tuza_mutex_unlock(&t->client->mutex);
	return told;
}

EXPORT void tuza_http_client_close_idle(tuza_http_client *client)
{
	int error;
	tuza_mutex_lock(&client->mutex);
	client->prune = true;
	if (client->running) {
		ring(client);
		tuza_mutex_unlock(&client->mutex);
		return;
	}
	client->running = true; // keeps others from starting a driver meanwhile
	tuza_mutex_unlock(&client->mutex);
	driver_close_connections(client);
	tuza_mutex_lock(&client->mutex);
	client->running = client->prune = false;
	struct tuza_http_response *failed = see_to_driver(client, &error);
	tuza_cond_broadcast(&client->idle);
	tuza_mutex_unlock(&client->mutex);
	fail_all(failed, error);
}
