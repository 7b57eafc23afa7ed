// SPDX-License-Identifier: MIT
/*
 * The sockets of a driver's transfers, and when libcurl wants to be called again.
 *
 * libcurl gives up its interest in a socket at the end of each transfer, and takes it up again with
 * the next on the same connection. So a socket that was opened here stays in the epoll when libcurl
 * is done with it, and leaves it when something comes that nobody has asked for (most often the
 * other end's close) or when it is closed. That saves two of the six system calls that a small
 * request costs. Sockets that libcurl opens for itself, those that its resolver wakes it with,
 * close behind our backs, so they leave at once.
 */
#include "http/client.h"

#include "base/atomic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// What `watched` holds of a descriptor: what the epoll waits for, and why.
enum {
	WATCH_IN = 1,
	WATCH_OUT = 2,
	WATCH_BOTH = 3,
	WATCH_OPENED = 4,
	WATCH_WANTED = 8,
	WATCH_REFUSED = 16, // the epoll had no room for it: to be tried again
};

// The byte of a descriptor; NULL: out of memory, nothing is known.
static unsigned char *watch_of(struct driver *d, int fd)
{
	size_t i = (size_t)fd, room = d->watched_room ? d->watched_room : 64;
	if (i < d->watched_room)
		return &d->watched[i];
	while (room <= i)
		room *= 2;
	unsigned char *watched = realloc(d->watched, room);
	if (!watched)
		return NULL;
	memset(watched + d->watched_room, 0, room - d->watched_room);
	d->watched = watched;
	d->watched_room = room;
	return &watched[i];
}

static void leave_epoll(struct driver *d, int fd)
{
	if (d->poll >= 0)
		(void)epoll_ctl(d->poll, EPOLL_CTL_DEL, fd, NULL);
}

// there: the epoll waits for it already, for something else. False: it has no room.
static bool enter_epoll(struct driver *d, int fd, unsigned mask, bool there)
{
	struct epoll_event event = {.data.fd = fd};
	event.events = (mask & WATCH_IN ? EPOLLIN : 0u) | (mask & WATCH_OUT ? EPOLLOUT : 0u);
	if (epoll_ctl(d->poll, there ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	return errno == (there ? ENOENT : EEXIST) &&
	       epoll_ctl(d->poll, there ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0;
}

// ---- what libcurl calls -----------------------------------------------------------------------

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct driver *d = arg;
	unsigned char *watch = watch_of(d, fd);
	unsigned mask = 0;
	(void)easy;
	(void)known;
	if (what == CURL_POLL_REMOVE) {
		if (watch && (*watch & WATCH_OPENED)) {
			*watch &= (unsigned char)~WATCH_WANTED;
			return 0;
		}
		leave_epoll(d, fd);
		if (watch)
			*watch = 0;
		return 0;
	}
	if (what & CURL_POLL_IN)
		mask |= WATCH_IN;
	if (what & CURL_POLL_OUT)
		mask |= WATCH_OUT;
	if (watch && (*watch & WATCH_BOTH) == mask) {
		*watch |= WATCH_WANTED;
		return 0;
	}
	bool there = watch && (*watch & WATCH_BOTH) && !(*watch & WATCH_REFUSED);
	bool refused = !enter_epoll(d, fd, mask, there);
	if (refused && !watch)
		return -1; // nobody would remember it: better no transfer than one that hangs
	d->some_refused |= refused;
	if (watch)
		*watch = (unsigned char)((*watch & WATCH_OPENED) | mask | WATCH_WANTED |
					 (refused ? WATCH_REFUSED : 0));
	return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct tuza_http_response *t = arg;
	struct driver *d = t->driver;
	(void)purpose;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0) {
		t->socket_error = errno; // which libcurl does not look at
		return CURL_SOCKET_BAD;
	}
	t->socket_error = 0; // another family's
	unsigned char *watch = watch_of(d, fd);
	if (watch)
		*watch = WATCH_OPENED;
	(void)add_relaxed(&d->open, 1);
	return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
	struct driver *d = arg;
	unsigned char *watch = watch_of(d, fd);
	if (!watch || (*watch & WATCH_BOTH))
		leave_epoll(d, fd); // a child that is about to exec may hold it open
	if (watch)
		*watch = 0;
	(void)sub_relaxed(&d->open, 1);
	return close(fd);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct driver *d = arg;
	(void)multi;
	d->timer = timeout_ms < 0    ? INT64_MAX
		   : timeout_ms == 0 ? 0
				     : tuza_now() + (int64_t)timeout_ms * TUZA_MILLISECOND;
	return 0;
}

// ---- for the driver ---------------------------------------------------------------------------

void sockets_set_up(struct driver *d)
{
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
}

void sockets_set_up_handle(struct driver *d, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, d);
}

void sockets_try_again(struct driver *d)
{
	d->some_refused = false;
	for (size_t i = 0; i < d->watched_room; i++) {
		unsigned char *watch = &d->watched[i];
		if (!(*watch & WATCH_REFUSED))
			continue;
		if (!(*watch & WATCH_WANTED))
			*watch &= WATCH_OPENED;
		else if (enter_epoll(d, (int)i, *watch & WATCH_BOTH, false))
			*watch &= (unsigned char)~WATCH_REFUSED;
		else
			d->some_refused = true;
	}
}

void sockets_ready(struct driver *d, int fd, uint32_t events)
{
	unsigned char *watch = watch_of(d, fd);
	int mask = 0;
	if (watch && !(*watch & WATCH_WANTED)) {
		// Nothing is known of one that was closed because of an event before this one: the
		// number may be somebody else's by now.
		if (*watch & WATCH_BOTH)
			leave_epoll(d, fd);
		*watch &= WATCH_OPENED;
		return;
	}
	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	driver_act(d, fd, mask);
}

void sockets_forget(struct driver *d)
{
	for (size_t i = 0; i < d->watched_room; i++)
		d->watched[i] &= WATCH_OPENED;
}
