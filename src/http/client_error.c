// SPDX-License-Identifier: MIT
/*
 * libcurl's results as tuza's codes, and failures in words: "GET URL: reason", as Go's url.Error.
 */
#include "http/client.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- codes ------------------------------------------------------------------------------------

// What the kernel said, if it said something.
static int system_code(const struct tuza_http_response *t, int otherwise)
{
	long error = 0;
	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
	switch (error) {
	case 0:
	case EINPROGRESS:
	case EAGAIN:
		return otherwise;
	case ETIMEDOUT:
		return TUZA_ECONNTIMEOUT; // -ETIMEDOUT is what contexts say
	default:
		return -(int)error;
	}
}

// Whether a request was sent.
static bool has_asked(const struct tuza_http_response *t)
{
	long bytes = 0;
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

// libcurl says "failure when receiving" of chunks and heads that are none, too: then in words that
// speak neither of the socket ("Recv failure: …") nor of TLS.
static int receive_code(const struct tuza_http_response *t)
{
	bool is_transport = !t->words[0] || strstr(t->words, "failure") ||
			    strstr(t->words, "SSL") || strstr(t->words, "TLS");
	return system_code(t, is_transport ? -ECONNRESET : TUZA_EHTTP);
}

// Why there was no socket, or else no connection.
static int socket_code(const struct tuza_http_response *t)
{
	return t->socket_error ? -t->socket_error : -ECONNREFUSED;
}

int client_error_code(const struct tuza_http_response *t, CURLcode result)
{
	switch (result) {
	case CURLE_OK:
		return 0;
	case CURLE_UNSUPPORTED_PROTOCOL:
		return has_asked(t) ? TUZA_EHTTP : TUZA_EURL; // it says so of HTTP/0.9, too
	case CURLE_URL_MALFORMAT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return TUZA_EURL;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TUZA_ENOHOST;
	case CURLE_COULDNT_CONNECT:
		return system_code(t, socket_code(t));
	case CURLE_OPERATION_TIMEDOUT:
		return TUZA_EIOTIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_FAIL_REWIND: // that, and the body cannot be sent again
		return TUZA_EOF;
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2_STREAM:
		return t->final ? TUZA_EUNEXPECTEDEOF : TUZA_EHTTP;
	case CURLE_RECV_ERROR:
		return receive_code(t);
	case CURLE_SEND_ERROR:
		return system_code(t, -ECONNRESET);
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_ISSUER_ERROR:
		return TUZA_ECERTIFICATE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_INITFAILED:
		return TUZA_ETLS;
	default:
		return TUZA_EHTTP;
	}
}

// ---- words ------------------------------------------------------------------------------------

// "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number": its end says what it is,
// in the words of <tuza/tls.h>.
static void shorten_tls(char *words)
{
	static const char before[] = "tls: ";
	char *reason = strstr(words, "routines::");
	if (!reason)
		return;
	reason += strlen("routines::");
	memmove(words + sizeof before - 1, reason, strlen(reason) + 1); // it was farther behind
	memcpy(words, before, sizeof before - 1);
}

// What libcurl knows better than the code says; else NULL.
const char *client_error_words(struct tuza_http_response *t, CURLcode result, int code)
{
	double connected = 0;
	if (code == TUZA_ECERTIFICATE || code == TUZA_ETLS)
		shorten_tls(t->words);
	switch (code) {
	case TUZA_EIOTIMEOUT:
		curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME, &connected);
		return connected > 0 ? NULL : "timeout while connecting";
	case TUZA_EURL:
	case TUZA_EHTTP:
	case TUZA_ECERTIFICATE:
	case TUZA_ETLS:
		return t->words[0] ? t->words : curl_easy_strerror(result);
	default:
		return NULL;
	}
}

// The URL without user and password.
static void write_url(FILE *out, const char *url)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	size_t length = strcspn(host, "/?#");
	const char *at = NULL;
	for (size_t i = 0; i < length; i++)
		if (host[i] == '@')
			at = host + i + 1;
	if (at)
		fprintf(out, "%.*s%s", (int)(host - url), url, at);
	else
		fputs(url, out);
}

char *client_error_text(const struct tuza_http_response *t, int code, const char *words)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	if (!out)
		return NULL;
	fprintf(out, "%s ", t->method);
	write_url(out, t->url);
	if (words) {
		fprintf(out, ": %s", words);
	} else {
		// The C library begins with a capital, which is in the middle here.
		words = tuza_strerror(code);
		bool capital = isupper((unsigned char)words[0]) && islower((unsigned char)words[1]);
		fprintf(out, ": %c%s", capital ? tolower((unsigned char)words[0]) : words[0],
			words + 1);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
