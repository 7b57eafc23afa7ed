// SPDX-License-Identifier: MIT
/*
 * The lines of all threads: where the readers on each stand (sync/reader_slots.h).
 */
#ifndef TUZA_SYNC_READER_LINES_H
#define TUZA_SYNC_READER_LINES_H

#include "base/compiler.h"

// Whether locks may have slots: the kernel lets a writer make all threads pass a barrier.
bool reader_lines_work(void);

// Makes sure that the calling thread has a line, if there is one left, and has heard all it was
// told. Between two of its locks.
void reader_lines_listen(void);

// Moves the readers in slots of the lock with that word into its count. Takes some microseconds:
// all threads pass a barrier. Needs: the bucket's lock.
void reader_lines_count(uint64_t *state);

// Whether there are entries of a lock with that word in that era.
bool reader_lines_have(const uint64_t *state, uint64_t era);

#endif
