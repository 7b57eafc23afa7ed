// SPDX-License-Identifier: MIT
/*
 * Arrays, ranges, and reading foreign memory. See scan_memory.h.
 */
#include "debug/scan_memory.h"

#include "sys/memory.h"
#include "sys/sys.h"

#include <string.h>

// ---- arrays ---------------------------------------------------------------------------------

static bool grow(struct scan_array *a, size_t bytes)
{
	size_t room = a->room ? a->room * 2 : (64 << 10) / bytes;
	void *items = sys_pages_alloc(room * bytes);

	if (!items)
		return false;
	memcpy(items, a->items ? a->items : items, a->count * bytes);
	scan_array_free(&(struct scan_array){.items = a->items, .room = a->room}, bytes);
	a->items = items;
	a->room = room;
	return true;
}

void *scan_array_add(struct scan_array *a, size_t bytes)
{
	if (a->count == a->room && !grow(a, bytes)) {
		a->is_cut = true;
		return NULL;
	}
	void *item = (char *)a->items + a->count++ * bytes;

	memset(item, 0, bytes); // it may have been another's that was dropped
	return item;
}

void scan_array_free(struct scan_array *a, size_t bytes)
{
	if (a->items)
		sys_pages_free(a->items, a->room * bytes);
	a->items = NULL;
	a->count = a->room = 0;
}

static uintptr_t key_at(const struct scan_array *a, size_t bytes, size_t i)
{
	return *(const uintptr_t *)(const void *)((const char *)a->items + i * bytes);
}

static void swap(struct scan_array *a, size_t bytes, size_t i, size_t k)
{
	char *x = (char *)a->items + i * bytes, *y = (char *)a->items + k * bytes;

	for (size_t n = 0; n < bytes; n++) {
		char c = x[n];

		x[n] = y[n];
		y[n] = c;
	}
}

static void sift_down(struct scan_array *a, size_t bytes, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && key_at(a, bytes, child + 1) > key_at(a, bytes, child))
			child++;
		if (key_at(a, bytes, child) <= key_at(a, bytes, i))
			return;
		swap(a, bytes, i, child);
	}
}

void scan_array_sort(struct scan_array *a, size_t bytes)
{
	for (size_t i = a->count / 2; i-- > 0;)
		sift_down(a, bytes, i, a->count);
	for (size_t end = a->count; end-- > 1;) {
		swap(a, bytes, 0, end);
		sift_down(a, bytes, 0, end);
	}
}

void *scan_array_find(const struct scan_array *a, size_t bytes, uintptr_t address)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (key_at(a, bytes, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? (char *)a->items + (low - 1) * bytes : NULL;
}

// ---- ranges ---------------------------------------------------------------------------------

void scan_range_add(struct scan_array *ranges, const void *low, const void *high)
{
	struct scan_range *r = NULL;

	if (low < high)
		r = scan_array_add(ranges, sizeof(*r));
	if (r)
		*r = (struct scan_range){(uintptr_t)low, (uintptr_t)high};
}

void scan_ranges_sort(struct scan_array *ranges)
{
	struct scan_range *all = ranges->items;
	size_t kept = 0;

	scan_array_sort(ranges, sizeof(*all));
	for (size_t i = 0; i < ranges->count; i++) {
		if (kept > 0 && all[i].low <= all[kept - 1].high) {
			if (all[i].high > all[kept - 1].high)
				all[kept - 1].high = all[i].high;
		} else {
			all[kept++] = all[i];
		}
	}
	ranges->count = kept;
}

bool scan_ranges_have(const struct scan_array *ranges, uintptr_t address)
{
	const struct scan_range *r = scan_array_find(ranges, sizeof(*r), address);

	return r && address < r->high;
}

void scan_without(const struct scan_array *ranges, uintptr_t low, uintptr_t high,
	void (*fn)(uintptr_t low, uintptr_t high, void *arg), void *arg)
{
	const struct scan_range *all = ranges->items;
	const struct scan_range *first = scan_array_find(ranges, sizeof(*first), low);

	for (size_t i = first ? (size_t)(first - all) : 0; i < ranges->count; i++) {
		if (low >= high || all[i].low >= high)
			break;
		if (all[i].low > low)
			fn(low, all[i].low, arg);
		if (all[i].high > low)
			low = all[i].high;
	}
	if (low < high)
		fn(low, high, arg);
}

// ---- reading --------------------------------------------------------------------------------

enum { PART_BYTES = 16 << 10 };

static void read_touched(uintptr_t low, uintptr_t high, scan_words *fn, void *arg)
{
	uintptr_t words[PART_BYTES / sizeof(uintptr_t)];

	while (low < high) {
		size_t wanted = high - low < PART_BYTES ? high - low : PART_BYTES;
		size_t got = sys_memory_copy(words, low, wanted);

		if (got >= sizeof(uintptr_t))
			fn(words, got / sizeof(uintptr_t), arg);
		if (got == wanted)
			low += got;
		else // on with the next page
			low = align_up(low + got + 1, sys_page_bytes);
	}
}

void scan_read(uintptr_t low, uintptr_t high, scan_words *fn, void *arg)
{
	bool touched[1024];
	uintptr_t page, end;

	low = align_up(low, sizeof(uintptr_t));
	for (; low < high; low = end) {
		size_t pages = (align_up(high, sys_page_bytes) - low) / sys_page_bytes + 1;

		if (pages > COUNT_OF(touched))
			pages = COUNT_OF(touched);
		page = low / sys_page_bytes * sys_page_bytes;
		end = page + pages * sys_page_bytes;
		if (!sys_pages_touched(page, pages, touched))
			memset(touched, true, pages);
		for (size_t i = 0, n; i < pages; i += n) {
			uintptr_t from = page + i * sys_page_bytes, to;

			for (n = 1; i + n < pages && touched[i + n] == touched[i]; n++)
				;
			to = from + n * sys_page_bytes;
			if (touched[i])
				read_touched(
					from > low ? from : low, to < high ? to : high, fn, arg);
		}
	}
}
