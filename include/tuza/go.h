// SPDX-License-Identifier: MIT
/*
 * Opt-in sugar: the bare word `go`, and nothing else. go(f, x, y) is TUZA_GO(f, x, y).
 */
#ifndef TUZA_GO_H
#define TUZA_GO_H

#include <tuza/goroutine.h>

#define go(...) TUZA_GO(__VA_ARGS__)

#endif
