// SPDX-License-Identifier: MIT
/*
 * The life of a channel: references, what happens to values that nobody receives, release right
 * after the last effect was seen; and channels whose buffer grows.
 */
#include "../test.h"

static int dropped[64], dropped_count;

static void note_drop(void *elem)
{
	if (CHECK(dropped_count < 64))
		dropped[dropped_count++] = *(int *)elem;
}

// The last release drops what is in the buffer, oldest first, once each; a retained channel lives
// on.
TEST(last_release_drops_what_nobody_received)
{
	for (int closed = 0; closed < 2; closed++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), 8);
		int v = 0;

		dropped_count = 0;
		tuza_chan_on_drop(c, note_drop);
		for (int i = 0; i < 5; i++)
			tuza_send(c, i);
		CHECK(tuza_recv(c, &v) && v == 0);
		CHECK(tuza_recv(c, &v) && v == 1);
		tuza_send(c, 5);
		if (closed)
			tuza_chan_close(c);
		CHECK(tuza_chan_retain(c) == c);
		tuza_chan_release(c);
		CHECK_EQ(dropped_count, 0);
		CHECK_EQ(tuza_chan_len(c), 4);
		tuza_chan_release(c);
		CHECK_EQ(dropped_count, 4);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(dropped[i], 2 + i);
	}
}

TEST(empty_channel_drops_nothing)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 2);
	int v;

	dropped_count = 0;
	tuza_chan_on_drop(c, note_drop);
	tuza_send(c, 1);
	CHECK(tuza_recv(c, &v));
	tuza_chan_close(c);
	CHECK(!tuza_recv(c, &v));
	tuza_chan_release(c);
	CHECK_EQ(dropped_count, 0);
}

static void free_elem(void *elem) { free(*(char **)elem); }

static void send_strings(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++) {
		char *text = malloc(16);
		snprintf(text, 16, "%d", i);
		tuza_send(c, text);
	}
	tuza_chan_release(c);
}

// Checklist 20: undelivered values are freed exactly once whoever lets go last. (AddressSanitizer
// watches.)
TEST(values_with_owners_are_freed_once_whoever_releases_last)
{
	for (int i = 0; i < 300; i++) {
		tuza_chan *c = tuza_chan_new(sizeof(char *), 4);
		char *text;

		tuza_chan_on_drop(c, free_elem);
		TUZA_GO(send_strings, tuza_chan_retain(c), 4);
		for (int k = 0; k < i % 5; k++)
			if (CHECK(tuza_recv(c, &text)))
				free(text);
		tuza_chan_release(c);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void send_and_forget(tuza_chan *c) { tuza_send(c, 1); }
static void close_and_forget(tuza_chan *c) { tuza_chan_close(c); }

static void recv_and_tell(tuza_chan *c, atomic_int *told)
{
	tuza_recv(c, (int *)NULL);
	atomic_store(told, 1);
}

// Rule 1: once its effect was seen an operation touches the channel no more. (AddressSanitizer
// watches.)
TEST(channel_may_go_once_the_effect_was_seen)
{
	for (int i = 0; i < 3000; i++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), (size_t)i % 2);
		atomic_int told = 0;

		switch (i / 2 % 3) {
		case 0:
			TUZA_GO(send_and_forget, c);
			CHECK(tuza_recv(c, (int *)NULL));
			break;
		case 1:
			TUZA_GO(close_and_forget, c);
			CHECK(!tuza_recv(c, (int *)NULL));
			break;
		case 2:
			TUZA_GO(recv_and_tell, c, &told);
			tuza_send(c, 1);
			while (!atomic_load(&told))
				tuza_yield();
			break;
		}
		tuza_chan_release(c);
	}
}

static void retain_and_release(tuza_chan *c, int n, atomic_int *done)
{
	for (int i = 0; i < n; i++)
		tuza_chan_release(tuza_chan_retain(c));
	tuza_chan_release(c);
	atomic_fetch_add(done, 1);
}

TEST(references_are_counted_exactly_from_many_goroutines)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	atomic_int done = 0;

	dropped_count = 0;
	tuza_chan_on_drop(c, note_drop);
	tuza_send(c, 33);
	for (int i = 0; i < 8; i++)
		TUZA_GO(retain_and_release, tuza_chan_retain(c), 2000, &done);
	WAIT_UNTIL(done == 8);
	CHECK_EQ(dropped_count, 0);
	tuza_chan_release(c);
	CHECK_EQ(dropped_count, 1);
}

// Asked for, never given in Go.
TEST(unbounded_channel_never_blocks_a_send)
{
	tuza_chan *c = tuza_chan_new_unbounded(sizeof(int));
	int sent = 0, received = 0, v;

	CHECK_EQ(tuza_chan_cap(c), SIZE_MAX);
	CHECK_EQ(tuza_chan_try_recv(c, &v), -EAGAIN);
	for (int turn = 1; turn < 200; turn++) {
		for (int i = 0; i < turn * 3; i++)
			tuza_send(c, sent++);
		for (int i = 0; i < turn * 2; i++) {
			CHECK(tuza_recv(c, &v));
			CHECK_EQ(v, received++);
		}
		CHECK_EQ(tuza_chan_len(c), sent - received);
	}
	CHECK_EQ(tuza_chan_try_send(c, &sent), 0);
	CHECK_EQ(TUZA_SELECT(TUZA_SEND(c, &sent), TUZA_DEFAULT), 0);
	sent += 2;
	tuza_chan_close(c);
	while (tuza_recv(c, &v))
		received++;
	CHECK_EQ(received, sent);
	CHECK_EQ(tuza_chan_len(c), 0);
	tuza_chan_release(c);
}

TEST(unbounded_channel_drops_and_hands_over_as_others)
{
	tuza_chan *c = tuza_chan_new_unbounded(sizeof(int));
	atomic_int told = 0;

	dropped_count = 0;
	tuza_chan_on_drop(c, note_drop);
	TUZA_GO(recv_and_tell, c, &told);
	wait_parked("chan receive", 1);
	tuza_send(c, 1);
	WAIT_UNTIL(told == 1);
	for (int i = 0; i < 40; i++)
		tuza_send(c, i);
	tuza_chan_release(c);
	CHECK_EQ(dropped_count, 40);
	CHECK_EQ(dropped[39], 39);
}
