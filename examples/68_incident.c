// SPDX-License-Identifier: MIT
// not-under: address the goroutines that it leaves behind keep their memory
/*
 * The classic incident: whoever asks stops waiting for a slow answer, and the goroutine that
 * fetches it waits for ever to hand it over. Counts what is left behind, without the fix and with
 * it. `68_incident leaking` and `68_incident fixed` serve prices until they are killed:
 * docs/INCIDENT.md finds the leak in the running service.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static bool is_fixed;

static void look_up(tuza_chan *answer)
{
	TUZA_DEFER(tuza_chan_release, answer);
	int price = 42;
	tuza_sleep(500 * TUZA_MILLISECOND); // the backend is slow today
	tuza_send(answer, price);           // who asked has gone: without room it stays here
}

static bool ask_price(int *price)
{
	tuza_chan *answer = tuza_chan_new(sizeof *price, is_fixed ? 1 : 0); // the fix: room for it
	TUZA_DEFER(tuza_chan_release, answer);
	go(look_up, tuza_chan_retain(answer));
	return TUZA_SELECT(TUZA_RECV(answer, price), TUZA_AFTER(5 * TUZA_MILLISECOND)) == 0;
}

static void serve_price(tuza_http_writer *w, tuza_http_request *r, void *unused)
{
	int price = 0;
	(void)r, (void)unused;
	if (!ask_price(&price))
		tuza_http_set_status(w, 503);
	tuza_http_printf(w, "%d\n", price);
}

static int serve(void)
{
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = serve_price});
	char prices[TUZA_ADDRESS_TEXT], debug[TUZA_ADDRESS_TEXT];
	tuza_listener *l, *d;
	if (tuza_listen("tcp", "127.0.0.1:0", &l) || tuza_debug_serve_with("127.0.0.1:0", NULL, &d))
		return 1;
	tuza_listener_address(l, prices, sizeof prices);
	tuza_listener_address(d, debug, sizeof debug);
	fprintf(stderr, "http://%s/\nhttp://%s/debug/\n", prices, debug);
	return tuza_http_server_serve(server, l);
}

static int count(bool with_fix)
{
	size_t before = tuza_num_goroutine(), n = 20, stay = with_fix ? 0 : n;
	int price;
	is_fixed = with_fix;
	for (size_t i = 0; i < n; i++)
		ask_price(&price);
	while (tuza_num_goroutine() > before + stay) // some still look up
		tuza_sleep(TUZA_MILLISECOND);
	return printf("%zu asked, %zu stay\n", n, tuza_num_goroutine() - before) < 0;
}

static int program(void *mode)
{
	if (!mode)
		return count(false) + count(true);
	is_fixed = strcmp(mode, "fixed") == 0;
	return serve();
}

int main(int argc, char **argv) { return tuza_run(program, argc > 1 ? argv[1] : NULL); }

/* Output:
20 asked, 20 stay
20 asked, 0 stay
 */
