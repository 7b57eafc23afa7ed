// SPDX-License-Identifier: MIT
/*
 * A pipeline: each stage is a goroutine between two channels, and the close travels down it.
 */
#include <ctype.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct word {
	char text[16];
};

static void generate(tuza_chan *out)
{
	static const struct word words[] = {{"goroutines"}, {"channels"}, {"pipelines"}, {"go"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		tuza_send(out, words[i]); // the struct is copied
	tuza_chan_close(out);
}

static void to_upper(tuza_chan *in, tuza_chan *out)
{
	struct word w;

	while (tuza_recv(in, &w)) {
		for (char *c = w.text; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		tuza_send(out, w);
	}
	tuza_chan_release(in); // drained: nobody uses it any more
	tuza_chan_close(out);
}

static void add_prefix(const char *prefix, tuza_chan *in, tuza_chan *out)
{
	struct word w, prefixed;

	while (tuza_recv(in, &w)) {
		snprintf(prefixed.text, sizeof(prefixed.text), "%s%s", prefix, w.text);
		tuza_send(out, prefixed);
	}
	tuza_chan_release(in);
	tuza_chan_close(out);
}

static int program(void *arg)
{
	tuza_chan *words = tuza_chan_new(sizeof(struct word), 0);
	tuza_chan *upper = tuza_chan_new(sizeof(struct word), 0);
	tuza_chan *prefixed = tuza_chan_new(sizeof(struct word), 0);
	struct word w;

	(void)arg;
	go(generate, words);
	go(to_upper, words, upper);
	go(add_prefix, ">> ", upper, prefixed);
	while (tuza_recv(prefixed, &w))
		puts(w.text);
	tuza_chan_release(prefixed);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
>> GOROUTINES
>> CHANNELS
>> PIPELINES
>> GO
 */
