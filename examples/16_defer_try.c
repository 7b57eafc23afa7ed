// SPDX-License-Identifier: MIT
/*
 * Defer, panic and recover: what was opened is closed on every way out; a panic ends at the try.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static void closed(const char *what) { printf("\tclosed %s\n", what); }

static void read_port(void *text)
{
	TUZA_DEFER(closed, "the file");
	for (int i = 0; i < 2; i++) {
		TUZA_DEFER(closed, "a buffer"); // each turn of the loop is a block
		if (i == 1)
			break;
	}
	int port = -1;
	if (sscanf(text, "port=%d", &port) != 1)
		tuza_panic("cannot parse \"%s\"", (const char *)text);
	printf("\tthe port is %d\n", port);
}

static int program(void *arg)
{
	static char *const lines[] = {"port=8080", "prot=8080"};
	tuza_panic_info info; // the message, and the stack where the panic was raised

	(void)arg;
	for (int i = 0; i < 2; i++) {
		printf("%s\n", lines[i]);
		if (tuza_try(read_port, lines[i], &info) != 0)
			printf("\trecovered: %s\n", info.message);
	}
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
port=8080
	closed a buffer
	closed a buffer
	the port is 8080
	closed the file
prot=8080
	closed a buffer
	closed a buffer
	closed the file
	recovered: cannot parse "prot=8080"
 */
