// SPDX-License-Identifier: MIT
/*
 * TLS: a connection like any other, once both sides know who they are. The certificate signs
 * itself; who does not know it does not believe the server.
 */
#include <stdio.h>
#include <tuza/tls.h>
#include <tuza/tuza.h>

static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBSTCB8KADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDAiGA8yMDIw\n"
	"MDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcq\n"
	"hkjOPQIBBggqhkjOPQMBBwNCAAQHEPekKG63nv0190tkY0uhah+AN88DZ8s9c8rckyRJIjTz1Ptr\n"
	"rHP4Wxm5XMW7nTh5S0BCFWx9tFyCve7LIb6Koy8wLTAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8A\n"
	"AAEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAY3zu/8u6CdXsCkr5G+9gQca+W\n"
	"Mh7uHR/2VzJ/64SaZQIhAJPzDPVGodXy2gWpl2Yamir7BETEu0cpZskeoafHrqmp\n"
	"-----END CERTIFICATE-----\n";
static const char key[] = // not for any other use: everybody knows it
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZEVllGESghlBvvqtx/QNE/5xPxh2\n"
	"y+MX+kZaSWn6igWhRANCAAQHEPekKG63nv0190tkY0uhah+AN88DZ8s9c8rckyRJIjTz1PtrrHP4\n"
	"Wxm5XMW7nTh5S0BCFWx9tFyCve7LIb6K\n"
	"-----END PRIVATE KEY-----\n";

static void serve(void *listener)
{
	for (tuza_conn *conn; tuza_accept(listener, &conn) == 0; tuza_conn_close(conn))
		// It makes the handshake: whoever does not believe us gets nothing.
		(void)!tuza_conn_write(conn, "hello", 5);
}

// Visits a server that must be the one of the address, unless the options name another.
static void visit(const char *address, const tuza_tls_options *options)
{
	tuza_context *ctx = tuza_context_background();
	tuza_tls_config *config;
	tuza_tls_error why;
	tuza_conn *conn;
	char bytes[64];

	if (tuza_tls_config_new(options, &config, &why) == 0 &&
		tuza_tls_dial(ctx, "tcp", address, config, &conn, &why) == 0) {
		printf("%.*s\n", (int)tuza_conn_read(conn, bytes, sizeof bytes), bytes);
		tuza_conn_close(conn);
	} else {
		printf("%s\n", why.text);
	}
	tuza_tls_config_free(config);
}

static int program(void *arg)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_tls_config *config;
	tuza_listener *l;

	(void)arg;
	if (tuza_tls_config_new(&(tuza_tls_options){.cert_pem = certificate, .key_pem = key},
		    &config, NULL) != 0 ||
		tuza_tls_listen("tcp", "127.0.0.1:0", config, &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	tuza_goroutine *server = tuza_spawn(serve, l);
	visit(address, &(tuza_tls_options){.ca_pem = certificate});
	visit(address, &(tuza_tls_options){.ca_pem = certificate, .server_name = "example.org"});
	visit(address, NULL); // believes whom the system believes
	tuza_listener_close(l);
	tuza_join(server); // it may not have closed its last connection
	tuza_tls_config_free(config);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
hello
tls: certificate is not valid for name example.org, but for localhost, 127.0.0.1
tls: certificate is signed by itself, and not trusted
 */
