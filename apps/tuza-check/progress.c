// SPDX-License-Identifier: MIT
// How far it is: a line on the terminal, five times a second.
#include "tuza-check.h"

#include <string.h>
#include <unistd.h>

static const tuza_duration EVERY = 200 * TUZA_MILLISECOND;

// How many URLs there will be, by the part of the input that was read; 0: nobody knows.
static double expected(struct run *run)
{
	double read = (double)run->read;
	if (run->all_read)
		return read;
	if (run->bytes_total <= 0 || run->bytes_read <= 0)
		return 0;
	return read * (double)run->bytes_total / (double)run->bytes_read;
}

static void show(struct run *run, double rate)
{
	char line[256], left[64] = "";
	double total = expected(run), done = (double)run->done;
	if (total > 0 && rate > 0) {
		int64_t s = (int64_t)((total - done) / rate + 0.5);
		snprintf(left, sizeof left, ", %.0f%%, %lld:%02lld left", done / total * 100,
			(long long)(s / 60), (long long)(s % 60));
	}
	int n = snprintf(line, sizeof line, "\r\033[K%lld done, %lld failed, %.0f a second%s",
		(long long)run->done, (long long)run->failed, rate, left);
	(void)!tuza_write(STDERR_FILENO, line, (size_t)n);
}

// Leaves no line behind.
void progress_run(void *arg)
{
	struct run *run = arg;
	int64_t before = 0;
	double rate = 0;
	tuza_set_name("progress");
	while (TUZA_SELECT(TUZA_RECV(run->over, (char(*)[1])NULL), TUZA_AFTER(EVERY)) == 1) {
		int64_t done = run->done;
		double now = (double)(done - before) * (double)TUZA_SECOND / (double)EVERY;
		rate = before == 0 ? now : rate * 0.9 + now * 0.1; // smoothed over some 2 s
		before = done;
		show(run, rate);
	}
	(void)!tuza_write(STDERR_FILENO, "\r\033[K", 4);
}
