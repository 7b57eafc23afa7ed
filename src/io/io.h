// SPDX-License-Identifier: MIT
/*
 * What io/ and net/ share: the race detector's view of bytes that pass through the kernel.
 */
#ifndef TUZA_IO_IO_H
#define TUZA_IO_IO_H

#include "base/race_hooks.h"

// One for all descriptors: what was written anywhere is visible to whoever reads anywhere
// afterwards. It hides some races and invents none. Go: internal/poll, ioSync
extern const char io_order;

static ALWAYS_INLINE void io_will_write(const void *bytes, size_t count)
{
	race_read(bytes, count);
	race_release(&io_order);
}

static ALWAYS_INLINE void io_has_read(const void *bytes, size_t count)
{
	race_acquire(&io_order);
	race_write(bytes, count);
}

// A whole write: no system call of Linux carries more, and a count fits an int.
enum { IO_MOST = 1 << 30 };

// Bytes that are copied out of the system's cache without a blocking section: 20 us or so.
enum { IO_NOW = 256 << 10 };

#endif
