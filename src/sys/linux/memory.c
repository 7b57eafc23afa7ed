// SPDX-License-Identifier: MIT
/*
 * The process's own memory: /proc/self/maps, pagemap, and a copy that cannot fault.
 */
#define _GNU_SOURCE
#include "sys/memory.h"

#include "sys/linux/syscall.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static long open_file(const char *path)
{
	return raw_syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

// ---- mappings -------------------------------------------------------------------------------

static uintptr_t hex(const char **at)
{
	uintptr_t n = 0;

	for (;; ++*at) {
		char c = **at;

		if (c >= '0' && c <= '9')
			n = n << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return n;
	}
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

// "7f00-8000 rw-p 00000000 00:00 0    [heap]". False: it cannot be read and written.
static bool parse(const char *line, struct sys_mapping *m)
{
	const char *at = line;

	*m = (struct sys_mapping){.low = hex(&at)};
	if (*at != '-')
		return false;
	at++;
	m->high = hex(&at);
	if (at[0] != ' ' || at[1] != 'r' || at[2] != 'w')
		return false;
	m->is_shared = at[4] == 's';
	at++;
	for (int blanks = 0; *at && blanks < 4; at++) // permissions, offset, device, inode
		blanks += *at == ' ';
	while (*at == ' ')
		at++;
	m->is_unnamed = *at == 0;
	m->is_heap = begins(at, "[heap]");
	m->is_stack = begins(at, "[stack]");
	m->is_device =
		(begins(at, "/dev/") && !begins(at, "/dev/shm/") && !begins(at, "/dev/zero")) ||
		begins(at, "[vvar") || begins(at, "anon_inode:");
	return true;
}

int sys_mappings_each(void (*fn)(const struct sys_mapping *m, void *arg), void *arg)
{
	char text[4096 + 512]; // a line is a path and about 75 characters
	size_t have = 0;
	long fd = open_file("/proc/self/maps"), n;
	struct sys_mapping m;

	if (raw_is_error(fd))
		return (int)fd;
	while ((n = raw_syscall6(SYS_read, fd, (long)(text + have), (long)(sizeof(text) - have - 1),
			0, 0, 0)) > 0) {
		char *line = text, *end;

		have += (size_t)n;
		text[have] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (parse(line, &m))
				fn(&m, arg);
			line = end + 1;
		}
		have = strlen(line);
		if (have >= sizeof(text) - 1)
			break; // no such line exists
		memmove(text, line, have);
	}
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	return (int)n;
}

// ---- what is in it --------------------------------------------------------------------------

size_t sys_memory_copy(void *to, uintptr_t from, size_t bytes)
{
	static bool is_refused; // by the kernel, or a filter of system calls; found out once
	struct iovec local = {to, bytes}, remote = {(void *)from, bytes};
	long n = is_refused ? -EPERM
			    : raw_syscall6(SYS_process_vm_readv, getpid(), (long)&local, 1,
				      (long)&remote, 1, 0);

	if (n == -EPERM || n == -ENOSYS) {
		is_refused = true;
		memcpy(to, (const void *)from, bytes);
		return bytes;
	}
	return raw_is_error(n) ? 0 : (size_t)n;
}

bool sys_pages_touched(uintptr_t low, size_t pages, bool *touched)
{
	enum { SWAPPED = 62 };       // and above it: present
	uint64_t entries[512] = {0}; // tools do not know that the kernel fills it
	long fd = open_file("/proc/self/pagemap");
	size_t done = 0;

	if (raw_is_error(fd))
		return false;
	while (done < pages) {
		size_t want = pages - done < 512 ? pages - done : 512;
		long n = raw_syscall6(SYS_pread64, fd, (long)entries, (long)(want * 8),
			(long)((low / sys_page_bytes + done) * 8), 0, 0);

		if (n <= 0)
			break;
		for (size_t i = 0; i < (size_t)n / 8; i++)
			touched[done++] = entries[i] >> SWAPPED != 0;
	}
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	return done == pages;
}
