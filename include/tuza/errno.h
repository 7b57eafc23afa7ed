// SPDX-License-Identifier: MIT
/*
 * errno that survives a park. Include this instead of <errno.h> in code that runs in goroutines.
 *
 * tuza saves and restores errno at every switch, so it belongs to the goroutine. But a C compiler
 * computes the address of errno once per function, and after a tuza call the goroutine may be on
 * another thread: code that includes only <errno.h> and reads errno after such a call may read a
 * stranger's. Here errno is asked for anew at each use.
 */
#ifndef TUZA_ERRNO_H
#define TUZA_ERRNO_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

// The address of the calling goroutine's errno, valid until the next tuza call.
int *tuza_errno_(void);

#ifdef __cplusplus
}
#endif

#undef errno
#define errno (*tuza_errno_())

#endif
