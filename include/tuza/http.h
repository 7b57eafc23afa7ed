// SPDX-License-Identifier: MIT
/*
 * HTTP/1.1. A library of its own, libtuza-http: -ltuza-http (pkg-config tuza-http, CMake
 * tuza::http). Not part of tuza/tuza.h.
 */
#ifndef TUZA_HTTP_H
#define TUZA_HTTP_H

#include <tuza/http_client.h>
#include <tuza/http_server.h>

#endif
