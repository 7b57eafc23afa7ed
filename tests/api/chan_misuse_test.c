// SPDX-License-Identifier: MIT
/*
 * Wrong arguments to channels: they panic in Go's words, and the channel is as before.
 */
#include "../test.h"

static void send_char(void *c) { tuza_send(c, (char)1); }
static void send_eight(void *c) { tuza_send(c, (int64_t)1); }
static void recv_char(void *c) { tuza_recv(c, &(char){0}); }
static void recv_eight(void *c) { tuza_recv(c, &(int64_t){0}); }
static void select_send_eight(void *c) { TUZA_SELECT(TUZA_SEND(c, &(int64_t){1}), TUZA_DEFAULT); }
static void select_recv_char(void *c) { TUZA_SELECT(TUZA_RECV(c, &(char){1}), TUZA_DEFAULT); }

// Rule 3: in every state of the channel, whether or not the operation would have to wait.
TEST(wrong_sizes_panic)
{
	for (size_t cap = 0; cap < 3; cap++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		int v = 0;

		for (int state = 0; state < 2; state++) {
			CHECK_PANICS("tuza: send of 1 bytes on a channel of 4", send_char, c);
			CHECK_PANICS("tuza: send of 8 bytes on a channel of 4", send_eight, c);
			CHECK_PANICS("tuza: receive of 1 bytes on a channel of 4", recv_char, c);
			CHECK_PANICS("tuza: receive of 8 bytes on a channel of 4", recv_eight, c);
			CHECK_PANICS(
				"tuza: send of 8 bytes on a channel of 4", select_send_eight, c);
			CHECK_PANICS(
				"tuza: receive of 1 bytes on a channel of 4", select_recv_char, c);
			if (cap > 0 && state == 0)
				tuza_send(c, 3);
		}
		CHECK_EQ(tuza_chan_len(c), cap > 0);
		CHECK_EQ(tuza_chan_try_recv(c, &v), cap > 0 ? 0 : -EAGAIN);
		CHECK_EQ(v, cap > 0 ? 3 : 0);
		tuza_chan_release(c);
	}
}

struct size {
	size_t elem_bytes, capacity;
};

static void make_chan(void *arg)
{
	struct size *size = arg;

	tuza_chan_new(size->elem_bytes, size->capacity);
}

// C1, C2, T2.16.
TEST(sizes_out_of_range_panic)
{
	static struct size sizes[] = {
		{8, SIZE_MAX / 4},
		{2, SIZE_MAX / 2 + 1},
		{65535, SIZE_MAX / 1000},
		{1, SIZE_MAX},
		{16, SIZE_MAX},
		{65536, 1},
		{(size_t)1 << 32, 0},
		{SIZE_MAX, 1},
		{SIZE_MAX, SIZE_MAX},
		{4096, (size_t)1 << 60},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		CHECK_PANICS("makechan: size out of range", make_chan, &sizes[i]);
}

// The largest value: 65535 bytes.
TEST(largest_value_goes_through)
{
	tuza_chan *c = tuza_chan_new(65535, 1);
	static unsigned char in[65535], out[65535];

	in[0] = 1;
	in[65534] = 2;
	tuza_chan_send(c, in);
	CHECK(tuza_chan_recv(c, out));
	CHECK(out[0] == 1 && out[65534] == 2);
	tuza_chan_release(c);
}

// 32 TiB are an address space's worth, but no machine's: told, not killed.
TEST(lack_of_memory_is_told)
{
	static struct size size = {32768, (size_t)1 << 30};
	tuza_chan *c = (tuza_chan *)&c;

	if (tuza_chan_try_new(size.elem_bytes, size.capacity, &c) == 0) {
		tuza_chan_release(c);
		SKIP("this system promises any amount of memory");
		return;
	}
	CHECK(c == NULL);
	CHECK_EQ(tuza_chan_try_new(size.elem_bytes, size.capacity, &c), -ENOMEM);
	CHECK_PANICS("tuza: out of memory", make_chan, &size);
	if (CHECK_EQ(tuza_chan_try_new(sizeof(int), 2, &c), 0))
		tuza_chan_release(c);
}

static void send_null(void *arg)
{
	(void)arg;
	tuza_chan_send(NULL, &(int){1});
}

static void recv_null(void *arg)
{
	(void)arg;
	tuza_chan_recv(NULL, NULL);
}

static void send_null_sized(void *arg) { tuza_send((tuza_chan *)arg, 1); }
static void recv_null_sized(void *arg) { tuza_recv((tuza_chan *)arg, (int *)NULL); }

// C13, C3.
TEST(null_channel_is_never_ready)
{
	int v = 4;

	CHECK(blocks(send_null, NULL));
	CHECK(blocks(recv_null, NULL));
	CHECK(blocks(send_null_sized, NULL));
	CHECK(blocks(recv_null_sized, NULL));
	CHECK(wait_parked("chan send (nil chan)", 2));
	CHECK(wait_parked("chan receive (nil chan)", 2));
	CHECK_EQ(tuza_chan_try_send(NULL, &v), -EAGAIN);
	CHECK_EQ(tuza_chan_try_recv(NULL, &v), -EAGAIN);
	CHECK_EQ(v, 4);
	CHECK_EQ(tuza_chan_len(NULL), 0);
	CHECK_EQ(tuza_chan_cap(NULL), 0);
	CHECK(tuza_chan_retain(NULL) == NULL);
	tuza_chan_release(NULL);
}

static void recv_one(tuza_chan *c) { tuza_recv(c, (int *)NULL); }

static void release(void *c) { tuza_chan_release(c); }

// Lifetime: the last reference may not go while somebody waits.
TEST(release_with_a_waiter_panics)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);

	tuza_chan_retain(c);
	TUZA_GO(recv_one, c);
	wait_parked("chan receive", 1);
	tuza_chan_release(c);
	CHECK_PANICS("tuza: release of a channel that a goroutine waits on", release, c);
	tuza_chan_close(c); // the panic gave nothing back
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}
