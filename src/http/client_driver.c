// SPDX-License-Identifier: MIT
/*
 * A driver: the goroutine in which libcurl runs. A client with nothing to do has none.
 *
 * It sleeps in tuza_wait_fd on an epoll of its own, until one of libcurl's sockets is ready, the
 * bell is rung, or libcurl's timer is due. Nested like that, each event wakes the outer epoll
 * anew, and the wait looks before it sleeps, so none is lost. The bell is rung for a sleeper only:
 * `asleep` is set under the mutex under which the queue was found empty.
 *
 * The epoll and the eventfd live as long as the goroutine, the multi handle and its connections
 * longer.
 */
#include "http/client.h"

#include <tuza/goroutine.h>
#include <tuza/io.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	EVENTS_AT_ONCE = 128,      // a guess
	STACK_BYTES = 1024 * 1024, // TLS and compression are deeper than most
};
static const int64_t LINGER = 100 * TUZA_MILLISECOND; // a guess: the next request of a row
static const int64_t RETRY = 10 * TUZA_MILLISECOND;   // a guess

// ---- the multi handle -------------------------------------------------------------------------

static CURLM *open_multi(struct driver *d)
{
	const tuza_http_client_options *o = &d->client->options;
	CURLM *multi = d->multi = curl_multi_init();
	if (!multi)
		return NULL;
	sockets_set_up(d);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)o->max_connections);
	curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->max_connections_per_host);
	d->may_keep = 0;
	return multi;
}

void driver_close_connections(struct driver *d)
{
	while (d->spares > 0)
		curl_easy_cleanup(d->spare[--d->spares]);
	if (d->multi)
		curl_multi_cleanup(d->multi);
	d->multi = NULL;
	d->timer = INT64_MAX;
}

// URLs are UTF-8, as in Go, whatever the locale is: by that libcurl would read the name of a host
// that is not all ASCII. Nobody parks in between, so the thread stays the same.
void driver_act(struct driver *d, curl_socket_t fd, int events)
{
	int running;
	locale_t before = uselocale(client_locale);
	curl_multi_socket_action(d->multi, fd, events, &running);
	uselocale(before);
}

// ---- the list of what changed -----------------------------------------------------------------

void driver_mark_dirty(struct tuza_http_response *t)
{
	if (t->dirty)
		return;
	t->dirty = true;
	t->next_dirty = t->driver->dirty;
	t->driver->dirty = t;
}

// Publishing may unpause a transfer, whereupon libcurl may call back and mark it anew.
static void publish_all(struct driver *d)
{
	struct tuza_http_response *t;
	while ((t = d->dirty)) {
		d->dirty = t->next_dirty;
		t->dirty = false;
		if (t->over)
			response_release(t);
		else
			transfer_publish(t);
	}
}

// ---- a turn -----------------------------------------------------------------------------------

static void obey(struct tuza_http_response *t, unsigned told)
{
	if (told & TELL_START)
		transfer_start(t);
	if (told & TELL_READ)
		transfer_resume_reading(t);
	if (told & TELL_BODY)
		transfer_resume_body(t);
	if (told & TELL_ABORT)
		transfer_abort(t);
}

// Carries out what callers want. False: nothing did, and they ring from now on.
static bool read_queue(struct driver *d, bool *prune)
{
	tuza_mutex_lock(&d->mutex);
	struct tuza_http_response *t = client_take_queue(d);
	d->asleep = !t;
	*prune = d->prune;
	tuza_mutex_unlock(&d->mutex);
	bool any = t != NULL;
	while (t) {
		struct tuza_http_response *next = t->next;
		obey(t, client_take_message(t));
		response_release(t);
		t = next;
	}
	return any;
}

static void handle_events(struct driver *d)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(d->poll, events, EVENTS_AT_ONCE, 0);
	for (int i = 0; i < n; i++) {
		uint64_t rings;
		if (events[i].data.fd == d->bell)
			(void)!read(d->bell, &rings, sizeof rings);
		else
			sockets_ready(d, events[i].data.fd, events[i].events);
	}
}

static void handle_timer(struct driver *d)
{
	if (d->timer > tuza_now())
		return;
	d->timer = INT64_MAX; // libcurl sets it anew
	driver_act(d, CURL_SOCKET_TIMEOUT, 0);
}

static void handle_ends(struct driver *d)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(d->multi, &left))) {
		struct tuza_http_response *t = NULL;
		CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		transfer_done(t, result);
	}
}

// ---- its life ---------------------------------------------------------------------------------

static void close_descriptors(struct driver *d)
{
	if (d->poll >= 0)
		(void)tuza_close(d->poll);
	if (d->bell >= 0)
		(void)close(d->bell);
	d->poll = d->bell = -1;
	sockets_forget(d);
}

// Ends the driver if nothing has come to do meanwhile.
static bool leave(struct driver *d)
{
	tuza_mutex_lock(&d->mutex);
	bool end = !d->queue;
	bool prune = d->prune;
	tuza_mutex_unlock(&d->mutex);
	if (!end)
		return false;
	if (prune || client_keeps_too_many(d->client)) // libcurl closes one only to keep another
		driver_close_connections(d);
	tuza_mutex_lock(&d->mutex);
	end = !d->queue && (!d->prune || prune);
	if (prune)
		d->prune = false;
	if (end) {
		close_descriptors(d);
		d->running = d->asleep = false;
		tuza_cond_broadcast(&d->idle);
	}
	tuza_mutex_unlock(&d->mutex); // *client may be gone afterwards
	return end;
}

// Waits for an event, the bell or the timer.
static void sleep_until(struct driver *d, int64_t until)
{
	int ready = tuza_wait_fd(d->poll, POLLIN, until < 1 ? 1 : until);
	if (ready < 0 && ready != TUZA_EIOTIMEOUT) // no memory or descriptor to wait with
		tuza_sleep(RETRY);
}

static void drive(void *arg)
{
	struct driver *d = arg;
	int64_t idle_since = tuza_now();
	for (;;) {
		if (!d->multi)
			(void)open_multi(d); // a failure is each transfer's
		bool prune, any = read_queue(d, &prune);
		if (d->multi) {
			handle_timer(d);
			handle_ends(d);
		}
		publish_all(d);
		int64_t until = d->timer, now = tuza_now();
		if (d->active > 0 || any)
			idle_since = now;
		else if (now >= idle_since + LINGER || prune) {
			if (leave(d))
				return;
			continue;
		} else if (until > idle_since + LINGER)
			until = idle_since + LINGER;
		if (d->some_refused)
			sockets_try_again(d);
		if (d->some_refused && until > now + RETRY)
			until = now + RETRY;
		if (!any)
			sleep_until(d, until);
		if (d->multi) {
			client_limit_idle(d);
			handle_events(d);
		}
	}
}

int driver_start(struct driver *d)
{
	static const tuza_go_options options = {.name = "http client", .stack_bytes = STACK_BYTES};
	struct epoll_event event = {.events = EPOLLIN};
	int error = 0;
	d->poll = epoll_create1(EPOLL_CLOEXEC);
	d->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = d->bell;
	if (d->poll < 0 || d->bell < 0 || epoll_ctl(d->poll, EPOLL_CTL_ADD, d->bell, &event) != 0)
		error = -errno;
	d->asleep = false;
	if (!error)
		error = tuza_go_with(&options, drive, d);
	d->running = !error;
	if (error)
		close_descriptors(d);
	return error;
}
