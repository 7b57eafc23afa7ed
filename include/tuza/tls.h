// SPDX-License-Identifier: MIT
/*
 * TLS, after Go's crypto/tls; by OpenSSL 3. What comes out is a tuza_conn like any other: all of
 * <tuza/net.h> works on it, with deadlines, and a close that wakes.
 *
 *	int error = tuza_tls_dial(ctx, "tcp", "example.org:443", NULL, &conn, &why);
 *	if (error)
 *		fprintf(stderr, "%s\n", why.text);  // tls: certificate has expired on …
 *
 *	tuza_tls_options options = {.cert_file = "cert.pem", .key_file = "key.pem"};
 *	if (tuza_tls_config_new(&options, &config, &why) == 0 &&
 *		tuza_tls_listen("tcp", ":443", config, &l) == 0)
 *		while (tuza_accept(l, &conn) == 0)
 *			go(serve, conn);
 *
 * The other side's certificate is verified unless that is turned off by name. TLS 1.2 at least;
 * renegotiation and compression are off.
 *
 * Reads and writes may run at the same time, as everywhere. What differs from other connections:
 *
 *	- the handshake is made by the first read or write, unless tuza_tls_handshake made it
 *	  before: it may wait in both directions, whichever was called
 *	- in TLS 1.3 a client's handshake is over before the server has looked at its certificate:
 *	  that it was not believed it hears from its first read
 *	- tuza_conn_read returns 0 only when the other side has said that it ends;
 *	  TUZA_EUNEXPECTEDEOF when the connection just ended: somebody may have cut it short
 *	- a write that fails half way, by its deadline too, leaves a piece of a record behind: all
 *	  later writes fail in the same way, as in Go
 *	- tuza_conn_close says goodbye first, and may wait up to 5 s (or the write deadline) for a
 *	  side that does not read, unless somebody is writing
 *	- tuza_conn_close_write says that no more will come; the other direction goes on
 *
 * Results, besides those of <tuza/net.h>: TUZA_ECERTIFICATE (the other side is not who it says, or
 * this side was not believed) and TUZA_ETLS (anything else); tuza_tls_error has the words.
 *
 * A library of its own, libtuza-tls: -ltuza-tls (pkg-config tuza-tls, CMake tuza::tls). Functions
 * may be called from any goroutine or thread, not from a signal handler.
 */
#ifndef TUZA_TLS_H
#define TUZA_TLS_H

#include <tuza/context.h>
#include <tuza/macros.h>
#include <tuza/net.h>

