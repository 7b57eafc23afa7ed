// SPDX-License-Identifier: MIT
/*
 * Walking glibc's heaps.
 *
 *      header: size | flags          the next one
 *      ▼                             ▼
 *      ┌──────┬──────┬───────────────┬──────┬──────┬─────
 *      │ prev │ size │ the program's │ prev │ size │ …      `prev` belongs to the block before
 *      └──────┴──────┴───────────────┴──────┴──────┴─────   while that one is in use
 *      chunk         address of malloc
 *
 * What is relied on is as old as ptmalloc: the size with three flags in a chunk's second word, bit
 * 0 of the next one's for "this one is in use", the last chunk (the top) ending where the heap
 * does; heaps of threads at multiples of 64 MiB with a header. Every chunk is walked over and the
 * last one has to end at the very end: so what is not such a heap is not taken for one.
 *
 * A large block has a mapping of its own, which the kernel may have joined with others:
 *
 *      mapping's beginning, a page     │                                   │ the next one
 *      ┌──────┬─────────────┬──────────┴───────────────────────────────────┼──────┬─────
 *      │  0   │ size | 2    │ the program's, to the end of the last page   │  0   │ …
 *      └──────┴─────────────┴──────────────────────────────────────────────┴──────┴─────
 *
 * They are followed from the mapping's beginning until there is something else, which is a root as
 * any memory. Memory that is mapped by others, and looks so by chance, is a block that is reached
 * by its first address, as theirs is.
 *
 * A part has two bitmaps, a bit per 16 bytes: where chunks begin, and which were reached. A block's
 * address range is taken from behind its header to behind the next one's, so that an address just
 * past the end counts for the block.
 */
#include "debug/scan_heap.h"

#include "sys/sys.h"

enum {
	UNIT = 16,
	HEADER = 16,
	CHUNK_LEAST = 32,
	FENCE = 16,              // the size of a chunk that stands behind the last one
	FIRST_CHUNK_MOST = 4096, // how far behind a heap's header its first chunk may lie
	TCACHE_CHUNK = 0x290,    // glibc 2.30 to 2.41: struct tcache_perthread_struct
	TCACHE_BINS = 64,
};
static const uintptr_t THREAD_HEAP_BYTES = (uintptr_t)64 << 20; // HEAP_MAX_SIZE on 64 bits
static const size_t SIZE_MASK = ~(size_t)7;
static const size_t PREVIOUS_IN_USE = 1;
static const size_t IS_MAPPED = 2;
static const size_t LARGE_LEAST = (size_t)128 << 10; // M_MMAP_THRESHOLD; it only grows by itself

struct heap_part {
	uintptr_t low;  // of the first chunk
	uintptr_t high; // of the last one, the top, or of the fence
	uint64_t *starts, *marks;
	size_t bitmap_bytes; // of each
};

struct heap_large {
	uintptr_t low;  // of the header
	uintptr_t high; // where its pages end
	bool is_marked;
	bool is_first; // of its mapping
};

// The header of a thread's heap.
struct heap_info {
	uintptr_t arena, previous;
	size_t bytes, committed;
};

static size_t chunk_size(uintptr_t chunk)
{
	return *(const size_t *)(chunk + sizeof(size_t)) & SIZE_MASK;
}

static bool bit_is_set(const uint64_t *bits, size_t i) { return bits[i / 64] >> i % 64 & 1; }
static void bit_set(uint64_t *bits, size_t i) { bits[i / 64] |= (uint64_t)1 << i % 64; }

// ---- walking --------------------------------------------------------------------------------

// The last chunk of a chain that begins at `chunk` and ends at `end`; 0: it is no such chain.
static uintptr_t last_chunk(uintptr_t chunk, uintptr_t end)
{
	for (;;) {
		if (end - chunk < FENCE)
			return 0;
		size_t size = chunk_size(chunk);

		if (size == 0 && end - chunk == FENCE)
			return chunk;
		if (size == 0 || size % UNIT != 0 || size > end - chunk)
			return 0;
		if (size == end - chunk)
			return chunk;
		if (size < CHUNK_LEAST && end - chunk > 2 * FENCE)
			return 0;
		chunk += size;
	}
}

static void widen(struct scan_heap *h, uintptr_t low, uintptr_t high)
{
	if (h->low == 0 || low < h->low)
		h->low = low;
	if (high > h->high)
		h->high = high;
}

