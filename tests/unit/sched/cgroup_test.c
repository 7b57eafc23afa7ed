// SPDX-License-Identifier: MIT
/*
 * Limits of control groups, from trees of files as the kernel has them.
 */
#include "../../test.h"

#include "sched/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MB (1024 * 1024ull)

static char root[] = "/tmp/tuza_cgroup_XXXXXX";

static void begin(void)
{
	strcpy(root, "/tmp/tuza_cgroup_XXXXXX");
	CHECK(mkdtemp(root) != NULL);
}

static void end(void)
{
	char command[64];
	snprintf(command, sizeof command, "rm -r %s", root);
	CHECK_EQ(system(command), 0);
}

static void put(const char *path, const char *text)
{
	char file[256];
	snprintf(file, sizeof file, "%s%s", root, path);
	for (char *slash = file + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(file, 0777);
		*slash = '/';
	}
	FILE *f = fopen(file, "w");
	CHECK(f != NULL);
	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

static bool allows(const char *groups, size_t bytes)
{
	struct cgroup_memory m;
	cgroup_find_memory(&m, root, groups);
	return cgroup_memory_allows(&m, bytes);
}

TEST(quota_of_the_tightest_group_above_counts)
{
	begin();
	put("/a/b/cpu.max", "max 100000\n");
	put("/a/cpu.max", "250000 100000\n");
	put("/cpu/x/y/cpu.cfs_quota_us", "-1\n");
	put("/cpu/x/cpu.cfs_quota_us", "200000\n");
	put("/cpu/x/cpu.cfs_period_us", "50000\n");
	CHECK_EQ(cgroup_cpus(root, "0::/a/b\n"), 3);
	CHECK_EQ(cgroup_cpus(root, "5:cpuacct,cpu:/x/y\n1:memory:/a\n"), 4);
	CHECK_EQ(cgroup_cpus(root, "5:cpu:/x/y\n0::/a/b\n"), 3);
	CHECK_EQ(cgroup_cpus(root, "0::/\n"), 0);
	CHECK_EQ(cgroup_cpus(root, ""), 0);
	end();
}

TEST(memory_of_a_group_is_used_up_to_a_twentieth)
{
	begin();
	CHECK(allows("0::/a/b\n", 1 << 30)); // nothing says so
	put("/a/b/memory.max", "max\n");
	put("/a/b/memory.current", "1000000000\n");
	CHECK(allows("0::/a/b\n", 1 << 30));
	put("/a/memory.max", "104857600\n");
	put("/a/memory.current", "73400320\n");
	CHECK(allows("0::/a/b\n", 25 * MB));
	CHECK(!allows("0::/a/b\n", 26 * MB));
	put("/memory/c/memory.limit_in_bytes", "9223372036854771712\n");
	put("/memory/c/memory.usage_in_bytes", "73400320\n");
	CHECK(allows("4:memory:/c\n", 1 << 30));
	put("/memory/c/memory.limit_in_bytes", "104857600\n");
	CHECK(!allows("4:memory:/c\n", 26 * MB));
	end();
}

// A group that reads and writes files is always at its limit.
TEST(files_that_the_kernel_keeps_are_free_memory)
{
	begin();
	put("/a/memory.max", "104857600\n");
	put("/a/memory.current", "104857600\n");
	CHECK(!allows("0::/a\n", 0)); // it is not known what could be given up
	put("/a/memory.stat", "anon 20971520\nfile 73400320\nshmem 20971520\n"
			      "inactive_file 31457280\nactive_file 20971520\n"
			      "slab_reclaimable 1048576\nslab_unreclaimable 10485760\n");
	CHECK(allows("0::/a\n", 46 * MB));
	CHECK(!allows("0::/a\n", 47 * MB));
	put("/memory/c/memory.limit_in_bytes", "104857600\n");
	put("/memory/c/memory.usage_in_bytes", "104857600\n");
	put("/memory/c/memory.stat", "cache 1000\ninactive_file 0\nactive_file 1048576\n"
				     "total_cache 1000\ntotal_inactive_file 31457280\n"
				     "total_active_file 20971520\ntotal_unevictable 20971520\n");
	CHECK(allows("4:memory:/c\n", 45 * MB));
	CHECK(!allows("4:memory:/c\n", 46 * MB));
	end();
}

// The pieces in which the file is read end anywhere.
TEST(statistics_of_any_length_are_read)
{
	char text[4096];
	begin();
	put("/a/memory.max", "104857600\n");
	put("/a/memory.current", "104857600\n");
	for (size_t before = 0; before < 1200; before += 7) {
		size_t n = 0;
		while (n < before)
			n += (size_t)snprintf(text + n, sizeof text - n, "filler %d\n", 1);
		snprintf(text + n, sizeof text - n, "inactive_file 52428800\nafter 12345\n");
		put("/a/memory.stat", text);
		CHECK(allows("0::/a\n", 45 * MB));
		CHECK(!allows("0::/a\n", 46 * MB));
	}
	put("/a/memory.stat", "inactive_file 99999999999999\n");
	CHECK(allows("0::/a\n", 95 * MB));
	put("/a/memory.stat", "");
	CHECK(!allows("0::/a\n", 1));
	end();
}
