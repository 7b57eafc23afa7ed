// SPDX-License-Identifier: MIT
/*
 * echo_floor CONNECTIONS THREADS: what the workloads tcp-echo-* cost without goroutines: the same
 * round trips by a bare loop on edge-triggered epoll, one system call for each receive and each
 * send. Each thread has its own poller and both ends of its share of the connections, so nothing
 * is shared. Who makes a system call for each of them, and one for what has come, cannot be faster.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, ROOM = 4096, BATCH = 128, ROUND_TRIPS = 100000, THREADS_MOST = 64 };

static int connections, threads, turns;
static pthread_barrier_t connected;

// One connection: both ends, when its message left, and how often it still has to.
struct pair {
	int client, server, left;
	int64_t sent;
};

struct part {
	struct pair *pairs;
	int count;
	int64_t took, *times, done;
};

static void need(int condition, const char *what)
{
	if (!condition) {
		perror(what);
		exit(1);
	}
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void watch(int poller, int fd, uint64_t tag)
{
	int on = 1;
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = tag};
	need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
	need(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
}

static void connect_all(struct part *p, int poller)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(bind(listener, (struct sockaddr *)&a, sizeof a) == 0, "bind");
	need(listen(listener, 1) == 0, "listen");
	need(getsockname(listener, (struct sockaddr *)&a, &bytes) == 0, "getsockname");
	for (int i = 0; i < p->count; i++) {
		struct pair *c = &p->pairs[i];
		c->left = turns;
		c->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		need(connect(c->client, (struct sockaddr *)&a, sizeof a) == 0, "connect");
		c->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		watch(poller, c->client, (uint64_t)i * 2);
		watch(poller, c->server, (uint64_t)i * 2 + 1);
	}
	close(listener);
}

static void send_message(struct pair *c)
{
	static const char message[MESSAGE];
	c->sent = now();
	need(send(c->client, message, MESSAGE, MSG_NOSIGNAL) == MESSAGE, "send");
}

// What has come to one end.
static int answer(struct part *p, struct pair *c, int is_server)
{
	char bytes[ROOM];
	ssize_t n = recv(is_server ? c->server : c->client, bytes, ROOM, MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	if (is_server) {
		need(send(c->server, bytes, (size_t)n, MSG_NOSIGNAL) == n, "send");
		return 0;
	}
	p->times[p->done++] = now() - c->sent;
	if (--c->left == 0)
		return 1;
	send_message(c);
	return 0;
}

static void *run(void *part)
{
	struct part *p = part;
	struct epoll_event events[BATCH];
	int poller = epoll_create1(EPOLL_CLOEXEC), ended = 0;
	connect_all(p, poller);
	pthread_barrier_wait(&connected);
	int64_t start = now();
	for (int i = 0; i < p->count; i++)
		send_message(&p->pairs[i]);
	while (ended < p->count) {
		int n = epoll_wait(poller, events, BATCH, -1);
		for (int i = 0; i < n; i++)
			ended += answer(p, &p->pairs[events[i].data.u64 / 2],
				(int)(events[i].data.u64 % 2));
	}
	p->took = now() - start;
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	connections = argc == 3 ? atoi(argv[1]) : 0;
	threads = argc == 3 ? atoi(argv[2]) : 0;
	if (threads < 1 || threads > THREADS_MOST || connections < threads) {
		fprintf(stderr, "usage: echo_floor CONNECTIONS THREADS\n");
		return 2;
	}
	turns = (ROUND_TRIPS + connections - 1) / connections;
	pthread_t thread[THREADS_MOST];
	struct part parts[THREADS_MOST];
	int64_t *times = calloc((size_t)turns * (size_t)connections, sizeof *times), all = 0,
		took = 0;
	need(times != NULL, "calloc");
	pthread_barrier_init(&connected, NULL, (unsigned)threads);
	for (int t = 0, first = 0; t < threads; t++) {
		int count = connections / threads + (t < connections % threads);
		parts[t] = (struct part){.pairs = calloc((size_t)count, sizeof(struct pair)),
			.count = count,
			.times = times + (size_t)first * (size_t)turns};
		first += count;
		need(pthread_create(&thread[t], NULL, run, &parts[t]) == 0, "pthread_create");
	}
	for (int t = 0; t < threads; t++) {
		pthread_join(thread[t], NULL);
		took = parts[t].took > took ? parts[t].took : took;
		all += parts[t].done;
	}
	qsort(times, (size_t)all, sizeof *times, by_value);
	printf("echo_floor %.2f us, median %.1f us, p99 %.1f us\n",
		(double)took / 1e3 / (double)all, (double)times[all / 2] / 1e3,
		(double)times[all * 99 / 100] / 1e3);
	return 0;
}