static void add_part(struct scan_heap *h, uintptr_t low, uintptr_t last)
{
	size_t words = (last - low) / UNIT / 64 + 1;
	size_t bytes = align_up(words * sizeof(uint64_t), sys_page_bytes);
	uint64_t *bits = sys_pages_alloc(2 * bytes);
	struct heap_part *part = bits ? scan_array_add(&h->parts, sizeof(*part)) : NULL;

	if (!part) {
		if (bits)
			sys_pages_free(bits, 2 * bytes);
		h->parts.is_cut = true;
		return;
	}
	*part = (struct heap_part){low, last, bits, bits + bytes / sizeof(uint64_t), bytes};
	for (uintptr_t chunk = low; chunk < last; chunk += chunk_size(chunk))
		bit_set(bits, (chunk - low) / UNIT);
	widen(h, low, last);
}

// From `low` on, all of it; the range becomes the heap's.
static bool add_chain(struct scan_heap *h, uintptr_t low, uintptr_t end)
{
	uintptr_t last = last_chunk(low, end);

	if (last == 0 || last == low)
		return false;
	add_part(h, low, last);
	return !h->parts.is_cut;
}

static bool add_thread_heap(
	struct scan_heap *h, uintptr_t base, uintptr_t mapping_high, struct scan_array *managed)
{
	struct heap_info header, *info = &header;
	uintptr_t end;

	// It may be a guard.
	if (sys_memory_copy(info, base, sizeof(*info)) < sizeof(*info))
		return true;
	if (info->bytes % sys_page_bytes != 0 || info->bytes == 0 ||
		info->bytes > THREAD_HEAP_BYTES || info->committed < info->bytes ||
		info->committed > THREAD_HEAP_BYTES || info->committed > mapping_high - base ||
		info->previous % THREAD_HEAP_BYTES != 0 || info->arena % THREAD_HEAP_BYTES > 256 ||
		info->arena % THREAD_HEAP_BYTES == 0)
		return true; // none at all
	end = base + info->bytes;
	// Behind the header, and in an arena's first heap the arena: their sizes depend on the
	// version.
	for (uintptr_t low = base + sizeof(*info); low < base + FIRST_CHUNK_MOST; low += UNIT)
		if (add_chain(h, low, end)) {
			scan_range_add(managed, (const void *)base,
				(const void *)(base + info->committed));
			return true;
		}
	return false;
}

// False: memory was wanting.
static bool add_large(struct scan_heap *h, const struct sys_mapping *m, struct scan_array *managed)
{
	uintptr_t low = m->low;
	size_t header[2];

	while (m->high - low >= LARGE_LEAST &&
		sys_memory_copy(header, low, sizeof(header)) == sizeof(header)) {
		size_t bytes = header[1] & SIZE_MASK;

		if (header[0] != 0 || (header[1] & ~SIZE_MASK) != IS_MAPPED ||
			bytes < LARGE_LEAST || bytes % sys_page_bytes != 0 || bytes > m->high - low)
			break;
		struct heap_large *block = scan_array_add(&h->large, sizeof(*block));
		if (!block)
			return false;
		*block = (struct heap_large){low, low + bytes, false, low == m->low};
		// One past its end counts for it: see part_of.
		widen(h, low - HEADER, low + bytes + 1);
		scan_range_add(managed, (const void *)low, (const void *)(low + bytes));
		low += bytes;
	}
	return true;
}

bool scan_heap_add(struct scan_heap *h, const struct sys_mapping *m, struct scan_array *managed,
	const struct scan_array *others)
{
	bool is_whole = true;

	if (m->is_heap) {
		is_whole = add_chain(h, m->low, m->high);
		if (is_whole)
			scan_range_add(managed, (const void *)m->low, (const void *)m->high);
		return is_whole;
	}
	if (!m->is_unnamed || m->is_shared)
		return true;
	// Where the main heap is not glibc's, nothing else is.
	if (h->parts.count > 0 && !scan_ranges_have(others, m->low))
		is_whole &= add_large(h, m, managed);
	for (uintptr_t base = align_up(m->low, THREAD_HEAP_BYTES); base < m->high;
		base += THREAD_HEAP_BYTES)
		if (!scan_ranges_have(others, base))
			is_whole &= add_thread_heap(h, base, m->high, managed);
	return is_whole;
}

void scan_heap_sort(struct scan_heap *h)
{
	scan_array_sort(&h->parts, sizeof(struct heap_part));
	scan_array_sort(&h->large, sizeof(struct heap_large));
}

void scan_heap_free(struct scan_heap *h)
{
	const struct heap_part *parts = h->parts.items;

	for (size_t i = 0; i < h->parts.count; i++)
		sys_pages_free(parts[i].starts, 2 * parts[i].bitmap_bytes);
	scan_array_free(&h->parts, sizeof(struct heap_part));
	scan_array_free(&h->large, sizeof(struct heap_large));
}

// ---- looking up -----------------------------------------------------------------------------

