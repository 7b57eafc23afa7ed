// SPDX-License-Identifier: MIT
/*
 * What goroutines are given, and who waits for them. Lines that are to be reported say so.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct job {
	int id;
};
static void print(const int *i) { printf("%d\n", *i); }
static void print_value(int i) { printf("%d\n", i); }
static void handle(void *job) { print(&((struct job *)job)->id); }
static tuza_waitgroup wg;
static atomic_int count;

// ---- loopclosure

void loop_variable(void)
{
	for (int i = 0; i < 3; i++)
		go(print, &i); // want loopclosure
	tuza_waitgroup_wait(&wg);
}

void received_in_a_loop(tuza_chan *jobs)
{
	struct job job;
	while (tuza_recv(jobs, &job))
		tuza_waitgroup_go(&wg, handle, &job); // want loopclosure
	tuza_waitgroup_wait(&wg);
}

void set_in_a_loop(void)
{
	struct job job;
	for (int i = 0; i < 3; i++) {
		job.id = i;
		tuza_go(handle, &job); // want loopclosure
	}
	tuza_waitgroup_wait(&wg);
}

void loop_right(tuza_chan *jobs)
{
	struct job job, many[3];
	for (int i = 0; i < 3; i++)
		go(print_value, i);
	for (int i = 0; i < 3; i++) {
		many[i].id = i;
		go(handle, &many[i]); // each gets one of its own
	}
	while (tuza_recv(jobs, &job))
		if (tuza_go_copy(handle, &job, sizeof(job)) != 0)
			break;
	while (tuza_recv(jobs, &job))
		TUZA_IGNORE(tuza_join(tuza_spawn(handle, &job))); // has ended by the next turn
	tuza_waitgroup_wait(&wg);
}

// ---- localaddr

int leaves_at_once(void)
{
	int local = 3;
	go(print, &local); // want localaddr
	return local;
}

void leaves_the_block(void)
{
	for (int i = 0; i < 3; i++) {
		struct job job = {i};
		tuza_go(handle, &job); // want localaddr
	}
	tuza_waitgroup_wait(&wg);
}

void prints_an_array(void)
{
	int numbers[4] = {1, 2, 3, 4};
	go(print, numbers); // want localaddr
	puts("started");
}

void local_right(tuza_chan *done)
{
	static int forever = 1;
	int a = 1, b = 2, c = 3;
	go(print, &forever);
	go(print, &a);
	tuza_recv(done, NULL);
	go(print, &b);
	while (atomic_load(&count) < 2)
		tuza_yield();
	TUZA_DEFER(tuza_waitgroup_wait, &wg);
	go(print, &c);
}

// ---- waitgroup

static void adds_itself(void)
{
	tuza_waitgroup_add(&wg, 1); // want waitgroup
	TUZA_DEFER(tuza_waitgroup_done, &wg);
	atomic_fetch_add(&count, 1);
}

static void adds_its_child(void)
{
	tuza_waitgroup_add(&wg, 1); // it has been counted itself: nobody misses this one
	go(adds_itself);
	tuza_waitgroup_done(&wg);
}

static void has_its_own(void)
{
	tuza_waitgroup own = {0};
	tuza_waitgroup_add(&own, 1);
	tuza_waitgroup_done(&own);
	tuza_waitgroup_wait(&own);
}

void starts_them(void)
{
	tuza_waitgroup_add(&wg, 1);
	go(adds_itself);
	go(adds_its_child);
	go(has_its_own);
	tuza_waitgroup_wait(&wg);
}

// ---- sleepwait

int sleeps(void)
{
	go(print_value, 1);
	go(print_value, 2);
	tuza_sleep(TUZA_SECOND); // want sleepwait
	return atomic_load(&count);
}

int waits(tuza_context *ctx)
{
	go(print_value, 1);
	tuza_sleep(TUZA_SECOND); // so long it may work
	tuza_context_cancel(ctx);
	tuza_waitgroup_wait(&wg);
	return 0;
}

void sleeps_before(void)
{
	tuza_sleep(TUZA_SECOND);
	go(print_value, 1);
}
