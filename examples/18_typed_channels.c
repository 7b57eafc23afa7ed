// SPDX-License-Identifier: MIT
/*
 * Typed channels: the compiler checks what is sent, and who may only send or only receive. They
 * cost nothing.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct reading {
	const char *sensor;
	double celsius;
};

TUZA_CHAN_TYPE(readings, struct reading); // type readings = chan reading

// readings_sink: chan<- reading. There is no readings_sink_recv.
static void measure(const char *sensor, double celsius, readings_sink to)
{
	readings_sink_send(to, (struct reading){sensor, celsius});
}

// readings_source: <-chan reading
static double warmest(readings_source from, int count)
{
	struct reading r;
	double most = -273.15;

	while (count-- > 0 && readings_source_recv(from, &r))
		if (r.celsius > most)
			most = r.celsius;
	return most;
}

static int program(void *arg)
{
	readings c = readings_new(0);

	(void)arg;
	go(measure, "roof", 31.5, readings_as_sink(c));
	go(measure, "cellar", 12, readings_as_sink(c));
	printf("the warmest: %.1f\n", warmest(readings_as_source(c), 2));
	readings_release(c);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
the warmest: 31.5
 */