// The chunk behind whose header `address` lies; 0: none.
static uintptr_t chunk_of(const struct heap_part *part, uintptr_t address)
{
	size_t i = (address - HEADER - part->low) / UNIT, word = i / 64;
	uint64_t bits = part->starts[word] << (63 - i % 64);

	if (bits != 0)
		return part->low + (i - (size_t)__builtin_clzll(bits)) * UNIT;
	while (word-- > 0)
		if (part->starts[word] != 0)
			return part->low +
			       (word * 64 + 63 - (size_t)__builtin_clzll(part->starts[word])) *
				       UNIT;
	return 0;
}

static struct heap_part *part_of(const struct scan_heap *h, uintptr_t address)
{
	struct heap_part *part;

	if (address < h->low + HEADER || address >= h->high)
		return NULL;
	part = scan_array_find(&h->parts, sizeof(*part), address - HEADER);
	// The address of the top's header is the allocator's own: none of the program's lies there
	// that does not lie in the block before as well.
	return part && address < part->high ? part : NULL;
}

// The large block that an address leads to: up to one past its end, which may be the next one's
// first byte.
static struct heap_large *large_of(const struct scan_heap *h, uintptr_t address)
{
	struct heap_large *block = scan_array_find(&h->large, sizeof(*block), address - 1);

	if (block && address <= block->high)
		return block;
	block = scan_array_find(&h->large, sizeof(*block), address);
	return block && block->low == address && block->is_first ? block : NULL;
}

/*
 * The calling thread's list of freed blocks, which malloc keeps in a block: it is told by what is
 * in it. Each list's count is 0 just when it is empty, and its first block has the list's size.
 */
static bool is_tcache(const struct scan_heap *h, uintptr_t chunk)
{
	const uint16_t *counts = (const void *)(chunk + HEADER);
	const uintptr_t *entries = (const void *)(counts + TCACHE_BINS);

	if (chunk_size(chunk) != TCACHE_CHUNK)
		return false;
	for (size_t i = 0; i < TCACHE_BINS; i++) {
		const struct heap_part *part = entries[i] ? part_of(h, entries[i]) : NULL;

		if ((counts[i] == 0) != (entries[i] == 0))
			return false;
		if (entries[i] == 0)
			continue;
		if (!part || entries[i] % UNIT != 0 ||
			!bit_is_set(part->starts, (entries[i] - HEADER - part->low) / UNIT) ||
			chunk_size(entries[i] - HEADER) != CHUNK_LEAST + i * UNIT)
			return false;
	}
	return true;
}

static bool is_in_use(uintptr_t chunk)
{
	return *(const size_t *)(chunk + chunk_size(chunk) + sizeof(size_t)) & PREVIOUS_IN_USE;
}

static uintptr_t used_chunk(const struct scan_heap *h, uintptr_t address, struct heap_part **in)
{
	struct heap_part *part = part_of(h, address);
	uintptr_t chunk = part ? chunk_of(part, address) : 0;

	*in = part;
	return chunk && is_in_use(chunk) ? chunk : 0;
}

static void set_block(struct scan_range *block, uintptr_t chunk)
{
	block->low = chunk + HEADER;
	block->high = chunk + chunk_size(chunk) + sizeof(size_t);
}

bool scan_heap_block(const struct scan_heap *h, uintptr_t address, struct scan_range *block)
{
	struct heap_part *part;
	uintptr_t chunk = used_chunk(h, address, &part);
	const struct heap_large *large = part ? NULL : large_of(h, address);

	if (chunk)
		set_block(block, chunk);
	if (large)
		*block = (struct scan_range){large->low + HEADER, large->high};
	return chunk || large;
}

enum scan_heap_mark scan_heap_mark(struct scan_heap *h, uintptr_t address, struct scan_range *block)
{
	struct heap_part *part;
	uintptr_t chunk = used_chunk(h, address, &part);

	if (!part) {
		struct heap_large *large = large_of(h, address);

		if (!large)
			return SCAN_NO_BLOCK;
		if (large->is_marked)
			return SCAN_WAS_REACHED;
		large->is_marked = true;
		*block = (struct scan_range){large->low + HEADER, large->high};
		return SCAN_IS_REACHED;
	}
	if (!chunk || bit_is_set(part->marks, (chunk - part->low) / UNIT))
		return SCAN_WAS_REACHED;
	bit_set(part->marks, (chunk - part->low) / UNIT);
	set_block(block, chunk);
	if (is_tcache(h, chunk))
		block->high = block->low; // reached, but it leads nowhere
	return SCAN_IS_REACHED;
}

bool scan_heap_is_marked(const struct scan_heap *h, uintptr_t address)
{
	struct heap_part *part;
	uintptr_t chunk = used_chunk(h, address, &part);
	const struct heap_large *large = part ? NULL : large_of(h, address);

	return large ? large->is_marked
		     : chunk && bit_is_set(part->marks, (chunk - part->low) / UNIT);
}
