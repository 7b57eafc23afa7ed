// SPDX-License-Identifier: MIT
/*
 * A server of one's own protocol that ends with a context: what waits for the network is closed by
 * the context's end, whoever is in it returns, and the server waits for all of them. A handle may
 * be closed twice, so nobody has to know who was first.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void stop_listening(void *l) { tuza_listener_close(l); }

static void hang_up(void *conn) { tuza_conn_close(conn); }

static void echo(tuza_context *ctx, tuza_conn *conn, tuza_waitgroup *wg)
{
	tuza_context_after *stop = tuza_context_after_func(ctx, hang_up, conn);
	char bytes[512];

	TUZA_DEFER(tuza_waitgroup_done, wg);
	TUZA_DEFER(tuza_conn_close, conn);
	TUZA_DEFER(tuza_context_after_stop, stop);
	for (ssize_t n; (n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0;)
		if (tuza_conn_write(conn, bytes, (size_t)n) != n)
			break;
}

static void serve(tuza_context *ctx, tuza_listener *l, tuza_waitgroup *served)
{
	tuza_context_after *stop = tuza_context_after_func(ctx, stop_listening, l);
	tuza_waitgroup connections = {0};
	tuza_conn *conn;
	int code;

	TUZA_DEFER(tuza_waitgroup_done, served);
	TUZA_DEFER(tuza_context_after_stop, stop);
	while ((code = tuza_accept(l, &conn)) == 0) {
		tuza_waitgroup_add(&connections, 1);
		go(echo, ctx, conn, &connections);
	}
	printf("accept: %s\n", tuza_strerror(code));
	tuza_waitgroup_wait(&connections);
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	char address[TUZA_ADDRESS_TEXT], bytes[8];
	tuza_waitgroup wg = {0};
	tuza_listener *l;
	tuza_conn *client;

	(void)arg;
	TUZA_DEFER(tuza_context_free, ctx);
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	tuza_waitgroup_add(&wg, 1);
	go(serve, ctx, l, &wg);
	if (tuza_dial(ctx, "tcp", address, &client) != 0)
		return 1;
	TUZA_DEFER(tuza_conn_close, client);
	if (tuza_conn_write(client, "hey", 3) == 3)
		printf("client: %zd bytes\n", tuza_conn_read(client, bytes, sizeof bytes));
	tuza_context_cancel(ctx); // a signal does the same: tuza_context_notify_signal
	tuza_waitgroup_wait(&wg);
	printf("client: %zd bytes\n", tuza_conn_read(client, bytes, sizeof bytes));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
client: 3 bytes
accept: use of closed network connection
client: 0 bytes
 */
