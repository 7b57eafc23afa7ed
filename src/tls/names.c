// SPDX-License-Identifier: MIT
/*
 * Names in certificates, as text. They come from the other side: what is not printable, or would
 * end the text early, is shown as '?'.
 */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int copy(const unsigned char *from, int length, char *text, size_t bytes)
{
	size_t n = 0;
	for (int i = 0; i < length && n + 1 < bytes; i++)
		text[n++] = (char)(from[i] > ' ' && from[i] < 127 ? from[i] : '?');
	if (bytes > 0)
		text[n] = '\0';
	return n < (size_t)length ? -ENOSPC : 0;
}

// False: a kind of name that is not told.
static bool name_text(const GENERAL_NAME *name, char *text, size_t bytes, int *error)
{
	char address[INET6_ADDRSTRLEN] = "?";
	switch (name->type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
		*error = copy(ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5),
			text, bytes);
		return true;
	case GEN_IPADD: {
		int length = ASN1_STRING_length(name->d.iPAddress);
		if (length == 4 || length == 16)
			inet_ntop(length == 4 ? AF_INET : AF_INET6,
				ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
		*error = copy((const unsigned char *)address, (int)strlen(address), text, bytes);
		return true;
	}
	default:
		return false;
	}
}

int name_at(X509 *certificate, size_t i, char *text, size_t bytes)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int error = -ENOENT, found;
	char ignored[2];
	for (int at = 0; error == -ENOENT && at < sk_GENERAL_NAME_num(names); at++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, at);
		if (i > 0)
			i -= name_text(name, ignored, sizeof ignored, &found);
		else if (name_text(name, text, bytes, &found))
			error = found;
	}
	GENERAL_NAMES_free(names);
	return error;
}

void name_list(X509 *certificate, char *text, size_t bytes)
{
	char name[NAME_BYTES];
	size_t length = 0;
	text[0] = '\0';
	for (size_t i = 0; name_at(certificate, i, name, sizeof name) != -ENOENT; i++) {
		if (length + strlen(name) + 8 > bytes) { // ", …" and a NUL
			snprintf(text + length, bytes - length, "%s…", i ? ", " : "");
			return;
		}
		length += (size_t)snprintf(
			text + length, bytes - length, "%s%s", i ? ", " : "", name);
	}
}

void name_subject(X509 *certificate, char *text, size_t bytes)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long length = 0;
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
			   XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		length = BIO_get_mem_data(bio, &data);
	snprintf(text, bytes, "%.*s", (int)length, length > 0 ? data : "");
	BIO_free(bio);
}
