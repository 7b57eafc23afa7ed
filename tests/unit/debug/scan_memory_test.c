// SPDX-License-Identifier: MIT
// Arrays, ranges and foreign memory of the scan for leaked goroutines.
#include "test.h"

#include "debug/scan_memory.h"
#include "sys/sys.h"

static struct scan_array ranges;

static void add(uintptr_t low, uintptr_t high)
{
	scan_range_add(&ranges, (const void *)low, (const void *)high);
}

static void begin(void)
{
	sys_init();
	scan_array_free(&ranges, sizeof(struct scan_range));
}

static char parts[256];

static void note_part(uintptr_t low, uintptr_t high, void *unused)
{
	(void)unused;
	sprintf(parts + strlen(parts), "%zu-%zu ", (size_t)low, (size_t)high);
}

static const char *without(uintptr_t low, uintptr_t high)
{
	parts[0] = 0;
	scan_without(&ranges, low, high, note_part, NULL);
	return parts;
}

TEST_PLAIN(ranges_are_sorted_and_joined)
{
	begin();
	add(500, 600);
	add(100, 200);
	add(150, 300);
	add(300, 310);
	add(120, 130);
	add(7, 7); // empty
	scan_ranges_sort(&ranges);
	CHECK_EQ(ranges.count, 2);
	CHECK(scan_ranges_have(&ranges, 100) && scan_ranges_have(&ranges, 309));
	CHECK(!scan_ranges_have(&ranges, 99) && !scan_ranges_have(&ranges, 310));
	CHECK(scan_ranges_have(&ranges, 500) && !scan_ranges_have(&ranges, 600));
}

TEST_PLAIN(what_is_in_no_range_is_left)
{
	begin();
	add(100, 200);
	add(300, 400);
	scan_ranges_sort(&ranges);
	CHECK_STR(without(0, 50), "0-50 ");
	CHECK_STR(without(0, 150), "0-100 ");
	CHECK_STR(without(150, 350), "200-300 ");
	CHECK_STR(without(0, 500), "0-100 200-300 400-500 ");
	CHECK_STR(without(110, 190), "");
	CHECK_STR(without(200, 300), "200-300 ");
	CHECK_STR(without(400, 450), "400-450 ");
}

TEST_PLAIN(nothing_hides_nothing)
{
	begin();
	scan_ranges_sort(&ranges);
	CHECK_STR(without(1, 9), "1-9 ");
	CHECK(!scan_ranges_have(&ranges, 5));
}

TEST_PLAIN(many_items_are_found_again)
{
	begin();
	for (uintptr_t i = 0; i < 20000; i++)
		add(((i * 7919) % 20000 + 1) * 16, ((i * 7919) % 20000 + 1) * 16 + 8);
	CHECK(!ranges.is_cut);
	scan_ranges_sort(&ranges);
	CHECK_EQ(ranges.count, 20000);
	for (uintptr_t i = 1; i <= 20000; i++)
		if (!CHECK(scan_ranges_have(&ranges, i * 16 + 7)) ||
			!CHECK(!scan_ranges_have(&ranges, i * 16 + 8)))
			break;
	scan_array_free(&ranges, sizeof(struct scan_range));
}

static size_t seen_words;
static bool seen_magic;
static const uintptr_t MAGIC = (uintptr_t)0x1234567812345678;

static void look(const uintptr_t *words, size_t n, void *unused)
{
	(void)unused;
	seen_words += n;
	for (size_t i = 0; i < n; i++)
		seen_magic |= words[i] == MAGIC;
}

TEST_PLAIN(reading_passes_over_what_cannot_be_read)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory =
		mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin();
	memset(memory, 1, 8 * page);
	*(uintptr_t *)(void *)(memory + 7 * page + 16) = MAGIC;
	munmap(memory + 2 * page, page);
	seen_words = 0;
	seen_magic = false;
	scan_read((uintptr_t)memory, (uintptr_t)memory + 8 * page, look, NULL);
	CHECK(seen_magic);
	CHECK(seen_words <= 7 * page / sizeof(uintptr_t));
	munmap(memory, 8 * page);
}

TEST_PLAIN(reading_leaves_out_what_was_never_touched)
{
	size_t bytes = (size_t)256 << 20;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	begin();
	*(uintptr_t *)(void *)(memory + (100 << 20)) = MAGIC;
	seen_words = 0;
	seen_magic = false;
	scan_read((uintptr_t)memory, (uintptr_t)memory + bytes, look, NULL);
	CHECK(seen_magic);
	CHECK(seen_words <= (4 << 20) / sizeof(uintptr_t)); // a huge page, at most
	munmap(memory, bytes);
}
