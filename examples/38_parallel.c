// SPDX-License-Identifier: MIT
/*
 * A bounded parallel loop: a hundred pages, at most eight at the same time. The first failure stops
 * the rest.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/tuza.h>

enum { PAGES = 100, AT_ONCE = 8 };

struct crawl {
	int words[PAGES]; // each goroutine writes its own
	atomic_int now, most;
};

static int fetch(tuza_context *ctx, size_t i, void *arg)
{
	struct crawl *c = arg;
	int now = ++c->now, most = c->most;

	while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
		;
	int code = tuza_sleep_ctx(ctx, TUZA_MILLISECOND / 10); // the network
	c->words[i] = (int)i;
	c->now--;
	return code;
}

static int program(void *arg)
{
	static struct crawl c;
	int sum = 0;

	(void)arg;
	int code = tuza_parallel(tuza_context_background(), PAGES, AT_ONCE, fetch, &c);
	for (int i = 0; i < PAGES; i++) // all have ended: what they wrote is ours
		sum += c.words[i];
	printf("%s: %d words, ", tuza_strerror(code), sum);
	puts(c.most <= AT_ONCE ? "never more than 8 pages at once" : "too many at once");
	return code;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
success: 4950 words, never more than 8 pages at once
 */
