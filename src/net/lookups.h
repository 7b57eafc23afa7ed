// SPDX-License-Identifier: MIT
/*
 * Questions under way (resolve.c), at the end of the runtime.
 */
#ifndef TUZA_NET_LOOKUPS_H
#define TUZA_NET_LOOKUPS_H

// The goroutines that would answer were dropped. Needs: no goroutine exists.
void lookups_forget(void);

#endif