#ifdef __cplusplus
extern "C" {
#endif

// Versions, by their number in the protocol.
enum { TUZA_TLS_1_2 = 0x0303, TUZA_TLS_1_3 = 0x0304 };

// Why something failed.
typedef struct tuza_tls_error {
	int code; // what the function returned
	// In words, "tls: certificate is not valid for name …"; "" if nothing failed.
	char text[252];
} tuza_tls_error;

// ---- configurations ----------------------------------------------------------------------------

// What a side of a connection presents and believes. Any number of connections, of clients and
// servers, share one; it does not change.
typedef struct tuza_tls_config tuza_tls_config;

// What a server wants to know of its clients. Go: ClientAuthType
typedef enum tuza_tls_clients {
	TUZA_TLS_ANY_CLIENT,       // no certificates
	TUZA_TLS_VERIFY_IF_GIVEN,  // one that is sent must be valid
	TUZA_TLS_VERIFIED_CLIENTS, // each must send one that is valid
} tuza_tls_clients;

// One of several certificates of a server: as in tuza_tls_options.
typedef struct tuza_tls_certificate {
	const char *cert_file, *key_file;
	const char *cert_pem, *key_pem;
	const char *key_password;
} tuza_tls_certificate;

// Options; zeroed means the defaults. Text in PEM ends with a NUL.
typedef struct tuza_tls_options {
	/*
	 * Who we are: a certificate, with those that it was issued by behind it, and its key; each
	 * from a file or from memory. A server needs them, a client if it is asked.
	 */
	const char *cert_file, *key_file;
	const char *cert_pem, *key_pem;
	const char *key_password; // of an encrypted key; NULL: it is not

	/*
	 * More of them, for a server with several names, or with keys of several kinds: a client
	 * gets to see those that are for the name that it asks for (SNI), the first of each kind,
	 * the one above before these; of none, or without a name, the very first. Go: Certificates
	 */
	const tuza_tls_certificate *certificates;
	size_t certificate_count;

	/*
	 * Whom we believe: certificates of authorities, from all that is given; of none, those of
	 * the system (SSL_CERT_FILE and SSL_CERT_DIR name others). `ca_dir` has them under the
	 * names that c_rehash makes.
	 */
	const char *ca_file, *ca_dir, *ca_pem;
	bool ca_system; // those of the system as well

	// Who the server must be; sent to it (SNI). NULL: the host that is dialled.
	const char *server_name;
	tuza_tls_clients clients; // a server's; the CAs must be given

	int min_version; // TUZA_TLS_1_2, TUZA_TLS_1_3; 0: 1.2
	int max_version; // 0: the newest

	/*
	 * Protocols to agree on (ALPN), the best first, NULL at the end; NULL: none. If both sides
	 * have some and none in common, the handshake fails. Go: NextProtos
	 */
	const char *const *protocols;

	int sessions;    // how many a client keeps, for shorter handshakes; 0: 64, -1: none
	bool no_tickets; // a server lets none be resumed

	/*
	 * A client takes any certificate of any server, and so talks to whoever is in between. For
	 * tests. Go: InsecureSkipVerify
	 */
	bool insecure_accept_any_certificate;

	// Called last, with OpenSSL's SSL_CTX, for what there is no option for. Returns 0 or a
	// code, with which tuza_tls_config_new fails. May be NULL.
	int (*customize)(void *ssl_ctx, void *arg);
	void *customize_arg;
} tuza_tls_options;

/*
 * Makes a configuration.
 *
 *   options  read now; NULL: the defaults, a client's.
 *   config   set to it, for tuza_tls_config_free; else to NULL.
 *   why      set to the reason of a failure; may be NULL.
 *
 * Returns  0; -ENOENT … of a file; -EINVAL: what is given does not fit together; TUZA_ECERTIFICATE:
 *          no certificate or key, or two that do not belong together; -ENOMEM.
 * Blocks   for files, in a blocking section.
 * Go       &tls.Config{…}, tls.LoadX509KeyPair, CertPool.AppendCertsFromPEM
 */
TUZA_MUST_USE int tuza_tls_config_new(
	const tuza_tls_options *options, tuza_tls_config **config, tuza_tls_error *why);

// Gives it up: it is freed with the last connection and listener that use it. NULL is ignored.
void tuza_tls_config_free(tuza_tls_config *config);

// ---- connections -------------------------------------------------------------------------------

/*
 * Connects, and makes the handshake.
 *
 *   address  its host is who the server must be, unless the configuration names another.
 *   config   NULL: the defaults, the same configuration for all.
 *   ctx, conn  as tuza_dial.
 *   why      set to the reason of a failure; may be NULL.
 *
 * Returns  0; the context's code; codes of tuza_dial, tuza_tls_handshake, tuza_tls_client.
 * Panics   "nil context".
 * Blocks   parks until the handshake is made.
 * Go       tls.Dialer.DialContext
 */
TUZA_MUST_USE int tuza_tls_dial(tuza_context *ctx, const char *network, const char *address,
	tuza_tls_config *config, tuza_conn **conn, tuza_tls_error *why);

/*
 * TLS over a connection that is there, of whatever kind: one end of it, as client or server. The
 * handshake is not made yet.
 *
 *   under   becomes the new connection's: it is closed with it, and not to be used otherwise.
 *   config  NULL: the defaults, for a client.
 *   server_name  who the server must be; NULL: what the configuration says.
 *   conn    set to the connection, for tuza_conn_close; else to NULL.
 *
 * Returns  0; -EINVAL: there is no server name and verification is on, or a server without a
 *          certificate; -ENOMEM. After a failure `under` is still the caller's.
 * Blocks   never.
 * Go       tls.Client, tls.Server
 */
TUZA_MUST_USE int tuza_tls_client(
	tuza_conn *under, tuza_tls_config *config, const char *server_name, tuza_conn **conn);
TUZA_MUST_USE int tuza_tls_server(tuza_conn *under, tuza_tls_config *config, tuza_conn **conn);

/*
 * Listens as tuza_listen: tuza_accept gives TLS connections, whose handshakes are made by their
 * first read or write, so that nobody keeps the others waiting. tuza_http_server_serve takes the
 * listener as any other.
 *
 *   l  set to the listener, for tuza_listener_close; else to NULL.
 *
 * Returns  0; codes of tuza_listen; -EINVAL: the configuration has no certificate; -ENOMEM.
 * Blocks   only to resolve a name.
 * Go       tls.Listen
 */
TUZA_MUST_USE int tuza_tls_listen(
	const char *network, const char *address, tuza_tls_config *config, tuza_listener **l);

// Makes it of a listener that is there, before anybody accepts. 0; TUZA_ECONNCLOSED, -EINVAL,
// -ENOMEM: it is as it was. Go: tls.NewListener
TUZA_MUST_USE int tuza_tls_listener(tuza_listener *l, tuza_tls_config *config);

/*
 * Makes the handshake, unless it is made.
 *
 *   ctx  ends the attempt: then the connection is of no more use. NULL: the deadlines alone do.
 *   why  set to the reason of a failure; may be NULL.
 *
 * Returns  0; the context's code; TUZA_ECERTIFICATE, TUZA_ETLS; TUZA_EUNEXPECTEDEOF: the other side
 *          went away; TUZA_EIOTIMEOUT: a deadline passed, and it goes on with a later one; codes of
 *          tuza_conn_read and tuza_conn_write; -EINVAL: no TLS connection. Whoever uses the
 *          connection after a failure gets the same.
 * Blocks   parks until it is made.
 * Go       Conn.HandshakeContext
 */
TUZA_MUST_USE int tuza_tls_handshake(tuza_context *ctx, tuza_conn *conn, tuza_tls_error *why);

// ---- looking at it -----------------------------------------------------------------------------

// A connection after its handshake. Go: ConnectionState
typedef struct tuza_tls_state {
	bool handshake_made; // else nothing below is known
	bool is_server;
	bool resumed;          // from an earlier session, without certificates
	bool peer_verified;    // the other side's certificate is valid, and its name right
	int version;           // TUZA_TLS_1_2, TUZA_TLS_1_3
	char cipher[64];       // "TLS_AES_128_GCM_SHA256"
	char protocol[256];    // agreed on by ALPN; "": none
	char server_name[256]; // that the client has asked for; "": none
	char peer[256]; // the subject of the other side's certificate, "CN=example.org"; "": none
} tuza_tls_state;

// Looks at it now. Returns 0; TUZA_ECONNCLOSED; -EINVAL: no TLS connection.
// Go: Conn.ConnectionState
TUZA_MUST_USE int tuza_tls_get_state(tuza_conn *conn, tuza_tls_state *state);

/*
 * The names that the other side's certificate is for: DNS names, IP addresses, mail addresses and
 * URIs of its subjectAltName, one by one.
 *
 *   i     from 0.
 *   text  set to the name.
 *
 * Returns  0; -ENOENT: there are no more; -ENOSPC: it is cut short; as tuza_tls_get_state.
 * Go       PeerCertificates[0].DNSNames …
 */
TUZA_MUST_USE int tuza_tls_peer_name(tuza_conn *conn, size_t i, char *text, size_t bytes);

/*
 * The other side's certificate itself, for a library that understands it.
 *
 *   der    set to it, in DER, for free(); NULL if there is none.
 *   bytes  set to its length.
 *
 * Returns  0; -ENOENT: there is none; -ENOMEM; as tuza_tls_get_state.
 * Go       PeerCertificates[0].Raw
 */
TUZA_MUST_USE int tuza_tls_peer_certificate(tuza_conn *conn, void **der, size_t *bytes);

// What went wrong with the connection first, such as with the handshake of a read. 0, with the
// code 0 if nothing did; as tuza_tls_get_state.
TUZA_MUST_USE int tuza_tls_get_error(tuza_conn *conn, tuza_tls_error *why);

#ifdef __cplusplus
}
#endif
#endif
