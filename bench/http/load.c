// SPDX-License-Identifier: MIT
/*
 * load MS ROUNDS CONNECTIONS THREADS PACE PATH NAME:PORT:PID …: asks each server in turn for PATH,
 * for MS milliseconds, ROUNDS times, over the same kept-alive connections: so what else the machine
 * does falls on all of them. PACE 0: each connection asks again as soon as it is answered; else it
 * asks that often a second, and latency counts from when it should have. Prints for each turn
 *
 *	NAME requests/s  CPU us of the server for a request  its ticks in user code  in the kernel
 *	requests  latency in us: 50 %  99 %  99.9 %  worst
 *
 * Plain epoll, a loop for each thread: a client that takes less than any of the servers.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS_MOST = 8, THREADS_MOST = 16, CONNECTIONS_MOST = 4096, WARM_MS = 200 };

struct asker {
	int fd;
	size_t got;  // of the answer
	int64_t due; // when the request under way was, or the next one is to be sent
	bool under_way;
};

struct thread {
	pthread_t id;
	int epoll[SERVERS_MOST];
	struct asker *askers[SERVERS_MOST];
	uint32_t *took; // ns, of each answer of this turn
	size_t answers, room;
};

static char request[512];
static size_t request_bytes, answer_bytes[SERVERS_MOST];
static int milliseconds, rounds, connections, threads, pace, servers;
static struct {
	char name[32];
	int port, pid;
} server[SERVERS_MOST];
static struct thread thread[THREADS_MOST];
static pthread_barrier_t barrier;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// ---- what a server spends ----------------------------------------------------------------------

struct spent {
	int64_t ns, user_ticks, kernel_ticks;
};

static void add_spent(int pid, struct spent *sum)
{
	char name[300], line[1024];
	long long ns, user, kernel;
	snprintf(name, sizeof name, "/proc/%d/task", pid);
	DIR *tasks = opendir(name);
	for (struct dirent *d; tasks && (d = readdir(tasks));) {
		snprintf(name, sizeof name, "/proc/%d/task/%s/schedstat", pid, d->d_name);
		FILE *f = d->d_name[0] == '.' ? NULL : fopen(name, "re");
		if (f && fscanf(f, "%lld", &ns) == 1)
			sum->ns += ns;
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
	snprintf(name, sizeof name, "/proc/%d/stat", pid);
	FILE *f = fopen(name, "re");
	if (f && fgets(line, sizeof line, f) && strrchr(line, ')') &&
		sscanf(strrchr(line, ')') + 1,
			"%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld %lld", &user,
			&kernel) == 2) {
		sum->user_ticks += user;
		sum->kernel_ticks += kernel;
	}
	if (f)
		fclose(f);
}

// By the process and its children: nginx's workers.
static struct spent spent_by(int pid)
{
	struct spent sum = {0};
	char name[64];
	int child;
	add_spent(pid, &sum);
	snprintf(name, sizeof name, "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(name, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		add_spent(child, &sum);
	if (f)
		fclose(f);
	return sum;
}

// ---- one thread --------------------------------------------------------------------------------

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timespec nap = {.tv_nsec = 10000000};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int64_t until = now() + 10000000000; // it may have been started just now
		fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0;)
		if (fd < 0 || now() > until || nanosleep(&nap, NULL) != 0)
			fail("connect");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		fail("nodelay");
	return fd;
}

static void ask(struct asker *a)
{
	a->got = 0;
	a->under_way = true;
	if (send(a->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
		fail("send");
}

// The first answer of each server tells how long they all are.
static size_t length_of(const char *bytes, size_t count)
{
	char head[1024];
	size_t kept = count < sizeof head - 1 ? count : sizeof head - 1;
	memcpy(head, bytes, kept);
	head[kept] = '\0';
	const char *end = strstr(head, "\r\n\r\n"), *length = strstr(head, "Content-Length: ");
	if (!end || !length || length > end) {
		fprintf(stderr, "no length in: %s\n", head);
		exit(1);
	}
	return (size_t)(end + 4 - head) + strtoul(length + 16, NULL, 10);
}

// Reads what has come. True: the answer is complete.
static bool read_some(struct asker *a, int which)
{
	static _Thread_local char bytes[1 << 16];
	ssize_t n = recv(a->fd, bytes, sizeof bytes, 0);
	if (n <= 0)
		fail(server[which].name);
	if (a->got == 0 && (n < 12 || memcmp(bytes, "HTTP/1.1 200", 12) != 0)) {
		fprintf(stderr, "%s: %.*s\n", server[which].name, (int)n, bytes);
		exit(1);
	}
	if (answer_bytes[which] == 0)
		answer_bytes[which] = length_of(bytes, (size_t)n);
	a->got += (size_t)n;
	if (a->got > answer_bytes[which]) {
		fprintf(stderr, "%s: an answer is longer than the first\n", server[which].name);
		exit(1);
	}
	return a->got == answer_bytes[which];
}

static void note(struct thread *t, int64_t took)
{
	if (t->answers == t->room) {
		t->room = t->room ? t->room * 2 : 1 << 16;
		t->took = realloc(t->took, t->room * sizeof *t->took);
		if (!t->took)
			fail("memory");
	}
	t->took[t->answers++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

// One server's turn: until `end`, and then what is under way.
static void turn(struct thread *t, int which, int count, int64_t start, int64_t end)
{
	struct asker *askers = t->askers[which];
	struct epoll_event events[64];
	int64_t every = pace ? 1000000000 / pace : 0;
	int under_way = 0;
	t->answers = 0;
	for (int i = 0; i < count; i++) { // paced ones evenly spread
		askers[i].due = start + (pace ? every * i / count : 0);
		if (!pace) {
			askers[i].due = now();
			ask(&askers[i]);
			under_way++;
		}
	}
	for (int64_t clock = start; clock < end || under_way > 0;) {
		int64_t next = end;
		for (int i = 0; pace && i < count; i++) {
			if (askers[i].under_way || askers[i].due >= end)
				continue;
			if (askers[i].due <= clock) {
				ask(&askers[i]);
				under_way++;
			} else if (askers[i].due < next) {
				next = askers[i].due;
			}
		}
		struct timespec until = {0};
		if (pace && next > clock)
			until.tv_nsec = next - clock < 999999999 ? next - clock : 999999999;
		int n = epoll_pwait2(
			t->epoll[which], events, 64, pace && clock < end ? &until : NULL, NULL);
		clock = now();
		for (int i = 0; i < n; i++) {
			struct asker *a = events[i].data.ptr;
			if (!read_some(a, which))
				continue;
			// The loop ends by the time that decides whether to ask again: else the
			// next wait would be for nothing.
			clock = now();
			note(t, clock - a->due);
			a->under_way = false;
			under_way--;
			a->due = pace ? a->due + every : clock;
			if (!pace && clock < end) {
				ask(a);
				under_way++;
			}
		}
	}
}

static int64_t starts, ends;

static void *run(void *arg)
{
	struct thread *t = arg;
	int count = connections / threads;
	for (int s = 0; s < servers; s++) {
		t->epoll[s] = epoll_create1(EPOLL_CLOEXEC);
		t->askers[s] = calloc((size_t)count, sizeof *t->askers[s]);
		for (int i = 0; i < count; i++) {
			struct asker *a = &t->askers[s][i];
			struct epoll_event event = {.events = EPOLLIN, .data.ptr = a};
			a->fd = dial(server[s].port);
			if (epoll_ctl(t->epoll[s], EPOLL_CTL_ADD, a->fd, &event) != 0)
				fail("epoll_ctl");
		}
	}
	for (int i = -1; i < rounds; i++) // the first is to warm up
		for (int s = 0; s < servers; s++) {
			pthread_barrier_wait(&barrier);
			pthread_barrier_wait(&barrier); // the times are set between them
			turn(t, s, count, starts, ends);
			pthread_barrier_wait(&barrier);
		}
	return NULL;
}

// ---- all of it ---------------------------------------------------------------------------------

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void report(int which, int64_t took, struct spent before, struct spent after)
{
	size_t count = 0, at = 0;
	for (int i = 0; i < threads; i++)
		count += thread[i].answers;
	uint32_t *all = malloc((count + 1) * sizeof *all);
	if (!all || count == 0)
		fail("no answers");
	for (int i = 0; i < threads; i++) {
		memcpy(all + at, thread[i].took, thread[i].answers * sizeof *all);
		at += thread[i].answers;
	}
	qsort(all, count, sizeof *all, by_size);
	printf("%s %.0f %.3f %lld %lld %zu %.1f %.1f %.1f %.1f\n", server[which].name,
		(double)count * 1e9 / (double)took,
		(double)(after.ns - before.ns) / 1e3 / (double)count,
		(long long)(after.user_ticks - before.user_ticks),
		(long long)(after.kernel_ticks - before.kernel_ticks), count, all[count / 2] / 1e3,
		all[count * 99 / 100] / 1e3, all[count * 999 / 1000] / 1e3, all[count - 1] / 1e3);
	fflush(stdout);
	free(all);
}

static bool read_arguments(int argc, char **argv)
{
	servers = argc - 7;
	if (servers < 1 || servers > SERVERS_MOST)
		return false;
	milliseconds = atoi(argv[1]);
	rounds = atoi(argv[2]);
	connections = atoi(argv[3]);
	threads = atoi(argv[4]);
	pace = atoi(argv[5]);
	request_bytes = (size_t)snprintf(request, sizeof request,
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n",
		argv[6]);
	for (int s = 0; s < servers; s++)
		if (sscanf(argv[7 + s], "%31[^:]:%d:%d", server[s].name, &server[s].port,
			    &server[s].pid) != 3)
			return false;
	return request_bytes < sizeof request && threads >= 1 && threads <= THREADS_MOST &&
	       connections >= threads && connections <= CONNECTIONS_MOST;
}

int main(int argc, char **argv)
{
	if (!read_arguments(argc, argv))
		return 2;
	pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]) != 0)
			fail("thread");
	for (int i = -1; i < rounds; i++)
		for (int s = 0; s < servers; s++) {
			pthread_barrier_wait(&barrier);
			struct spent before = spent_by(server[s].pid);
			starts = now();
			int ms = i < 0 && milliseconds > WARM_MS ? WARM_MS : milliseconds;
			ends = starts + ms * (int64_t)1000000;
			pthread_barrier_wait(&barrier);
			pthread_barrier_wait(&barrier);
			int64_t took = now() - starts;
			if (i >= 0)
				report(s, took, before, spent_by(server[s].pid));
		}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i].id, NULL);
	return 0;
}
