// SPDX-License-Identifier: MIT
/*
 * The driver: the goroutine in which libcurl runs, one for each client with something to do.
 *
 * It sleeps in tuza_wait_fd on an epoll of its own, until one of libcurl's sockets is ready, the
 * bell is rung, or libcurl's timer is due. Nested like that, each event wakes the outer epoll
 * anew, and the wait looks before it sleeps, so none is lost. The bell is rung for a sleeper only:
 * `asleep` is set under the mutex under which the queue was found empty.
 *
 * The epoll and the eventfd live as long as the driver; libcurl has no socket in it while no
 * transfer is under way, though it keeps connections.
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

// ---- what libcurl calls -----------------------------------------------------------------------

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	tuza_http_client *client = arg;
	struct epoll_event event = {.data.fd = fd};
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(client->poll, EPOLL_CTL_DEL, fd, NULL);
		curl_multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(client->poll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0 &&
		errno == (known ? ENOENT : EEXIST))
		(void)epoll_ctl(client->poll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
	curl_multi_assign(client->multi, fd, client);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	tuza_http_client *client = arg;
	(void)multi;
	client->timer =
		timeout_ms < 0 ? INT64_MAX : tuza_now() + (int64_t)timeout_ms * TUZA_MILLISECOND;
	return 0;
}

static CURLM *open_multi(tuza_http_client *client)
{
	const tuza_http_client_options *o = &client->options;
	CURLM *multi = curl_multi_init();
	if (!multi)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)o->max_idle_connections);
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)o->max_connections);
	curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->max_connections_per_host);
	return multi;
}

void driver_close_connections(tuza_http_client *client)
{
	while (client->spares > 0)
		curl_easy_cleanup(client->spare[--client->spares]);
	if (client->multi)
		curl_multi_cleanup(client->multi);
	client->multi = NULL;
	client->timer = INT64_MAX;
}

// ---- the list of what changed -----------------------------------------------------------------

void driver_mark_dirty(struct tuza_http_response *t)
{
	if (t->dirty)
		return;
	t->dirty = true;
	t->next_dirty = t->client->dirty;
	t->client->dirty = t;
}

// Publishing may unpause a transfer, whereupon libcurl may call back and mark it anew.
static void publish_all(tuza_http_client *client)
{
	struct tuza_http_response *t;
	while ((t = client->dirty)) {
		client->dirty = t->next_dirty;
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
static bool read_queue(tuza_http_client *client, bool *prune)
{
	tuza_mutex_lock(&client->mutex);
	struct tuza_http_response *t = client_take_queue(client);
	client->asleep = !t;
	*prune = client->prune;
	tuza_mutex_unlock(&client->mutex);
	bool any = t != NULL;
	while (t) {
		struct tuza_http_response *next = t->next;
		obey(t, client_take_message(t));
		response_release(t);
		t = next;
	}
	return any;
}

static void handle_events(tuza_http_client *client)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int running, n = epoll_wait(client->poll, events, EVENTS_AT_ONCE, 0);
	for (int i = 0; i < n; i++) {
		uint64_t rings;
		int mask = 0;
		if (events[i].data.fd == client->bell) {
			(void)!read(client->bell, &rings, sizeof rings);
			continue;
		}
		if (events[i].events & EPOLLIN)
			mask |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			mask |= CURL_CSELECT_ERR;
		curl_multi_socket_action(client->multi, events[i].data.fd, mask, &running);
	}
}

static void handle_timer(tuza_http_client *client)
{
	int running;
	if (client->timer > tuza_now())
		return;
	client->timer = INT64_MAX; // libcurl sets it anew
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void handle_ends(tuza_http_client *client)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct tuza_http_response *t = NULL;
		CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		transfer_done(t, result);
	}
}

// ---- its life ---------------------------------------------------------------------------------

static void close_descriptors(tuza_http_client *client)
{
	if (client->poll >= 0)
		(void)tuza_close(client->poll);
	if (client->bell >= 0)
		(void)close(client->bell);
	client->poll = client->bell = -1;
}

// Ends the driver if nothing has come to do meanwhile.
static bool leave(tuza_http_client *client)
{
	tuza_mutex_lock(&client->mutex);
	bool end = !client->queue;
	bool prune = client->prune;
	tuza_mutex_unlock(&client->mutex);
	if (!end)
		return false;
	if (prune)
		driver_close_connections(client);
	tuza_mutex_lock(&client->mutex);
	end = !client->queue && (!client->prune || prune);
	if (prune)
		client->prune = false;
	if (end) {
		close_descriptors(client);
		client->running = client->asleep = false;
		tuza_cond_broadcast(&client->idle);
	}
	tuza_mutex_unlock(&client->mutex); // *client may be gone afterwards
	return end;
}

// Waits for an event, the bell or the timer.
static void sleep_until(tuza_http_client *client, int64_t until)
{
	int ready = tuza_wait_fd(client->poll, POLLIN, until < 1 ? 1 : until);
	if (ready < 0 && ready != TUZA_EIOTIMEOUT) // no memory or descriptor to wait with
		tuza_sleep(RETRY);
}

static void drive(void *arg)
{
	tuza_http_client *client = arg;
	int64_t idle_since = tuza_now();
	for (;;) {
		if (!client->multi)
			client->multi = open_multi(client); // a failure is each transfer's
		bool prune, any = read_queue(client, &prune);
		if (client->multi) {
			handle_timer(client);
			handle_ends(client);
		}
		publish_all(client);
		int64_t until = client->timer, now = tuza_now();
		if (client->active > 0 || any)
			idle_since = now;
		else if (now >= idle_since + LINGER || prune) {
			if (leave(client))
				return;
			continue;
		} else if (until > idle_since + LINGER)
			until = idle_since + LINGER;
		if (!any)
			sleep_until(client, until);
		if (client->multi)
			handle_events(client);
	}
}

int driver_start(tuza_http_client *client)
{
	static const tuza_go_options options = {.name = "http client", .stack_bytes = STACK_BYTES};
	struct epoll_event event = {.events = EPOLLIN};
	int error = 0;
	client->poll = epoll_create1(EPOLL_CLOEXEC);
	client->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = client->bell;
	if (client->poll < 0 || client->bell < 0 ||
		epoll_ctl(client->poll, EPOLL_CTL_ADD, client->bell, &event) != 0)
		error = -errno;
	client->asleep = false;
	if (!error)
		error = tuza_go_with(&options, drive, client);
	client->running = !error;
	if (error)
		close_descriptors(client);
	return error;
}
