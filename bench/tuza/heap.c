// SPDX-License-Identifier: MIT
/*
 * Counts allocations. The program is linked with -Wl,--wrap for each function here, so calls from
 * the workloads and from libtuza.a come through; those inside libc (a thread's start) do not.
 * Blocks count with their usable size, as Go counts its size classes. Pages that the runtime maps
 * for itself, stacks above all, are no allocations here, and neither are they in Go's count.
 */
#include "bench.h"

#include <malloc.h>
#include <stdatomic.h>

// Statistics, read between passes: relaxed.
static atomic_llong allocations, allocated_bytes;

void heap_count(int64_t *count, int64_t *bytes)
{
	*count = atomic_load_explicit(&allocations, memory_order_relaxed);
	*bytes = atomic_load_explicit(&allocated_bytes, memory_order_relaxed);
}

static void *counted(void *block)
{
	atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
		&allocated_bytes, (long long)malloc_usable_size(block), memory_order_relaxed);
	return block;
}

// Names that the linker's --wrap makes: __real_f is f, and calls of f arrive at __wrap_f.
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes) { return counted(__real_malloc(bytes)); }

void *__wrap_calloc(size_t n, size_t bytes) { return counted(__real_calloc(n, bytes)); }

void *__wrap_realloc(void *old, size_t bytes) { return counted(__real_realloc(old, bytes)); }

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	return counted(__real_aligned_alloc(alignment, bytes));
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int code = __real_posix_memalign(out, alignment, bytes);
	if (code == 0)
		counted(*out);
	return code;
}
