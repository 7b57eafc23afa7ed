// SPDX-License-Identifier: MIT
/*
 * The HTTP/1.1 server, after Go's net/http.
 */
#ifndef TUZA_HTTP_SERVER_H
#define TUZA_HTTP_SERVER_H

#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

// The words of a status, "Not Found" for 404; "" for one that has none. Never freed nor changed.
// Go: http.StatusText
const char *tuza_http_status_text(int status);

#ifdef __cplusplus
}
#endif
#endif
