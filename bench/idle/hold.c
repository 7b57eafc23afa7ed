// SPDX-License-Identifier: MIT
/*
 * hold echo|http PORT COUNT: COUNT connections to 127.0.0.1 that rest. Does what the lines of its
 * input say, and prints one line about each with the milliseconds it took:
 *
 *   open     connects all of them and has an answer on each
 *   ask      asks on all of them at once and reads the answers
 *   await    waits until the server has closed all of them
 *   drop     closes all of them
 *   reset    the same, each by a reset
 *
 * Bare epoll, one thread. One address has some 28,000 ports for one server, and the kernel looks at
 * all of one half before it takes one of the other: they come from several addresses in turn,
 * 10,000 from each. Another process takes others: those of the last one may not be free yet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FROM_ONE_ADDRESS = 10000, UNDER_WAY = 512, EVENTS = 256, ROOM = 512, PATIENCE_MS = 120000 };

struct held {
	int fd;
	int got; // bytes of the answer
	bool asked;
	char last[4]; // of those bytes, to find the end of a head
	int body;     // bytes after the head; -1: it has not ended
	double since; // when it was asked, or has answered
};

static struct held *held;
static int count, port, epoll_fd;
static const char *request;
static bool is_http;
static uint32_t first_address;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail_at(const struct held *h, const char *what)
{
	fprintf(stderr, "connection %td of %d: %s, %.0f ms after it was %s\n", h - held, count,
		what, now_ms() - h->since, h->asked ? "asked" : "answered");
	exit(1);
}

static void connect_one(int i)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(first_address + (uint32_t)(i / FROM_ONE_ADDRESS))};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
		fail("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
		fail("connect");
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)i};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
	held[i] = (struct held){.fd = fd};
}

static void ask(int i)
{
	size_t length = strlen(request);
	struct held *h = &held[i];
	h->asked = true;
	h->since = now_ms();
	h->got = 0;
	h->body = is_http ? -1 : 0;
	memset(h->last, 0, sizeof h->last);
	if (write(h->fd, request, length) != (ssize_t)length)
		fail("write");
}

static void watch(int i, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = (uint32_t)i};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, held[i].fd, &event) != 0)
		fail("epoll_ctl");
}

// Reads more of an answer. True: all of it is there.
static bool read_more(struct held *h)
{
	char bytes[ROOM];
	ssize_t n = read(h->fd, bytes, sizeof bytes);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		fail("read");
	if (n == 0 || !h->asked)
		fail_at(h, n == 0 ? "ended" : "an answer that nobody asked for");
	if (!is_http) {
		if (memcmp(request + h->got, bytes, (size_t)n) != 0)
			fail("echo");
		h->got += (int)n;
		return h->got == (int)strlen(request);
	}
	if (h->got == 0 && (n < 12 || memcmp(bytes, "HTTP/1.1 200", 12) != 0))
		fail("status");
	h->got += (int)n;
	for (ssize_t i = 0; i < n; i++) {
		if (h->body >= 0) {
			h->body++;
			continue;
		}
		memmove(h->last, h->last + 1, 3);
		h->last[3] = bytes[i];
		if (memcmp(h->last, "\r\n\r\n", 4) == 0)
			h->body = 0;
	}
	return h->body == 13;
}

static bool read_answer(struct held *h)
{
	if (!read_more(h))
		return false;
	h->asked = false;
	h->since = now_ms();
	return true;
}

static int await_events(struct epoll_event *events)
{
	int n = epoll_wait(epoll_fd, events, EVENTS, PATIENCE_MS);
	if (n <= 0)
		fail("nothing happened for two minutes");
	return n;
}

static void open_all(void)
{
	struct epoll_event events[EVENTS];
	int opened = 0, answered = 0;
	while (answered < count) {
		while (opened < count && opened - answered < UNDER_WAY)
			connect_one(opened++);
		for (int n = await_events(events); n-- > 0;) {
			int i = (int)events[n].data.u32;
			if (!held[i].asked) {
				int error = 0;
				socklen_t size = sizeof error;
				getsockopt(held[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
				if ((errno = error) != 0)
					fail("connect");
				ask(i);
				watch(i, EPOLLIN | EPOLLRDHUP);
			} else if (read_answer(&held[i])) {
				answered++;
			}
		}
	}
}

static void ask_all(void)
{
	struct epoll_event events[EVENTS];
	for (int i = 0; i < count; i++)
		ask(i);
	for (int answered = 0; answered < count;)
		for (int n = await_events(events); n-- > 0;) {
			struct held *h = &held[events[n].data.u32];
			if (read_answer(h))
				answered++;
		}
}

static void await_all(void)
{
	struct epoll_event events[EVENTS];
	char byte;
	for (int ended = 0; ended < count;)
		for (int n = await_events(events); n-- > 0;) {
			struct held *h = &held[events[n].data.u32];
			if (read(h->fd, &byte, 1) != 0)
				fail("something came where nothing was asked");
			close(h->fd);
			h->fd = -1;
			ended++;
		}
}

static void close_all(bool reset)
{
	struct linger none = {.l_onoff = 1, .l_linger = 0};
	for (int i = 0; i < count; i++) {
		if (reset)
			setsockopt(held[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
		close(held[i].fd);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char line[64];
	if (argc != 4)
		return 2;
	is_http = strcmp(argv[1], "http") == 0;
	request = is_http ? "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
			  : "sixty-four bytes that go to the server and come back as they went";
	port = atoi(argv[2]);
	count = atoi(argv[3]);
	first_address = INADDR_LOOPBACK + (uint32_t)(getpid() % 250 + 1) * 256;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	held = calloc((size_t)count, sizeof *held);
	epoll_fd = epoll_create1(0);
	if (!held || epoll_fd < 0)
		fail("start");
	while (fgets(line, sizeof line, stdin)) {
		double start = now_ms();
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "open") == 0)
			open_all();
		else if (strcmp(line, "ask") == 0)
			ask_all();
		else if (strcmp(line, "await") == 0)
			await_all();
		else
			close_all(strcmp(line, "reset") == 0);
		printf("%s %.0f\n", line, now_ms() - start);
		fflush(stdout);
	}
	return 0;
}
