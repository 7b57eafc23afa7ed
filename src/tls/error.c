// SPDX-License-Identifier: MIT
/*
 * What OpenSSL says, as codes and in words. Errors are in a queue of the thread's; whoever looks
 * has not waited since the call that put them there, and leaves it empty.
 */
#include "tls/tls.h"

#include "base/atomic.h"
#include <tuza/error.h>

#include <errno.h>
#include <openssl/sslerr.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// ---- noting -----------------------------------------------------------------------------------

static void set(tuza_tls_error *why, int code, const char *format, va_list arguments)
{
	why->code = code;
	vsnprintf(why->text, sizeof why->text, format, arguments);
}

int error_set(tuza_tls_error *why, int code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (why)
		set(why, code, format, arguments);
	va_end(arguments);
	return code;
}

int error_note(struct tls *t, int code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (t->why.code == 0)
		set(&t->why, code, format, arguments);
	va_end(arguments);
	return t->why.code;
}

int error_of_library(tuza_tls_error *why, int code, const char *what)
{
	char text[160] = "no memory";
	unsigned long error = ERR_peek_last_error();
	if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
		code = -ENOMEM;
	else if (ERR_reason_error_string(error))
		snprintf(text, sizeof text, "%s", ERR_reason_error_string(error));
	ERR_clear_error();
	return error_set(why, code, "tls: %s: %s", what, text);
}

// ---- certificates -----------------------------------------------------------------------------

static void time_text(const ASN1_TIME *time, char *text, size_t bytes)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm) || strftime(text, bytes, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(text, bytes, "?");
}

// Room for names, so that what is said of them fits tuza_tls_error whole.
enum { NAMES_BYTES = 136 };

// A certificate of a chain is not valid: why, in words.
static void note_invalid(struct tls *t, int reason, X509 *certificate, int depth)
{
	char text[160];
	const char *whose = depth > 0 ? "an authority's certificate" : "certificate";
	switch (reason) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		name_list(certificate, text, NAMES_BYTES);
		error_note(t, TUZA_ECERTIFICATE,
			"tls: certificate is not valid for name %.64s, but for %s", t->name,
			*text ? text : "none");
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		time_text(X509_get0_notAfter(certificate), text, sizeof text);
		error_note(t, TUZA_ECERTIFICATE, "tls: %s has expired on %s", whose, text);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		time_text(X509_get0_notBefore(certificate), text, sizeof text);
		error_note(t, TUZA_ECERTIFICATE, "tls: %s is not valid before %s", whose, text);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		error_note(t, TUZA_ECERTIFICATE,
			"tls: certificate is signed by itself, and not trusted");
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		error_note(
			t, TUZA_ECERTIFICATE, "tls: certificate is signed by an unknown authority");
		break;
	default:
		error_note(t, TUZA_ECERTIFICATE, "tls: certificate cannot be verified: %s",
			X509_verify_cert_error_string(reason));
	}
}

int error_verify_callback(int valid, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	if (!valid)
		note_invalid(SSL_get_app_data(ssl), X509_STORE_CTX_get_error(store),
			X509_STORE_CTX_get_current_cert(store),
			X509_STORE_CTX_get_error_depth(store));
	return valid;
}

// ---- calls ------------------------------------------------------------------------------------

// The other side has told us by an alert.
static int note_alert(struct tls *t, int alert)
{
	int code = TUZA_ETLS;
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		code = TUZA_ECERTIFICATE;
		break;
	default:
		break;
	}
	// OpenSSL knows this one by its number alone.
	const char *words = alert == SSL_AD_CERTIFICATE_REQUIRED
				    ? "certificate required"
				    : SSL_alert_desc_string_long(alert);
	return error_note(t, code, "remote error: tls: %s", words);
}

// A flag alone: it may be a moment late.
static bool is_ready(struct tls *t) { return load_relaxed(&t->ready); }

static int note_reason(struct tls *t, unsigned long error)
{
	int reason = ERR_GET_REASON(error);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
		reason < SSL_AD_REASON_OFFSET + 256)
		return note_alert(t, reason - SSL_AD_REASON_OFFSET);
	if (reason == ERR_R_MALLOC_FAILURE)
		return error_note(t, -ENOMEM, "tls: no memory");
	switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? reason : 0) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return error_note(t, TUZA_EUNEXPECTEDEOF,
			is_ready(t) ? "tls: unexpected EOF: the connection ended without a goodbye"
				    : "tls: the other side went away during the handshake");
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_UNKNOWN_PROTOCOL:
		if (is_ready(t))
			break;
		return error_note(
			t, TUZA_ETLS, "tls: what came first does not look like a TLS handshake");
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_VERSION_TOO_LOW:
		return error_note(t, TUZA_ETLS, "tls: there is no version that both sides take");
	case SSL_R_NO_SHARED_CIPHER:
		return error_note(t, TUZA_ETLS, "tls: there is no cipher that both sides take");
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return error_note(t, TUZA_ETLS, "tls: there is no protocol that both sides take");
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return error_note(
			t, TUZA_ECERTIFICATE, "tls: the client did not send a certificate");
	default:
		break;
	}
	const char *words = ERR_reason_error_string(error);
	return error_note(t, TUZA_ETLS, "tls: %s", words ? words : "handshake failed");
}

int error_of_call(struct tls *t, int result)
{
	unsigned long error, first = 0;
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return OUTCOME_INPUT;
	case SSL_ERROR_ZERO_RETURN:
		// OpenSSL calls it an end, too, that there is nothing behind a fatal alert.
		return t->why.code ? t->why.code : OUTCOME_END;
	case SSL_ERROR_SSL:
		// The first that is about TLS: what lies below it is how it came about.
		while ((error = ERR_get_error()) != 0)
			if (!first || (ERR_GET_LIB(first) != ERR_LIB_SSL &&
					      ERR_GET_LIB(error) == ERR_LIB_SSL))
				first = error;
		return note_reason(t, first);
	default:
		ERR_clear_error();
		// Our BIO fails for want of memory alone, or of an end to what is to be answered.
		return error_note(t, -ENOBUFS, "tls: no room for what is to be sent");
	}
}
