// SPDX-License-Identifier: MIT
// How far it is: a line on the terminal, five times a second.
#include "tuza-check.h"

#include <string.h>
#include <sys/ioctl.h>
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
	// What is left is as long as what was read, and what was done earlier is before it.
	double left = (double)(run->bytes_total - run->bytes_read);
	return left > 0 ? read + left * (double)run->lines / (double)run->bytes_read : read;
}

// How many characters a line may have: one that goes over to the next is not wiped off.
static int line_room(void)
{
	struct winsize size;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col - 1
									       : 79;
}

static void show(struct run *run, double rate)
{
	static const char START[] = "\r\033[K";
	char line[256], left[64] = "";
	double total = expected(run), done = (double)run->done;
	if (total >= done && total > 0 && rate > 0) {
		int64_t s = (int64_t)((total - done) / rate + 0.5);
		snprintf(left, sizeof left, ", %.0f%%, %lld:%02lld left", done / total * 100,
			(long long)(s / 60), (long long)(s % 60));
	}
	int n = snprintf(line, sizeof line, "%s%lld done, %lld failed, %.0f a second%s", START,
		(long long)run->done, (long long)run->failed, rate, left);
	int room = (int)sizeof START - 1 + line_room();
	(void)!tuza_write(STDERR_FILENO, line, (size_t)(n < room ? n : room));
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
