// SPDX-License-Identifier: MIT
// What there was in all: counts, percentiles of latency, failures by kind.
#include "tuza-check.h"

#include <ctype.h>
#include <string.h>

static size_t bucket_of(tuza_duration d)
{
	uint64_t us = d < 1000 ? 1 : (uint64_t)d / 1000;
	int magnitude = 63 - __builtin_clzll(us);
	uint64_t within = magnitude >= 5 ? us >> (magnitude - 5) : us << (5 - magnitude);
	return (size_t)magnitude * 32 + (size_t)(within & 31);
}

// The middle of a bucket.
static tuza_duration value_of(size_t bucket)
{
	double low = (double)(UINT64_C(1) << (bucket / 32));
	return (tuza_duration)(low * (1 + ((double)(bucket % 32) + 0.5) / 32) * 1000);
}

void summary_add(struct summary *s, const struct job *j)
{
	s->done++;
	s->bytes += j->bytes;
	s->retries += j->attempts - 1;
	s->buckets[bucket_of(j->latency)]++;
	if (j->latency > s->most)
		s->most = j->latency;
	if (job_is_fine(j))
		return;
	s->failed++;
	int what = j->error ? j->error : j->status;
	for (int i = 0; i < SUMMARY_KINDS; i++) {
		bool last = i == SUMMARY_KINDS - 1; // all others
		if (s->kinds[i].count == 0)
			s->kinds[i].what = last ? 0 : what;
		if (s->kinds[i].what == what || last) {
			s->kinds[i].count++;
			break;
		}
	}
}

// The least that is not below p of a hundred: of 100 the p-th.
tuza_duration summary_percentile(const struct summary *s, int p)
{
	int64_t before = (s->done * p + 99) / 100 - 1;
	for (size_t i = 0; i < SUMMARY_BUCKETS; i++) {
		before -= s->buckets[i];
		if (before < 0) {
			tuza_duration d = value_of(i);
			return d < s->most ? d : s->most;
		}
	}
	return s->most;
}

const char *kind_text(int what, char *text, size_t bytes)
{
	if (what > 0)
		snprintf(text, bytes, "HTTP %d", what);
	else
		snprintf(text, bytes, "%s", what ? tuza_strerror(what) : "others");
	// The C library's begin with a capital, the others do not.
	if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static void print_kinds(const struct summary *s, FILE *out)
{
	bool shown[SUMMARY_KINDS] = {false};
	for (;;) {
		int best = -1;
		for (int i = 0; i < SUMMARY_KINDS; i++)
			if (!shown[i] && s->kinds[i].count > 0 &&
				(best < 0 || s->kinds[i].count > s->kinds[best].count))
				best = i;
		if (best < 0)
			return;
		char text[128];
		shown[best] = true;
		fprintf(out, "  %8lld  %s\n", (long long)s->kinds[best].count,
			kind_text(s->kinds[best].what, text, sizeof text));
	}
}

static double ms(tuza_duration d) { return (double)d / (double)TUZA_MILLISECOND; }

void summary_print(const struct summary *s, tuza_duration took, FILE *out)
{
	double seconds = (double)took / (double)TUZA_SECOND;
	fprintf(out, "%lld checked, %lld failed, %lld retries, %.1f MB in %.2f s (%.0f a second)\n",
		(long long)s->done, (long long)s->failed, (long long)s->retries,
		(double)s->bytes / 1e6, seconds, seconds > 0 ? (double)s->done / seconds : 0);
	if (s->done > 0)
		fprintf(out, "latency: p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n",
			ms(summary_percentile(s, 50)), ms(summary_percentile(s, 90)),
			ms(summary_percentile(s, 99)), ms(s->most));
	if (s->failed > 0) {
		fprintf(out, "failures:\n");
		print_kinds(s, out);
	}
}
